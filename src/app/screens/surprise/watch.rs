//! Draws the impossible event beside the same film without it, and under them each model's surprise.

use bevy_egui::egui::{
    self, Align, Align2, Button, Color32, CornerRadius, FontId, Layout, Rect, RichText, ScrollArea,
    Sense, Shape, Stroke, StrokeKind, Ui, WidgetType, pos2, vec2,
};

use super::{Curve, Do, Event, Films, Mode};
use crate::app::command::Command;
use crate::app::panels::paint::{WHOLE, stamp};
use crate::app::panels::pictures::{Pictures, frame_image};
use crate::app::panels::{legible, name};
use crate::app::state::State;
use crate::app::theme;
use crate::app::verdict::{camp_word, seconds};

/// Width of the list of events.
const LIST: f32 = 196.0;
/// Height of a model's curve.
const CURVE: f32 = 58.0;
/// Width of the words beside a curve.
const WORDS: f32 = 236.0;

/// Draws the screen.
pub fn surprise_ui(ui: &mut Ui, state: &State, pictures: &mut Pictures, out: &mut Vec<Command>) {
    bar_ui(ui, state, out);
    ui.add_space(6.0);
    match state.surprise.mode {
        Mode::Watch => watch_ui(ui, state, pictures, out),
        Mode::Spot => super::spot::spot_ui(ui, state, pictures, out),
    }
}

fn send(out: &mut Vec<Command>, what: Do) {
    out.push(Command::Surprise(what));
}

fn bar_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let (surprise, s) = (&state.surprise, theme::surfaces(state.look));
    ui.horizontal(|ui| {
        ui.set_min_height(28.0);
        for (mode, words, hint) in [
            (
                Mode::Watch,
                "Impossible events",
                "Who is surprised when physics breaks?",
            ),
            (
                Mode::Spot,
                "Spot the fake",
                "Two films: which one is real? You against the judge",
            ),
        ] {
            let button = ui.add(Button::selectable(surprise.mode == mode, words));
            name(&button, WidgetType::Button, words);
            if button.on_hover_text(hint).clicked() {
                send(out, Do::Mode(mode));
            }
        }
        ui.separator();
        if surprise.mode == Mode::Spot {
            super::spot::score_ui(ui, state);
            return;
        }
        scenes_ui(ui, state, out);
        let again = ui
            .button("Another seed")
            .on_hover_text("The event in another episode (G)");
        if again.clicked() {
            send(out, Do::Another);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let text = "1 to 6 choose the event, Space stops, a click in a curve goes there";
            let text = RichText::new(text).small().color(s.weak);
            ui.add(egui::Label::new(text).truncate());
        });
    });
}

fn scenes_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let shown = state.surprise.films.as_ref().map(|f| f.scene.as_str());
    let chosen = state.surprise.scene.as_deref().or(shown);
    let words = chosen.unwrap_or("…");
    let words = legible(ui.ctx(), words).into_owned();
    let button = ui.menu_button(format!("Scene: {words} ⏷"), |ui| {
        ui.set_min_width(160.0);
        ScrollArea::vertical().max_height(520.0).show(ui, |ui| {
            for scene in state.scenes.iter().filter(|s| s.summary.is_ok()) {
                let text = legible(ui.ctx(), &scene.name).into_owned();
                let on = chosen == Some(scene.name.as_str());
                if ui.selectable_label(on, text).clicked() {
                    send(out, Do::Scene(scene.name.clone()));
                    ui.close();
                }
            }
        });
    });
    name(
        &button.response,
        WidgetType::ComboBox,
        &format!("Scene of the event: {words}"),
    );
}

fn watch_ui(ui: &mut Ui, state: &State, pictures: &mut Pictures, out: &mut Vec<Command>) {
    let room = ui.available_rect_before_wrap();
    ui.allocate_rect(room, Sense::hover());
    let list = Rect::from_min_size(room.min, vec2(LIST, room.height()));
    list_ui(&mut child(ui, list), state, out);
    let rest = Rect::from_min_max(pos2(list.right() + 12.0, room.top()), room.max);
    let surprise = &state.surprise;
    let Some(films) = &surprise.films else {
        let (text, colour) = match &surprise.problem {
            Some(problem) => (problem.as_str(), theme::broken(state.look)),
            None => ("Making the films…", theme::surfaces(state.look).weak),
        };
        let text = legible(ui.ctx(), text).into_owned();
        let font = FontId::proportional(16.0);
        let galley = ui
            .painter()
            .layout(text, font, colour, (rest.width() - 40.0).max(60.0));
        let at = rest.center() - 0.5 * galley.size();
        ui.painter().galley(at, galley, colour);
        return;
    };
    let curves = surprise.curves.len() + usize::from(surprise.asks.is_some());
    let below = (curves.clamp(2, 5) as f32) * CURVE + 30.0;
    let by_width = (rest.width() - 10.0 - 180.0) / 2.0;
    let side = (rest.height() - below - 24.0).min(by_width).max(120.0);
    let first = Rect::from_min_size(rest.min, vec2(side, side));
    let second = first.translate(vec2(side + 10.0, 0.0));
    let frame = surprise.frame.min(films.possible.len().saturating_sub(1));
    film_ui(ui, state, first, films, frame, false, pictures);
    film_ui(ui, state, second, films, frame, true, pictures);
    let words = Rect::from_min_max(
        pos2(second.right() + 16.0, rest.top()),
        pos2(rest.right(), second.bottom()),
    );
    words_ui(&mut child(ui, words), state, films);
    let under = Rect::from_min_max(pos2(rest.left(), first.bottom() + 26.0), rest.max);
    let mut rows = child(ui, under);
    ScrollArea::vertical()
        .auto_shrink(false)
        .show(&mut rows, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            curves_ui(ui, state, films, frame, out);
        });
}

fn child(ui: &mut Ui, rect: Rect) -> Ui {
    let builder = egui::UiBuilder::new()
        .max_rect(rect)
        .layout(Layout::top_down(Align::Min));
    let mut child = ui.new_child(builder);
    child.set_clip_rect(rect.expand(2.0).intersect(ui.clip_rect()));
    child
}

fn list_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    ui.label(RichText::new("What happens").color(s.weak));
    for (i, event) in Event::ALL.into_iter().enumerate() {
        let on = state.surprise.event == event;
        let button = Button::selectable(on, event.words())
            .shortcut_text((i + 1).to_string())
            .min_size(vec2(ui.available_width(), 32.0));
        let button = ui.add(button);
        name(&button, WidgetType::Button, event.words());
        if button
            .on_hover_text(format!("A body {}", event.happens()))
            .clicked()
        {
            send(out, Do::Event(event));
        }
    }
}

/// A film at a picture; from the event on, the film with it has an edge.
fn film_ui(
    ui: &Ui,
    state: &State,
    rect: Rect,
    films: &Films,
    frame: usize,
    impossible: bool,
    pictures: &mut Pictures,
) {
    let s = theme::surfaces(state.look);
    let (film, place, caption) = match impossible {
        false => (&films.possible, "surprise possible", "without the event"),
        true => (&films.impossible, "surprise impossible", "with the event"),
    };
    let painter = ui.painter_at(rect.expand(24.0).intersect(ui.clip_rect()));
    painter.rect_filled(rect, 4.0, s.well);
    if let Some(rgb) = film.get(frame) {
        let key = stamp(&(&films.scene, films.seed, films.event, frame));
        let texture = pictures.soft(ui.ctx(), place, key, || frame_image(films.size, rgb));
        if let Some(texture) = texture {
            painter.image(texture, rect, WHOLE, Color32::WHITE);
        }
    }
    let happened = frame >= films.shows;
    if impossible && happened {
        let edge = Stroke::new(3.0, theme::BAD);
        painter.rect_stroke(rect, CornerRadius::same(4), edge, StrokeKind::Outside);
    }
    let text = match (impossible, happened) {
        (true, true) => format!("{caption}: the {} {}", films.body, films.event.happens()),
        (true, false) => format!("{caption}: nothing yet"),
        (false, _) => caption.to_string(),
    };
    let text = legible(ui.ctx(), &text).into_owned();
    let colour = match impossible && happened {
        true => theme::broken(state.look),
        false => s.weak,
    };
    let mut job =
        egui::text::LayoutJob::simple_singleline(text, FontId::proportional(13.5), colour);
    job.wrap.max_width = rect.width();
    job.wrap.max_rows = 1;
    let galley = painter.layout_job(job);
    painter.galley(rect.left_bottom() + vec2(2.0, 5.0), galley, colour);
}

fn words_ui(ui: &mut Ui, state: &State, films: &Films) {
    let s = theme::surfaces(state.look);
    let when = seconds(films.first + films.shows);
    let line = format!("At {when} the {} {}.", films.body, films.event.happens());
    let line = legible(ui.ctx(), &line).into_owned();
    ui.label(RichText::new(line).size(17.0));
    ui.add_space(4.0);
    let text = "Both films have the same start and the same actions. Before every picture each model \
                says what it expects; its surprise is how far the picture is from that, in its own \
                unit. A model that knows the world is surprised where the world breaks, and nowhere \
                else.";
    ui.label(RichText::new(text).color(s.weak));
    ui.add_space(6.0);
    let mut told: Vec<(&Curve, f32)> = (state.surprise.curves.iter())
        .filter_map(|c| Some((c, c.ratio(films.shows)?)))
        .collect();
    told.sort_by(|a, b| b.1.total_cmp(&a.1));
    if let (Some((most, high)), Some((least, low))) = (told.first(), told.last())
        && told.len() > 1
    {
        let text = format!(
            "Most surprised: {} ({}). Least: {} ({}).",
            most.model,
            times(*high),
            least.model,
            times(*low)
        );
        ui.label(RichText::new(legible(ui.ctx(), &text)).strong());
    }
}

/// How surprised, in words.
fn times(ratio: f32) -> String {
    match ratio {
        r if r >= 10.0 => format!("{r:.0} times"),
        r => format!("{r:.1} times"),
    }
}

/// What a model's surprise says.
pub fn told(curve: &Curve, shows: usize) -> (String, bool) {
    match (&curve.problem, curve.ratio(shows)) {
        (Some(problem), _) => (problem.clone(), false),
        (None, None) => ("no value here".into(), false),
        // What is not above the film without the event is no surprise.
        (None, Some(r)) if r <= 1.0 => ("not surprised by it".into(), false),
        (None, Some(r)) if r < 1.1 => ("hardly surprised by it".into(), false),
        (None, Some(r)) => (format!("{} as surprised", times(r)), true),
    }
}

fn curves_ui(ui: &mut Ui, state: &State, films: &Films, frame: usize, out: &mut Vec<Command>) {
    let (surprise, s) = (&state.surprise, theme::surfaces(state.look));
    let text = "Surprise of each model: with the event (line) and without (dashed)";
    ui.label(RichText::new(text).color(s.weak));
    for curve in &surprise.curves {
        curve_ui(ui, state, films, curve, frame, out);
    }
    let waits = match &surprise.asks {
        Some(model) => format!("{model} is asked…"),
        None if state.loading => "The models are loading…".into(),
        None if surprise.curves.is_empty() => {
            format!("No model was trained on {}.", films.scene)
        }
        None => return,
    };
    ui.horizontal(|ui| {
        if surprise.asks.is_some() || state.loading {
            ui.spinner();
        }
        ui.label(RichText::new(legible(ui.ctx(), &waits)).color(s.weak));
    });
}

fn curve_ui(
    ui: &mut Ui,
    state: &State,
    films: &Films,
    curve: &Curve,
    frame: usize,
    out: &mut Vec<Command>,
) {
    let s = theme::surfaces(state.look);
    let size = vec2(ui.available_width() - 4.0, CURVE);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let painter = ui.painter_at(rect);
    let write = |at, align, text: &str, size: f32, colour| {
        let text = legible(ui.ctx(), text).into_owned();
        let mut job =
            egui::text::LayoutJob::simple_singleline(text, FontId::proportional(size), colour);
        job.wrap.max_width = WORDS - 14.0;
        job.wrap.max_rows = 1;
        let galley = painter.layout_job(job);
        let at = align_at(at, align, galley.size());
        painter.galley(at, galley, colour);
    };
    let colour = theme::camp_colour(curve.camp);
    painter.circle_filled(rect.left_top() + vec2(6.0, 12.0), 4.5, colour);
    let camp = curve.camp.map_or("Model", camp_word);
    let title = format!("{camp} · {}", curve.model);
    write(
        rect.left_top() + vec2(16.0, 3.0),
        Align2::LEFT_TOP,
        &title,
        13.0,
        s.text,
    );
    let (words, is_surprised) = told(curve, films.shows);
    let line = if is_surprised { s.text } else { s.weak };
    write(
        rect.left_top() + vec2(16.0, 20.0),
        Align2::LEFT_TOP,
        &words,
        14.0,
        line,
    );
    let measured = films.event.id().and_then(|id| {
        let key = (curve.model.clone(), films.scene.clone(), id);
        state.gallery.surprises.get(&key)
    });
    if let Some((share, pairs)) = measured {
        let text = format!("measured: right in {:.0} % of {pairs} pairs", share * 100.0);
        write(
            rect.left_top() + vec2(16.0, 39.0),
            Align2::LEFT_TOP,
            &text,
            11.5,
            s.weak,
        );
    }
    let field = Rect::from_min_max(
        pos2(rect.left() + WORDS, rect.top() + 2.0),
        rect.max - vec2(0.0, 4.0),
    );
    painter.rect_filled(field, 3.0, s.card);
    let last = films.possible.len().saturating_sub(1).max(1) as f32;
    let x = |t: usize| field.left() + field.width() * t as f32 / last;
    let all = curve.possible.iter().chain(&curve.impossible);
    let top = all.copied().fold(1e-9f32, f32::max) * 1.05;
    let line_of = |values: &[f32]| -> Vec<egui::Pos2> {
        let each = values.iter().enumerate();
        each.map(|(i, v)| {
            let y = field.bottom() - 2.0 - (field.height() - 4.0) * (v / top).clamp(0.0, 1.0);
            pos2(x(curve.first + i), y)
        })
        .collect()
    };
    let from = Rect::from_min_max(pos2(x(films.shows), field.top()), field.max);
    painter.rect_filled(from, 0.0, theme::BAD.gamma_multiply(0.10));
    let edge = [from.left_top(), from.left_bottom()];
    painter.line_segment(edge, Stroke::new(1.0, theme::BAD.gamma_multiply(0.7)));
    painter.add(Shape::line(
        line_of(&curve.impossible),
        Stroke::new(2.0, colour),
    ));
    painter.extend(Shape::dashed_line(
        &line_of(&curve.possible),
        Stroke::new(1.5, s.weak),
        4.0,
        3.0,
    ));
    let here = [pos2(x(frame), field.top()), pos2(x(frame), field.bottom())];
    painter.line_segment(here, Stroke::new(1.5, s.text));
    let label = format!("Surprise of {}: {words}", curve.model);
    name(&response, WidgetType::Slider, &label);
    if let Some(at) = response
        .interact_pointer_pos()
        .filter(|p| field.contains(*p))
    {
        let share = (at.x - field.left()) / field.width().max(1.0);
        send(out, Do::Frame((share * last).round().max(0.0) as usize));
    }
}

fn align_at(at: egui::Pos2, align: Align2, size: egui::Vec2) -> egui::Pos2 {
    align.anchor_size(at, size).min
}
