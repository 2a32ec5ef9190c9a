//! What is on the screen and how time runs there: plain choices that panels read and commands change.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What time does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Reality acts ahead, then the models imagine; what is to be compared is not there yet.
    #[default]
    Preparing,
    /// What reality did and what models imagined play together, again and again.
    Showing,
    /// Reality runs as it happens, and hands can be laid on it.
    Live,
}

/// How the window looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// Light writing on dark ground.
    #[default]
    Dark,
    /// Dark writing on light ground.
    Light,
    /// For a projector in a bright room: black on white, larger writing, thicker lines.
    Projector,
}

impl Look {
    /// Dark writing on light ground.
    pub const fn is_light(self) -> bool {
        !matches!(self, Look::Dark)
    }

    /// Factor on all writing.
    pub const fn zoom(self) -> f32 {
        match self {
            Look::Projector => 1.3,
            _ => 1.0,
        }
    }

    /// Factor on the width of lines that mean something.
    pub const fn line(self) -> f32 {
        match self {
            Look::Projector => 1.6,
            _ => 1.0,
        }
    }
}

/// How a planner searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// Tokens planned ahead; one holds its action for five control steps, half a second.
    pub horizon: usize,
    /// Action sequences imagined in one iteration.
    pub candidates: usize,
    /// Iterations of the search.
    pub iterations: usize,
    /// Control steps that a plan is followed before the next one.
    pub replan: usize,
    /// From one structured moment to the next, where the model learned them.
    pub stations: bool,
}

impl Search {
    /// The most of each that the window offers.
    pub const MOST: Search = Search {
        horizon: 12,
        candidates: 512,
        iterations: 20,
        replan: 10,
        stations: true,
    };

    /// Each within what the window offers.
    pub fn bounded(self) -> Search {
        let most = Search::MOST;
        Search {
            horizon: self.horizon.clamp(1, most.horizon),
            candidates: self.candidates.clamp(2, most.candidates),
            iterations: self.iterations.clamp(1, most.iterations),
            replan: self.replan.clamp(1, most.replan),
            stations: self.stations,
        }
    }
}

/// A film in the upper row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Film {
    /// Reality in 3-D.
    Reality,
    /// The model in this place: 0 in the middle, 1 at the right.
    Model(usize),
}

/// What stands in the column at the right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dock {
    /// What was measured on held-out seeds.
    #[default]
    Measured,
    /// What the controller plans.
    Plan,
    /// What can be changed about the world.
    Interventions,
    /// Where each body is, and which one the camera follows.
    Bodies,
    /// What is wrong with what was imagined in this episode.
    Findings,
    /// Time of every worker.
    Timers,
}

impl Dock {
    /// All of them, in the order of their tabs.
    pub const ALL: [Dock; 6] = [
        Dock::Measured,
        Dock::Plan,
        Dock::Findings,
        Dock::Interventions,
        Dock::Bodies,
        Dock::Timers,
    ];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Dock::Measured => "Measured",
            Dock::Plan => "Plan",
            Dock::Interventions => "World",
            Dock::Bodies => "Bodies",
            Dock::Findings => "Failures",
            Dock::Timers => "Timers",
        }
    }

    /// What it shows, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Dock::Measured => "What was measured on held-out seeds of this scene",
            Dock::Plan => "What the controller plans, as its own model imagines it (P)",
            Dock::Interventions => {
                "Change gravity, masses, friction: out of what models were trained on (I)"
            }
            Dock::Bodies => {
                "Where each body is and how fast; the camera follows the one that is picked"
            }
            Dock::Findings => "What is wrong with what was imagined in this episode",
            Dock::Timers => "Time of every worker and of the window (T)",
        }
    }
}

/// How an imagination is held against the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compare {
    /// The truth as a dashed outline.
    #[default]
    Outline,
    /// The truth shines through.
    Onion,
    /// The truth on the left of a line, the imagination on its right.
    Wipe,
    /// How much each pixel differs.
    Difference,
}

impl Compare {
    /// All of them, in the order of the key.
    pub const ALL: [Compare; 4] = [
        Compare::Outline,
        Compare::Onion,
        Compare::Wipe,
        Compare::Difference,
    ];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Compare::Outline => "truth as outline",
            Compare::Onion => "truth shines through",
            Compare::Wipe => "wipe: truth | imagined",
            Compare::Difference => "difference to the truth",
        }
    }

    /// The next one, around.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|c| *c == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// A message that leaves by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// What it says.
    pub text: String,
    /// When it leaves.
    pub until: Instant,
}

impl Toast {
    /// A message that stays for as long as it takes to read: five seconds, and more for a long one.
    pub fn new(text: impl Into<String>, now: Instant) -> Self {
        let text = text.into();
        let words = text.split_whitespace().count() as u64;
        let stays = Duration::from_millis(5000 + 150 * words.saturating_sub(12));
        Self {
            text,
            until: now + stays,
        }
    }
}

/// Messages that are on the screen at once; older ones make room.
const MOST_TOASTS: usize = 3;

/// Adds a message; the same one is not said twice.
pub fn add_toast(toasts: &mut Vec<Toast>, toast: Toast) {
    toasts.retain(|t| t.text != toast.text);
    toasts.push(toast);
    let too_many = toasts.len().saturating_sub(MOST_TOASTS);
    toasts.drain(..too_many);
}

/// How fast the window is, measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Frames of the window in the last second.
    pub frames_per_s: f32,
    /// Seconds of the world shown for each second that passed; 0 while time stands still.
    pub real_time: f32,
}

/// A stop of the opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// What is imagined, where nobody acts.
    Phenomenon,
    /// What is imagined while a planner acts.
    Task,
    /// The figures.
    Figures,
    /// The audience's turn.
    YourTurn,
}

/// The opening: it plays by itself until somebody does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Where it is.
    pub act: Act,
    /// Since when.
    pub since: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_leave_by_themselves_and_are_not_repeated() {
        let now = Instant::now();
        let mut toasts = Vec::new();
        for text in ["a", "b", "a", "c", "d"] {
            add_toast(&mut toasts, Toast::new(text, now));
        }
        let texts: Vec<&str> = toasts.iter().map(|t| t.text.as_str()).collect();
        assert_eq!(texts, ["a", "c", "d"]);
        let long = Toast::new("word ".repeat(40), now);
        assert!(long.until > toasts[0].until);
    }

    #[test]
    fn every_way_to_compare_comes_around() {
        let mut at = Compare::default();
        for _ in Compare::ALL {
            at = at.next();
        }
        assert_eq!(at, Compare::default());
    }
}
