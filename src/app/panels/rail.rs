//! The column at the right: what was measured, or whatever was opened in its place.

use bevy_egui::egui::{
    self, Align, Layout, Rect, RichText, ScrollArea, Sense, Ui, WidgetType, pos2, vec2,
};

use super::super::command::Command;
use super::super::figures::{Figure, Quantity};
use super::super::state::{Dock, State};
use super::super::theme;
use super::pictures::Pictures;
use super::{bodies, curve, findings, interventions, legible, name, plan, search, timers};

/// Windows narrower than this, in points, have no column for what was measured: films need the room.
const LEAST_WINDOW: f32 = 1100.0;
/// Rows of a figure, where there is room for them.
const MOST_ROWS: usize = 4;
/// Height of a group's title and its space, of a row of it, and of what else stands in the column.
const GROUP: f32 = 28.0;
const ROW: f32 = 19.0;
const REST: f32 = 48.0;

/// What the curve of the distance needs.
const CURVE: f32 = 136.0;

/// Whether a window so wide has room for the column at all times.
pub fn is_wide(window_width: f32) -> bool {
    window_width >= LEAST_WINDOW
}

/// Width of the column in a window so wide; `None` where there is none.
pub fn width(state: &State, window_width: f32) -> Option<f32> {
    let wide = is_wide(window_width);
    match (state.dock, wide) {
        (Dock::Measured, false) => None,
        (Dock::Measured, true) if window_width < 1400.0 => Some(236.0),
        (Dock::Measured, true) => Some(268.0),
        (_, true) => Some(330.0),
        (_, false) => Some(276.0),
    }
}

/// Draws the column.
pub fn rail_ui(ui: &mut Ui, state: &State, pictures: &mut Pictures, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    ui.horizontal(|ui| {
        let title = match state.dock {
            Dock::Measured => "What was measured",
            Dock::Interventions => "Interventions",
            dock => dock.words(),
        };
        ui.label(RichText::new(title).strong().size(15.0));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if state.dock != Dock::Measured {
                let close = ui.small_button("✖").on_hover_text("Close (Esc)");
                name(&close, WidgetType::Button, "Close the column");
                if close.clicked() {
                    out.push(Command::Dock(Dock::Measured));
                }
            }
        });
    });
    ui.add_space(2.0);
    let content = |ui: &mut Ui| match state.dock {
        Dock::Measured => measured_ui(ui, state),
        Dock::Plan => {
            let side = ui
                .available_width()
                .min(ui.available_height() - 80.0 - search::height(state))
                .max(120.0);
            plan::plan_ui(ui, state, pictures, side, out);
            search::search_ui(ui, state, out);
        }
        Dock::Interventions => match &state.scene {
            Some(scene) => interventions::panel_ui(ui, state, scene, out),
            None => {
                ui.label(RichText::new("No scene is shown").color(s.weak));
            }
        },
        Dock::Bodies => bodies::bodies_ui(ui, state, out),
        Dock::Findings => findings::findings_ui(ui, state, out),
        Dock::Timers => timers::timers_ui(ui, state),
    };
    ScrollArea::vertical()
        .auto_shrink(false)
        .id_salt(state.dock.words())
        .show(ui, content);
}

fn measured_ui(ui: &mut Ui, state: &State) {
    let s = theme::surfaces(state.look);
    let scene = state.scene.as_ref().map_or("", |s| s.name.as_str());
    let Some(measured) = &state.measured else {
        ui.label(RichText::new("Reading the results…").color(s.weak));
        return;
    };
    let shown: Vec<&str> = state.scene_panes().map(|(_, p)| p.name.as_str()).collect();
    // So many rows that nothing is hidden below a fold.
    let groups = measured.of(scene).count();
    let room = (ui.available_height() - REST) / groups.max(1) as f32 - GROUP;
    let rows = ((room / ROW) as usize).clamp(1, MOST_ROWS);
    let mut any = false;
    for (quantity, figures) in measured.of(scene) {
        any = true;
        group_ui(ui, state, quantity, figures, &shown, rows);
        ui.add_space(7.0);
    }
    if !any {
        ui.label(RichText::new("Nothing was measured in this scene yet.").color(s.weak));
    } else {
        let about = "Held-out seeds, 95 % intervals as pale ends. The file and the command of each figure \
                     are under the pointer.";
        ui.label(RichText::new(about).small().color(s.weak));
    }
    if state.record.goal.is_some() && ui.available_height() > CURVE {
        ui.add_space(8.0);
        ui.label(RichText::new("Distance to the goal, now").strong());
        let size = vec2(ui.available_width(), 104.0);
        ui.allocate_ui(size, |ui| curve::curve_ui(ui, state));
    }
    for problem in &measured.problems {
        let problem = legible(ui.ctx(), problem).into_owned();
        ui.label(
            RichText::new(problem)
                .small()
                .color(theme::broken(state.look)),
        );
    }
}

/// Those of the models shown first, then the oracle and chance, then others.
fn chosen<'a>(figures: &'a [Figure], shown: &[&str], rows: usize) -> Vec<&'a Figure> {
    let rank = |f: &Figure| match f.of.as_str() {
        of if shown.contains(&of) || of.ends_with(", dropped") => 0,
        "oracle" => 1,
        "random" => 2,
        _ => 3,
    };
    let mut all: Vec<&Figure> = figures.iter().collect();
    all.sort_by_key(|f| rank(f));
    all.truncate(rows);
    all
}

fn group_ui(
    ui: &mut Ui,
    state: &State,
    quantity: Quantity,
    figures: &[Figure],
    shown: &[&str],
    rows: usize,
) {
    let s = theme::surfaces(state.look);
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.label(quantity.title());
    let rows = chosen(figures, shown, rows);
    let largest = rows.iter().map(|f| f.value).fold(0.0, f64::max);
    let font = egui::FontId::proportional(12.0);
    // The bars begin behind the longest name, and have half of the room at least.
    let width_of = |f: &&Figure| {
        let label = legible(ui.ctx(), &f.of).into_owned();
        let text = ui.painter().layout_no_wrap(label, font.clone(), s.text);
        text.size().x + 8.0
    };
    let longest = rows.iter().map(width_of).fold(0.0, f32::max);
    let names = longest.min(0.5 * ui.available_width());
    for figure in rows {
        let (rect, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), 17.0), Sense::hover());
        let painter = ui.painter_at(rect);
        let font = font.clone();
        let is_shown = shown.contains(&figure.of.as_str());
        let ink = if is_shown { s.text } else { s.weak };
        let label = legible(ui.ctx(), &figure.of).into_owned();
        let clip = Rect::from_min_size(rect.min, vec2(names - 4.0, rect.height()));
        let middle = rect.center().y;
        let at = pos2(rect.left(), middle);
        let clipped = painter.with_clip_rect(clip);
        clipped.text(at, egui::Align2::LEFT_CENTER, label, font.clone(), ink);
        let words = match figure.laws {
            Some(laws) => format!("{} of {laws}", quantity.words(figure.value)),
            None => quantity.words(figure.value),
        };
        let right = pos2(rect.right(), middle);
        painter.text(right, egui::Align2::RIGHT_CENTER, &words, font, ink);
        let beside = if figure.laws.is_some() { 66.0 } else { 52.0 };
        let rail = Rect::from_min_max(
            pos2(rect.left() + names, middle - 3.0),
            pos2(rect.right() - beside, middle + 3.0),
        );
        painter.rect_filled(rail, 3.0, s.well);
        let colour = match figure.camp {
            Some(camp) => theme::camp_colour(Some(camp)),
            None => s.weak,
        };
        let x = |v: f64| rail.left() + rail.width() * quantity.share(v, largest);
        let bar = Rect::from_min_max(rail.min, pos2(x(figure.value), rail.bottom()));
        painter.rect_filled(bar, 3.0, colour);
        if let Some((low, high)) = figure.interval {
            let ends = Rect::from_min_max(pos2(x(low), middle - 1.0), pos2(x(high), middle + 1.0));
            painter.rect_filled(ends, 0.0, s.text.gamma_multiply(0.75));
        }
        name(
            &response,
            WidgetType::ProgressIndicator,
            &format!("{}: {words}", figure.of),
        );
        let episodes = match figure.episodes {
            Some(n) => format!("{n} held-out episodes"),
            None => "held-out episodes".into(),
        };
        let interval = figure.interval.map_or(String::new(), |(low, high)| {
            format!(" [{} to {}]", quantity.words(low), quantity.words(high))
        });
        response.on_hover_text(format!(
            "{}: {words}{interval}\n{episodes}\n{}\n{}",
            figure.of, figure.from, figure.command
        ));
    }
}
