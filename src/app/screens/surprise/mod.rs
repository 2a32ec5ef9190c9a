//! Surprise: an impossible event, the same film without it, and which models are surprised; and *Spot the
//! fake*, in which a person and the judge are asked which of two films is real.
//!
//! Plain data. `work.rs` makes films and asks models, on a worker; `session/surprising.rs` gives the orders;
//! `watch.rs` and `spot.rs` draw.

pub mod spot;
pub mod watch;
pub mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Camp;

/// Something that cannot happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A body is gone, in full view.
    #[default]
    Vanish,
    /// A body is elsewhere from one picture to the next.
    Teleport,
    /// A body has another colour.
    Recolour,
    /// What touches the body goes through it.
    PassThrough,
    /// A body that moves stands still at once.
    Freeze,
    /// Things fall up.
    FallUp,
}

impl Event {
    /// All of them, in the order of their keys.
    pub const ALL: [Event; 6] = [
        Event::Vanish,
        Event::Teleport,
        Event::Recolour,
        Event::PassThrough,
        Event::Freeze,
        Event::FallUp,
    ];

    /// What it is called.
    pub const fn words(self) -> &'static str {
        match self {
            Event::Vanish => "It vanishes",
            Event::Teleport => "It jumps elsewhere",
            Event::Recolour => "It changes colour",
            Event::PassThrough => "It is passed through",
            Event::Freeze => "It freezes",
            Event::FallUp => "Things fall up",
        }
    }

    /// What happens to a body, as a sentence goes on after its name.
    pub const fn happens(self) -> &'static str {
        match self {
            Event::Vanish => "vanishes in full view",
            Event::Teleport => "is elsewhere from one picture to the next",
            Event::Recolour => "takes another colour",
            Event::PassThrough => "is passed through by what should push it",
            Event::Freeze => "stands still at once",
            Event::FallUp => "falls up, as everything does",
        }
    }

    /// Its name in `parallax eval surprise`, if that measures it.
    pub const fn id(self) -> Option<&'static str> {
        match self {
            Event::Vanish => Some("vanish"),
            Event::Teleport => Some("teleport"),
            Event::Recolour => Some("recolour"),
            Event::PassThrough => Some("pass_through"),
            Event::Freeze => Some("freeze"),
            Event::FallUp => None,
        }
    }
}

/// The same film with an event and without.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Films {
    /// The scene, as the picker lists it.
    pub scene: String,
    /// The seed that was asked for, and the first from there in which the event can happen.
    pub seed: (u64, u64),
    /// The event.
    pub event: Event,
    /// The body that it happens to.
    pub body: String,
    /// The control step of the first picture.
    pub first: usize,
    /// Index of the first picture in which the event can be seen.
    pub shows: usize,
    /// Pixels a side.
    pub size: usize,
    /// Pictures without the event, `[size, size, 3]` each.
    pub possible: Vec<Vec<u8>>,
    /// Pictures with it.
    pub impossible: Vec<Vec<u8>>,
    /// What was done between the pictures, `[A]` each.
    pub actions: Vec<Vec<f32>>,
}

/// A model's surprise along both films, in its own unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The model's folder.
    pub model: String,
    /// Its camp.
    pub camp: Option<Camp>,
    /// Index of the first picture for which there is a value.
    pub first: usize,
    /// Without the event.
    pub possible: Vec<f32>,
    /// With it.
    pub impossible: Vec<f32>,
    /// Why there is none.
    pub problem: Option<String>,
}

impl Curve {
    /// How many times as surprised it is at most by the film with the event as by the one without, from the
    /// event on.
    pub fn ratio(&self, shows: usize) -> Option<f32> {
        let from = shows.saturating_sub(self.first);
        let most = |of: &[f32]| of.iter().skip(from).copied().reduce(f32::max);
        let (possible, impossible) = (most(&self.possible)?, most(&self.impossible)?);
        let ratio = impossible / possible.max(1e-9);
        ratio.is_finite().then_some(ratio)
    }

    /// Whether the film without the event surprises it less, on average from a picture on; `None` where it
    /// has nothing to say.
    pub fn prefers_the_possible(&self, shows: usize) -> Option<bool> {
        let from = shows.saturating_sub(self.first);
        let sum = |of: &[f32]| of.iter().skip(from).copied().reduce(|a, b| a + b);
        let (possible, impossible) = (sum(&self.possible)?, sum(&self.impossible)?);
        let told = possible.is_finite() && impossible.is_finite();
        told.then_some(possible < impossible)
    }
}

/// Two films of the same start, of which one is real.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// The scene, as the picker lists it.
    pub scene: String,
    /// The seed.
    pub seed: u64,
    /// Pixels a side.
    pub size: usize,
    /// Pictures of each film.
    pub films: [Vec<Vec<u8>>; 2],
    /// Which of them is real.
    pub real: usize,
    /// From which picture on they may differ.
    pub parts: usize,
    /// What the other one is, in a sentence.
    pub fake: String,
    /// What the judge says of each film.
    pub judged: [String; 2],
    /// Which film the judge takes for real; `None` where both are alike to it.
    pub judge: Option<usize>,
    /// The law that the other one breaks most, as the judge sees it, in a word or two.
    pub law: String,
    /// What was done between the pictures, `[A]` each.
    pub actions: Vec<Vec<f32>>,
}

impl Round {
    /// Both films as a model is asked about them: what is real is possible.
    pub fn pair(&self) -> Films {
        Films {
            scene: self.scene.clone(),
            seed: (self.seed, self.seed),
            shows: self.parts,
            size: self.size,
            possible: self.films[self.real].clone(),
            impossible: self.films[1 - self.real].clone(),
            actions: self.actions.clone(),
            ..Films::default()
        }
    }
}

/// Right answers, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Right ones.
    pub right: usize,
    /// All.
    pub of: usize,
}

impl Score {
    fn count(&mut self, is_right: bool) {
        self.right += usize::from(is_right);
        self.of += 1;
    }
}

/// The game.
#[derive(Clone, Debug, Default)]
pub struct Spot {
    /// The pair that is shown.
    pub round: Option<Arc<Round>>,
    /// Which film the person took for real.
    pub guess: Option<usize>,
    /// The person's score.
    pub person: Score,
    /// The judge's on the same pairs; where it cannot tell, it has no answer and is not right.
    pub judge: Score,
    /// The person's and the judge's, by the law that the film which is not real breaks most.
    pub by_law: BTreeMap<String, [Score; 2]>,
    /// Of each model on the same pairs: it takes for real what surprises it less.
    pub models: BTreeMap<String, Score>,
    /// What models make of the pair that is shown.
    pub curves: Vec<Curve>,
    /// Pairs that were asked for.
    pub rounds: u64,
    /// Why there is no pair.
    pub problem: Option<String>,
}

impl Spot {
    /// Takes a person's answer; the first counts.
    pub fn answer(&mut self, film: usize) {
        let Some(round) = self.round.as_ref().filter(|_| self.guess.is_none()) else {
            return;
        };
        self.guess = Some(film);
        self.person.count(film == round.real);
        self.judge.count(round.judge == Some(round.real));
        let [person, judge] = self.by_law.entry(round.law.clone()).or_default();
        person.count(film == round.real);
        judge.count(round.judge == Some(round.real));
        for curve in &self.curves {
            count_model(&mut self.models, round.parts, curve);
        }
    }

    /// Takes what a model makes of the pair; it counts once the pair was answered.
    pub fn hear(&mut self, curve: Curve) {
        if let (Some(round), Some(_)) = (&self.round, self.guess) {
            count_model(&mut self.models, round.parts, &curve);
        }
        self.curves.push(curve);
    }
}

fn count_model(models: &mut BTreeMap<String, Score>, parts: usize, curve: &Curve) {
    if let Some(is_right) = curve.prefers_the_possible(parts) {
        models
            .entry(curve.model.clone())
            .or_default()
            .count(is_right);
    }
}

/// Which of the two things is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// An event, and who is surprised by it.
    #[default]
    Watch,
    /// Which film is real?
    Spot,
}

/// What can be done on this screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Do {
    /// Watch, or spot the fake.
    Mode(Mode),
    /// Show this event.
    Event(Event),
    /// Show it in this scene.
    Scene(String),
    /// From another seed, or another pair.
    Another,
    /// Play, or stop.
    Play,
    /// Stop at this picture.
    Frame(usize),
    /// One picture on (1) or back (-1), or the next pair where one was answered.
    Step(i32),
    /// A number key, from 0: an event, or the film that is real.
    Number(usize),
}

/// The share of measured pairs whose impossible film surprised a model more, and how many pairs.
pub type Measured = BTreeMap<(String, String, &'static str), (f64, u64)>;

/// The whole screen.
#[derive(Clone, Debug, Default)]
pub struct Surprise {
    /// What is shown.
    pub mode: Mode,
    /// The scene; none: the one that Explore shows.
    pub scene: Option<String>,
    /// The seed from which on the event is looked for.
    pub seed: u64,
    /// The event.
    pub event: Event,
    /// The films of it.
    pub films: Option<Arc<Films>>,
    /// What models make of them.
    pub curves: Vec<Curve>,
    /// The model that is being asked.
    pub asks: Option<String>,
    /// Why there are no films.
    pub problem: Option<String>,
    /// Whether the films stand still.
    pub stands: bool,
    /// The picture that is shown.
    pub frame: usize,
    /// The game.
    pub spot: Spot,
}

impl Surprise {
    /// Pictures of what plays.
    pub fn length(&self) -> usize {
        match self.mode {
            Mode::Watch => self.films.as_ref().map_or(0, |f| f.possible.len()),
            Mode::Spot => self.spot.round.as_ref().map_or(0, |r| r.films[0].len()),
        }
    }

    /// Forgets the films: others are to be made.
    pub fn begin_anew(&mut self) {
        self.films = None;
        self.curves.clear();
        self.asks = None;
        self.problem = None;
        self.frame = 0;
        self.stands = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_counts_and_a_judge_that_cannot_tell_is_not_right() {
        let mut spot = Spot::default();
        spot.answer(0);
        assert_eq!(spot.person, Score::default());
        let round = |real, judge| {
            Some(Arc::new(Round {
                real,
                judge,
                ..Round::default()
            }))
        };
        spot.round = round(1, None);
        spot.answer(1);
        spot.answer(0);
        assert_eq!((spot.person.right, spot.person.of), (1, 1));
        assert_eq!((spot.judge.right, spot.judge.of), (0, 1));
        (spot.round, spot.guess) = (round(0, Some(0)), None);
        spot.answer(1);
        assert_eq!((spot.person.right, spot.person.of), (1, 2));
        assert_eq!((spot.judge.right, spot.judge.of), (1, 2));
    }

    #[test]
    fn a_model_counts_once_the_pair_was_answered_and_scores_are_kept_by_law() {
        let curve = |model: &str, impossible: f32| Curve {
            model: model.into(),
            first: 2,
            possible: vec![7.0, 1.0],
            impossible: vec![7.0, impossible],
            ..Curve::default()
        };
        let round = Round {
            real: 1,
            parts: 3,
            law: "size".into(),
            films: [vec![vec![0]], vec![vec![1]]],
            ..Round::default()
        };
        assert_eq!(round.pair().possible, [[1]]);
        let mut spot = Spot {
            round: Some(Arc::new(round)),
            ..Spot::default()
        };
        spot.hear(curve("early", 2.0));
        assert!(spot.models.is_empty(), "nobody has answered yet");
        spot.answer(0);
        spot.hear(curve("late", 0.5));
        spot.hear(Curve::default());
        let of = |model: &str| (spot.models[model].right, spot.models[model].of);
        assert_eq!((of("early"), of("late")), ((1, 1), (0, 1)));
        assert_eq!(spot.models.len(), 2, "who says nothing has no score");
        let [person, judge] = spot.by_law["size"];
        assert_eq!(
            (person.right, person.of, judge.right, judge.of),
            (0, 1, 0, 1)
        );
    }

    #[test]
    fn surprise_is_compared_from_the_event_on() {
        let curve = Curve {
            first: 2,
            possible: vec![9.0, 1.0, 2.0],
            impossible: vec![9.0, 1.0, 5.0],
            ..Curve::default()
        };
        assert_eq!(curve.ratio(3), Some(2.5));
        assert_eq!(curve.ratio(9), None);
    }
}
