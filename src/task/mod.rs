//! One instance of a scene's task: a start, a goal picture, and the success test on the true state.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::camera::Eye;
use crate::episode::{EpisodeError, record_states};
use crate::model::Goal;
use crate::scene::{GoalSampler, Kind, Scene, Shape, Task};
use crate::sim::{GoalState, Reality, Target};

/// Why a task could not be set.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The scene has no task.
    #[error(
        "scene `{0}` has no task, so nothing can be controlled in it; `parallax scenes` lists those that \
         have one"
    )]
    NoTask(String),
    /// The scene has no goals of the kind asked for.
    #[error(
        "scene `{0}` has no goal sampler of its own, only goals from experience; leave out `--goals task`"
    )]
    NoSampler(String),
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

/// Where goals come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GoalKind {
    /// As the scene's task says.
    #[default]
    Scene,
    /// A later moment of a recorded episode.
    Experience,
    /// The task's own sampler.
    Task,
}

/// A start and a goal.
pub struct TaskInstance {
    /// Reality at the start.
    pub reality: Reality,
    /// The goal's picture: all that learned models are told.
    pub goal: Goal,
    /// Where the task's bodies have to be.
    pub goal_state: Arc<GoalState>,
    /// Where the task's first body has to be, (x, z) metres.
    pub place: [f32; 2],
    /// Index of the task's first body.
    pub body: usize,
    /// The task.
    pub task: Task,
}

const TRIES: u64 = 200;
/// Other seeds tried for one instance lie this far apart, so held-out stays held out.
const RESEED: u64 = 10_000_000;
/// Goals from experience lie so many control steps ahead unless the scene says otherwise.
const AHEAD_STEPS: u32 = 25;

impl TaskInstance {
    /// The instance of a seed, with goals as the scene's task says.
    ///
    /// # Errors
    /// [`TaskError`] if the scene has no task or no goal is found.
    pub fn new(scene: &Arc<Scene>, eye: &Eye, seed: u64) -> Result<TaskInstance, TaskError> {
        Self::with_goals(scene, eye, seed, GoalKind::Scene)
    }

    /// The instance of a seed, with goals of a kind.
    ///
    /// # Errors
    /// [`TaskError`] if the scene has no task or no such sampler, or no goal is found.
    pub fn with_goals(
        scene: &Arc<Scene>,
        eye: &Eye,
        seed: u64,
        kind: GoalKind,
    ) -> Result<TaskInstance, TaskError> {
        let none = || TaskError::NoTask(scene.name.clone());
        let task = scene.task.clone().ok_or_else(none)?;
        let names = std::iter::once(&task.body).chain(&task.also);
        let bodies: Vec<usize> = names.filter_map(|n| scene.body_index(n)).collect();
        let body = *bodies.first().ok_or_else(none)?;
        let sampler =
            sampler(&task, kind).ok_or_else(|| TaskError::NoSampler(scene.name.clone()))?;
        for attempt in 0..TRIES {
            let setting = Setting {
                scene,
                eye,
                seed: seed + attempt * RESEED,
                task: &task,
                bodies: &bodies,
            };
            let found = match &sampler {
                GoalSampler::Experience {
                    ahead_steps,
                    min_move_m,
                } => setting.out_of_experience(*ahead_steps as usize, *min_move_m)?,
                GoalSampler::Region {
                    low,
                    high,
                    min_distance_m,
                } => setting.within_region(*low, *high, *min_distance_m)?,
                GoalSampler::OnTop { base } => setting.on_top(base)?,
            };
            if let Some((reality, frame, targets)) = found {
                let goal = Goal::new(eye.size(), frame);
                let place = targets[0].place();
                let goal_state = Arc::new(GoalState {
                    task: task.clone(),
                    targets,
                });
                return Ok(TaskInstance {
                    reality,
                    goal,
                    goal_state,
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

    /// The distance that the task's tolerance bounds, metres.
    pub fn distance(&self, reality: &Reality) -> f32 {
        self.goal_state.distance(&reality.measure())
    }

    /// The success test, on the true state.
    pub fn is_solved(&self, reality: &Reality) -> bool {
        self.goal_state.is_met(&reality.measure())
    }
}

fn sampler(task: &Task, kind: GoalKind) -> Option<GoalSampler> {
    let known = [Some(&task.goal), task.other_goal.as_ref()];
    let mut known = known.into_iter().flatten();
    let is_experience = |g: &&GoalSampler| matches!(g, GoalSampler::Experience { .. });
    match kind {
        GoalKind::Scene => Some(task.goal.clone()),
        GoalKind::Task => known.find(|g| !is_experience(g)).cloned(),
        GoalKind::Experience => Some(known.find(is_experience).cloned().unwrap_or(
            GoalSampler::Experience {
                ahead_steps: AHEAD_STEPS,
                min_move_m: 1.25 * task.tolerance_m,
            },
        )),
    }
}

type Found = Option<(Reality, Vec<u8>, Vec<Target>)>;

struct Setting<'a> {
    scene: &'a Arc<Scene>,
    eye: &'a Eye,
    seed: u64,
    task: &'a Task,
    bodies: &'a [usize],
}

impl Setting<'_> {
    /// Start and goal are two moments of one recorded episode.
    fn out_of_experience(&self, ahead: usize, min_move: f32) -> Result<Found, TaskError> {
        let (states, actions) = record_states(self.scene, self.seed)?;
        let goal_at = |t: usize| GoalState {
            task: self.task.clone(),
            targets: (self.bodies.iter())
                .map(|&b| Target::of(b, &states[t + ahead].bodies[b]))
                .collect(),
        };
        let suits = |t: usize| {
            let goal = goal_at(t);
            let first = &states[t].bodies[self.bodies[0]];
            let moved = if self.task.vertical {
                goal.distance_of(&goal.targets[0], &states[t])
            } else {
                first.planar_distance(goal.targets[0].place())
            };
            moved >= min_move && goal.is_met(&states[t + ahead])
        };
        let candidates: Vec<usize> = (0..states.len().saturating_sub(ahead))
            .filter(|&t| suits(t))
            .collect();
        if candidates.is_empty() {
            return Ok(None);
        }
        let pick = ChaCha8Rng::seed_from_u64(self.seed ^ 0x60A1).random_range(0..candidates.len());
        let start_at = candidates[pick];
        let mut reality = Reality::new(self.scene, self.seed)?;
        let mut start = None;
        for (t, action) in actions.iter().enumerate().take(start_at + ahead) {
            if t == start_at {
                start = Some(reality.fork());
            }
            reality.act(action);
            reality.step();
        }
        let frame = self.eye.look(&reality).rgb;
        Ok(start.map(|s| (s, frame, goal_at(start_at).targets)))
    }

    /// The goals are free places of a rectangle; the picture shows the bodies there.
    fn within_region(
        &self,
        low: [f32; 2],
        high: [f32; 2],
        min_distance: f32,
    ) -> Result<Found, TaskError> {
        let reality = Reality::new(self.scene, self.seed)?;
        let state = reality.measure();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x60A2);
        for _ in 0..TRIES {
            let mut targets: Vec<Target> = Vec::new();
            for &body in self.bodies {
                let x = rng.random_range(low[0]..=high[0]);
                let z = rng.random_range(low[1]..=high[1]);
                let mut target = Target::of(body, &state.bodies[body]);
                target.position = [x, target.position[1], z];
                if self.task.angle_degrees.is_some() && targets.is_empty() {
                    target.yaw = rng.random_range(-std::f32::consts::PI..=std::f32::consts::PI);
                }
                targets.push(target);
            }
            let radius = |b: usize| self.scene.bodies[b].shape.bounding_radius();
            let suits = targets.iter().enumerate().all(|(i, t)| {
                let apart = targets[..i]
                    .iter()
                    .all(|o| distance(o.place(), t.place()) > radius(o.body) + radius(t.body));
                apart
                    && self.is_clear(&reality, t)
                    && state.bodies[t.body].planar_distance(t.place()) >= min_distance
            });
            if suits {
                let mut there = reality.fork();
                for t in &targets {
                    let yaw = self.task.angle_degrees.map(|_| t.yaw);
                    there.put(t.body, t.position, yaw);
                }
                return Ok(Some((reality, self.eye.look(&there).rgb, targets)));
            }
        }
        Ok(None)
    }

    /// Whether a place is clear of fixed bodies.
    fn is_clear(&self, reality: &Reality, target: &Target) -> bool {
        let radius = self.scene.bodies[target.body].shape.bounding_radius();
        let state = reality.measure();
        (0..self.scene.bodies.len())
            .filter(|&i| self.scene.bodies[i].kind == Kind::Fixed)
            .all(|i| {
                let size = match &self.scene.bodies[i].shape {
                    Shape::Cuboid { half } => [half[0], half[2]],
                    shape => [shape.bounding_radius(); 2],
                };
                let (place, at) = (target.place(), state.bodies[i].position);
                let dx = ((place[0] - at[0]).abs() - size[0]).max(0.0);
                let dz = ((place[1] - at[2]).abs() - size[1]).max(0.0);
                dx * dx + dz * dz > (radius + 0.01) * (radius + 0.01)
            })
    }

    /// The task's body lies on the other; the hand is shown above it, holding nothing.
    fn on_top(&self, base: &str) -> Result<Found, TaskError> {
        let reality = Reality::new(self.scene, self.seed)?;
        let Some(base) = self.scene.body_index(base) else {
            return Ok(None);
        };
        let state = reality.measure();
        let height = |b: usize| reality.body(b).shape.half_height() * reality.body(b).size;
        let [x, y, z] = state.bodies[base].position;
        let mut target = Target::of(self.bodies[0], &state.bodies[self.bodies[0]]);
        target.position = [x, y + height(base) + height(target.body), z];
        let mut there = reality.fork();
        there.put(target.body, target.position, None);
        if let Some(hand) = self.scene.hand() {
            let over = target.position[1] + height(target.body) + height(hand) + 0.06;
            there.put(hand, [x, over, z], None);
        }
        Ok(Some((reality, self.eye.look(&there).rgb, vec![target])))
    }
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    let (dx, dz) = (a[0] - b[0], a[1] - b[1]);
    (dx * dx + dz * dz).sqrt()
}
