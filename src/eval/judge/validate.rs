//! The judge measured on held-out seeds that its calibration never saw: reality is to be left alone, also
//! away from training; faults are to be caught, and said where and when they are.
//!
//! A fault counts as caught where one of the laws that should catch it (the catalogue names them) reports
//! the body at fault, in a frame in which the fault is to be seen. It is localised where that report begins
//! within two frames of the fault's first frame and points within three pixels of where it is. A fault that
//! develops slowly (`develops`) is localised if the report does not begin before it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::catalogue::{Catalogue, Fault, Strength};
use super::faulty::Faulty;
pub use super::found::{Caught, Left, Plan, SceneFound, Summary, Validation, summary};
use super::frozen::frozen_from_the_start;
use super::inject::inject;
use super::truth::{Truth, fine};
use super::{CLIP, REFERENCE};
use crate::camera::Eye;
use crate::episode::EpisodeError;
use crate::judge::{Judge, Verdict};
use crate::scene::{Law, Scene};
use crate::sim::overlap_at_start;
use crate::stats::{Rate, quantile};

/// A report begins at most so many frames from the fault's first.
const FRAMES_OFF: usize = 2;
/// A report points at most so far from the fault, 64ths of the picture.
const PIXELS_OFF: f32 = 3.0;

/// What is changed of a scene for reality away from training: fields and values, set wherever the scene has
/// them.
pub fn changes(scene: &Scene) -> Vec<(String, Vec<(String, f32)>)> {
    use crate::scene::Kind;
    let mut all = Vec::new();
    let free: Vec<usize> = (0..scene.bodies.len())
        .filter(|&i| scene.bodies[i].kind == Kind::Dynamic)
        .collect();
    let of = |field: &str, value: &dyn Fn(usize) -> f32| -> Vec<(String, f32)> {
        let name = |i: &usize| format!("{}.{field}", scene.bodies[*i].name);
        free.iter().map(|i| (name(i), value(*i))).collect()
    };
    let mean = |i: usize, field: &str| {
        let target = format!("{}.{field}", scene.bodies[i].name);
        scene
            .training_range(&target)
            .map_or(1.0, |(low, high)| 0.5 * (low + high))
    };
    for g in [-3.7, -18.0] {
        all.push((format!("gravity={g}"), vec![("gravity".to_string(), g)]));
    }
    for mu in [0.02, 1.5] {
        let mut set = of("friction", &|_| mu);
        set.push(("floor_friction".into(), mu));
        all.push((format!("friction={mu}"), set));
    }
    for factor in [0.3, 3.0] {
        all.push((
            format!("mass x {factor}"),
            of("mass", &|i| factor * mean(i, "mass")),
        ));
    }
    all.push(("size x 1.5".into(), of("size", &|i| 1.5 * mean(i, "size"))));
    all.push(("restitution=1".into(), of("restitution", &|_| 1.0)));
    let [x, y, z] = scene.camera.position;
    let to = scene.camera.target;
    // Along the picture's rows, so that it looks from the side.
    let (dx, dz) = (to[2] - z, x - to[0]);
    let length = dx.hypot(dz);
    let [dx, dz] = if length > 1e-3 {
        [dx / length, dz / length]
    } else {
        [1.0, 0.0]
    };
    let aside = vec![
        ("camera.x".to_string(), x + 0.15 * dx),
        ("camera.y".to_string(), y),
        ("camera.z".to_string(), z + 0.15 * dz),
    ];
    all.push(("camera 15 cm aside".into(), aside));
    all.retain(|(_, set)| !set.is_empty());
    all
}

/// One verdict over a film.
pub(super) fn verdict(
    judge: &Judge,
    eye: &Eye,
    frames: &[Vec<u8>],
    actions: &[Vec<f32>],
) -> Verdict {
    let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    judge.frames(eye.size(), REFERENCE, &frames, Some(actions))
}

/// Reality of a scene on `seeds`.
///
/// # Errors
/// [`EpisodeError`] if reality cannot be built.
pub fn reality(scene: &Arc<Scene>, seeds: Range<u64>) -> Result<Left, EpisodeError> {
    let (eye, judge) = (Eye::standard(scene)?, Judge::new(scene));
    if let Some(reason) = judge.misfit() {
        return Ok(Left {
            reason: Some(reason.to_string()),
            ..Left::default()
        });
    }
    let one = |seed: u64| -> Result<Option<Vec<Law>>, EpisodeError> {
        // Larger bodies may begin inside each other, which no world does.
        if !scene.interventions.is_empty() && overlap_at_start(scene, seed)?.is_some() {
            return Ok(None);
        }
        let truth = Truth::new(scene, &eye, seed)?;
        let said = verdict(&judge, &eye, &truth.frames(), &truth.actions);
        Ok(Some(said.broken()))
    };
    let broken: Vec<_> = seeds
        .into_par_iter()
        .map(one)
        .collect::<Result<_, EpisodeError>>()?;
    let broken: Vec<Vec<Law>> = broken.into_iter().flatten().collect();
    let reason = "its bodies begin inside each other";
    Ok(Left {
        reason: broken.is_empty().then(|| reason.to_string()),
        ..left(&broken)
    })
}

/// What is reported of clips of reality, by clip.
pub(super) fn left(broken: &[Vec<Law>]) -> Left {
    let mut left = Left {
        clips: broken.len(),
        ..Left::default()
    };
    for law in broken.iter().flatten() {
        *left.by_law.entry(law.id().into()).or_default() += 1;
    }
    left.flagged = Rate::wilson(
        broken.iter().filter(|b| !b.is_empty()).count(),
        broken.len(),
    );
    left
}

/// One faulty clip's fate.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    reported: bool,
    localised: bool,
    frames_late: usize,
    laws: Vec<Law>,
}

fn fate(
    judge: &Judge,
    eye: &Eye,
    fault: &[Law],
    develops: bool,
    truth: &Truth,
    film: &Faulty,
) -> Fate {
    let said = verdict(judge, eye, &film.frames, &truth.actions);
    fate_of(&said, eye, fault, develops, film)
}

/// What a verdict says of a faulty film. Where it points to no pixels, it is localised by its frames alone.
pub(super) fn fate_of(
    said: &Verdict,
    eye: &Eye,
    fault: &[Law],
    develops: bool,
    film: &Faulty,
) -> Fate {
    let mut fate = Fate {
        reported: said.violations.iter().any(|v| v.last_frame >= film.first),
        ..Fate::default()
    };
    let own = |body: Option<usize>| {
        body.is_none() || film.body.is_none() || body == film.body || body == film.other
    };
    let mut first: Option<usize> = None;
    for v in &said.violations {
        if !fault.contains(&v.law) || v.last_frame < film.first || !own(v.body) {
            continue;
        }
        fate.laws.push(v.law);
        first = Some(first.map_or(v.first_frame, |f| f.min(v.first_frame)));
        let in_time = match develops {
            true => v.first_frame >= film.first,
            false => v.first_frame.abs_diff(film.first) <= FRAMES_OFF,
        };
        let there = v.boxes.iter().enumerate().any(|(i, b)| {
            let places = film.places.get(REFERENCE + v.first_frame + i);
            places.is_some_and(|p| p.iter().any(|p| is_at(*b, *p, PIXELS_OFF * fine(eye))))
        });
        fate.localised |= in_time && (there || v.boxes.is_empty());
    }
    fate.laws.sort();
    fate.laws.dedup();
    fate.frames_late = first.map_or(0, |f| f.saturating_sub(film.first));
    fate
}

/// Whether the middle of a box lies within so many pixels of another.
fn is_at(found: [u16; 4], place: [u16; 4], room: f32) -> bool {
    let [x0, y0, x1, y1] = found.map(f32::from);
    let [a, b, c, d] = place.map(f32::from);
    let (x, y) = (0.5 * (x0 + x1), 0.5 * (y0 + y1));
    (a - room..=c + room).contains(&x) && (b - room..=d + room).contains(&y)
}

pub(super) fn tally(amount: f32, fates: &[Fate], without: &str) -> Caught {
    let caught: Vec<&Fate> = fates.iter().filter(|f| !f.laws.is_empty()).collect();
    let mut by_law = BTreeMap::new();
    for law in caught.iter().flat_map(|f| &f.laws) {
        *by_law.entry(law.id().to_string()).or_default() += 1;
    }
    let late: Vec<f64> = caught.iter().map(|f| f.frames_late as f64).collect();
    Caught {
        amount,
        clips: fates.len(),
        caught: Rate::wilson(caught.len(), fates.len()),
        reported: Rate::wilson(fates.iter().filter(|f| f.reported).count(), fates.len()),
        localised: Rate::wilson(caught.iter().filter(|f| f.localised).count(), caught.len()),
        frames_late: quantile(&late, 0.5),
        by_law,
        reason: fates.is_empty().then(|| without.to_string()),
    }
}

/// What is known of a scene's laws before any film is judged.
struct Laws {
    on: Vec<Law>,
    absent: BTreeMap<String, String>,
}

fn laws(judge: &Judge) -> Laws {
    let (mut on, mut absent) = (Vec::new(), BTreeMap::new());
    for law in Law::ALL {
        match judge.cannot_judge(law) {
            None => on.push(law),
            Some(reason) => {
                absent.insert(law.id().to_string(), reason);
            }
        }
    }
    Laws { on, absent }
}

/// Everything of one scene.
///
/// # Errors
/// [`EpisodeError`] if reality cannot be built.
pub fn scene(
    scene: &Arc<Scene>,
    catalogue: &Catalogue,
    plan: &Plan,
) -> Result<SceneFound, EpisodeError> {
    let seeds = |count: u64| plan.seed..plan.seed.saturating_add(count);
    let (eye, judge) = (Eye::standard(scene)?, Judge::new(scene));
    let laws = laws(&judge);
    let mut found = SceneFound {
        checked: laws.on.iter().map(|l| l.id().to_string()).collect(),
        absent: laws.absent,
        left_out: (judge.tracker().left_out.iter())
            .map(|(body, reason)| (scene.bodies[*body].name.clone(), reason.clone()))
            .collect(),
        reality: reality(scene, seeds(plan.reality))?,
        ..SceneFound::default()
    };
    if plan.away > 0 {
        for (name, set) in changes(scene) {
            let left = match changed(scene, &set) {
                Ok(changed) => reality(&changed, seeds(plan.away)).unwrap_or_else(|e| Left {
                    reason: Some(e.to_string()),
                    ..Left::default()
                }),
                Err(reason) => Left {
                    reason: Some(reason),
                    ..Left::default()
                },
            };
            found.away.insert(name, left);
        }
    }
    if plan.faults > 0 {
        faults(
            scene,
            &eye,
            &judge,
            catalogue,
            seeds(plan.faults),
            &laws.on,
            &mut found,
        )?;
        if judge.misfit().is_none() {
            found.frames_per_s = Some(speed(scene, &eye, &judge, plan.seed)?);
        }
    }
    Ok(found)
}

/// The scene with fields set, if it can be so.
fn changed(scene: &Arc<Scene>, set: &[(String, f32)]) -> Result<Arc<Scene>, String> {
    let mut changed = (**scene).clone();
    for (field, value) in set {
        let assignment = format!("{field}={value}");
        changed.intervene(&assignment).map_err(|e| e.to_string())?;
    }
    changed.check(&scene.name).map_err(|e| e.to_string())?;
    Ok(Arc::new(changed))
}

/// What became of the faults of one clip, by number in the catalogue and strength, and of its frozen film.
type ClipFates = (Vec<(usize, Strength, Fate)>, Option<Fate>);

type Fates = BTreeMap<(usize, Strength), Vec<Fate>>;

fn faults(
    scene: &Arc<Scene>,
    eye: &Eye,
    judge: &Judge,
    catalogue: &Catalogue,
    seeds: Range<u64>,
    on: &[Law],
    found: &mut SceneFound,
) -> Result<(), EpisodeError> {
    let tracked = &judge.tracker().bodies;
    let shows = |laws: &[Law]| laws.iter().any(|l| on.contains(l));
    let one = |seed: u64| -> Result<ClipFates, EpisodeError> {
        let truth = Truth::new(scene, eye, seed)?;
        let mut fates = Vec::new();
        for (n, fault) in catalogue.faults.iter().enumerate() {
            for strength in Strength::ALL.into_iter().filter(|_| shows(&fault.laws)) {
                if let Some(film) = inject(&truth, eye, tracked, fault, strength) {
                    let fate = fate(judge, eye, &fault.laws, fault.develops, &truth, &film);
                    fates.push((n, strength, fate));
                }
            }
        }
        let frozen = frozen_from_the_start(&truth, eye)
            .filter(|_| on.contains(&Law::Stillness))
            .map(|film| fate(judge, eye, &[Law::Stillness], false, &truth, &film));
        Ok((fates, frozen))
    };
    let all: Vec<_> = seeds
        .into_par_iter()
        .map(one)
        .collect::<Result<_, EpisodeError>>()?;
    let (mut fates, mut frozen): (Fates, Vec<Fate>) = Default::default();
    for (some, still) in all {
        for (n, strength, fate) in some {
            fates.entry((n, strength)).or_default().push(fate);
        }
        frozen.extend(still);
    }
    for (n, fault) in catalogue.faults.iter().enumerate() {
        let reason = match shows(&fault.laws) {
            true => "no clip gave an occasion".to_string(),
            false => format!("none of its laws is on here: {}", listed(fault)),
        };
        for strength in Strength::ALL {
            let Some(amount) = fault.amount(strength) else {
                continue;
            };
            let own = fates.get(&(n, strength)).map_or(&[][..], Vec::as_slice);
            let caught = tally(amount, own, &reason);
            match fault.is_edit() {
                true => {
                    found.edits.insert(fault.id.clone(), caught);
                }
                false => {
                    let by_strength = found.faults.entry(fault.id.clone()).or_default();
                    by_strength.insert(strength.id().into(), caught);
                }
            }
        }
    }
    let reason = match on.contains(&Law::Stillness) {
        true => "no clip of reality moved before and after",
        false => "stillness is not on here",
    };
    found.frozen = tally(CLIP as f32, &frozen, reason);
    Ok(())
}

fn listed(fault: &Fault) -> String {
    let laws: Vec<&str> = fault.laws.iter().map(|l| l.id()).collect();
    laws.join(", ")
}

/// Frames that the judge takes a second, on the thread that asks.
fn speed(scene: &Arc<Scene>, eye: &Eye, judge: &Judge, seed: u64) -> Result<f64, EpisodeError> {
    const REPEATS: usize = 8;
    let truth = Truth::new(scene, eye, seed)?;
    let frames = truth.frames();
    verdict(judge, eye, &frames, &truth.actions);
    let times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let started = Instant::now();
            verdict(judge, eye, &frames, &truth.actions);
            started.elapsed().as_secs_f64()
        })
        .collect();
    Ok(frames.len() as f64 / quantile(&times, 0.5).unwrap_or(f64::INFINITY))
}
