//! Time of every worker, and of the window itself.

use bevy_egui::egui::{Grid, RichText, Ui};

use super::super::state::State;
use super::super::theme;

/// Draws the table.
pub fn timers_ui(ui: &mut Ui, state: &State) {
    let weak = theme::surfaces(state.look).weak;
    let pace = state.pace;
    ui.label(format!(
        "{:.1} frames a second; the world runs at {:.2} times real time",
        pace.frames_per_s, pace.real_time
    ));
    ui.add_space(4.0);
    Grid::new("timers")
        .num_columns(3)
        .spacing([10.0, 4.0])
        .show(ui, |ui| {
            for title in ["milliseconds", "median", "p99"] {
                ui.label(RichText::new(title).small().color(weak));
            }
            ui.end_row();
            for (what, samples) in state.timers.rows() {
                let what = super::legible(ui.ctx(), &what).into_owned();
                ui.label(RichText::new(what).small());
                for value in [samples.percentile(0.5), samples.percentile(0.99)] {
                    let text = value.map_or("–".into(), |v| format!("{v:.2}"));
                    ui.label(RichText::new(text).monospace());
                }
                ui.end_row();
            }
        });
}
