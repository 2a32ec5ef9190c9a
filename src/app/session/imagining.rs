//! From where and with what actions models imagine, and what becomes of it.

use super::Session;
use crate::app::state::*;
use crate::judge::CONTEXT_FRAMES;
use crate::model::Sampling;
use crate::scene::{Scene, Shape};
use crate::sim::BodyState;
use crate::worker::{Imagine, JudgeRollout, context_at};

/// Models that imagine faster than this follow every change of the plan; slower ones only what reality did
/// otherwise.
const QUICK_MS: f32 = 100.0;
/// Rollouts that a pane keeps of one episode.
const MAX_ROLLOUTS: usize = 64;

/// Whether a body's place on the floor says where it is in the picture. Probes read no heights: seen from the
/// side, a body in the air would hang where it was at first. A ball that rolls has the height that it had.
fn lies(scene: &Scene, seen: &[&[BodyState]], name: &str) -> bool {
    /// Metres by which a ball that lies on the floor may be off its height.
    const SLACK: f32 = 0.01;
    if scene.is_seen_from_above() {
        return true;
    }
    let Some(index) = scene.body_index(name) else {
        return false;
    };
    let body = &scene.bodies[index];
    let Shape::Ball { radius } = body.shape else {
        return false;
    };
    let is_low = |y: f32| (y - radius).abs() < SLACK;
    let mut heights = seen
        .iter()
        .map(|bodies| Some(bodies.get(index)?.position[1]));
    is_low(body.position[1]) && !seen.is_empty() && heights.all(|y| y.is_some_and(is_low))
}

impl Session {
    pub(super) fn hear_imaginations(&mut self) {
        let (episode, scene) = (self.state.record.episode, self.state.scene.clone());
        let mut judged = Vec::new();
        for (index, pane) in self.state.panes.iter_mut().enumerate() {
            let Some(back) = self.backstage.get_mut(&pane.name) else {
                continue;
            };
            if let Some(report) = back.imagination.poll() {
                pane.busy = false;
                let took_ms = report.took.as_secs_f32() * 1e3;
                let (of, rollout) = std::mem::take(&mut back.asked);
                let branch = rollout.branch;
                match report.result {
                    Ok(_) if of != episode => {}
                    Ok(mut imagined) => {
                        if let Some(scene) = &scene {
                            let moments = &self.state.record.moments;
                            let seen = &moments[..moments.len().min(branch + 1)];
                            let seen = &seen[seen.len().saturating_sub(CONTEXT_FRAMES)..];
                            let seen: Vec<&[BodyState]> =
                                seen.iter().map(|m| &m.state.bodies[..]).collect();
                            let states = imagined.states.take();
                            imagined.states =
                                states.and_then(|s| s.only(|b| lies(scene, &seen, b)));
                        }
                        let imagined = std::sync::Arc::new(imagined);
                        self.state.timers.rollout(&pane.name).add(took_ms);
                        pane.status = PaneStatus::Ready;
                        if let Some(scene) = scene.clone() {
                            let moments = &self.state.record.moments;
                            back.judged = (episode, branch);
                            let context = context_at(moments, branch, CONTEXT_FRAMES);
                            let actions = context.actions.iter().chain(&rollout.actions);
                            back.judging.ask(JudgeRollout {
                                scene,
                                actions: Some(actions.cloned().collect()),
                                real: context.frames,
                                model: pane.name.clone(),
                                imagined: imagined.clone(),
                            });
                        }
                        // What was found before stays on the screen until the judge is through again.
                        let before = pane.rollout(branch);
                        let (violations, checked) = before
                            .map(|r| (r.violations.clone(), r.checked))
                            .unwrap_or_default();
                        pane.rollouts.retain(|r| r.branch != branch);
                        if pane.rollouts.len() == MAX_ROLLOUTS {
                            pane.rollouts.remove(0);
                        }
                        pane.unseen = self.drawn > 0;
                        pane.rollouts.push(Rollout {
                            imagined,
                            took_ms,
                            violations,
                            checked,
                            ..rollout
                        });
                    }
                    Err(e) => pane.status = PaneStatus::Failed(e),
                }
            }
            if let Some(report) = back.judging.poll() {
                self.state.timers.judge.add(report.took.as_secs_f32() * 1e3);
                let (of, branch) = back.judged;
                let rollout = pane.rollouts.iter_mut().find(|r| r.branch == branch);
                if let (true, Some(rollout)) = (of == episode, rollout) {
                    rollout.judged = true;
                    match report.result {
                        Ok(verdict) => {
                            rollout.checked = verdict.checked.len();
                            rollout.violations = verdict.violations;
                            judged.push((index, branch));
                        }
                        Err(e) => tracing::warn!("{}: not judged: {e}", pane.name),
                    }
                }
            }
        }
        for (index, branch) in judged {
            self.exhibit(index, branch);
        }
    }

    /// While reality plays, every model imagines from a branch that moves on every [`HORIZON`] steps. What
    /// reality will do is not known yet: the plan stands in for it, and a rollout is imagined anew once
    /// reality has acted otherwise.
    pub(super) fn branch_by_itself(&mut self) {
        let lives = self.state.stage == Stage::Live && self.state.cursor == Cursor::Live;
        let follows = lives || self.state.replay.is_some();
        if !self.state.playing || !follows || self.state.record.moments.is_empty() {
            return;
        }
        let Some(scene) = self.state.scene.clone() else {
            return;
        };
        // A recorded episode is known to its end: time is where it is looked at.
        let newest = match self.state.replay {
            Some(_) => self.state.shown(),
            None => self.state.newest(),
        };
        let plans = matches!(
            self.state.driver,
            DriverChoice::Oracle | DriverChoice::Planner(_)
        );
        let branch = match self.branch {
            Some(b) if (b..b + HORIZON).contains(&newest) => b,
            Some(_) => newest,
            // A plan is on its way: worth waiting for.
            None if self.state.has_actions() => {
                if plans
                    && self.state.replay.is_none()
                    && self.state.decision.is_none()
                    && newest < 5
                {
                    return;
                }
                0
            }
            // Velocities can only be seen over several frames.
            None if newest + 1 >= CONTEXT_FRAMES => newest,
            None => return,
        };
        self.branch = Some(branch);
        let (actions, source) = self.actions_from(branch, &scene);
        let taken = newest - branch;
        let panes: Vec<usize> = self.state.watched_panes().map(|(i, _)| i).collect();
        for index in panes {
            let pane = &self.state.panes[index];
            // What nobody has seen yet is not imagined anew.
            if pane.unseen {
                continue;
            }
            let stale = pane.rollout(branch).is_none_or(|r| {
                let same = if r.took_ms < QUICK_MS { HORIZON } else { taken };
                !alike(&r.actions, &actions, same)
            });
            if stale && !pane.busy {
                self.ask_to_imagine(index, branch, &actions, source, &scene);
            }
        }
    }

    /// Shows a model in a place, where it imagines from where the other did.
    pub(super) fn pick(&mut self, slot: usize, index: usize) {
        let Some(pane) = self.state.panes.get(index) else {
            return;
        };
        let name = pane.name.clone();
        let before: Vec<usize> = self.state.scene_panes().map(|(i, _)| i).collect();
        let Some(place) = self.state.slots.get_mut(slot) else {
            return;
        };
        *place = Some(name.clone());
        for other in self.state.slots.iter_mut().enumerate() {
            if let (true, Some(_)) = (other.0 != slot, other.1.as_ref().filter(|n| **n == name)) {
                *other.1 = None;
            }
        }
        let shown: Vec<usize> = self.state.scene_panes().map(|(i, _)| i).collect();
        for hidden in before.iter().filter(|i| !shown.contains(i)) {
            let pane = &mut self.state.panes[*hidden];
            pane.busy = false;
            if let Some(back) = self.backstage.get_mut(&pane.name) {
                back.imagination.cancel();
            }
        }
        self.state.focus = None;
        // What plays asks for what is missing by itself.
        let branch = self.state.branches().last().copied();
        if let (Stage::Live, Some(branch)) = (self.state.stage, branch) {
            let new = shown.iter().filter(|i| !before.contains(i));
            new.copied().for_each(|i| self.imagine_in(i, branch));
        }
    }

    fn imagine_in(&mut self, index: usize, branch: usize) {
        if let Some(scene) = self.state.scene.clone() {
            let (actions, source) = self.actions_from(branch, &scene);
            self.ask_to_imagine(index, branch, &actions, source, &scene);
        }
    }

    pub(super) fn branch_here(&mut self) {
        if self.state.record.moments.is_empty() {
            return;
        }
        if !self
            .state
            .scene_panes()
            .any(|(_, p)| p.status == PaneStatus::Ready)
        {
            self.state.say("No model of this scene is ready to imagine");
            return;
        }
        let branch = self.state.shown();
        self.branch = Some(branch);
        self.imagine_from(branch);
        self.state.say(format!(
            "Both imagine the next {HORIZON} steps from here: Space plays them"
        ));
    }

    /// Shows several futures instead of one, or one again; what is shown is imagined anew.
    pub(super) fn toggle_spread(&mut self) {
        self.state.show_spread ^= true;
        let (true, Some(scene)) = (self.state.show_spread, self.state.scene.clone()) else {
            return;
        };
        let shown: Vec<_> = self
            .state
            .scene_panes()
            .filter(|(_, p)| p.can_dream())
            .filter_map(|(i, p)| Some((i, self.state.imagined(p)?.1.clone())))
            .collect();
        for (index, r) in shown {
            self.ask_to_imagine(index, r.branch, &r.actions, r.source, &scene);
        }
    }

    /// Lets every model of the scene imagine [`HORIZON`] steps from a moment.
    pub(super) fn imagine_from(&mut self, branch: usize) {
        let Some(scene) = self.state.scene.clone() else {
            return;
        };
        let (actions, source) = self.actions_from(branch, &scene);
        let panes: Vec<usize> = self.state.watched_panes().map(|(i, _)| i).collect();
        for index in panes {
            self.ask_to_imagine(index, branch, &actions, source, &scene);
        }
    }

    pub(super) fn ask_to_imagine(
        &mut self,
        index: usize,
        branch: usize,
        actions: &[Vec<f32>],
        source: ActionSource,
        scene: &Scene,
    ) {
        let pane = &mut self.state.panes[index];
        let Some(back) = self.backstage.get_mut(&pane.name) else {
            return;
        };
        let Some(model) = back
            .model
            .clone()
            .filter(|_| pane.status == PaneStatus::Ready)
        else {
            return;
        };
        let rollout = Rollout {
            branch,
            source,
            actions: actions.to_vec(),
            ..Rollout::default()
        };
        back.asked = (self.state.record.episode, rollout);
        let context = context_at(
            &self.state.record.moments,
            branch,
            model.shape().context_frames,
        );
        back.imagination.ask(Imagine {
            model,
            context,
            actions: actions.to_vec(),
            dim: scene.actions.dim(),
            sampling: Sampling::nfe(pane.nfe),
            samples: match self.state.show_spread {
                true => SAMPLES,
                false => 1,
            },
            tracker: self.state.tracker.clone(),
        });
        pane.busy = true;
    }

    /// The actions after a moment: those that were taken, then those of the plan, else the last one held.
    pub(super) fn actions_from(
        &self,
        branch: usize,
        scene: &Scene,
    ) -> (Vec<Vec<f32>>, ActionSource) {
        let dim = scene.actions.dim();
        if dim == 0 {
            return (vec![Vec::new(); HORIZON], ActionSource::None);
        }
        let moments = &self.state.record.moments;
        let taken = moments.iter().skip(branch + 1).take(HORIZON);
        let mut actions: Vec<Vec<f32>> = taken.map(|m| m.action.clone()).collect();
        if actions.len() == HORIZON {
            return (actions, ActionSource::Taken);
        }
        let plan = self.state.decision.as_ref().and_then(|d| d.plan.as_ref());
        let source = match plan {
            Some(plan) if !plan.actions.is_empty() => {
                let missing = HORIZON - actions.len();
                let done = self.state.newest().saturating_sub(self.state.planned_at);
                actions.extend(plan.actions.iter().skip(done).take(missing).cloned());
                ActionSource::Planned
            }
            _ => ActionSource::Held,
        };
        let last = actions
            .last()
            .or(moments.get(branch).map(|m| &m.action))
            .filter(|a| a.len() == dim)
            .cloned()
            .unwrap_or_else(|| vec![0.0; dim]);
        actions.resize(HORIZON, last);
        (actions, source)
    }
}

/// Whether two action sequences agree, near enough for a picture, over the first `steps`.
fn alike(a: &[Vec<f32>], b: &[Vec<f32>], steps: usize) -> bool {
    let near = |x: &f32, y: &f32| (x - y).abs() < 0.05;
    a.len() >= steps.min(b.len())
        && a.iter()
            .zip(b)
            .take(steps)
            .all(|(p, q)| p.len() == q.len() && p.iter().zip(q).all(|(x, y)| near(x, y)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Eye;
    use crate::episode::record;
    use crate::scene;
    use std::sync::Arc;

    #[test]
    fn seen_from_the_side_only_balls_that_roll_are_where_their_probes_read_them() {
        let shown = |name: &str, body: &str, steps: usize| {
            let scene = Arc::new(scene::load(name).unwrap());
            let eye = Eye::standard(&scene).unwrap();
            let episode = record(&scene, &eye, 900_000).unwrap();
            let moments: Vec<&[BodyState]> = episode
                .states
                .chunks_exact(scene.bodies.len())
                .take(steps)
                .collect();
            lies(&scene, &moments, body)
        };
        assert!(shown("occluder", "near", 4));
        assert!(!shown("fall", "ball", 4), "it falls");
        assert!(!shown("fall", "ball", 1), "it is about to fall");
        assert!(shown("push", "cube", 4), "seen from above");
    }
}
