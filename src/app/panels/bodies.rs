//! Where each body is and how fast, at the moment shown; the camera follows the one that is picked.

use bevy_egui::egui::{Button, RichText, Sense, Ui, WidgetType, vec2};

use super::super::command::Command;
use super::super::state::State;
use super::super::theme;
use super::{legible, name};
use crate::scene::Kind;

/// Draws the list, in the scene's order.
pub fn bodies_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let (Some(scene), Some(moment)) = (&state.scene, state.shown_moment()) else {
        ui.label(RichText::new("No scene is shown").color(s.weak));
        return;
    };
    let about = "Press a body: the 3-D camera follows it. Press it again: the camera stays.";
    ui.label(RichText::new(about).small().color(s.weak));
    for (i, body) in scene.bodies.iter().enumerate() {
        let follows = state.follow == Some(i);
        let title = legible(ui.ctx(), &body.name).into_owned();
        let row = ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
            let colour = theme::body_colour(body.colour);
            ui.painter().circle_filled(rect.center(), 5.0, colour);
            let text = if follows {
                format!("{title} (followed)")
            } else {
                title.clone()
            };
            ui.add(Button::selectable(follows, text).truncate())
        });
        let words = match moment.state.bodies.get(i) {
            Some(_) if moment.hidden.contains(&i) => "is not there".to_string(),
            Some(_) if body.kind == Kind::Fixed => "stands still: nothing moves it".to_string(),
            Some(b) => {
                let [x, y, z] = b.position.map(|v| v * 100.0);
                let length = |v: [f32; 3]| v.iter().map(|c| c * c).sum::<f32>().sqrt();
                let turns = length(b.spin).to_degrees();
                format!(
                    "at x {x:.1}, y {y:.1}, z {z:.1} cm\nmoves at {:.2} m/s, turns at {turns:.0}°/s",
                    length(b.velocity)
                )
            }
            None => "unknown".to_string(),
        };
        let button = &row.inner;
        let spoken = format!("{title}: {}", words.replace('\n', ", "));
        name(button, WidgetType::SelectableLabel, &spoken);
        if button.clicked() {
            out.push(Command::Follow((!follows).then_some(i)));
        }
        ui.indent(("body", i), |ui| {
            ui.label(RichText::new(words).small().color(s.weak));
        });
    }
}
