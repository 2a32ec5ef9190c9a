//! The episode that runs, and what is seen of it.

use std::sync::Arc;
use std::time::Instant;

use crate::camera::Eye;
use crate::sim::Reality;
use crate::worker::news::{EpisodeStart, GoalShown, Mark, Moment};
use crate::worker::{Deed, Solid, add_deed};

/// The episode that runs.
pub(super) struct RunningEpisode {
    pub(super) episode: u64,
    pub(super) seed: u64,
    pub(super) reality: Reality,
    pub(super) eye: Arc<Eye>,
    pub(super) goal: Option<GoalShown>,
    pub(super) moments: Vec<Arc<Moment>>,
    pub(super) marks: Vec<Mark>,
    /// What was done to it besides acting, and after which moment.
    pub(super) deeds: Vec<(usize, Deed)>,
    /// At which moment it ended, and whether with success (`None` without a task).
    pub(super) ended: Option<(usize, Option<bool>)>,
    /// The moment from which the task's budget counts: the start, or the last time the goal was moved.
    pub(super) budget_from: usize,
}

impl RunningEpisode {
    /// A copy that goes on with the same bits; nobody pulls in it.
    pub(super) fn fork(&self) -> RunningEpisode {
        let mut reality = self.reality.fork();
        reality.drag(None);
        let mut deeds = self.deeds.clone();
        let pulls = |(_, deed): &&(usize, Deed)| matches!(deed, Deed::Pull(_));
        if let Some((_, Deed::Pull(Some(_)))) = deeds.iter().rev().find(pulls) {
            add_deed(&mut deeds, self.newest(), Deed::Pull(None));
        }
        RunningEpisode {
            episode: self.episode,
            seed: self.seed,
            reality,
            eye: self.eye.clone(),
            goal: self.goal.clone(),
            moments: self.moments.clone(),
            marks: self.marks.clone(),
            deeds,
            ended: self.ended,
            budget_from: self.budget_from,
        }
    }

    /// Index of the newest moment.
    pub(super) fn newest(&self) -> usize {
        self.moments.len() - 1
    }

    /// What is told when it begins.
    pub(super) fn start(&self) -> EpisodeStart {
        EpisodeStart {
            episode: self.episode,
            scene: self.reality.scene().clone(),
            seed: self.seed,
            goal: self.goal.clone(),
            first: self.moments[0].clone(),
            deeds: self.deeds.clone(),
        }
    }

    /// Looks again at the newest moment: a disturbance changed it.
    pub(super) fn amend(&mut self) -> Arc<Moment> {
        let action = self.moments[self.newest()].action.clone();
        let (again, _) = moment(&self.reality, &self.eye, self.goal.as_ref(), action);
        let again = Arc::new(again);
        let newest = self.newest();
        self.moments[newest] = again.clone();
        again
    }
}

/// Looks at reality; the time that the eye took, milliseconds.
pub(super) fn moment(
    reality: &Reality,
    eye: &Eye,
    goal: Option<&GoalShown>,
    action: Vec<f32>,
) -> (Moment, f32) {
    let clock = Instant::now();
    let view = eye.look(reality);
    let look_ms = clock.elapsed().as_secs_f32() * 1e3;
    let state = reality.measure();
    let distance_m = goal.map(|g| g.state.distance(&state));
    let hidden = (0..state.bodies.len()).filter(|&i| !reality.is_visible(i));
    let hidden = hidden.collect();
    let moment = Moment {
        state,
        rgb: view.rgb,
        action,
        distance_m,
        surfaces: Solid::surfaces(reality),
        hidden,
    };
    (moment, look_ms)
}
