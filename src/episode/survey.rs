//! What a folder of episodes holds, in numbers: how much, how lively, how much of the task it shows.

use super::Episode;
use crate::scene::{GoalSampler, Scene, Task};
use crate::sim::BodyState;

/// Cells of the goal grid along each axis.
const GRID: usize = 10;

/// Counts over episodes of one scene; surveys of parts add up to the survey of the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Episodes.
    pub episodes: u64,
    /// Frames.
    pub frames: u64,
    /// Frames with contact.
    pub contact_frames: u64,
    /// Episodes that bring the task's body to a place that the task could have asked for: solved in
    /// hindsight.
    pub successes: u64,
    /// Episodes whose task body moved by at least its size.
    pub moved: u64,
    /// Cells of the grid over the task's region in which the task's body was seen (empty without a task).
    visited: Vec<bool>,
}

impl Survey {
    /// Counts one episode.
    pub fn add(&mut self, scene: &Scene, episode: &Episode) {
        let bodies = scene.bodies.len();
        self.episodes += 1;
        self.frames += (episode.states.len() / bodies.max(1)) as u64;
        self.contact_frames += u64::from(episode.contact_frames);
        let Some(task) = &scene.task else { return };
        let Some(body) = scene.body_index(&task.body) else {
            return;
        };
        let of = |b: usize| -> Vec<&BodyState> {
            episode.states.iter().skip(b).step_by(bodies).collect()
        };
        let path = of(body);
        let (Some(first), Some(last)) = (path.first(), path.last()) else {
            return;
        };
        let moved = last.planar_distance(place(first)) >= scene.bodies[body].shape.size();
        self.moved += u64::from(moved);
        let base = match &task.goal {
            GoalSampler::OnTop { base } => scene.body_index(base).map(of),
            _ => None,
        };
        self.successes += u64::from(shows(task, &path, base.as_deref()));
        if let Some((low, high)) = region(scene, task) {
            self.visited.resize(GRID * GRID, false);
            for state in path {
                let cell = |axis: usize| {
                    let share =
                        (place(state)[axis] - low[axis]) / (high[axis] - low[axis]).max(1e-6);
                    (0.0..1.0)
                        .contains(&share)
                        .then_some((share * GRID as f32) as usize)
                };
                if let (Some(x), Some(z)) = (cell(0), cell(1)) {
                    self.visited[z.min(GRID - 1) * GRID + x.min(GRID - 1)] = true;
                }
            }
        }
    }

    /// Adds another part's counts.
    pub fn merge(&mut self, other: &Survey) {
        self.episodes += other.episodes;
        self.frames += other.frames;
        self.contact_frames += other.contact_frames;
        self.successes += other.successes;
        self.moved += other.moved;
        if self.visited.len() < other.visited.len() {
            self.visited.resize(other.visited.len(), false);
        }
        for (mine, theirs) in self.visited.iter_mut().zip(&other.visited) {
            *mine |= theirs;
        }
    }

    /// Share of frames with contact.
    pub fn contact_share(&self) -> f64 {
        self.contact_frames as f64 / self.frames.max(1) as f64
    }

    /// Share of episodes whose task body moved by at least its size.
    pub fn moved_share(&self) -> f64 {
        self.moved as f64 / self.episodes.max(1) as f64
    }

    /// Share of episodes that show the task solved; none without a task.
    pub fn success_share(&self, scene: &Scene) -> Option<f64> {
        scene
            .task
            .as_ref()
            .map(|_| self.successes as f64 / self.episodes.max(1) as f64)
    }

    /// Share of the task region's cells in which the task's body was; none without a region.
    pub fn goal_coverage(&self) -> Option<f64> {
        let seen = self.visited.iter().filter(|&&v| v).count();
        (!self.visited.is_empty()).then(|| seen as f64 / self.visited.len() as f64)
    }
}

fn place(state: &BodyState) -> [f32; 2] {
    [state.position[0], state.position[2]]
}

/// Where goals lie: the sampler's rectangle, or wherever the hand may go.
fn region(scene: &Scene, task: &Task) -> Option<([f32; 2], [f32; 2])> {
    match &task.goal {
        GoalSampler::Region { low, high, .. } => Some((*low, *high)),
        _ => scene.actions.planar_bounds(),
    }
}

/// Whether the body's path shows what the task asks for.
fn shows(task: &Task, path: &[&BodyState], base: Option<&[&BodyState]>) -> bool {
    let slow = |s: &BodyState| {
        let v = s.velocity;
        task.rest_speed
            .is_none_or(|limit| (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt() <= limit)
    };
    let far = |from: usize, to: usize, distance: f32| {
        path[to].planar_distance(place(path[from])) >= distance
    };
    match &task.goal {
        GoalSampler::Experience {
            ahead_steps,
            min_move_m,
        } => {
            let ahead = *ahead_steps as usize;
            (ahead..path.len()).any(|t| far(t - ahead, t, *min_move_m) && slow(path[t]))
        }
        GoalSampler::Region {
            low,
            high,
            min_distance_m,
        } => (0..path.len()).any(|t| {
            let at = place(path[t]);
            (0..2).all(|a| (low[a]..=high[a]).contains(&at[a]))
                && far(0, t, *min_distance_m)
                && slow(path[t])
        }),
        GoalSampler::OnTop { .. } => base.is_some_and(|base| {
            // Above the base, near its axis, no longer carried.
            path.iter().zip(base).any(|(body, base)| {
                body.position[1] > base.position[1] + 1e-3
                    && body.planar_distance(place(base)) <= task.tolerance_m
                    && body.velocity.iter().all(|v| v.abs() < 0.05)
            })
        }),
    }
}
