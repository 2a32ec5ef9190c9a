//! Draws the race: what is raced at the top, a card a lane, and how they stand below.

use bevy_egui::egui::{
    self, Align, Button, CornerRadius, Layout, Rect, RichText, Sense, Stroke, StrokeKind, Ui,
    WidgetType, pos2, vec2,
};

use super::{Do, LANES, RaceState, SERIES, card, table};
use crate::app::command::Command;
use crate::app::panels::number::{number_ui, whole};
use crate::app::panels::pictures::{Pictures, frame_image};
use crate::app::panels::{legible, name};
use crate::app::state::State;
use crate::app::theme;

/// Space between cards.
const GAP: f32 = 8.0;
/// Height of the row of controls.
const CONTROLS: f32 = 30.0;
/// Width of the goal's tile.
const TILE: f32 = 150.0;

/// Draws the race in the room there is.
pub fn race_ui(ui: &mut Ui, state: &State, pictures: &mut Pictures, out: &mut Vec<Command>) {
    let race = &state.race;
    ui.horizontal(|ui| controls_ui(ui, state, out));
    ui.add_space(2.0);
    let room = ui.available_rect_before_wrap();
    let lanes = race.lanes.len().max(1);
    let below = (table::height(lanes)).max(128.0);
    let cards = Rect::from_min_max(room.min, pos2(room.right(), room.bottom() - below - GAP));
    let n = lanes as f32;
    let wide = (cards.width() - GAP * (n - 1.0)) / n;
    for i in 0..race.lanes.len() {
        let left = cards.left() + i as f32 * (wide + GAP);
        let rect = Rect::from_min_size(pos2(left, cards.top()), vec2(wide, cards.height()));
        ground(ui, state, rect);
        card::card_ui(ui, state, rect, i, pictures, out);
    }
    let below = Rect::from_min_max(pos2(room.left(), cards.bottom() + GAP), room.max);
    let tile = Rect::from_min_size(below.min, vec2(TILE, below.height()));
    ground(ui, state, tile);
    goal_ui(ui, state, tile.shrink(8.0), pictures);
    let rest = Rect::from_min_max(pos2(tile.right() + GAP, below.top()), below.max);
    ground(ui, state, rest);
    table::table_ui(ui, state, rest.shrink2(vec2(12.0, 8.0)));
    ui.allocate_rect(room, Sense::hover());
}

fn ground(ui: &Ui, state: &State, rect: Rect) {
    let s = theme::surfaces(state.look);
    let radius = CornerRadius::same(8);
    ui.painter().rect_filled(rect, radius, s.card);
    let line = Stroke::new(1.0, s.line);
    ui.painter()
        .rect_stroke(rect, radius, line, StrokeKind::Inside);
}

fn controls_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let race = &state.race;
    ui.set_min_height(CONTROLS);
    ui.spacing_mut().item_spacing.x = 6.0;
    let mut do_it = |what: Do| out.push(Command::Race(what));
    let fill = theme::ACCENT.gamma_multiply(if state.look.is_light() { 0.55 } else { 0.35 });
    let (text, hint, what) = match (race.runs, race.races) {
        (true, _) => ("⏹ Stop", "Call the race off (Space)", Do::Stop),
        (false, 0) => ("▶ Start the race", "All set off at once (Space)", Do::Start),
        (false, _) => ("▶ Race again", "The same start and goal (Space)", Do::Start),
    };
    let start = Button::new(RichText::new(text).strong())
        .min_size(vec2(130.0, 26.0))
        .fill(fill);
    let start = ui.add(start).on_hover_text(hint);
    name(
        &start,
        WidgetType::Button,
        if race.runs { "Stop" } else { "Start the race" },
    );
    if start.clicked() {
        do_it(what);
    }
    let series = ui.add_enabled(!race.runs, Button::new("Twenty races"));
    name(&series, WidgetType::Button, "Twenty races");
    let hint = format!("{SERIES} seeds, one after the other: they fill the table below");
    if series.on_hover_text(hint).clicked() {
        do_it(Do::Series);
    }
    let mut counted = race.is_counted;
    let label = "Thinking time counts";
    let response = ui.checkbox(&mut counted, label);
    name(&response, WidgetType::Checkbox, label);
    let hint = "On: the world goes on while a controller thinks, with its last action, so slow ones act late. Off: \
                the world waits, and everybody gets one decision a control step";
    if response.on_hover_text(hint).changed() {
        do_it(Do::Counted(counted));
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        if ui.button("🎲").on_hover_text("Another seed (G)").clicked() {
            out.push(Command::Race(Do::RollSeed));
        }
        let seed = race.seed.to_string();
        if let Some(typed) = number_ui(ui, "Seed of the race", &seed, &seed) {
            out.push(match whole(&typed, u64::MAX - SERIES) {
                Ok(seed) => Command::Race(Do::Seed(seed)),
                Err(why) => Command::Complain(format!("Seed: {why}; nothing was changed")),
            });
        }
        let weak = theme::surfaces(state.look).weak;
        ui.label(RichText::new("Seed").color(weak));
        scene_ui(ui, state, out);
        add_ui(ui, race, out);
        said_ui(ui, state);
    });
}

/// What is going on, or what went wrong.
fn said_ui(ui: &mut Ui, state: &State) {
    let (race, s) = (&state.race, theme::surfaces(state.look));
    let (text, colour) = match &race.problem {
        Some(problem) => (problem.clone(), theme::broken(state.look)),
        None if race.runs && race.races > 1 => {
            let ended: usize = race.lanes.iter().map(|l| l.finished.len()).sum();
            let all = race.races as usize * race.lanes.len();
            (format!("{ended} of {all} races are over"), s.weak)
        }
        None => return,
    };
    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
        let shown = legible(ui.ctx(), &text).into_owned();
        let label = egui::Label::new(RichText::new(&shown).color(colour)).truncate();
        ui.add(label).on_hover_text(&text);
    });
}

fn scene_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let race = &state.race;
    let current = race.scene.as_ref().map_or("none", |s| s.name.as_str());
    let text = RichText::new(format!("{} ⏷", legible(ui.ctx(), current))).strong();
    let menu = ui.menu_button(text, |ui| {
        ui.set_min_width(280.0);
        let tasks = state
            .scenes
            .iter()
            .enumerate()
            .filter(|(_, s)| s.has_actions);
        for (index, scene) in tasks {
            let label = legible(ui.ctx(), &scene.name).into_owned();
            let about = match &scene.summary {
                Ok(about) | Err(about) => legible(ui.ctx(), about).into_owned(),
            };
            let button = Button::selectable(index == race.scene_index, label);
            let response = ui.add_enabled(scene.summary.is_ok(), button);
            if response.on_hover_text(about).clicked() {
                out.push(Command::Race(Do::Scene(index)));
                ui.close();
            }
        }
    });
    let response = menu.response.on_hover_text("Another task");
    name(&response, WidgetType::ComboBox, "Task of the race");
}

fn add_ui(ui: &mut Ui, race: &RaceState, out: &mut Vec<Command>) {
    let has_room = race.lanes.len() < LANES.1;
    ui.add_enabled_ui(has_room, |ui| {
        let menu = ui.menu_button("+ Add", |ui| {
            if let Some(picked) = card::pick_ui(ui, race, None) {
                out.push(Command::Race(Do::Add(picked)));
            }
        });
        let response = menu
            .response
            .on_hover_text("Let somebody else take part as well");
        let response = response.on_disabled_hover_text("Six lanes are the most");
        name(&response, WidgetType::ComboBox, "Add a controller");
    });
}

fn goal_ui(ui: &mut Ui, state: &State, rect: Rect, pictures: &mut Pictures) {
    let s = theme::surfaces(state.look);
    let race = &state.race;
    let newest = race.lanes.iter().find_map(|l| l.course.as_ref());
    let course = match race.races > 1 {
        true => newest,
        false => race.start.as_ref().map(|(c, _)| c).or(newest),
    };
    let Some(course) = course else {
        return;
    };
    let words = format!("Goal, within {:.0} cm", course.tolerance_m * 100.0);
    let font = egui::FontId::proportional(12.0);
    let top = rect.center_top();
    ui.painter()
        .text(top, egui::Align2::CENTER_TOP, words, font, s.text);
    let side = (rect.height() - 20.0).min(rect.width()).max(16.0);
    let at = pos2(rect.center().x - side / 2.0, rect.top() + 19.0);
    let picture = Rect::from_min_size(at, vec2(side, side));
    let stamp = crate::app::panels::paint::stamp(&course.goal);
    let image = || frame_image(course.goal.size, &course.goal.data);
    if let Some(texture) = pictures.soft(ui.ctx(), "race goal", stamp, image) {
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter()
            .image(texture, picture, whole, egui::Color32::WHITE);
    }
}
