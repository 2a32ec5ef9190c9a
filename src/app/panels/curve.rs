//! Distance to the goal over time.

use bevy_egui::egui::Ui;
use egui_plot::{AxisHints, HLine, Line, Plot, PlotPoints, VLine};

use super::super::state::State;
use super::super::theme;
use crate::sim::CONTROL_HZ;

/// Draws the curve: metres on seconds, the tolerance as a dashed line.
pub fn curve_ui(ui: &mut Ui, state: &State) {
    let seconds = |m: usize| m as f64 / f64::from(CONTROL_HZ);
    let points: Vec<[f64; 2]> = state
        .record
        .moments
        .iter()
        .enumerate()
        .filter_map(|(i, m)| Some([seconds(i), f64::from(m.distance_m?) * 100.0]))
        .collect();
    let tolerance = state
        .record
        .goal
        .as_ref()
        .map(|g| f64::from(g.tolerance_m) * 100.0);
    let shown = seconds(state.shown());
    let weak = theme::surfaces(state.light).weak;
    Plot::new("distance")
        .show_background(false)
        .show_x(false)
        .show_y(false)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .include_x(0.0)
        .include_x(seconds(state.timeline_steps()))
        .include_y(0.0)
        .include_y(20.0)
        .set_margin_fraction(bevy_egui::egui::vec2(0.01, 0.06))
        .x_axis_formatter(|mark, _| format!("{:.0} s", mark.value))
        .custom_y_axes(vec![
            AxisHints::new_y()
                .formatter(|mark, _| format!("{:.0} cm", mark.value))
                .label_spacing(2.0..=6.0),
        ])
        .show(ui, |plot| {
            if let Some(tolerance) = tolerance {
                plot.hline(
                    HLine::new("tolerance", tolerance)
                        .color(theme::GOOD)
                        .style(egui_plot::LineStyle::dashed_loose()),
                );
            }
            plot.vline(VLine::new("now", shown).color(weak.gamma_multiply(0.6)));
            plot.line(
                Line::new("distance", PlotPoints::from(points))
                    .color(theme::ACCENT)
                    .width(2.0)
                    .fill(0.0)
                    .fill_alpha(0.12),
            );
        });
}
