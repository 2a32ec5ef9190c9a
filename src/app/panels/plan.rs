//! The plan made visible: what else was tried, how the search narrowed, and what the chosen actions look
//! like in imagination.

use bevy_egui::egui::{
    Align, ComboBox, CornerRadius, FontId, Layout, RichText, Sense, Ui, WidgetType, vec2,
};

use super::super::command::Command;
use super::super::state::{DriverChoice, PlanView, State};
use super::super::theme;
use super::name;
use super::paint::row_ui;
use super::pictures::Pictures;
use super::plan_views::{self, Canvas};

/// Draws the plan in the view that is picked.
pub fn plan_ui(
    ui: &mut Ui,
    state: &State,
    pictures: &mut Pictures,
    side: f32,
    out: &mut Vec<Command>,
) {
    let s = theme::surfaces(state.look);
    let view = state.plan_view;
    row_ui(ui, |ui| {
        ui.label(RichText::new("Plan").strong())
            .on_hover_text("What the controller plans, as the planner's own model imagines it");
        picker_ui(ui, view, out);
        let known = state.timers.decision.last();
        let fits = ui.available_width() > 56.0;
        if let Some(ms) = known.filter(|_| state.decision.is_some() && fits) {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(
                    RichText::new(format!("{ms:.0} ms"))
                        .monospace()
                        .color(s.weak),
                )
                .on_hover_text("Time that the last decision took");
            });
        }
    });
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
    name(
        &response,
        WidgetType::Image,
        &format!("Plan: {}", view.words()),
    );
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, CornerRadius::same(4), s.well);
    let canvas = Canvas {
        painter: &painter,
        rect,
        s,
        state,
    };
    let say = |text: &str| {
        let font = FontId::proportional(12.5);
        let galley = painter.layout(text.into(), font, s.weak, side - 24.0);
        painter.galley(rect.center() - 0.5 * galley.size(), galley, s.weak);
    };
    let plan = state
        .decision
        .as_ref()
        .and_then(|d| Some((d, d.plan.as_ref()?)));
    let Some((decision, plan)) = plan else {
        say(match state.driver {
            _ if state.replay.is_some() => "Recorded actions: nothing is planned",
            _ if !state.has_actions() => "Nothing to plan: no actions",
            DriverChoice::Random | DriverChoice::Keyboard => "This controller does not plan",
            _ => "Planning…",
        });
        return;
    };
    let seen = &decision.preview;
    let shown = match view {
        PlanView::Energy => Ok(plan_views::energy(&canvas, decision, plan)),
        PlanView::Elites => Ok(plan_views::elites(&canvas, plan)),
        PlanView::Cost => Ok(plan_views::cost_by_step(&canvas, plan)),
        PlanView::Latents => match &seen.latents {
            Some(path) => Ok(plan_views::latents(&canvas, path)),
            None => Err("This planner's model has no latents to show"),
        },
        PlanView::Film => match &seen.film {
            Some(film) => Ok(plan_views::film(&canvas, ui.ctx(), film, pictures)),
            None => Err("This planner's model has no pixels, so there is no film"),
        },
    };
    match shown {
        Ok(text) => row_ui(ui, |ui| {
            let label = RichText::new(text).small().color(s.weak);
            ui.add(bevy_egui::egui::Label::new(label).truncate())
                .on_hover_text(plan_views::hint(&canvas, view));
        }),
        Err(text) => say(text),
    }
}

fn picker_ui(ui: &mut Ui, view: PlanView, out: &mut Vec<Command>) {
    ComboBox::from_id_salt("plan view")
        .selected_text(RichText::new(view.words()).small())
        .width(84.0)
        .show_ui(ui, |ui| {
            for other in PlanView::ALL {
                let button = ui.selectable_label(other == view, other.words());
                if button.on_hover_text(other.meaning()).clicked() {
                    out.push(Command::PlanView(other));
                }
            }
        })
        .response
        .on_hover_text(view.meaning());
}
