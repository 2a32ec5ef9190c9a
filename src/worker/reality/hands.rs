//! What people do to reality: they pull, strike, move the goal, change quantities, and take it back.

use std::time::Instant;

use super::Stage;
use super::undo::{Saved, Touch};
use crate::camera::Eye;
use crate::scene::{ActionSpace, Kind, Scene};
use crate::sim::{CONTROL_HZ, Drag, Reality};
use crate::worker::Solid;
use crate::worker::news::{GoalShown, Mark, News, Rewound};

impl Stage {
    /// Keeps the way back to before a disturbance, and marks it.
    fn disturb(&mut self, touch: Touch, what: String) {
        let Some(act) = &mut self.act else { return };
        let interventions = &self.interventions;
        let fork = || Saved::new(act, interventions);
        if !self.undo.push(touch, what.clone(), Instant::now(), fork) {
            return;
        }
        let mark = Mark {
            moment: act.newest(),
            what,
        };
        act.marks.push(mark.clone());
        let episode = act.episode;
        self.say(News::Disturbed { episode, mark });
        self.say_ways();
    }

    pub(super) fn say_ways(&mut self) {
        let seconds = |at: usize| at as f32 / CONTROL_HZ as f32;
        let saved = self
            .saved
            .as_ref()
            .map(|s| format!("{:.1} s of seed {}", seconds(s.at()), s.seed()));
        let undo = self.undo.next().map(str::to_string);
        self.say(News::Ways { undo, saved });
    }

    pub(super) fn say_solids(&mut self) {
        if let Some(act) = &self.act {
            let solids = Solid::all(&act.reality);
            self.say(News::Solids(solids));
        }
    }

    /// What a body is called, and whether forces move it; `None` if there is no such body.
    fn body(&self, index: usize) -> Option<(String, Kind)> {
        let body = self.act.as_ref()?.reality.scene().bodies.get(index)?;
        Some((body.name.clone(), body.kind))
    }

    pub(super) fn set(&mut self, target: String, value: f32) {
        // A value that is refused is no disturbance: it is tried on a copy first.
        let refused = self
            .act
            .as_ref()
            .and_then(|act| act.reality.fork().set(&target, value).err());
        if let Some(e) = refused {
            return self.say(News::Failed(e.to_string()));
        }
        let what = format!("change of {}", target.replace('.', " "));
        self.disturb(Touch::Set(target.clone()), what);
        if let Some(act) = &mut self.act {
            if let Err(e) = act.reality.set(&target, value) {
                return self.say(News::Failed(e.to_string()));
            }
            let (episode, goal) = (act.episode, act.goal.clone());
            let moment = act.amend();
            self.say(News::Amended {
                episode,
                moment,
                goal,
                goes_on: false,
            });
        }
        self.interventions.insert(target, value);
        self.say_solids();
    }

    pub(super) fn pull(&mut self, drag: Option<Drag>) {
        let before = self.pull.take();
        let Some(drag) = drag.filter(|d| d.target.iter().all(|t| t.is_finite())) else {
            if let (Some(was), Some(act)) = (before, &mut self.act) {
                act.reality.drag(None);
                let (episode, newest) = (act.episode, act.newest());
                self.undo.drop_idle(&Touch::Pull(was.body), episode, newest);
                self.say_ways();
            }
            return;
        };
        let Some((name, kind)) = self.body(drag.body).filter(|(_, k)| *k != Kind::Fixed) else {
            return;
        };
        if before.is_none_or(|was| was.body != drag.body) {
            self.disturb(Touch::Pull(drag.body), format!("pull on {name}"));
        }
        self.pull = Some(drag);
        if let Some(act) = &mut self.act {
            act.reality.drag((kind == Kind::Dynamic).then_some(drag));
        }
    }

    pub(super) fn strike(&mut self, body: usize, impulse: [f32; 3]) {
        let strikes = impulse.iter().all(|v| v.is_finite()) && impulse != [0.0; 3];
        let Some((name, Kind::Dynamic)) = self.body(body).filter(|_| strikes) else {
            return;
        };
        self.disturb(Touch::Strike(body), format!("impulse on {name}"));
        if let Some(act) = &mut self.act {
            act.reality.impulse(body, impulse);
        }
    }

    pub(super) fn move_goal(&mut self, place: [f32; 2], held: bool) {
        self.goal_held = held;
        let has_goal = self.act.as_ref().is_some_and(|a| a.goal.is_some());
        if !has_goal || !place.iter().all(|v| v.is_finite()) {
            return;
        }
        self.disturb(Touch::Goal, "move of the goal".into());
        let Some(act) = &mut self.act else { return };
        let Some(old) = &act.goal else { return };
        let place = within_reach(act.reality.scene(), place);
        let picture = goal_picture(&act.reality, &act.eye, old.body, place);
        act.goal = Some(GoalShown {
            picture: crate::model::Goal {
                size: act.eye.size(),
                frame: picture,
            },
            place,
            ..old.clone()
        });
        // Another goal is another task: its time begins now.
        act.budget_from = act.newest();
        let goes_on = act.ended.take().is_some();
        let (episode, goal) = (act.episode, act.goal.clone());
        let moment = act.amend();
        self.say(News::Amended {
            episode,
            moment,
            goal,
            goes_on,
        });
    }

    pub(super) fn restore(&mut self) {
        let Some(saved) = self.saved.take() else {
            return self.say_ways();
        };
        self.disturb(Touch::Restore, "return to the saved moment".into());
        self.go_back(&saved, "Back at the saved moment".into());
        self.saved = Some(saved);
        self.say_ways();
    }

    pub(super) fn go_back(&mut self, to: &Saved, why: String) {
        self.forget_decision();
        self.steps_owed = 0;
        self.pull = None;
        self.goal_held = false;
        self.episodes += 1;
        let (act, interventions) = to.again(self.episodes);
        if let Some((_, seed)) = &mut self.scene {
            *seed = act.seed;
        }
        self.interventions = interventions;
        let rewound = Rewound {
            start: act.start(),
            moments: act.moments.clone(),
            marks: act.marks.clone(),
            outcome: act.ended.and_then(|(_, outcome)| outcome),
            interventions: self.interventions.clone(),
            why,
        };
        self.act = Some(act);
        self.reset_controller();
        self.say(News::Rewound(Box::new(rewound)));
        self.say_solids();
        self.next_tick = Instant::now() + self.period();
        self.ask();
    }
}

/// The action that brings a hand towards the end of a pull; `None` where the pull is not on a hand.
pub(super) fn towards(reality: &Reality, drag: Drag) -> Option<Vec<f32>> {
    let scene = reality.scene();
    let ActionSpace::Planar { max_speed, .. } = scene.actions else {
        return None;
    };
    if scene.hand() != Some(drag.body) {
        return None;
    }
    let at = reality.measure().bodies.get(drag.body)?.position;
    let a_step = max_speed / CONTROL_HZ as f32;
    let share = |axis: usize| ((drag.target[axis] - at[axis]) / a_step).clamp(-1.0, 1.0);
    Some(vec![share(0), share(2)])
}

/// The nearest place that the agent can bring something to.
fn within_reach(scene: &Scene, place: [f32; 2]) -> [f32; 2] {
    let limit = match scene.actions {
        ActionSpace::Planar { limit, .. } => limit,
        _ => 1.0,
    };
    place.map(|v| v.clamp(-limit, limit))
}

/// What the eye will see when the body is at its goal: a hand that brought it there stands behind it.
fn goal_picture(reality: &Reality, eye: &Eye, body: usize, place: [f32; 2]) -> Vec<u8> {
    let scene = reality.scene();
    let mut there = reality.fork();
    let state = reality.measure();
    let radius = |i: usize| scene.bodies[i].shape.bounding_radius();
    if let Some(hand) = scene.hand().filter(|h| *h != body)
        && let Some(from) = state.bodies.get(body).map(|b| b.position)
    {
        let (dx, dz) = (place[0] - from[0], place[1] - from[2]);
        let far = (dx * dx + dz * dz).sqrt();
        let way = if far > 1e-3 {
            [dx / far, dz / far]
        } else {
            [0.0, -1.0]
        };
        let behind = radius(hand) + radius(body);
        let at = within_reach(
            scene,
            [place[0] - way[0] * behind, place[1] - way[1] * behind],
        );
        there.place(hand, at[0], at[1]);
    }
    there.place(body, place[0], place[1]);
    eye.look(&there).rgb
}
