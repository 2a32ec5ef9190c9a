//! What is wrong with an imagination, in words: how far off it is, and which law it broke. The only place of
//! the window that reads what the judge found.

pub use super::pane::camp_word;
use super::state::{Imagination, Pane, PaneStatus, Rollout, Stage, State};
use crate::judge::Violation;
use crate::scene::{Body, Law, Shape};
use crate::sim::CONTROL_HZ;

/// Bodies nearer to their true place than this are in place, metres.
const IN_PLACE_M: f32 = 0.015;

/// Something wrong with an imagination.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The model's pane.
    pub pane: usize,
    /// The moment at which it begins.
    pub moment: usize,
    /// The last moment of it.
    pub last: usize,
    /// The law that is broken; `None` where a body is merely in the wrong place.
    pub law: Option<Law>,
    /// What happened, in a sentence.
    pub sentence: String,
}

/// What stands under a film.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// What matters most.
    pub line: String,
    /// The rest of it.
    pub rest: String,
    /// Whether a law is broken, or a body is farther off than its own size.
    pub is_broken: bool,
    /// The law that is broken.
    pub law: Option<Law>,
}

/// How far a body is from where it really is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Off {
    /// Its index in the scene.
    pub body: usize,
    /// Metres; `None` where the imagination has lost it.
    pub metres: Option<f32>,
}

/// The box that shows a violation at an imagined step, x0, y0, x1, y1 in pixels.
pub fn box_at(violation: &Violation, index: usize) -> Option<[u16; 4]> {
    let at = index.checked_sub(violation.first_frame)?;
    violation.boxes.get(at).copied()
}

/// Names that tell which of several bodies is meant, and not what it is.
const WHICH: [&str; 23] = [
    "left", "right", "near", "far", "low", "high", "upper", "lower", "front", "back", "middle",
    "first", "second", "third", "fourth", "fifth", "red", "green", "blue", "orange", "yellow",
    "white", "black",
];

/// A body's name as it is said in a sentence: `third` is the third ball.
pub fn spoken(body: &Body) -> String {
    let name = body.name.replace('_', " ");
    if !WHICH.contains(&body.name.as_str()) {
        return name;
    }
    let what = match body.shape {
        Shape::Ball { .. } => "ball",
        Shape::Cuboid { .. } => "block",
        Shape::Cylinder { .. } => "cylinder",
        Shape::Capsule { .. } => "capsule",
        Shape::Convex { .. } | Shape::Compound { .. } => "body",
    };
    format!("{name} {what}")
}

pub(super) fn body_name(state: &State, body: usize) -> String {
    let scene = state.scene.as_ref();
    let body = scene.and_then(|s| s.bodies.get(body));
    body.map_or("body".into(), spoken)
}

/// What happened, as the judge says it, as a sentence of its own.
pub(super) fn sentence(state: &State, violation: &Violation) -> String {
    let bodies = state.scene.as_ref().map_or(&[][..], |scene| &scene.bodies);
    let named = bodies
        .iter()
        .fold(violation.sentence.clone(), |said, body| {
            said.replace(&format!("`{}`", body.name), &format!("`{}`", spoken(body)))
        });
    let plain = named.replace('`', "");
    let names_a_body = named.starts_with('`') && !plain.starts_with("the ");
    let mut letters = plain.chars();
    match (names_a_body, letters.next()) {
        (true, _) => format!("The {plain}"),
        (false, Some(first)) => first.to_uppercase().to_string() + letters.as_str(),
        (false, None) => String::new(),
    }
}

/// The first and the last moment of a violation.
pub(super) fn span(rollout: &Rollout, violation: &Violation) -> (usize, usize) {
    let skip = rollout.imagined.frameskip.max(1);
    let at = |frame: usize| rollout.branch + (frame + 1) * skip;
    (at(violation.first_frame), at(violation.last_frame))
}

/// How far each body is off at moment `branch + k`, where that is known.
pub fn offsets(state: &State, rollout: &Rollout, k: usize) -> Vec<Off> {
    let moment = rollout.branch + k;
    let (Some(index), Some(truth)) = (rollout.index(k), state.record.moments.get(moment)) else {
        return Vec::new();
    };
    if let Some(states) = &rollout.imagined.states {
        let off = |(column, name): (usize, &String)| {
            let body = state.scene.as_ref()?.body_index(name)?;
            let [x, z, _] = state.probed(rollout, column, k)?;
            let [real_x, _, real_z] = truth.state.bodies.get(body)?.position;
            let metres = ((x - real_x).powi(2) + (z - real_z).powi(2)).sqrt();
            let metres = metres.is_finite().then_some(metres);
            Some(Off { body, metres })
        };
        return states.bodies.iter().enumerate().filter_map(off).collect();
    }
    let seen = rollout.imagined.tracks.get(index);
    let real = state.record.tracks.get(moment);
    let (Some(seen), Some(real), Some(tracker), Some(eye)) =
        (seen, real, &state.tracker, &state.eye)
    else {
        return Vec::new();
    };
    let each = tracker.bodies.iter().zip(seen.iter().zip(real));
    each.filter_map(|(body, (seen, real))| {
        // What the eye itself does not see cannot be missed.
        let real = (*real)?;
        let world = truth.state.bodies.get(*body)?.position;
        let metres = seen.map(|seen| {
            let (dx, dy) = (seen[0] - real[0], seen[1] - real[1]);
            (dx * dx + dy * dy).sqrt() * eye.metres_per_pixel(world)
        });
        Some(Off {
            body: *body,
            metres,
        })
    })
    .collect()
}

pub(super) fn own_size(state: &State, body: usize) -> f32 {
    let body = state.scene.as_ref().and_then(|s| s.bodies.get(body));
    body.map_or(f32::INFINITY, |b| b.shape.size() * b.size)
}

/// Whether a body is farther off than its own size, or lost.
fn is_far(state: &State, off: &Off) -> bool {
    off.metres.is_none_or(|m| m > own_size(state, off.body))
}

/// A length for people.
pub fn length(metres: f32) -> String {
    let cm = metres * 100.0;
    match cm {
        cm if cm < 1.0 => "under 1 cm".into(),
        cm if cm < 100.0 => format!("{cm:.0} cm"),
        _ => format!("{metres:.1} m"),
    }
}

/// The body that is farthest off, in words.
fn off_in_words(state: &State, offs: &[Off]) -> Option<(String, bool)> {
    let rank = |o: &&Off| o.metres.unwrap_or(f32::INFINITY);
    let worst = offs.iter().max_by(|a, b| rank(a).total_cmp(&rank(b)))?;
    let name = body_name(state, worst.body);
    let words = match worst.metres {
        None => format!("{name} is not to be found"),
        Some(m) if m < IN_PLACE_M && offs.len() > 1 => "every body in its place".into(),
        Some(m) if m < IN_PLACE_M => format!("{name} in its place"),
        Some(m) => format!("{name} {} off", length(m)),
    };
    Some((words, is_far(state, worst)))
}

/// Seconds of a moment, for people.
pub fn seconds(moment: usize) -> String {
    format!("{:.1} s", moment as f32 / CONTROL_HZ as f32)
}

/// What stands under a model's film.
pub fn verdict(state: &State, pane: &Pane, shown: Option<(Imagination, &Rollout)>) -> Verdict {
    let plain = |line: &str, rest: &str| Verdict {
        line: line.into(),
        rest: rest.into(),
        ..Verdict::default()
    };
    match &pane.status {
        PaneStatus::Failed(_) => return plain("Cannot imagine", "The reason stands in its film."),
        PaneStatus::Loading => return plain("Loading the model…", ""),
        PaneStatus::Ready => {}
    }
    let Some((at, rollout)) = shown else {
        if state.stage == Stage::Preparing && !pane.busy && state.replay.is_none() {
            return match pane.rollouts.is_empty() {
                true => plain("Reality goes first…", ""),
                false => plain(
                    "It has imagined",
                    "The films begin when the other has, too.",
                ),
            };
        }
        let later = pane.rollouts.iter().map(|r| r.branch);
        if let Some(from) = later.filter(|from| *from > state.shown()).min() {
            let line = format!("Still real: it imagines from {} on", seconds(from));
            return plain(&line, "It sees reality until then.");
        }
        return match pane.busy || state.playing {
            true => plain("Imagining…", ""),
            false => plain(
                "Nothing imagined here",
                "B lets the models imagine from here.",
            ),
        };
    };
    if at.k == 0 {
        let from = format!("It has seen reality until {}.", seconds(at.branch));
        return plain("Still real: it imagines from here on", &from);
    }
    let off = off_in_words(state, &offsets(state, rollout, at.k));
    let begun = rollout
        .violations
        .iter()
        .map(|v| (span(rollout, v), v))
        .filter(|((from, _), _)| *from <= at.moment());
    let broken = begun.max_by_key(|((from, _), _)| *from);
    let checked = match (rollout.judged, rollout.checked) {
        (false, _) => "the judge is still looking".to_string(),
        (true, 0) => "no law can be checked here".into(),
        (true, 1) => "no violation of 1 law checked".into(),
        (true, n) => format!("no violation of {n} laws checked"),
    };
    match (broken, off) {
        (Some(((from, _), v)), off) => Verdict {
            line: format!("{} ({})", sentence(state, v), seconds(from)),
            rest: off.map_or(String::new(), |(words, _)| words),
            is_broken: true,
            law: Some(v.law),
        },
        (None, Some((words, is_broken))) => Verdict {
            line: words,
            rest: checked,
            is_broken,
            law: None,
        },
        (None, None) => plain(&checked, ""),
    }
}

/// All that is wrong with what was imagined in this episode, the earliest first.
pub fn findings(state: &State) -> Vec<Finding> {
    let mut all = Vec::new();
    for (index, pane) in state.scene_panes() {
        for rollout in &pane.rollouts {
            for v in &rollout.violations {
                let (moment, last) = span(rollout, v);
                all.push(Finding {
                    pane: index,
                    moment,
                    last,
                    law: Some(v.law),
                    sentence: sentence(state, v),
                });
            }
            all.extend(far_off(state, index, rollout));
        }
    }
    all.sort_by_key(|f| (f.moment, f.pane));
    all
}

/// The first moment at which a body is farther off than its own size.
pub(super) fn far_off(state: &State, pane: usize, rollout: &Rollout) -> Option<Finding> {
    let known = state.newest().saturating_sub(rollout.branch);
    let reach = rollout.imagined.steps.min(known);
    (1..=reach).find_map(|k| {
        let offs = offsets(state, rollout, k);
        let far = offs.iter().find(|o| is_far(state, o))?;
        let name = body_name(state, far.body);
        let sentence = match far.metres {
            Some(m) => format!("The {name} is {} from where it really is.", length(m)),
            None => format!("The {name} is gone, and in reality it is there."),
        };
        Some(Finding {
            pane,
            moment: rollout.branch + k,
            last: rollout.branch + reach,
            law: None,
            sentence,
        })
    })
}

/// What is said about the failure that is looked at.
pub fn focused(state: &State) -> Option<Finding> {
    let (pane, moment) = state.focus?;
    let mut all = findings(state).into_iter();
    all.find(|f| (f.pane, f.moment) == (pane, moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_whose_name_only_tells_which_is_said_with_what_it_is() {
        let mut state = State::default();
        let scene = crate::scene::load("collide3").unwrap();
        let third = scene.body_index("third").unwrap();
        state.scene = Some(std::sync::Arc::new(scene));
        assert_eq!(body_name(&state, third), "third ball");
        let violation = |sentence: &str| Violation {
            law: Law::Inertia,
            body: Some(third),
            first_frame: 0,
            last_frame: 1,
            severity: 0.5,
            boxes: Vec::new(),
            sentence: sentence.into(),
        };
        let said = |words: &str| sentence(&state, &violation(words));
        assert_eq!(said("`third` is gone"), "The third ball is gone");
        assert_eq!(
            said("the colours of `left` and `third` are exchanged"),
            "The colours of left ball and third ball are exchanged"
        );
        assert_eq!(said("the floor dissolves"), "The floor dissolves");
    }
}
