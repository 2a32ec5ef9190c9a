//! One instance of a scene's task: a start, a goal picture, and the success test on the true state.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::camera::Eye;
use crate::episode::{EpisodeError, record_states};
use crate::model::Goal;
use crate::scene::{GoalSampler, Kind, Scene, Task};
use crate::sim::Reality;

/// Why a task could not be set.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The scene has no task.
    #[error(
        "scene `{0}` has no task, so nothing can be controlled in it; scenes with a task: push, reach"
    )]
    NoTask(String),
    /// No goal was found.
    #[error(
        "scene `{scene}`, seed {seed}: no goal found in {tries} draws that meets the task's conditions"
    )]
    NoGoal {
        /// The scene.
        scene: String,
        /// The seed.
        seed: u64,
        /// Draws.
        tries: u64,
    },
    /// Reality, eye or scene failed.
    #[error(transparent)]
    Episode(#[from] EpisodeError),
    /// Reality could not be built.
    #[error(transparent)]
    Sim(#[from] crate::sim::SimError),
}

/// A start and a goal.
pub struct TaskInstance {
    /// Reality at the start.
    pub reality: Reality,
    /// The goal's picture: all that learned models are told.
    pub goal: Goal,
    /// Where the task's body has to be, (x, z) metres.
    pub place: [f32; 2],
    /// Index of the task's body.
    pub body: usize,
    /// The task.
    pub task: Task,
}

const TRIES: u64 = 200;
/// Other seeds tried for one instance lie this far apart, so held-out stays held out.
const RESEED: u64 = 10_000_000;

impl TaskInstance {
    /// The instance of a seed.
    ///
    /// # Errors
    /// [`TaskError`] if the scene has no task or no goal is found.
    pub fn new(scene: &Arc<Scene>, eye: &Eye, seed: u64) -> Result<TaskInstance, TaskError> {
        let task = scene
            .task
            .clone()
            .ok_or_else(|| TaskError::NoTask(scene.name.clone()))?;
        let body = scene
            .body_index(&task.body)
            .ok_or_else(|| TaskError::NoTask(scene.name.clone()))?;
        for attempt in 0..TRIES {
            let seed = seed + attempt * RESEED;
            let found = match task.goal {
                GoalSampler::Experience {
                    ahead_steps,
                    min_move_m,
                } => from_experience(scene, eye, seed, body, ahead_steps as usize, min_move_m)?,
                GoalSampler::Region {
                    low,
                    high,
                    min_distance_m,
                } => from_region(scene, eye, seed, body, low, high, min_distance_m)?,
            };
            if let Some((reality, frame, place)) = found {
                let goal = Goal {
                    size: eye.size(),
                    frame,
                };
                return Ok(TaskInstance {
                    reality,
                    goal,
                    place,
                    body,
                    task,
                });
            }
        }
        Err(TaskError::NoGoal {
            scene: scene.name.clone(),
            seed,
            tries: TRIES,
        })
    }

    /// Distance of the task's body from its goal, metres.
    pub fn distance(&self, reality: &Reality) -> f32 {
        reality.measure().bodies[self.body].planar_distance(self.place)
    }

    /// The success test, on the true state.
    pub fn is_solved(&self, reality: &Reality) -> bool {
        self.distance(reality) <= self.task.tolerance_m
    }
}

type Found = Option<(Reality, Vec<u8>, [f32; 2])>;

/// Start and goal are two moments of one recorded episode.
fn from_experience(
    scene: &Arc<Scene>,
    eye: &Eye,
    seed: u64,
    body: usize,
    ahead: usize,
    min_move: f32,
) -> Result<Found, TaskError> {
    let (states, actions) = record_states(scene, seed)?;
    let place = |t: usize| {
        [
            states[t].bodies[body].position[0],
            states[t].bodies[body].position[2],
        ]
    };
    let moves = |t: usize| states[t].bodies[body].planar_distance(place(t + ahead)) >= min_move;
    let candidates: Vec<usize> = (0..states.len().saturating_sub(ahead))
        .filter(|&t| moves(t))
        .collect();
    if candidates.is_empty() {
        return Ok(None);
    }
    let pick = ChaCha8Rng::seed_from_u64(seed ^ 0x60A1).random_range(0..candidates.len());
    let start_at = candidates[pick];
    let mut reality = Reality::new(scene, seed)?;
    let mut start = None;
    for (t, action) in actions.iter().enumerate().take(start_at + ahead) {
        if t == start_at {
            start = Some(reality.fork());
        }
        reality.act(action);
        reality.step();
    }
    let frame = eye.look(&reality).rgb;
    Ok(start.map(|s| (s, frame, place(start_at + ahead))))
}

/// The goal is a free place of a rectangle; its picture shows the body there.
fn from_region(
    scene: &Arc<Scene>,
    eye: &Eye,
    seed: u64,
    body: usize,
    low: [f32; 2],
    high: [f32; 2],
    min_distance: f32,
) -> Result<Found, TaskError> {
    let reality = Reality::new(scene, seed)?;
    let state = reality.measure();
    let radius = scene.bodies[body].shape.bounding_radius();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x60A2);
    for _ in 0..TRIES {
        let place = [
            rng.random_range(low[0]..=high[0]),
            rng.random_range(low[1]..=high[1]),
        ];
        let clear = (0..scene.bodies.len())
            .filter(|&i| scene.bodies[i].kind == Kind::Fixed)
            .all(|i| {
                let size = match scene.bodies[i].shape {
                    crate::scene::Shape::Cuboid { half } => [half[0], half[2]],
                    shape => [shape.bounding_radius(); 2],
                };
                let at = state.bodies[i].position;
                let dx = ((place[0] - at[0]).abs() - size[0]).max(0.0);
                let dz = ((place[1] - at[2]).abs() - size[1]).max(0.0);
                dx * dx + dz * dz > (radius + 0.01) * (radius + 0.01)
            });
        if clear && state.bodies[body].planar_distance(place) >= min_distance {
            let mut there = reality.fork();
            there.place(body, place[0], place[1]);
            return Ok(Some((reality, eye.look(&there).rgb, place)));
        }
    }
    Ok(None)
}
