//! Playing a recorded episode again: reality is rebuilt from scene, seed and actions, and compared with
//! what was recorded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::news::Moment;
use super::{SESSION_ENDING, SessionFile, Solid};
use crate::camera::Eye;
use crate::episode::{Episode, Store};
use crate::model::Cancel;
use crate::scene::Scene;
use crate::sim::{BodyState, Reality};

/// An episode to replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// A shard (`DIR/shard-NNNNN.plx`), the folder that holds it, or a session that the window saved.
    pub file: PathBuf,
    /// Which episode of the file, or of the folder; from 0.
    pub episode: u64,
}

/// Where a replay first differs from what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Control steps since the start.
    pub step: usize,
    /// What differs, recorded and replayed.
    pub what: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "from step {} on: {}", self.step, self.what)
    }
}

/// An episode as it was played again.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Which episode it is.
    pub replay: Replay,
    /// Episodes in the file, or in the folder.
    pub episodes: u64,
    /// The scene as it was when it was recorded.
    pub scene: Arc<Scene>,
    /// The seed.
    pub seed: u64,
    /// What happened this time.
    pub moments: Vec<Arc<Moment>>,
    /// The bodies' colliders.
    pub solids: Vec<Solid>,
    /// Where it first differs; `None`: every bit of every state and picture is the same.
    pub difference: Option<Difference>,
}

/// Replays episodes one after another, and keeps the file of the last one at hand.
#[derive(Default)]
pub struct Replayer {
    open: Option<(PathBuf, u64, Arc<Scene>, Vec<Episode>)>,
}

/// The replaying worker's function.
pub fn replaying() -> impl FnMut(Replay, &Cancel) -> Result<Replayed, String> {
    let mut replayer = Replayer::default();
    move |order, cancel| replayer.replay(&order, cancel)
}

impl Replayer {
    /// Plays an episode again.
    ///
    /// # Errors
    /// In words: a file that is no shard or is damaged, an episode that it does not hold, a world that
    /// cannot be built.
    pub fn replay(&mut self, order: &Replay, cancel: &Cancel) -> Result<Replayed, String> {
        if is_session(&order.file) {
            return replay_session(order, cancel);
        }
        let (episodes, index) = self.open(order)?;
        let (scene, episode) = self.at_hand(order, index)?;
        let (moments, solids, difference) = play(scene, episode, cancel)?;
        Ok(Replayed {
            replay: order.clone(),
            episodes,
            scene: scene.clone(),
            seed: episode.seed,
            moments,
            solids,
            difference,
        })
    }

    /// Reads the shard that holds an episode, unless it is at hand: how many episodes the file or folder
    /// holds, and the episode's place in the shard.
    fn open(&mut self, order: &Replay) -> Result<(u64, u64), String> {
        let (store, only) = open(&order.file)?;
        let (shard, index, episodes) = match only {
            Some(shard) => {
                let seeds = store.shard_seeds(shard);
                (shard, order.episode, seeds.end.saturating_sub(seeds.start))
            }
            None => {
                let a_shard = store.shard_seeds(0);
                let a_shard = (a_shard.end - a_shard.start).max(1);
                let (shard, index) = (order.episode / a_shard, order.episode % a_shard);
                (shard, index, store.index.episodes)
            }
        };
        if order.episode >= episodes {
            return Err(format!(
                "{}: there is no episode {}; it holds {episodes}, counted from 0",
                order.file.display(),
                order.episode
            ));
        }
        let path = store.shard_path(shard);
        let at_hand = matches!(&self.open, Some((p, s, ..)) if *p == path && *s == shard);
        if !at_hand {
            let read = store.read(shard).map_err(|e| e.to_string())?;
            self.open = Some((path, shard, Arc::new(store.index.scene), read));
        }
        Ok((episodes, index))
    }

    fn at_hand(&self, order: &Replay, index: u64) -> Result<(&Arc<Scene>, &Episode), String> {
        let Some((path, _, scene, read)) = &self.open else {
            return Err(format!("{}: cannot be read", order.file.display()));
        };
        let episode = read.get(index as usize).ok_or_else(|| {
            let held = read.len();
            format!("{}: holds only {held} episodes", path.display())
        })?;
        Ok((scene, episode))
    }
}

/// An episode as it was recorded, and the scene in which it was, with the breaks of physics that happened.
///
/// # Errors
/// Those of [`Replayer::replay`], but for the world's.
pub fn recorded(file: &Path, episode: u64) -> Result<(Arc<Scene>, Episode), String> {
    if is_session(file) {
        return session_as_episode(file, episode);
    }
    let (mut replayer, file) = (Replayer::default(), file.to_path_buf());
    let order = Replay { file, episode };
    let (_, index) = replayer.open(&order)?;
    let (scene, episode) = replayer.at_hand(&order, index)?;
    Ok((as_it_was(scene, episode), episode.clone()))
}

/// Breaks of physics are marked in the episode that they happened in.
fn as_it_was(scene: &Arc<Scene>, episode: &Episode) -> Arc<Scene> {
    match scene.edits == episode.edits {
        true => scene.clone(),
        false => Arc::new(Scene {
            edits: episode.edits.clone(),
            ..(**scene).clone()
        }),
    }
}

/// The store that holds a file, and the file's number in it if it is not the folder itself.
fn open(file: &Path) -> Result<(Store, Option<u64>), String> {
    if file.is_dir() {
        return Ok((Store::open(file).map_err(|e| e.to_string())?, None));
    }
    let number = file
        .file_name()
        .and_then(|n| n.to_str())
        .and_then(|n| n.strip_prefix("shard-")?.strip_suffix(".plx")?.parse().ok());
    let Some(number) = number else {
        return Err(format!(
            "{}: expected a file shard-NNNNN.plx that `parallax collect` wrote, its folder, or a \
             .{SESSION_ENDING} that the window saved",
            file.display()
        ));
    };
    let dir = file
        .parent()
        .filter(|d| !d.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    Ok((Store::open(dir).map_err(|e| e.to_string())?, Some(number)))
}

fn is_session(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == SESSION_ENDING)
}

/// Lives a session again.
fn replay_session(order: &Replay, cancel: &Cancel) -> Result<Replayed, String> {
    let at = |e: String| format!("{}: {e}", order.file.display());
    let session = SessionFile::read(&order.file)?;
    if order.episode > 0 {
        let none = format!("there is no episode {}; a session is one", order.episode);
        return Err(at(none));
    }
    let scene = Arc::new(session.scene().clone());
    let eye = Eye::standard(&scene).map_err(|e| at(e.to_string()))?;
    let lived = session.live(
        &eye,
        |reality, action| seen(&eye, reality, action),
        || cancel.check().map_err(|e| e.to_string()),
        states_differ,
    );
    let lived = lived.map_err(at)?;
    Ok(Replayed {
        replay: order.clone(),
        episodes: 1,
        scene: lived.scene,
        seed: lived.seed,
        moments: lived.moments,
        solids: Solid::all(&lived.reality),
        difference: lived
            .difference
            .map(|(step, what)| Difference { step, what }),
    })
}

/// A session as an episode with pictures, for whoever judges it.
fn session_as_episode(file: &Path, episode: u64) -> Result<(Arc<Scene>, Episode), String> {
    let file = file.to_path_buf();
    let replayed = replay_session(&Replay { file, episode }, &Cancel::new())?;
    if let Some(difference) = replayed.difference {
        let file = replayed.replay.file.display();
        return Err(format!(
            "{file}: cannot be lived again here: it differs {difference}"
        ));
    }
    let dim = replayed.scene.actions.dim();
    let mut episode = Episode {
        seed: replayed.seed,
        edits: replayed.scene.edits.clone(),
        ..Episode::default()
    };
    for (i, moment) in replayed.moments.iter().enumerate() {
        episode.frames.extend_from_slice(&moment.rgb);
        episode.states.extend_from_slice(&moment.state.bodies);
        match replayed.moments.get(i + 1) {
            Some(next) => episode.actions.extend_from_slice(&next.action),
            None => episode.actions.extend(std::iter::repeat_n(0.0, dim)),
        }
    }
    Ok((replayed.scene, episode))
}

/// The moment that reality is in.
fn seen(eye: &Eye, reality: &Reality, action: Vec<f32>) -> Moment {
    let state = reality.measure();
    let hidden = (0..state.bodies.len()).filter(|&i| !reality.is_visible(i));
    let hidden = hidden.collect();
    Moment {
        rgb: eye.look(reality).rgb,
        state,
        action,
        distance_m: None,
        surfaces: Solid::surfaces(reality),
        hidden,
    }
}

type Played = (Vec<Arc<Moment>>, Vec<Solid>, Option<Difference>);

fn play(scene: &Arc<Scene>, episode: &Episode, cancel: &Cancel) -> Result<Played, String> {
    let scene = &as_it_was(scene, episode);
    let eye = Eye::standard(scene).map_err(|e| e.to_string())?;
    let mut reality = Reality::new(scene, episode.seed).map_err(|e| e.to_string())?;
    let (dim, bodies) = (scene.actions.dim(), scene.bodies.len());
    let steps = episode.states.len() / bodies.max(1);
    let picture = episode.frames.len() / steps.max(1);
    let (mut moments, mut difference) = (Vec::with_capacity(steps), None);
    let mut action: Vec<f32> = Vec::new();
    for step in 0..steps {
        cancel.check().map_err(|e| e.to_string())?;
        let moment = seen(&eye, &reality, std::mem::take(&mut action));
        if difference.is_none() {
            let recorded = &episode.states[step * bodies..(step + 1) * bodies];
            let frame = &episode.frames[step * picture..(step + 1) * picture];
            difference = compare(scene, recorded, &moment.state.bodies, frame, &moment.rgb)
                .map(|what| Difference { step, what });
        }
        moments.push(Arc::new(moment));
        if step + 1 < steps {
            action = episode.actions[step * dim..(step + 1) * dim].to_vec();
            reality.act(&action);
            reality.step();
        }
    }
    Ok((moments, Solid::all(&reality), difference))
}

/// What differs between a recorded step and the same step replayed, if anything.
fn compare(
    scene: &Scene,
    recorded: &[BodyState],
    replayed: &[BodyState],
    frame: &[u8],
    rgb: &[u8],
) -> Option<String> {
    if let Some(what) = states_differ(scene, recorded, replayed) {
        return Some(what);
    }
    if frame.len() != rgb.len() {
        let (was, is) = (frame.len(), rgb.len());
        return Some(format!("picture: recorded {was} bytes, replayed {is}"));
    }
    let pixels = frame.chunks(3).zip(rgb.chunks(3));
    let differing = pixels.filter(|(was, is)| was != is).count();
    (differing > 0).then(|| format!("picture: {differing} pixels differ, the states do not"))
}

/// What differs between the bodies of a recorded step and of the same step replayed, if anything.
fn states_differ(scene: &Scene, recorded: &[BodyState], replayed: &[BodyState]) -> Option<String> {
    const FIELDS: [&str; 13] = [
        "x",
        "y",
        "z",
        "rotation x",
        "rotation y",
        "rotation z",
        "rotation w",
        "velocity x",
        "velocity y",
        "velocity z",
        "spin x",
        "spin y",
        "spin z",
    ];
    for (i, (was, is)) in recorded.iter().zip(replayed).enumerate() {
        let fields = FIELDS
            .iter()
            .zip(was.to_array().into_iter().zip(is.to_array()));
        for (field, (was, is)) in fields {
            if was.to_bits() != is.to_bits() {
                let name = scene.bodies.get(i).map_or("?", |b| b.name.as_str());
                return Some(format!("{name}, {field}: recorded {was}, replayed {is}"));
            }
        }
    }
    None
}
