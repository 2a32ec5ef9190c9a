//! The planner's energy: what the first actions it tried would cost, by its own imagination.

use bevy_egui::egui::{
    Align, Color32, CornerRadius, FontId, Layout, RichText, Sense, Stroke, StrokeKind, Ui,
    WidgetType, vec2,
};

use super::super::state::{DriverChoice, State};
use super::super::theme;
use super::name;
use super::panes::row_ui;
use crate::scene::ActionSpace;

/// Draws the candidates' first actions, coloured by cost, and the action chosen.
pub fn plan_ui(ui: &mut Ui, state: &State, side: f32) {
    let s = theme::surfaces(state.light);
    row_ui(ui, |ui| {
        ui.label(RichText::new("Planner's energy").strong())
            .on_hover_text("Each dot is the first action of a plan that was tried; yellow ones lead nearest to the goal in imagination");
        if let Some(ms) = state
            .timers
            .decision
            .last()
            .filter(|_| state.decision.is_some())
        {
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
    name(&response, WidgetType::Image, "Planner's energy");
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, CornerRadius::same(4), s.well);
    let plan = state
        .decision
        .as_ref()
        .and_then(|d| Some((d, d.plan.as_ref()?)));
    let Some((decision, plan)) = plan else {
        let text = match state.driver {
            _ if state.replay.is_some() => "Recorded actions: nothing is planned",
            _ if !state.has_actions() => "Nothing to plan: no actions",
            DriverChoice::Random | DriverChoice::Keyboard => "This controller does not plan",
            _ => "Planning…",
        };
        let font = FontId::proportional(12.5);
        let galley = painter.layout(text.into(), font, s.weak, side - 24.0);
        painter.galley(rect.center() - 0.5 * galley.size(), galley, s.weak);
        return;
    };
    let inner = rect.shrink(12.0);
    let line = Stroke::new(1.0, s.line);
    painter.rect_stroke(inner, 2.0, line, StrokeKind::Middle);
    painter.line_segment([inner.left_center(), inner.right_center()], line);
    painter.line_segment([inner.center_top(), inner.center_bottom()], line);
    // In the plane down is towards the eye; in space up is up.
    let in_space = matches!(
        state.scene.as_ref().map(|s| &s.actions),
        Some(ActionSpace::Spatial { .. })
    );
    let at = |a: [f32; 2]| {
        let share = |v: f32| v.clamp(-1.0, 1.0) * 0.5 + 0.5;
        let down = if in_space { -a[1] } else { a[1] };
        inner.lerp_inside(vec2(share(a[0]), share(down)))
    };
    let costs = plan
        .first_actions
        .iter()
        .map(|(_, c)| *c)
        .filter(|c| c.is_finite());
    let (low, high) = costs.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), c| {
        (l.min(c), h.max(c))
    });
    for (action, cost) in &plan.first_actions {
        let t = 1.0 - (cost - low) / (high - low).max(1e-9);
        painter.circle_filled(at(*action), 3.0, theme::viridis(t).gamma_multiply(0.9));
    }
    if let [x, z, ..] = decision.action[..] {
        painter.circle_stroke(at([x, z]), 7.0, Stroke::new(3.5, Color32::BLACK));
        painter.circle_stroke(at([x, z]), 7.0, Stroke::new(2.0, Color32::WHITE));
    }
    row_ui(ui, |ui| {
        let count = plan.first_actions.len();
        let digits = if high < 10.0 { 2 } else { 0 };
        let text = format!("{count} first actions, cost {low:.digits$} to {high:.digits$}");
        ui.label(RichText::new(text).small().color(s.weak))
            .on_hover_text(if in_space {
                "Across: the hand to the left or right; up: higher. The ring is the action chosen"
            } else {
                "Across: the hand to the left or right; down: towards the eye. The ring is the action chosen"
            });
    });
}
