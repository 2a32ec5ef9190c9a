//! Hands on reality: what takes it out of what the models were trained on.

use bevy_egui::egui::{Context, RichText, Slider, Window};

use super::super::command::Command;
use super::super::state::State;
use super::super::theme;
use crate::scene::Scene;

/// Draws the floating panel while it is open.
pub fn interventions_ui(ctx: &Context, state: &State, out: &mut Vec<Command>) {
    let Some(scene) = state.scene.as_ref().filter(|_| state.show_interventions) else {
        return;
    };
    let mut open = true;
    Window::new("Interventions")
        .open(&mut open)
        .resizable(false)
        .default_pos([16.0, 64.0])
        .show(ctx, |ui| {
            let weak = theme::surfaces(state.light).weak;
            ui.label(RichText::new("Change the world under the models' feet").color(weak));
            let mut sliders: Vec<(String, f32, f32)> = scene
                .sliders
                .iter()
                .map(|s| (s.target.clone(), s.low, s.high))
                .collect();
            if !sliders.iter().any(|(t, ..)| t == "gravity") {
                sliders.insert(0, ("gravity".into(), -20.0, 5.0));
            }
            for (target, low, high) in sliders {
                let set = state.interventions.get(&target).copied();
                let mut value = set.unwrap_or_else(|| usual_value(scene, &target));
                let unit = match target.rsplit('.').next() {
                    Some("gravity") => " m/s²",
                    Some("mass") => " kg",
                    Some("x" | "y" | "z") => " m",
                    _ => "",
                };
                let mut text = RichText::new(target.replace('.', " "));
                if set.is_some() {
                    text = text.strong().color(theme::IMAGINED);
                }
                let slider = Slider::new(&mut value, low..=high)
                    .text(text)
                    .suffix(unit)
                    .max_decimals(2);
                if ui.add(slider).changed() {
                    out.push(Command::Intervene(target, value));
                }
            }
            let any = !state.interventions.is_empty();
            if ui
                .add_enabled(
                    any,
                    bevy_egui::egui::Button::new("Back to the scene's own values"),
                )
                .clicked()
            {
                out.push(Command::ClearInterventions);
            }
        });
    if !open {
        out.push(Command::ToggleInterventions);
    }
}

/// The value that the scene's file gives (before what each seed draws).
fn usual_value(scene: &Scene, target: &str) -> f32 {
    if target == "gravity" {
        return scene.gravity;
    }
    if let Some(range) = scene.randomise.iter().find(|r| r.target == target) {
        return 0.5 * (range.low + range.high);
    }
    let body = target
        .split_once('.')
        .and_then(|(name, field)| Some((&scene.bodies[scene.body_index(name)?], field)));
    match body {
        Some((b, "mass")) => b.mass,
        Some((b, "friction")) => b.friction,
        Some((b, "restitution")) => b.restitution,
        Some((b, "x")) => b.position[0],
        Some((b, "y")) => b.position[1],
        Some((b, "z")) => b.position[2],
        _ => 0.0,
    }
}
