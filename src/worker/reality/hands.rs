//! What people do to reality: they pull, strike, move the goal, change quantities, and take it back.

use std::sync::Arc;
use std::time::Instant;

use super::Stage;
use super::undo::{Saved, Touch};
use crate::camera::Eye;
use crate::model::Goal;
use crate::scene::{ActionSpace, Kind, Scene};
use crate::sim::{CONTROL_HZ, Drag, GoalState, Reality};
use crate::worker::news::{GoalShown, Mark, News, Rewound};
use crate::worker::{Deed, Solid, add_deed};

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
        act.marks.push(mark);
        self.say_marks();
        self.say_way_back();
    }

    /// Takes note of what is done to reality, so that the episode can be lived again.
    fn note(&mut self, deed: Deed) {
        let Some(act) = &mut self.act else { return };
        let (episode, at) = (act.episode, act.newest());
        add_deed(&mut act.deeds, at, deed.clone());
        self.say(News::Did { episode, at, deed });
    }

    fn say_marks(&mut self) {
        if let Some(act) = &self.act {
            let (episode, marks) = (act.episode, act.marks.clone());
            self.say(News::Marked { episode, marks });
        }
    }

    pub(super) fn say_way_back(&mut self) {
        let seconds = |at: usize| at as f32 / CONTROL_HZ as f32;
        let saved = self
            .saved
            .as_ref()
            .map(|s| format!("{:.1} s of seed {}", seconds(s.at()), s.seed()));
        let undo = self.undo.next().map(str::to_string);
        let redo = self.undo.next_forth().map(str::to_string);
        self.say(News::WayBack { undo, redo, saved });
    }

    /// Goes back to before the newest disturbance.
    pub(super) fn take_back(&mut self) {
        let Some(act) = &self.act else { return };
        let now = Saved::new(act, &self.interventions);
        let found = self.undo.back(now);
        let found = found.map(|(what, before)| (what, before.copy()));
        if let Some((what, before)) = found {
            self.go_back(&before, format!("Undone: {what}"));
        }
        self.say_way_back();
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
            self.note(Deed::Set(target.clone(), value));
            self.say_amended(false);
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
                let pull = Touch::Pull(was.body);
                if self.undo.drop_idle(&pull, episode, newest) {
                    act.marks.pop();
                    self.say_marks();
                }
                self.note(Deed::Pull(None));
                self.say_way_back();
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
            let drag = (kind != Kind::Hand).then_some(drag);
            act.reality.drag(drag);
            self.note(Deed::Pull(drag));
        }
    }

    pub(super) fn strike(&mut self, body: usize, impulse: [f32; 3]) {
        let strikes = impulse.iter().all(|v| v.is_finite()) && impulse != [0.0; 3];
        let Some((name, Kind::Dynamic | Kind::Soft)) = self.body(body).filter(|_| strikes) else {
            return;
        };
        self.disturb(Touch::Strike(body), format!("impulse on {name}"));
        if let Some(act) = &mut self.act {
            act.reality.impulse(body, impulse);
            self.note(Deed::Strike(body, impulse));
        }
    }

    pub(super) fn move_goal(&mut self, target: usize, place: [f32; 2], held: bool) {
        self.goal_held = held;
        let goal = self.act.as_ref().and_then(|a| a.goal.as_ref());
        let known = goal.is_some_and(|g| target < g.state.targets.len());
        if !known || !place.iter().all(|v| v.is_finite()) {
            return;
        }
        self.disturb(Touch::Goal(target), "move of the goal".into());
        let Some(act) = &mut self.act else { return };
        let Some(old) = &act.goal else { return };
        let (low, high) = goal_bounds(act.reality.scene());
        let [x, z] = [0, 1].map(|i| place[i].clamp(low[i], high[i]));
        let mut state = (*old.state).clone();
        let moved = &mut state.targets[target];
        (moved.position[0], moved.position[2]) = (x, z);
        if state.task.vertical {
            moved.position[1] = resting_height(&act.reality, moved.body, [x, z]);
        }
        act.goal = Some(GoalShown {
            picture: Goal::new(act.eye.size(), goal_picture(&act.reality, &act.eye, &state)),
            place: state.targets[0].place(),
            state: Arc::new(state),
            ..old.clone()
        });
        // Another goal is another task: its time begins now.
        act.budget_from = act.newest();
        let goes_on = act.ended.take().is_some();
        self.note(Deed::Goal);
        self.say_amended(goes_on);
    }

    /// Tells the newest moment as it is now, and whether an end that was told no longer holds.
    fn say_amended(&mut self, goes_on: bool) {
        let Some(act) = &mut self.act else { return };
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
            return self.say_way_back();
        };
        self.disturb(Touch::Restore, "return to the saved moment".into());
        self.go_back(&saved, "Back at the saved moment".into());
        self.saved = Some(saved);
        self.say_way_back();
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
            ended_at: act.ended.map(|(at, _)| at),
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

/// The action held on the keyboard, for an agent of so many components.
pub fn held_action([x, y, z, grip]: [f32; 4], dim: usize) -> Vec<f32> {
    match dim {
        4 => vec![x, y, z, grip],
        _ => vec![x, z],
    }
}

/// The action that brings a pulled hand to the end of the pull; any other body leaves the action as it is.
pub(super) fn towards(reality: &Reality, drag: Drag, action: Vec<f32>) -> Vec<f32> {
    let scene = reality.scene();
    let (ActionSpace::Planar { max_speed, .. } | ActionSpace::Spatial { max_speed, .. }) =
        scene.actions
    else {
        return action;
    };
    let hand = scene.hand().filter(|hand| *hand == drag.body);
    let Some(at) = hand.and_then(|hand| Some(reality.measure().bodies.get(hand)?.position)) else {
        return action;
    };
    let a_step = max_speed / CONTROL_HZ as f32;
    let share = |axis: usize| {
        ((drag.target[axis] - drag.point_in_body[axis] - at[axis]) / a_step).clamp(-1.0, 1.0)
    };
    match action[..] {
        [_, _, _, grip] => vec![share(0), share(1), share(2), grip],
        _ => vec![share(0), share(2)],
    }
}

/// Where a goal may be put, metres: lower and upper corner in x and z. A body can go where a hand may not
/// follow.
pub fn goal_bounds(scene: &Scene) -> ([f32; 2], [f32; 2]) {
    match scene.actions {
        ActionSpace::None => ([-1.0; 2], [1.0; 2]),
        ActionSpace::Planar { limit, .. } => ([-limit; 2], [limit; 2]),
        ActionSpace::Spatial { low, high, .. } => ([low[0], low[2]], [high[0], high[2]]),
    }
}

/// The nearest place that the hand can go to.
fn within_reach(scene: &Scene, place: [f32; 2]) -> [f32; 2] {
    let (low, high) = scene
        .actions
        .planar_bounds()
        .unwrap_or(([-1.0; 2], [1.0; 2]));
    [0, 1].map(|i| place[i].clamp(low[i], high[i]))
}

/// How high the centre of a body is when it rests at a place: on the floor, or on a body that is there
/// already.
fn resting_height(reality: &Reality, body: usize, place: [f32; 2]) -> f32 {
    let scene = reality.scene();
    let state = reality.measure();
    let height = |i: usize| reality.body(i).shape.half_height() * reality.body(i).size;
    let under = (0..scene.bodies.len())
        .filter(|&i| i != body && matches!(scene.bodies[i].kind, Kind::Dynamic | Kind::Fixed))
        .filter(|&i| state.bodies[i].planar_distance(place) < 0.5 * scene.bodies[i].shape.size())
        .map(|i| state.bodies[i].position[1] + height(i));
    under.fold(0.0, f32::max) + height(body)
}

/// What the eye will see when all is at its goal: a hand that pushed a body there stands behind it, one
/// that set it down is above.
fn goal_picture(reality: &Reality, eye: &Eye, goal: &GoalState) -> Vec<u8> {
    let scene = reality.scene();
    let state = reality.measure();
    let mut there = reality.fork();
    let radius = |i: usize| reality.body(i).shape.bounding_radius() * reality.body(i).size;
    let pushes = scene
        .hand()
        .filter(|h| goal.targets.iter().all(|t| t.body != *h));
    if let (Some(hand), Some(first)) = (pushes, goal.targets.first()) {
        let from = state.bodies[first.body].position;
        let [x, y, z] = first.position;
        let apart = radius(hand) + radius(first.body);
        if matches!(scene.actions, ActionSpace::Spatial { .. }) {
            there.put(hand, [x, y + apart + 0.06, z], None);
        } else {
            let (dx, dz) = (x - from[0], z - from[2]);
            let far = (dx * dx + dz * dz).sqrt();
            let way = match far > 1e-3 {
                true => [dx / far, dz / far],
                false => [0.0, -1.0],
            };
            let at = within_reach(scene, [x - way[0] * apart, z - way[1] * apart]);
            there.place(hand, at[0], at[1]);
        }
    }
    for target in &goal.targets {
        let yaw = goal.task.angle_degrees.map(|_| target.yaw);
        there.put(target.body, target.position, yaw);
    }
    eye.look(&there).rgb
}
