//! Hands on reality: what takes it out of what the models were trained on, and how far.

use std::collections::BTreeMap;

use bevy_egui::egui::style::HandleShape;
use bevy_egui::egui::{
    Align, Button, Layout, Rect, Response, RichText, Slider, Stroke, Ui, pos2, vec2,
};

use super::super::command::Command;
use super::super::state::State;
use super::super::theme;
use super::number::{intervention, number_ui};
use super::{badge, legible};
use crate::scene::Scene;

/// How far a value lies outside of what the models were trained on, in words; `None` inside it.
pub fn how_far(scene: &Scene, target: &str, value: f32) -> Option<String> {
    let departure = scene.departure(target, value)?;
    // A slider cannot hit a single value to the last bit.
    if departure.beyond <= 1e-3 * departure.low.abs().max(1.0) {
        return None;
    }
    Some(match departure.widths {
        Some(ranges) => {
            let word = if (0.95..1.05).contains(&ranges) {
                "range"
            } else {
                "ranges"
            };
            format!("{ranges:.1} {word} beyond")
        }
        None => {
            let side = if value < departure.low {
                "below"
            } else {
                "above"
            };
            format!(
                "{} {side} the only value",
                number(departure.beyond, unit(target))
            )
        }
    })
}

/// A quantity outside of what the models were trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The quantity, in words.
    pub name: String,
    /// How far outside, in words.
    pub how_far: String,
}

/// The interventions that take reality out of what the models were trained on.
pub fn outside(scene: &Scene, interventions: &BTreeMap<String, f32>) -> Vec<Outside> {
    interventions
        .iter()
        .filter_map(|(target, value)| {
            Some(Outside {
                name: target.replace(['.', '_'], " "),
                how_far: how_far(scene, target, *value)?,
            })
        })
        .collect()
}

/// Draws the panel's sliders.
pub fn panel_ui(ui: &mut Ui, state: &State, scene: &Scene, out: &mut Vec<Command>) {
    let weak = theme::surfaces(state.look).weak;
    ui.label(RichText::new("Change the world under the models' feet").color(weak));
    for (target, low, high) in offered(scene) {
        row_ui(ui, state, scene, &target, (low, high), out);
        ui.add_space(5.0);
    }
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(22.0, 12.0), bevy_egui::egui::Sense::hover());
        band(ui, Rect::from_center_size(rect.center(), vec2(22.0, 4.0)));
        ui.label(
            RichText::new("what the models were trained on")
                .small()
                .color(weak),
        );
    });
    let any = !state.interventions.is_empty() && state.replay.is_none();
    let back = Button::new("Back to the scene's own values");
    if ui
        .add_enabled(any, back)
        .on_hover_text("Starts the episode again; Ctrl+Z takes back one change")
        .clicked()
    {
        out.push(Command::ClearInterventions);
    }
}

/// Targets with the ends of their sliders: what the scene offers, then what every scene has.
fn offered(scene: &Scene) -> Vec<(String, f32, f32)> {
    let mut sliders: Vec<(String, f32, f32)> = scene
        .sliders
        .iter()
        .map(|s| (s.target.clone(), s.low, s.high))
        .collect();
    let general = [
        ("gravity", -20.0, 5.0),
        ("floor_friction", 0.0, 2.0),
        ("action.noise", 0.0, 1.0),
        ("action.delay", 0.0, 10.0),
    ];
    for (target, low, high) in general {
        let is_known = scene.nominal(target).is_some();
        if is_known && !sliders.iter().any(|(t, ..)| t == target) {
            sliders.push((target.into(), low, high));
        }
    }
    sliders
}

fn row_ui(
    ui: &mut Ui,
    state: &State,
    scene: &Scene,
    target: &str,
    ends: (f32, f32),
    out: &mut Vec<Command>,
) {
    let weak = theme::surfaces(state.look).weak;
    let set = state.interventions.get(target).copied();
    let range = scene.training_range(target);
    let name = legible(ui.ctx(), &target.replace(['.', '_'], " ")).into_owned();
    let label = RichText::new(&name);
    let usual = range.map_or(0.5 * (ends.0 + ends.1), |(low, high)| 0.5 * (low + high));
    let shown = set.unwrap_or(usual);
    let mut value = shown;
    let moved = |value: f32| (value - shown).abs() > 1e-6 && state.replay.is_none();
    let typed = ui.horizontal(|ui| {
        ui.label(if set.is_some() { label.strong() } else { label });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let field = ui.add_enabled_ui(state.replay.is_none(), |ui| {
                let text = number(shown, unit(target));
                number_ui(ui, &format!("{name}, number"), &text, &shown.to_string())
            });
            field.inner
        })
        .inner
    });
    ui.spacing_mut().slider_width = (ui.available_width() - 12.0).clamp(80.0, 300.0);
    let slider = Slider::new(&mut value, ends.0..=ends.1)
        .show_value(false)
        .clamping(bevy_egui::egui::SliderClamping::Never);
    let slider = ui.add(slider);
    super::name(&slider, bevy_egui::egui::WidgetType::Slider, &name);
    let touched = slider.dragged() || slider.clicked() || slider.changed() && slider.has_focus();
    if let Some(range) = range {
        range_on_slider(ui, &slider, ends, range);
    }
    if touched && moved(value) {
        out.push(Command::Intervene(
            target.into(),
            rounded(target, value, ends),
        ));
    }
    if let Some(typed) = typed.inner {
        match intervention(scene, target, &typed, unit(target)) {
            Ok(value) if moved(value) => out.push(Command::Intervene(target.into(), value)),
            Ok(_) => {}
            Err(why) => out.push(Command::Complain(format!("{why}; nothing was changed"))),
        }
    }
    let trained = range.map(|(low, high)| {
        let unit = unit(target);
        if high > low {
            format!("trained on {low:.2} to {}", number(high, unit))
        } else {
            format!("trained on {} only", number(low, unit))
        }
    });
    match (set, how_far(scene, target, shown)) {
        (Some(_), Some(how_far)) => {
            badge(
                ui,
                &format!("⚠ out of distribution · {how_far}"),
                theme::IMAGINED,
            )
            .on_hover_text(trained.unwrap_or_default());
        }
        (Some(_), None) => {
            badge(ui, "within what was trained on", theme::ACCENT)
                .on_hover_text(trained.unwrap_or_default());
        }
        (None, _) => {
            let drawn = range.is_some_and(|(low, high)| high > low);
            let trained = trained.unwrap_or_default();
            let text = if drawn {
                format!("{trained}; the seed draws it")
            } else {
                trained
            };
            ui.label(RichText::new(text).small().color(weak));
        }
    }
}

/// The training range as a band under the slider's rail.
fn range_on_slider(ui: &Ui, slider: &Response, ends: (f32, f32), range: (f32, f32)) {
    let rect = slider.rect;
    // As the slider itself lays out its handle.
    let handle = match ui.visuals().handle_shape {
        HandleShape::Circle => 1.0,
        HandleShape::Rect { aspect_ratio } => aspect_ratio,
    };
    let rail = rect.x_range().shrink(handle * rect.height() / 2.5);
    let x = |value: f32| {
        let share = (value - ends.0) / (ends.1 - ends.0);
        rail.min + rail.span() * share.clamp(0.0, 1.0)
    };
    let (mut from, mut to) = (x(range.0), x(range.1));
    if to - from < 4.0 {
        let middle = 0.5 * (from + to);
        (from, to) = (middle - 2.0, middle + 2.0);
    }
    let y = rect.bottom() - 1.5;
    band(
        ui,
        Rect::from_min_max(pos2(from, y - 2.0), pos2(to, y + 2.0)),
    );
}

fn band(ui: &Ui, rect: Rect) {
    let edge = Stroke::new(0.5, theme::ACCENT.gamma_multiply(0.6));
    ui.painter().rect(
        rect,
        1.5,
        theme::ACCENT,
        edge,
        bevy_egui::egui::StrokeKind::Outside,
    );
}

/// As many digits as a slider can tell apart.
fn rounded(target: &str, value: f32, ends: (f32, f32)) -> f32 {
    let step = match ends.1 - ends.0 {
        _ if target == "action.delay" => 1.0,
        span if span > 2.0 => 100.0,
        _ => 1000.0,
    };
    (value * step).round() / step
}

fn unit(target: &str) -> &'static str {
    match target.rsplit('.').next() {
        Some("gravity") => " m/s²",
        Some("mass") => " kg",
        Some("x" | "y" | "z") => " m",
        Some("yaw" | "pitch" | "roll") => "°",
        Some("vx" | "vy" | "vz") => " m/s",
        Some("wx" | "wy" | "wz") => " rad/s",
        Some("damping") => " /s",
        Some("delay") => " steps",
        _ => "",
    }
}

fn number(value: f32, unit: &str) -> String {
    // Small values need more digits to be told apart from nothing.
    let digits = match value.abs() {
        v if v > 0.0 && v < 0.095 => 4,
        _ => 2,
    };
    format!("{value:.digits$}{unit}")
}
