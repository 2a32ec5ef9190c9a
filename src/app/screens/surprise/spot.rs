//! Draws *Spot the fake*: two films of the same start, of which one is real, and the scores.

use bevy_egui::egui::{
    self, Align, Button, Color32, CornerRadius, FontId, Layout, Rect, RichText, Sense, Stroke,
    StrokeKind, Ui, UiBuilder, WidgetType, pos2, vec2,
};

use super::{Do, Round, Score};
use crate::app::command::Command;
use crate::app::panels::paint::{WHOLE, stamp};
use crate::app::panels::pictures::{Pictures, frame_image};
use crate::app::panels::{legible, name};
use crate::app::state::State;
use crate::app::theme;

/// Height of the line above the films, and of what stands below them.
const ABOVE: f32 = 40.0;
const BELOW: f32 = 192.0;
const GAP: f32 = 24.0;

/// The scores of person and judge on the same pairs.
pub fn score_ui(ui: &mut Ui, state: &State) {
    let spot = &state.surprise.spot;
    let of = |score: Score| match score.of {
        0 => "–".to_string(),
        of => format!("{} of {of}", score.right),
    };
    ui.label(RichText::new(format!("You  {}", of(spot.person))).strong());
    ui.add_space(10.0);
    let judge = RichText::new(format!("Judge  {}", of(spot.judge))).strong();
    ui.label(judge).on_hover_text(
        "The judge on the same pairs: it takes the film for real in which laws are broken less. Where \
         both are alike to it, it has no answer, and that counts as not right.",
    );
}

/// Draws the game.
pub fn spot_ui(ui: &mut Ui, state: &State, pictures: &mut Pictures, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let room = ui.available_rect_before_wrap();
    ui.allocate_rect(room, Sense::hover());
    let spot = &state.surprise.spot;
    let write = |ui: &Ui, at, align, text: &str, size, colour| {
        let text = legible(ui.ctx(), text).into_owned();
        ui.painter()
            .text(at, align, text, FontId::proportional(size), colour)
    };
    let centre = egui::Align2::CENTER_CENTER;
    let Some(round) = &spot.round else {
        let text = match &spot.problem {
            Some(problem) => problem.clone(),
            None if state.loading => "The models are loading…".into(),
            None => "Making a pair of films…".into(),
        };
        write(ui, room.center(), centre, &text, 16.0, s.weak);
        let rule = "Two films will play side by side. One is reality; the other was imagined by a model, \
                    or its physics is broken. Say which is real.";
        let below = room.center() + egui::vec2(0.0, 26.0);
        write(ui, below, centre, rule, 13.0, s.weak);
        return;
    };
    let side = (room.height() - ABOVE - BELOW)
        .min((room.width() - GAP) / 2.0)
        .max(120.0);
    let width = 2.0 * side + GAP;
    let left = room.center().x - 0.5 * width;
    let question = match spot.guess {
        None => "Both films have the same start. Which one is real?".to_string(),
        Some(guess) if guess == round.real => {
            format!("Right: film {} is real.", round.real + 1)
        }
        Some(_) => format!("No: film {} is real.", round.real + 1),
    };
    let at = pos2(room.center().x, room.top() + 0.45 * ABOVE);
    write(ui, at, centre, &question, 18.0, s.text);
    for film in 0..2 {
        let at = pos2(left + film as f32 * (side + GAP), room.top() + ABOVE);
        let rect = Rect::from_min_size(at, vec2(side, side));
        film_ui(ui, state, rect, round, film, pictures, out);
    }
    let below = Rect::from_min_max(
        pos2(left.max(room.left()), room.top() + ABOVE + side + 10.0),
        pos2((left + width).min(room.right()), room.bottom()),
    );
    let mut under = ui.new_child(
        UiBuilder::new()
            .max_rect(below)
            .layout(Layout::top_down(Align::Min)),
    );
    answer_ui(&mut under, state, round, side, out);
}

fn film_ui(
    ui: &mut Ui,
    state: &State,
    rect: Rect,
    round: &Round,
    film: usize,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) {
    let s = theme::surfaces(state.look);
    let spot = &state.surprise.spot;
    let response = ui.interact(rect, ui.id().with(("pair", film)), Sense::click());
    name(&response, WidgetType::Button, &format!("Film {}", film + 1));
    let painter = ui.painter_at(rect.expand(6.0));
    painter.rect_filled(rect, 4.0, s.well);
    let all = &round.films[film];
    let frame = state.surprise.frame.min(all.len().saturating_sub(1));
    if let Some(rgb) = all.get(frame) {
        let key = stamp(&(&round.scene, round.seed, &round.fake, frame));
        let place = format!("spot {film}");
        let texture = pictures.soft(ui.ctx(), &place, key, || frame_image(round.size, rgb));
        if let Some(texture) = texture {
            painter.image(texture, rect, WHOLE, Color32::WHITE);
        }
    }
    let edge = match spot.guess {
        None if response.hovered() || response.has_focus() => Some(theme::ACCENT),
        None => None,
        Some(_) if film == round.real => Some(theme::GOOD),
        Some(_) => Some(theme::BAD),
    };
    if let Some(edge) = edge {
        let edge = Stroke::new(4.0, edge);
        painter.rect_stroke(rect, CornerRadius::same(4), edge, StrokeKind::Outside);
    }
    // Time: until here both are the same.
    let share = frame as f32 / all.len().saturating_sub(1).max(1) as f32;
    let rail = Rect::from_min_max(rect.left_bottom() - vec2(0.0, 4.0), rect.max);
    painter.rect_filled(rail, 0.0, Color32::from_black_alpha(120));
    let done = vec2(rail.width() * share, rail.height());
    painter.rect_filled(Rect::from_min_size(rail.min, done), 0.0, theme::ACCENT);
    if spot.guess.is_none() {
        ui.ctx().output_mut(|o| {
            if response.hovered() {
                o.cursor_icon = egui::CursorIcon::PointingHand;
            }
        });
        if response.clicked() {
            out.push(Command::Surprise(Do::Number(film)));
        }
    }
}

/// Scores by law, and those of models that take for real what surprises them less.
fn tallies_ui(ui: &mut Ui, state: &State, round: &Round) {
    let s = theme::surfaces(state.look);
    let spot = &state.surprise.spot;
    let line = |ui: &mut Ui, text: String, help: &str| {
        let text = RichText::new(legible(ui.ctx(), &text))
            .small()
            .color(s.weak);
        ui.add(egui::Label::new(text).wrap()).on_hover_text(help);
    };
    let of = |score: &Score| format!("{} of {}", score.right, score.of);
    let by_law = spot.by_law.iter();
    let by_law =
        by_law.map(|(law, [you, judge])| format!("{law}: you {}, judge {}", of(you), of(judge)));
    line(
        ui,
        format!(
            "By what gives the fake away: {}",
            by_law.collect::<Vec<_>>().join(" · ")
        ),
        "The law that the judge sees broken most in the film that is not real",
    );
    let now = |model: &str| {
        let curve = spot.curves.iter().find(|c| c.model == model)?;
        curve.prefers_the_possible(round.parts)
    };
    let models = spot.models.iter().map(|(model, score)| {
        let mark = match now(model) {
            Some(true) => " (right)",
            Some(false) => " (wrong)",
            None => "",
        };
        format!("{model} {}{mark}", of(score))
    });
    let models: Vec<String> = models.collect();
    if !models.is_empty() {
        line(
            ui,
            format!("By surprise: {}", models.join(" · ")),
            "A model takes the film for real that surprises it less, on average over the pictures that differ",
        );
    }
}

fn answer_ui(ui: &mut Ui, state: &State, round: &Round, side: f32, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let spot = &state.surprise.spot;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GAP;
        for film in 0..2 {
            ui.allocate_ui_with_layout(
                vec2(side, 36.0),
                Layout::centered_and_justified(egui::Direction::LeftToRight),
                |ui| match spot.guess {
                    None => {
                        let text = format!("Film {} is real  ({})", film + 1, film + 1);
                        let button = ui.add(Button::new(RichText::new(text).size(15.0)));
                        if button.clicked() {
                            out.push(Command::Surprise(Do::Number(film)));
                        }
                    }
                    Some(_) => {
                        let (text, colour) = match film == round.real {
                            true => ("✔ real", theme::GOOD),
                            false => ("✖ not real", theme::broken(state.look)),
                        };
                        ui.label(RichText::new(text).size(17.0).strong().color(colour));
                    }
                },
            );
        }
    });
    if spot.guess.is_none() {
        ui.add_space(4.0);
        let text = format!(
            "{}, seed {}. One film is what the simulator did; the other was imagined by a model, or \
             reality was broken in it.",
            round.scene, round.seed
        );
        ui.label(RichText::new(legible(ui.ctx(), &text)).color(s.weak));
        return;
    }
    let fake = format!("The other one: {}.", round.fake);
    ui.label(RichText::new(legible(ui.ctx(), &fake)).size(15.0));
    let judge = match round.judge {
        Some(film) if film == round.real => "The judge knew it, too.".to_string(),
        Some(_) => "The judge took the wrong one for real.".into(),
        None => "The judge could not tell them apart.".into(),
    };
    let said = |film: usize| format!("film {}: {}", film + 1, round.judged[film]);
    let judge = format!("{judge} It says of {}; of {}.", said(0), said(1));
    let text = egui::Label::new(RichText::new(legible(ui.ctx(), &judge)).color(s.weak));
    ui.add(text.wrap());
    tallies_ui(ui, state, round);
    ui.add_space(4.0);
    let next = ui.button(RichText::new("Next pair  (N)").size(15.0));
    if next.clicked() {
        out.push(Command::Surprise(Do::Another));
    }
}
