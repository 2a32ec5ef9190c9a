//! Time of every worker, and of the window itself.

use bevy_egui::egui::{Context, Grid, RichText, Window};

use super::super::command::Command;
use super::super::state::State;
use super::super::theme;

/// Draws the floating panel while it is open.
pub fn timers_ui(ctx: &Context, state: &State, out: &mut Vec<Command>) {
    if !state.show_timers {
        return;
    }
    let weak = theme::surfaces(state.light).weak;
    let mut open = true;
    Window::new("Timers")
        .open(&mut open)
        .resizable(false)
        .default_pos([16.0, 300.0])
        .show(ctx, |ui| {
            super::in_room(ui, |ui| {
                Grid::new("timers")
                    .num_columns(4)
                    .spacing([18.0, 4.0])
                    .show(ui, |ui| {
                        for title in ["", "last", "median", "p99"] {
                            ui.label(
                                RichText::new(format!("{title:>11}"))
                                    .monospace()
                                    .color(weak),
                            );
                        }
                        ui.end_row();
                        for (what, samples) in state.timers.rows() {
                            ui.label(super::legible(ui.ctx(), &what));
                            let values = [
                                samples.last(),
                                samples.percentile(0.5),
                                samples.percentile(0.99),
                            ];
                            for value in values {
                                let text = value.map_or("–".into(), |v| format!("{v:.2} ms"));
                                ui.label(RichText::new(format!("{text:>11}")).monospace());
                            }
                            ui.end_row();
                        }
                    });
            });
        });
    if !open {
        out.push(Command::ToggleTimers);
    }
}
