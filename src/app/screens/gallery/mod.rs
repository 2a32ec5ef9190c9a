//! The gallery: what models got wrong, the worst first, from this session and from the shipped results.
//!
//! Plain data: `shipped.rs` reads the results, `panel.rs` and `still.rs` draw, `session/gallery.rs` fills it
//! while the judge speaks and leads from an entry to its moment.

pub mod panel;
pub mod shipped;
mod still;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::screens::surprise::Measured;
use crate::app::state::DriverChoice;
use crate::app::theme;
use crate::model::Camp;
use crate::scene::Law;
use crate::worker::Replay;

/// Entries of a session that are kept; the least severe make room.
pub const MOST: usize = 240;

/// In what way something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A law is broken.
    Law(Law),
    /// A body is in another place than in reality.
    Place,
    /// A planner did not reach its goal.
    Goal,
}

impl Fault {
    /// In a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Fault::Law(law) => theme::law_word(law),
            Fault::Place => "in the wrong place",
            Fault::Goal => "goal missed",
        }
    }

    /// What was expected instead.
    pub const fn expected(self) -> &'static str {
        match self {
            Fault::Law(law) => law.statement(),
            Fault::Place => "Every body where it is in reality",
            Fault::Goal => "The goal is reached before time is up",
        }
    }
}

/// The moment that an entry of the session belongs to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct At {
    /// The number of the episode.
    pub episode: u64,
    /// The moment from which it was imagined.
    pub branch: usize,
    /// The moment at which it begins.
    pub moment: usize,
    /// Who drove.
    pub driver: Option<DriverChoice>,
    /// Function evaluations a frame.
    pub nfe: usize,
    /// The recorded episode beside which it was imagined, if it was one.
    pub replay: Option<Replay>,
    /// Interventions in force.
    pub interventions: BTreeMap<String, f32>,
    /// Whether somebody laid hands on the episode, so that it cannot be made again.
    pub by_hand: bool,
}

/// What a result of the report says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shipped {
    /// How often or how much, in words.
    pub value: String,
    /// The file that says so, from the folder that holds `models/`.
    pub from: String,
    /// The command that measures it again.
    pub command: String,
}

/// Where an entry comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Imagined beside an episode of this session.
    Episode(At),
    /// Dreamt, so many steps after a moment of reality.
    Dream {
        /// The moment that it set out from.
        at: At,
        /// The imagined step, from 1.
        step: usize,
    },
    /// Measured on held-out seeds, and shipped.
    Report(Shipped),
}

/// The outline of a body in a still, in pixels of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Its corners, around.
    pub points: Vec<[f32; 2]>,
    /// The body's colour where it is imagined; `None`: where it really is.
    pub fill: Option<[u8; 3]>,
}

/// A picture of what is wrong, and of reality at that moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Still {
    /// Pixels a side.
    pub size: usize,
    /// The moment of the episode that it shows.
    pub moment: usize,
    /// What was imagined, `[size, size, 3]`; `None` for models without pictures.
    pub imagined: Option<Vec<u8>>,
    /// What was real, `[size, size, 3]`, where it is known.
    pub truth: Option<Vec<u8>>,
    /// The judge's mark: x0, y0, x1, y1 in pixels.
    pub mark: Option<[u16; 4]>,
    /// Outlines of bodies, over what was imagined.
    pub outlines: Vec<Outline>,
    /// From where bodies really are to where they are imagined, pixels.
    pub lines: Vec<[[f32; 2]; 2]>,
}

/// Something that a model got wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// By which it is found again; given by the gallery.
    pub id: u64,
    /// In what way.
    pub fault: Fault,
    /// The model's folder.
    pub model: String,
    /// Its camp, where it is known.
    pub camp: Option<Camp>,
    /// The scene, as the picker lists it.
    pub scene: String,
    /// The seed.
    pub seed: u64,
    /// How bad, in (0, 1].
    pub severity: f32,
    /// What is to be seen, in a sentence.
    pub sentence: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What it looks like.
    pub still: Option<Arc<Still>>,
}

impl Entry {
    /// What it was imagined from, if it is of this session: episode, model, branch.
    fn key(&self) -> Option<(u64, &str, usize)> {
        match &self.origin {
            Origin::Episode(at) => Some((at.episode, &self.model, at.branch)),
            _ => None,
        }
    }

    /// Whether it is of the shipped report.
    pub fn is_shipped(&self) -> bool {
        matches!(self.origin, Origin::Report(_))
    }
}

/// Whose entries are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Those of this session.
    #[default]
    Session,
    /// Those of the shipped report.
    Report,
}

/// Which entries are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Only of this kind.
    pub fault: Option<Fault>,
    /// Only of this model.
    pub model: Option<String>,
    /// Only in this scene.
    pub scene: Option<String>,
}

impl Filter {
    fn lets_through(&self, entry: &Entry) -> bool {
        self.fault.is_none_or(|f| f == entry.fault)
            && self.model.as_ref().is_none_or(|m| *m == entry.model)
            && self.scene.as_ref().is_none_or(|s| *s == entry.scene)
    }
}

/// What can be done in the gallery.
#[derive(Clone, Debug, PartialEq)]
pub enum Do {
    /// Show the entries of this source.
    Source(Source),
    /// Show those of this kind only, or of all.
    Fault(Option<Fault>),
    /// Show those of this model only, or of all.
    Model(Option<String>),
    /// Show those of this scene only, or of all.
    Scene(Option<String>),
    /// Go to the moment of this entry.
    Open(u64),
    /// Go to the moment of the entry that stands at this place, from 0.
    OpenPlace(usize),
}

/// All that went wrong.
#[derive(Clone, Debug, Default)]
pub struct Gallery {
    session: Vec<Arc<Entry>>,
    report: Vec<Arc<Entry>>,
    next: u64,
    /// Whether the report has been read.
    pub is_read: bool,
    /// Results of the report that could not be read, in words.
    pub problems: Vec<String>,
    /// How often models were more surprised by an impossible event, by model, scene and event.
    pub surprises: Measured,
    /// Verdicts of the judge in this session, with or without anything wrong.
    pub judged: usize,
    /// Whose entries are shown; nobody's choice: the session's, as soon as it has any.
    pub source: Option<Source>,
    /// Which of them.
    pub filter: Filter,
}

impl Gallery {
    /// Takes in what was found in what was imagined anew: it replaces what was found in the same before. All
    /// entries are of one rollout.
    pub fn take(&mut self, episode: u64, model: &str, branch: usize, found: Vec<Entry>) {
        let key = Some((episode, model, branch));
        self.session.retain(|e| e.key() != key);
        for entry in found {
            self.add(entry);
        }
    }

    /// Takes in one thing that went wrong.
    pub fn add(&mut self, mut entry: Entry) {
        entry.id = self.next;
        self.next += 1;
        self.session.push(Arc::new(entry));
        if self.session.len() > MOST {
            let severity = |i: &usize| self.session[*i].severity;
            let least = (0..self.session.len()).min_by(|a, b| severity(a).total_cmp(&severity(b)));
            if let Some(least) = least {
                self.session.remove(least);
            }
        }
    }

    /// Reality has come to this moment: stills of it get the picture of what was real.
    pub fn complete(&mut self, episode: u64, moment: usize, rgb: &[u8]) {
        for entry in &mut self.session {
            let waits = |s: &Arc<Still>| s.truth.is_none() && s.moment == moment;
            let here = matches!(&entry.origin, Origin::Episode(at) if at.episode == episode);
            if here && entry.still.as_ref().is_some_and(waits) {
                let entry = Arc::make_mut(entry);
                if let Some(still) = &mut entry.still {
                    Arc::make_mut(still).truth = Some(rgb.to_vec());
                }
            }
        }
    }

    /// Takes in the shipped report.
    pub fn take_report(&mut self, read: shipped::Read) {
        for mut entry in read.entries {
            entry.id = self.next;
            self.next += 1;
            self.report.push(Arc::new(entry));
        }
        self.problems = read.problems;
        self.surprises = read.surprises;
        self.is_read = true;
    }

    /// Whose entries are shown.
    pub fn source(&self) -> Source {
        let usual = match self.session.is_empty() && self.judged == 0 {
            true => Source::Report,
            false => Source::Session,
        };
        self.source.unwrap_or(usual)
    }

    /// All entries of a source.
    pub fn all(&self, source: Source) -> &[Arc<Entry>] {
        match source {
            Source::Session => &self.session,
            Source::Report => &self.report,
        }
    }

    /// The entries shown, the worst first; of equally bad ones the newest first.
    pub fn shown(&self) -> Vec<Arc<Entry>> {
        let all = self.all(self.source());
        let mut shown: Vec<Arc<Entry>> = (all.iter())
            .filter(|e| self.filter.lets_through(e))
            .cloned()
            .collect();
        shown.sort_by(|a, b| {
            let group = |e: &Entry| e.is_shipped().then_some(shipped::group(e.fault));
            (group(a).cmp(&group(b)))
                .then(b.severity.total_cmp(&a.severity))
                .then(b.id.cmp(&a.id))
        });
        shown
    }

    /// The entry with this number, if it is still kept.
    pub fn find(&self, id: u64) -> Option<Arc<Entry>> {
        let mut all = self.session.iter().chain(&self.report);
        all.find(|e| e.id == id).cloned()
    }

    /// Changes what is shown.
    pub fn filter(&mut self, what: &Do) {
        match what {
            Do::Source(source) => {
                self.source = Some(*source);
                self.filter = Filter::default();
            }
            Do::Fault(fault) => self.filter.fault = *fault,
            Do::Model(model) => self.filter.model.clone_from(model),
            Do::Scene(scene) => self.filter.scene.clone_from(scene),
            Do::Open(_) | Do::OpenPlace(_) => {}
        }
    }
}

/// Words with a capital at their beginning.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(model: &str, law: Law, severity: f32, branch: usize) -> Entry {
        Entry {
            id: 0,
            fault: Fault::Law(law),
            model: model.into(),
            camp: None,
            scene: "push".into(),
            seed: 1,
            severity,
            sentence: "It happened".into(),
            origin: Origin::Episode(At {
                episode: 7,
                branch,
                ..At::default()
            }),
            still: None,
        }
    }

    #[test]
    fn the_worst_comes_first_and_what_is_judged_anew_replaces_what_was_found() {
        let mut gallery = Gallery::default();
        let found = vec![
            entry("a", Law::Size, 0.2, 0),
            entry("a", Law::Shape, 0.9, 0),
        ];
        gallery.take(7, "a", 0, found);
        gallery.take(7, "b", 0, vec![entry("b", Law::Size, 0.5, 0)]);
        let severities = |g: &Gallery| g.shown().iter().map(|e| e.severity).collect::<Vec<_>>();
        assert_eq!(severities(&gallery), [0.9, 0.5, 0.2]);
        gallery.take(7, "a", 0, vec![entry("a", Law::Look, 0.1, 0)]);
        assert_eq!(severities(&gallery), [0.5, 0.1]);
        gallery.take(7, "a", 20, vec![entry("a", Law::Look, 0.3, 20)]);
        assert_eq!(severities(&gallery), [0.5, 0.3, 0.1]);
        gallery.filter(&Do::Fault(Some(Fault::Law(Law::Look))));
        assert_eq!(severities(&gallery), [0.3, 0.1]);
        gallery.filter(&Do::Model(Some("b".into())));
        assert!(gallery.shown().is_empty());
    }

    #[test]
    fn the_list_is_bounded_and_keeps_the_worst() {
        let mut gallery = Gallery::default();
        for i in 0..2 * MOST {
            let severity = (i * 37 % (2 * MOST)) as f32 / (2 * MOST) as f32;
            gallery.add(entry("a", Law::Size, severity, i));
        }
        let kept = gallery.shown();
        assert_eq!(kept.len(), MOST);
        assert!(kept.iter().all(|e| e.severity >= 0.5), "a bad one was lost");
        let ids: std::collections::HashSet<u64> = kept.iter().map(|e| e.id).collect();
        assert_eq!(ids.len(), MOST);
        assert_eq!(gallery.find(kept[0].id).unwrap().severity, kept[0].severity);
    }
}
