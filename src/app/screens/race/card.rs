//! One lane: who races, its film, its lamp, how far it is, and why it lost.

use bevy_egui::egui::{
    self, Align, Button, Color32, FontId, Layout, Painter, Pos2, Rect, RichText, Sense, Shape,
    Stroke, Ui, UiBuilder, WidgetType, pos2, vec2,
};

use super::entrants::Entrant;
use super::{Do, LANES, Lamp, Lane, RaceState, Why, words};
use crate::app::command::Command;
use crate::app::panels::paint::stamp;
use crate::app::panels::pictures::{Pictures, frame_image};
use crate::app::panels::{legible, name};
use crate::app::state::State;
use crate::app::theme;

/// Room above the film, and below it.
const HEAD: f32 = 30.0;
const FOOT: f32 = 128.0;
const PAD: f32 = 8.0;

/// Draws the lane with this index.
pub fn card_ui(
    ui: &mut Ui,
    state: &State,
    rect: Rect,
    index: usize,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) {
    let Some(lane) = state.race.lanes.get(index) else {
        return;
    };
    let rect = rect.shrink(PAD);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), HEAD - 4.0));
    let mut row = inside(ui, head, Layout::right_to_left(Align::Center));
    head_ui(&mut row, state, lane, index, out);
    let side = (rect.height() - HEAD - FOOT).min(rect.width()).max(32.0);
    let left = rect.center().x - side / 2.0;
    let film = Rect::from_min_size(pos2(left, rect.top() + HEAD), vec2(side, side));
    film_ui(ui, state, lane, index, film, pictures);
    let foot = Rect::from_min_max(pos2(rect.left(), film.bottom() + 6.0), rect.max);
    let mut rows = inside(ui, foot, Layout::top_down(Align::Min));
    rows.spacing_mut().item_spacing.y = 3.0;
    foot_ui(&mut rows, state, lane, index, out);
}

fn inside(ui: &mut Ui, rect: Rect, layout: Layout) -> Ui {
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout));
    child.set_clip_rect(rect.expand(1.0).intersect(ui.clip_rect()));
    child
}

fn head_ui(ui: &mut Ui, state: &State, lane: &Lane, index: usize, out: &mut Vec<Command>) {
    let race = &state.race;
    if race.lanes.len() > LANES.0 {
        let away = ui
            .small_button("✖")
            .on_hover_text("Take it out of the race");
        name(
            &away,
            WidgetType::Button,
            &format!("Take out {}", lane.name),
        );
        if away.clicked() {
            out.push(Command::Race(Do::Remove(index)));
        }
    }
    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let camp = lane.camp(&race.entrants);
        let (dot, _) = ui.allocate_exact_size(vec2(11.0, 12.0), Sense::hover());
        let colour = theme::camp_colour(camp);
        ui.painter().circle_filled(dot.center(), 4.5, colour);
        let entrant = race.entrant(&lane.name);
        let kind = entrant.map_or("Controller", |e| e.kind.as_str());
        let own = legible(ui.ctx(), &lane.name).into_owned();
        let room = (ui.available_width() / 8.0) as usize;
        let full = format!("{kind} · {own}");
        // The name is in the list and under the pointer where there is no room for it.
        let shown = match full.chars().count() + 3 > room {
            true if own.chars().count() + 3 <= room => own.clone(),
            true => own
                .chars()
                .take(room.saturating_sub(4))
                .chain(['…'])
                .collect(),
            false => full.clone(),
        };
        let menu = ui.menu_button(RichText::new(format!("{shown} ⏷")).strong(), |ui| {
            if let Some(picked) = pick_ui(ui, race, Some(&lane.name)) {
                out.push(Command::Race(Do::Swap(index, picked)));
            }
        });
        let about = entrant.map_or("", |e| e.about.as_str());
        let hint = format!("{full}\n{about}\nClick: let somebody else race here");
        let hint = legible(ui.ctx(), &hint).into_owned();
        let label = format!("Lane {}: {}", index + 1, lane.name);
        let response = menu.response.on_hover_text(hint);
        name(&response, WidgetType::ComboBox, &label);
    });
}

fn film_ui(
    ui: &mut Ui,
    state: &State,
    lane: &Lane,
    index: usize,
    rect: Rect,
    pictures: &mut Pictures,
) {
    let s = theme::surfaces(state.look);
    ui.painter().rect_filled(rect, 4.0, s.well);
    let start = state.race.start.as_ref().map(|(_, step)| step);
    if let Some(step) = lane.step().or(start) {
        let of = (index, lane.shown(), &step.frame);
        let image = || frame_image(step.frame.size, &step.frame.data);
        let place = format!("race {index}");
        if let Some(texture) = pictures.soft(ui.ctx(), &place, stamp(&of), image) {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            ui.painter().image(texture, rect, whole, Color32::WHITE);
        }
    }
    // The frame repeats the lamp, so that the end is seen from afar.
    let edge = match lane.lamp() {
        Lamp::Reached => theme::GOOD,
        Lamp::TimedOut | Lamp::Failed(_) => theme::BAD,
        _ => return,
    };
    let line = Stroke::new(3.0, edge);
    ui.painter()
        .rect_stroke(rect, 4.0, line, egui::StrokeKind::Outside);
}

/// The lamp: its shape tells what its colour does.
fn lamp_mark(painter: &Painter, at: Pos2, lamp: &Lamp, weak: Color32) {
    let r = 6.5;
    let polygon = |points: &[(f32, f32)], colour: Color32| {
        let points = points
            .iter()
            .map(|(x, y)| at + vec2(x * r, y * r))
            .collect();
        painter.add(Shape::convex_polygon(points, colour, Stroke::NONE));
    };
    match lamp {
        Lamp::Ready | Lamp::BeganSolved => {
            painter.circle_stroke(at, r - 1.0, Stroke::new(2.0, weak));
        }
        Lamp::Running => polygon(&[(-0.7, -0.95), (1.0, 0.0), (-0.7, 0.95)], theme::ACCENT),
        Lamp::Reached => {
            painter.circle_filled(at, r + 1.0, theme::GOOD);
            let line = Stroke::new(2.0, Color32::WHITE);
            painter.line_segment([at + vec2(-3.5, 0.0), at + vec2(-1.0, 2.8)], line);
            painter.line_segment([at + vec2(-1.0, 2.8), at + vec2(3.8, -2.8)], line);
        }
        Lamp::TimedOut => {
            // An hourglass.
            polygon(&[(-0.85, -1.0), (0.85, -1.0), (0.0, 0.05)], theme::BAD);
            polygon(&[(-0.85, 1.0), (0.85, 1.0), (0.0, -0.05)], theme::BAD);
        }
        Lamp::Failed(_) => {
            let arm = Stroke::new(3.0, theme::BAD);
            painter.line_segment([at + vec2(-5.0, -5.0), at + vec2(5.0, 5.0)], arm);
            painter.line_segment([at + vec2(-5.0, 5.0), at + vec2(5.0, -5.0)], arm);
        }
        Lamp::Stopped => polygon(&[(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)], weak),
    }
}

fn foot_ui(ui: &mut Ui, state: &State, lane: &Lane, index: usize, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let race = &state.race;
    let lamp = lane.lamp();
    let wide = ui.available_width() > 230.0;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let (mark, response) = ui.allocate_exact_size(vec2(17.0, 20.0), Sense::hover());
        lamp_mark(ui.painter(), mark.center(), &lamp, s.weak);
        name(&response, WidgetType::Label, words::lamp(&lamp));
        let colour = match lamp {
            Lamp::TimedOut | Lamp::Failed(_) => theme::broken(state.look),
            _ => s.text,
        };
        let word = RichText::new(words::lamp(&lamp))
            .strong()
            .size(15.0)
            .color(colour);
        ui.label(word);
        let doing = match (&lamp, lane.outcome()) {
            (Lamp::Running, _) => words::doing(lane, race.is_counted),
            (Lamp::Reached | Lamp::TimedOut, Some(f)) => {
                let steps = f.result.steps;
                format!("{:.1} s, {steps} steps", steps as f32 / 10.0)
            }
            _ => String::new(),
        };
        let text = egui::Label::new(RichText::new(doing).color(s.weak)).truncate();
        ui.add(text);
    });
    let start = race.start.as_ref().map(|(_, step)| step);
    let distance = lane.step().or(start).map(|s| s.distance_m * 100.0);
    let distance = distance.map_or("–".into(), |cm| format!("{cm:.1} cm"));
    let ms = lane.decision_ms().map_or("–".into(), words::milliseconds);
    let flops = lane.decision_flops();
    let operations = flops.map_or("–".into(), words::flops);
    let line = match wide {
        // Before the start there is nothing but the way to go.
        _ if lane.step().is_none() => format!("{distance} to go"),
        true => format!("{distance} to go · {ms} · {operations}FLOP"),
        false => format!("{distance} · {ms}"),
    };
    let line = line.replace("–FLOP", "– FLOP");
    let hint = match flops {
        Ok(_) => "Distance to the goal; median time and operations of a decision".to_string(),
        Err(why) => format!(
            "Distance to the goal; median time and operations of a decision. Operations: {why}"
        ),
    };
    let label = egui::Label::new(RichText::new(line).color(s.text)).truncate();
    ui.add(label).on_hover_text(hint);
    why_ui(ui, state, lane, index, out);
}

/// The failure in words, or the way to find out why it lost.
fn why_ui(ui: &mut Ui, state: &State, lane: &Lane, index: usize, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let race = &state.race;
    if let Lamp::Failed(why) = lane.lamp() {
        return text_ui(ui, &why, theme::broken(state.look), &why);
    }
    match &lane.why {
        Why::Unasked => {}
        Why::Looking { seed, looked } => {
            let text = words::looked(*looked);
            text_ui(ui, &text, s.weak, &format!("Seed {seed}"));
            let stop = ui.small_button("Cancel");
            name(&stop, WidgetType::Button, "Cancel the search for why");
            if stop.clicked() {
                out.push(Command::Race(Do::StopWhy));
            }
            return;
        }
        Why::Known {
            seed,
            sentence,
            figures,
        } => {
            let hint = format!("Seed {seed}. {sentence}\n{figures}");
            return text_ui(ui, sentence, s.text, &hint);
        }
        Why::Failed(e) => return text_ui(ui, e, theme::broken(state.look), e),
    }
    let Some(lost) = lane
        .lost()
        .filter(|_| !race.runs && lane.lamp() != Lamp::Running)
    else {
        return;
    };
    let able = race.entrant(&lane.name).is_some_and(|e| e.is_explained);
    if !able {
        let why = match lane.name.as_str() {
            "random" => "Chance has no reasons.",
            "oracle" => "It searches the truth itself: nobody knows better.",
            _ => "It plans with no model whose ideas could be tried out.",
        };
        return text_ui(ui, why, s.weak, why);
    }
    let text = match race.races {
        0 | 1 => "Why did it fail?".to_string(),
        _ => format!("Why did it fail on {}?", lost.result.seed),
    };
    let ask = ui.add(Button::new(text));
    name(
        &ask,
        WidgetType::Button,
        &format!("Why did {} fail?", lane.name),
    );
    let hint = "Runs it again, tries its ideas out in forks of reality, and says whether the search offered no \
                good plan, the model preferred a bad one, or the goal was out of reach";
    if ask.on_hover_text(hint).clicked() {
        out.push(Command::Race(Do::Why(index)));
    }
}

fn text_ui(ui: &mut Ui, text: &str, colour: Color32, hint: &str) {
    let [text, hint] = [text, hint].map(|t| legible(ui.ctx(), t).into_owned());
    let room = ui.available_size();
    let font = FontId::proportional(12.5);
    let mut job = egui::text::LayoutJob::simple(text, font, colour, room.x);
    job.wrap.max_rows = ((room.y / 16.0) as usize).clamp(1, 5);
    ui.add(egui::Label::new(job)).on_hover_text(hint);
}

/// A list of who can take part; what was picked.
pub(super) fn pick_ui(ui: &mut Ui, race: &RaceState, current: Option<&str>) -> Option<String> {
    let mut picked = None;
    ui.set_min_width(300.0);
    for entrant in &race.entrants {
        let Entrant {
            name: own, kind, ..
        } = entrant;
        let label = legible(ui.ctx(), &format!("{kind} · {own}")).into_owned();
        let button = Button::selectable(current == Some(own), label);
        let response = ui.add_enabled(entrant.problem.is_none(), button);
        let about = legible(ui.ctx(), &entrant.about).into_owned();
        let response = response.on_hover_text(about);
        let response = match &entrant.problem {
            Some(problem) => response.on_disabled_hover_text(problem),
            None => response,
        };
        if response.clicked() {
            picked = Some(own.clone());
            ui.close();
        }
    }
    picked
}
