//! What the judge found in this episode: each finding a click from its moment.

use bevy_egui::egui::{Label, RichText, ScrollArea, Sense, Ui, vec2};

use super::super::command::Command;
use super::super::state::State;
use super::super::theme;
use super::paint::row_ui;
use crate::scene::Law;
use crate::sim::CONTROL_HZ;

struct Finding<'a> {
    moment: usize,
    law: Law,
    body: &'a str,
    pane: &'a str,
    severity: f32,
}

/// Draws the list, the earliest first.
pub fn findings_ui(ui: &mut Ui, state: &State, side: f32, out: &mut Vec<Command>) {
    let weak = theme::surfaces(state.light).weak;
    let findings = findings(state);
    row_ui(ui, |ui| {
        ui.label(RichText::new("Violations").strong())
            .on_hover_text("Laws of physics that imaginations of this episode broke, by the judge");
        ui.label(RichText::new(findings.len().to_string()).color(weak));
    });
    if findings.is_empty() {
        let text = match state.scene_panes().next() {
            Some(_) => "None so far: all that was imagined is lawful",
            None => "No model was trained on this scene: nothing is imagined",
        };
        ui.label(RichText::new(text).color(weak));
        return;
    }
    ScrollArea::vertical()
        .max_height(side)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            for f in &findings {
                ui.horizontal(|ui| {
                    let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
                    theme::law_mark(ui.painter(), f.law, rect.center(), 4.5);
                    let seconds = f.moment as f32 / CONTROL_HZ as f32;
                    let text = format!("{seconds:.1} s  {} · {} · {}", f.law.id(), f.body, f.pane);
                    let text = super::legible(ui.ctx(), &text).into_owned();
                    let label = Label::new(RichText::new(text).small()).truncate();
                    let hover = format!("{} (severity {:.2})", f.law.statement(), f.severity);
                    let row = ui.add(label.sense(Sense::click())).on_hover_text(hover);
                    if row.clicked() {
                        out.push(Command::Scrub(f.moment));
                    }
                });
            }
        });
}

fn findings(state: &State) -> Vec<Finding<'_>> {
    let mut all: Vec<Finding> = state
        .scene_panes()
        .flat_map(|(_, pane)| {
            pane.rollouts.iter().flat_map(move |r| {
                r.violations.iter().map(move |v| Finding {
                    moment: r.branch + (v.first_frame + 1) * r.imagined.frameskip.max(1),
                    law: v.law,
                    body: state
                        .scene
                        .as_ref()
                        .zip(v.body)
                        .and_then(|(s, body)| s.bodies.get(body))
                        .map_or("?", |b| b.name.as_str()),
                    pane: &pane.name,
                    severity: v.severity,
                })
            })
        })
        .collect();
    all.sort_by_key(|f| f.moment);
    all
}
