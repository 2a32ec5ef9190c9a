//! What the worker of this screen does: films with and without an event, a model's surprise along them, and
//! pairs of films of which one is real.

use std::sync::Arc;

use super::{Curve, Event, Films, Round};
use crate::camera::Eye;
use crate::episode::record_states;
use crate::judge::{CONTEXT_FRAMES, Judge, Verdict};
use crate::model::{Actions, Camp, Cancel, Context, Frame, Sampling, WorldModel};
use crate::planner::SIGHT_FRAMES;
use crate::scene::{self, Colour, Edit, EditKind, Kind, Scene};
use crate::sim::{Reality, State};
use crate::worker::{Imagine, imagination};

/// Pictures before an event, and from it on.
const BEFORE: usize = 12;
const AFTER: usize = 16;
/// Episodes that are looked through for one in which an event can happen.
const TRIES: u64 = 60;
/// How far a body jumps, metres.
const JUMP_M: f32 = 0.2;
/// A body slower than this does not visibly freeze, m/s.
const MOVES_M_S: f32 = 0.15;
/// Pictures of a pair after those that are the same in both.
const IMAGINED: usize = 20;

/// An order.
pub enum Work {
    /// Films of an event in a scene, from a seed on.
    Films(String, u64, Event),
    /// The surprise of a model of this name and camp along films.
    Curve(Arc<Films>, String, Option<Camp>, Arc<dyn WorldModel>),
    /// A pair of films of a scene, from a seed on.
    Round(String, u64, Fake),
}

/// What the film that is not real is.
pub enum Fake {
    /// What a model imagines: its name, function evaluations a frame.
    Imagined(String, Arc<dyn WorldModel>, usize),
    /// Reality, broken.
    Broken(Event),
}

/// What became of it.
pub enum Done {
    /// Films.
    Films(Films),
    /// A model's surprise.
    Curve(Curve),
    /// A pair.
    Round(Round),
}

/// The worker's function.
///
/// # Errors
/// In words: a scene that cannot be run, or in which the event cannot happen.
pub fn surprising(order: Work, cancel: &Cancel) -> Result<Done, String> {
    match order {
        Work::Films(scene, seed, event) => films(&scene, seed, event, cancel).map(Done::Films),
        Work::Curve(films, name, camp, model) => {
            let mut curve = Curve {
                model: name,
                camp,
                ..Curve::default()
            };
            match surprise(&films, model.as_ref(), cancel) {
                Ok((first, possible, impossible)) => {
                    (curve.first, curve.possible, curve.impossible) = (first, possible, impossible);
                }
                Err(e) => curve.problem = Some(e),
            }
            Ok(Done::Curve(curve))
        }
        Work::Round(scene, seed, fake) => round(&scene, seed, fake, cancel).map(Done::Round),
    }
}

fn load(name: &str) -> Result<Arc<Scene>, String> {
    scene::load(name).map(Arc::new).map_err(|e| e.to_string())
}

/// The body that events happen to: the task's, or the first that is free.
fn subject(scene: &Scene) -> Option<usize> {
    let task = scene.task.as_ref().and_then(|t| scene.body_index(&t.body));
    let is_free = |i: &usize| scene.bodies[*i].kind == Kind::Dynamic;
    task.filter(is_free)
        .or_else(|| scene.bodies.iter().position(|b| b.kind == Kind::Dynamic))
}

fn speed(state: &State, body: usize) -> f32 {
    let v = state.bodies[body].velocity;
    v.iter().map(|v| v * v).sum::<f32>().sqrt()
}

/// When an event can happen to a body: the step of the edit, and the first that can show it.
fn moment(event: Event, scene: &Scene, body: usize, states: &[State]) -> Option<(usize, usize)> {
    let earliest = BEFORE.min(states.len() / 3).max(2);
    let last = states.len().checked_sub(4)?;
    let mut possible = earliest..last;
    let moves = |t: &usize| speed(&states[*t], body) > MOVES_M_S;
    let found = match event {
        Event::Vanish | Event::Recolour => Some(possible.clone().find(moves).unwrap_or(earliest)),
        Event::Teleport => Some(possible.clone().find(moves).unwrap_or(earliest)),
        Event::Freeze => possible.find(moves),
        Event::FallUp => (scene.gravity.abs() > 0.0).then_some(earliest),
        Event::PassThrough => {
            let meets = |t: &usize| {
                states[*t].contacts.iter().any(|&(p, q)| {
                    let other = match body {
                        b if b == p => q,
                        b if b == q => p,
                        _ => return false,
                    };
                    scene.bodies[other].kind != Kind::Fixed
                })
            };
            // What touches it all the while cannot begin to go through it.
            let first = (0..last).find(meets)?;
            return (first >= earliest).then_some((first - 1, first));
        }
    };
    found.map(|t| (t, t))
}

fn edit(event: Event, scene: &Scene, body: usize, state: &State, step: usize) -> Option<Edit> {
    let what = match event {
        Event::Vanish => EditKind::Vanish,
        Event::Teleport => {
            let [x, y, z] = state.bodies[body].position;
            // Towards the middle, so that it stays in view.
            let (sin, cos) = libm::sincosf(libm::atan2f(-z, -x));
            EditKind::Teleport {
                to: [x + JUMP_M * cos, y, z + JUMP_M * sin],
            }
        }
        Event::Recolour => EditKind::Recolour {
            colour: [Colour::Yellow, Colour::Purple, Colour::Green, Colour::Blue]
                .into_iter()
                .find(|c| scene.bodies.iter().all(|b| b.colour != *c))?,
        },
        Event::PassThrough => EditKind::PassThrough,
        Event::Freeze => EditKind::Freeze,
        Event::FallUp => EditKind::ReverseGravity,
    };
    Some(Edit {
        step: step as u32,
        body: scene.bodies[body].name.clone(),
        what,
    })
}

/// What the eye sees of a scene under given actions, from one step to another.
fn film(
    scene: &Arc<Scene>,
    eye: &Eye,
    seed: u64,
    actions: &[Vec<f32>],
    steps: std::ops::Range<usize>,
    cancel: &Cancel,
) -> Result<Vec<Vec<u8>>, String> {
    let mut reality = Reality::new(scene, seed).map_err(|e| e.to_string())?;
    let mut frames = Vec::new();
    for (t, action) in actions.iter().enumerate().take(steps.end) {
        cancel.check().map_err(|e| e.to_string())?;
        if t >= steps.start {
            frames.push(eye.look(&reality).rgb);
        }
        reality.act(action);
        reality.step();
    }
    Ok(frames)
}

fn films(name: &str, seed: u64, event: Event, cancel: &Cancel) -> Result<Films, String> {
    let scene = load(name)?;
    let eye = Eye::standard(&scene).map_err(|e| e.to_string())?;
    let body = subject(&scene).ok_or("Nothing in this scene is free to move")?;
    for own in seed..seed.saturating_add(TRIES) {
        cancel.check().map_err(|e| e.to_string())?;
        let (states, actions) = record_states(&scene, own).map_err(|e| e.to_string())?;
        let Some((step, shows)) = moment(event, &scene, body, &states) else {
            continue;
        };
        let Some(edit) = edit(event, &scene, body, &states[step], step) else {
            continue;
        };
        let broken = Arc::new(Scene {
            edits: vec![edit],
            ..Scene::clone(&scene)
        });
        let first = shows.saturating_sub(BEFORE);
        let steps = first..(shows + AFTER).min(actions.len());
        let possible = film(&scene, &eye, own, &actions, steps.clone(), cancel)?;
        let impossible = film(&broken, &eye, own, &actions, steps.clone(), cancel)?;
        if possible == impossible {
            // It happened, and nothing of it can be seen.
            continue;
        }
        return Ok(Films {
            scene: name.into(),
            seed: (seed, own),
            event,
            body: scene.bodies[body].name.clone(),
            first,
            shows: shows - first,
            size: eye.size(),
            possible,
            impossible,
            actions: actions[steps].to_vec(),
        });
    }
    let what = event.words().to_lowercase();
    Err(format!(
        "\"{what}\" cannot happen in {name}: not in any of {TRIES} seeds. Choose another event or scene."
    ))
}

/// Index of the first picture with a value, and a model's surprise without the event and with it.
type Along = (usize, Vec<f32>, Vec<f32>);

fn surprise(films: &Films, model: &dyn WorldModel, cancel: &Cancel) -> Result<Along, String> {
    let Some(own) = model.facets().surprise else {
        return Err("It does not say how unexpected a picture is".into());
    };
    let skip = model.shape().frameskip.max(1);
    let at = |frames: &[Vec<u8>], at: usize| -> Result<f32, String> {
        cancel.check().map_err(|e| e.to_string())?;
        let now = at - skip;
        let start = (now + 1).saturating_sub(SIGHT_FRAMES);
        let seen = frames[start..=now].iter().cloned();
        let context = Context::new(films.size, seen, films.actions[start..now].to_vec());
        let taken = &films.actions[now..at];
        let actions = Actions {
            n: 1,
            steps: skip,
            dim: taken.first().map_or(0, Vec::len),
            data: taken.concat(),
        };
        let next = Frame::new(films.size, frames[at].clone());
        let found = own.surprise(&context, &actions, &next);
        found.map_err(|e| e.to_string())
    };
    // The first pictures have too little before them.
    let first = skip.max(3).min(films.possible.len());
    let all = first..films.possible.len();
    let possible = (all.clone())
        .map(|t| at(&films.possible, t))
        .collect::<Result<Vec<f32>, String>>()?;
    // Until the event both films are the same, and so is the surprise.
    let impossible = all
        .map(|t| match t < films.shows {
            true => Ok(possible[t - first]),
            false => at(&films.impossible, t),
        })
        .collect::<Result<Vec<f32>, String>>()?;
    Ok((first, possible, impossible))
}

/// Where a pair parts: where something moves soon, so that there is something to tell.
fn parting(states: &[State], scene: &Scene) -> usize {
    let last = states.len().saturating_sub(IMAGINED + 1);
    let moves = |t: usize| {
        let state = &states[t.min(states.len() - 1)];
        let free = |i: &usize| scene.bodies[*i].kind == Kind::Dynamic;
        let mut bodies = (0..scene.bodies.len()).filter(free);
        bodies.any(|i| speed(state, i) > MOVES_M_S)
    };
    let earliest = CONTEXT_FRAMES - 1;
    let found = (earliest..=last.max(earliest)).find(|t| moves(t + 4));
    found.unwrap_or(earliest)
}

fn round(name: &str, seed: u64, fake: Fake, cancel: &Cancel) -> Result<Round, String> {
    let scene = load(name)?;
    let eye = Eye::standard(&scene).map_err(|e| e.to_string())?;
    let (states, actions) = record_states(&scene, seed).map_err(|e| e.to_string())?;
    if states.len() < CONTEXT_FRAMES + 6 {
        return Err(format!("Episodes of {name} are too short for a pair"));
    }
    let parts = parting(&states, &scene);
    let first = (parts + 1).saturating_sub(CONTEXT_FRAMES);
    let steps = first..(parts + 1 + IMAGINED).min(actions.len());
    let real = film(&scene, &eye, seed, &actions, steps.clone(), cancel)?;
    let known = parts + 1 - first;
    let (other, what) = match fake {
        Fake::Imagined(model_name, model, nfe) => {
            let from = (parts + 1).saturating_sub(model.shape().context_frames.max(1));
            let seen = film(&scene, &eye, seed, &actions, from..parts + 1, cancel)?;
            let order = Imagine {
                context: Context::new(eye.size(), seen, actions[from..parts].to_vec()),
                actions: actions[parts..steps.end - 1].to_vec(),
                dim: scene.actions.dim(),
                sampling: Sampling::nfe(nfe),
                samples: 1,
                tracker: None,
                model,
            };
            let imagined = imagination(order, cancel)?;
            let frames = imagined.frames.ok_or("Its model shows no pictures")?;
            let mut film = real[..known].to_vec();
            let wanted = real.len() - known;
            let shown = (0..wanted).map(|t| (t / imagined.frameskip.max(1)).min(frames.steps - 1));
            film.extend(shown.map(|t| frames.at(0, t).to_vec()));
            (film, format!("{model_name} imagined it"))
        }
        Fake::Broken(event) => {
            let body = subject(&scene).ok_or("Nothing in this scene is free to move")?;
            let happens = moment(event, &scene, body, &states[..steps.end.min(states.len())])
                .filter(|(step, _)| *step > parts);
            let (step, _) = happens.unwrap_or((parts + 3, parts + 3));
            let edit = edit(
                event,
                &scene,
                body,
                &states[step.min(states.len() - 1)],
                step,
            );
            let edit = edit.ok_or("Every colour is taken already")?;
            let broken = Arc::new(Scene {
                edits: vec![edit],
                ..Scene::clone(&scene)
            });
            let film = film(&broken, &eye, seed, &actions, steps.clone(), cancel)?;
            let (name, happens) = (&scene.bodies[body].name, event.happens());
            (film, format!("reality was broken: the {name} {happens}"))
        }
    };
    if other == real {
        return Err("Both films came out the same".into());
    }
    let judge = Judge::new(&scene);
    let taken = &actions[steps.start..steps.end - 1];
    let look = |film: &[Vec<u8>]| {
        let film: Vec<&[u8]> = film.iter().map(Vec::as_slice).collect();
        judge.frames(eye.size(), known, &film, Some(taken))
    };
    let verdicts = [look(&real), look(&other)];
    let bad = |v: &Verdict| v.violations.iter().map(|v| v.severity).sum::<f32>();
    let [in_real, in_other] = [bad(&verdicts[0]), bad(&verdicts[1])];
    let is_second = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 1;
    let real_at = usize::from(is_second);
    let judge = match in_real.total_cmp(&in_other) {
        std::cmp::Ordering::Less => Some(real_at),
        std::cmp::Ordering::Greater => Some(1 - real_at),
        std::cmp::Ordering::Equal => None,
    };
    let worst = |v: &Verdict| {
        let all = v.violations.iter();
        let worst = all.max_by(|a, b| a.severity.total_cmp(&b.severity));
        worst.map_or_else(|| v.line(), |w| w.sentence.replace('`', ""))
    };
    let broken = verdicts[1].violations.iter();
    let gravest = broken.max_by(|a, b| a.severity.total_cmp(&b.severity));
    let law = gravest.map_or("no law seen broken".to_string(), |v| {
        v.law.id().replace('_', " ")
    });
    let mut judged = verdicts.each_ref().map(worst);
    let mut films = [real, other];
    if is_second {
        films.swap(0, 1);
        judged.swap(0, 1);
    }
    Ok(Round {
        scene: name.into(),
        seed,
        size: eye.size(),
        films,
        real: real_at,
        parts: known,
        fake: what,
        judged,
        judge,
        law,
        actions: actions[steps].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::oracle::Oracle;

    #[test]
    fn films_are_the_same_until_the_event_and_another_from_it_on() {
        for (scene, event) in [
            ("push", Event::PassThrough),
            ("push", Event::Vanish),
            ("fall", Event::FallUp),
            ("collide", Event::Freeze),
            ("collide", Event::Recolour),
            ("collide", Event::Teleport),
        ] {
            let films = films(scene, 1_000_000, event, &Cancel::new()).unwrap();
            let at = format!("{scene} {event:?}");
            assert_eq!(films.possible.len(), films.impossible.len(), "{at}");
            assert_eq!(films.possible.len(), films.actions.len(), "{at}");
            let differs =
                (0..films.possible.len()).find(|&t| films.possible[t] != films.impossible[t]);
            let differs = differs.unwrap();
            assert!(differs >= films.shows, "{at}: {differs} {}", films.shows);
            assert!(
                differs <= films.shows + 6,
                "{at}: {differs} {}",
                films.shows
            );
        }
        // A pendulum touches nothing that it could go through.
        let none = films("pendulum", 1_000_000, Event::PassThrough, &Cancel::new());
        let none = none.map(|_| ()).unwrap_err();
        assert!(none.contains("cannot happen in pendulum"), "{none}");
    }

    #[test]
    fn of_a_pair_one_film_is_reality_and_the_judge_has_looked_at_both() {
        let mut places = [0, 0];
        for seed in 1_000_000..1_000_008 {
            let fake = Fake::Broken(Event::Vanish);
            let round = round("collide", seed, fake, &Cancel::new()).unwrap();
            places[round.real] += 1;
            let [a, b] = &round.films;
            assert_eq!(a.len(), b.len());
            assert_eq!(a[..round.parts], b[..round.parts]);
            assert_ne!(a, b);
            let scene = load("collide").unwrap();
            let eye = Eye::standard(&scene).unwrap();
            let (_, actions) = record_states(&scene, seed).unwrap();
            let all = film(
                &scene,
                &eye,
                seed,
                &actions,
                0..actions.len(),
                &Cancel::new(),
            );
            let all = all.unwrap();
            let real = &round.films[round.real];
            assert!(all.windows(real.len()).any(|w| w == real.as_slice()));
            assert!(round.judged.iter().all(|j| !j.is_empty()));
        }
        assert!(places.iter().all(|n| *n > 0), "always the same place");
    }

    #[test]
    fn a_model_without_surprise_says_so() {
        let scene = load("push").unwrap();
        let oracle: Arc<dyn WorldModel> = Arc::new(Oracle::new(&scene));
        let films = films("push", 1_000_000, Event::Vanish, &Cancel::new()).unwrap();
        let work = Work::Curve(Arc::new(films), "oracle".into(), None, oracle);
        let Ok(Done::Curve(curve)) = surprising(work, &Cancel::new()) else {
            panic!("no curve");
        };
        assert!(curve.problem.is_some() && curve.possible.is_empty());
    }
}
