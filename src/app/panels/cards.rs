//! Where the films stand and what their cards are made of: rectangles, so that a test can look at them.

use bevy_egui::egui::{Rect, Vec2, pos2, vec2};

use super::super::state::Film;

/// Between films, and from the edge of the window.
pub const GAP: f32 = 10.0;
const PAD: f32 = 10.0;
const HEAD: f32 = 26.0;
const COST: f32 = 26.0;
/// Two lines of the verdict and one of the rest.
const VERDICT: f32 = 62.0;
const SPACE: f32 = 5.0;
/// Most of the height that is left over that goes to words.
const MORE_WORDS: f32 = 110.0;
/// Least room for words beside a large picture.
const BESIDE: f32 = 150.0;

/// A film's card and the parts of it, in points of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Card {
    /// Which film.
    pub film: Film,
    /// All of it.
    pub whole: Rect,
    /// Title and picker.
    pub head: Rect,
    /// The square picture.
    pub picture: Rect,
    /// What is wrong with it.
    pub verdict: Rect,
    /// What it cost.
    pub cost: Rect,
}

impl Card {
    fn new(film: Film, whole: Rect) -> Self {
        let inner = whole.shrink(PAD);
        let below = HEAD + VERDICT + COST + 3.0 * SPACE;
        let side = inner.width().min(inner.height() - below).max(32.0);
        let row = |top: f32, height: f32| {
            Rect::from_min_size(pos2(inner.left(), top), vec2(inner.width(), height))
        };
        let head = row(inner.top(), HEAD);
        let left = inner.center().x - 0.5 * side;
        let picture = Rect::from_min_size(pos2(left, head.bottom() + SPACE), Vec2::splat(side));
        // Where there is room, words are larger; what it cost stands at the foot, beside that of the others.
        let spare = (inner.height() - below - side).clamp(0.0, MORE_WORDS);
        let words = row(picture.bottom() + SPACE, VERDICT + spare);
        let foot = inner.bottom().max(words.bottom() + SPACE + COST) - COST;
        let cost = row(foot, COST);
        Self {
            film,
            whole,
            head,
            picture,
            verdict: words,
            cost,
        }
    }
}

/// Cards so much wider than high have their words beside the picture.
const LYING: f32 = 1.35;

/// The card of a film that fills a pane.
pub fn card(film: Film, whole: Rect) -> Card {
    match whole.width() > LYING * whole.height() {
        true => Card::large(film, whole),
        false => Card::new(film, whole),
    }
}

impl Card {
    /// A card with a picture as high as it is; words stand beside it.
    fn large(film: Film, whole: Rect) -> Self {
        let inner = whole.shrink(PAD);
        let height = inner.height() - HEAD - SPACE;
        let side = height.min(inner.width() - BESIDE - PAD).max(32.0);
        let head = Rect::from_min_size(inner.min, vec2(inner.width(), HEAD));
        let at = pos2(inner.left(), head.bottom() + SPACE);
        let picture = Rect::from_min_size(at, Vec2::splat(side));
        let left = picture.right() + PAD;
        let foot = picture.bottom() - COST;
        let verdict =
            Rect::from_min_max(pos2(left, picture.top()), pos2(inner.right(), foot - SPACE));
        let cost = Rect::from_min_max(pos2(left, foot), pos2(inner.right(), picture.bottom()));
        Self {
            film,
            whole,
            head,
            picture,
            verdict,
            cost,
        }
    }
}

/// Where the films stand in a room: beside each other and equally large, or one large and reality small
/// beside it.
pub fn cards(room: Rect, models: usize, enlarged: Option<Film>) -> Vec<Card> {
    let across =
        |from: f32, to: f32| Rect::from_min_max(pos2(from, room.top()), pos2(to, room.bottom()));
    let enlarged = enlarged.filter(|f| match f {
        Film::Reality => true,
        Film::Model(slot) => *slot < models,
    });
    match enlarged {
        Some(Film::Reality) => vec![Card::large(Film::Reality, room)],
        Some(film) => {
            let middle = room.left() + room.width() * 0.30;
            vec![
                Card::new(Film::Reality, across(room.left(), middle - 0.5 * GAP)),
                Card::large(film, across(middle + 0.5 * GAP, room.right())),
            ]
        }
        None => {
            let count = 1 + models;
            let width = (room.width() - GAP * (count as f32 - 1.0)) / count as f32;
            let films = std::iter::once(Film::Reality).chain((0..models).map(Film::Model));
            films
                .enumerate()
                .map(|(i, film)| {
                    let left = room.left() + i as f32 * (width + GAP);
                    Card::new(film, across(left, left + width))
                })
                .collect()
        }
    }
}
