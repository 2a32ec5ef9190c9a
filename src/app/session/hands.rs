//! Hands on reality: what the mouse holds, and the way back.

use std::sync::Arc;

use super::Session;
use crate::app::convert;
use crate::app::state::*;
use crate::sim::Drag;
use crate::worker::{RealityOrder, Rewound, goal_bounds};

/// Arrows and springs end this far from the body at most, metres.
const REACH_M: f32 = 3.0;
/// Impulses below this are a slip of the hand, N·s.
const SLIP_NS: f32 = 0.01;

impl Session {
    pub(super) fn grab(&mut self, grip: Grip) {
        if grip != Grip::View {
            self.be_live();
        }
        if let Grip::Body(grip) = &grip
            && !grip.strikes
        {
            self.pull(grip);
        }
        self.state.grip = Some(grip);
    }

    pub(super) fn lead(&mut self, to: [f32; 3]) {
        match self.state.grip.take() {
            Some(Grip::Body(mut grip)) => {
                let (from, to) = (convert::vec3(grip.from), convert::vec3(to));
                grip.to = (from + (to - from).clamp_length_max(REACH_M)).to_array();
                if !grip.strikes {
                    self.pull(&grip);
                }
                self.state.grip = Some(Grip::Body(grip));
            }
            Some(Grip::Goal(target, offset)) => {
                let scene = self.state.scene.as_deref();
                let (low, high) = scene.map_or(([-1.0; 2], [1.0; 2]), goal_bounds);
                let place = [to[0] - offset[0], to[2] - offset[1]];
                let place = [0, 1].map(|i| place[i].clamp(low[i], high[i]));
                // The mark follows the pointer at once; picture and height come with the news.
                if let Some(goal) = &mut self.state.record.goal
                    && let Some(t) = Arc::make_mut(&mut goal.state).targets.get_mut(target)
                {
                    (t.position[0], t.position[2]) = (place[0], place[1]);
                }
                self.move_goal(target, place, true);
                self.state.grip = Some(Grip::Goal(target, offset));
            }
            other => self.state.grip = other,
        }
    }

    pub(super) fn let_go(&mut self) {
        match self.state.grip.take() {
            Some(Grip::Body(grip)) if grip.strikes => self.strike(&grip),
            Some(Grip::Body(_)) => self.reality.tell(RealityOrder::Pull(None)),
            Some(Grip::Goal(target, _)) => {
                let goal = self.state.record.goal.as_ref();
                if let Some(place) = goal.and_then(|g| Some(g.state.targets.get(target)?.place())) {
                    self.move_goal(target, place, false);
                }
            }
            Some(Grip::View) | None => {}
        }
    }

    fn move_goal(&self, target: usize, place: [f32; 2], held: bool) {
        self.reality.tell(RealityOrder::MoveGoal {
            target,
            place,
            held,
        });
    }

    fn pull(&self, grip: &BodyGrip) {
        self.reality.tell(RealityOrder::Pull(Some(Drag {
            body: grip.body,
            point_in_body: grip.point_in_body,
            target: grip.to,
        })));
    }

    fn strike(&self, grip: &BodyGrip) {
        let Some(state) = self
            .state
            .shown_moment()
            .and_then(|m| m.state.bodies.get(grip.body))
        else {
            return;
        };
        let held = convert::rotation(state) * convert::vec3(grip.point_in_body);
        let at = convert::vec3(state.position) + held;
        let impulse = self.state.impulse(grip, at.to_array());
        if convert::vec3(impulse).length() >= SLIP_NS {
            self.reality.tell(RealityOrder::Strike(grip.body, impulse));
        }
    }

    /// Whether reality can be disturbed; says why not.
    pub(super) fn is_touchable(&mut self) -> bool {
        if self.state.replay.is_some() {
            self.state
                .say("A recorded episode cannot be changed: choose a scene to run one");
            return false;
        }
        true
    }

    pub(super) fn take_rewound(&mut self, rewound: Rewound) {
        if !self.is_shown(&rewound.start.scene) {
            return;
        }
        let newest = rewound.moments.len().saturating_sub(1);
        for back in self.backstage.values_mut() {
            back.imagination.cancel();
            back.judging.cancel();
        }
        // What was imagined up to here from moments that are still there stays true to them.
        let same_past = |branch: usize| {
            let now = self.state.record.moments.get(branch);
            let then = rewound.moments.get(branch);
            now.zip(then).is_some_and(|(a, b)| Arc::ptr_eq(a, b))
        };
        for pane in &mut self.state.panes {
            pane.rollouts.retain(|r| same_past(r.branch));
            pane.busy = false;
        }
        self.branch = self
            .state
            .branches()
            .last()
            .copied()
            .filter(|b| newest < b + HORIZON);
        // An end that was undone is none.
        if let (Some(first), None) = (rewound.moments.first(), rewound.outcome) {
            self.state.score.forget(first);
        }
        self.wake();
        self.place_eye(&rewound.start.scene, rewound.start.seed);
        self.state.decision = None;
        self.state.grip = None;
        self.state.cursor = Cursor::Live;
        self.state.interventions = rewound.interventions;
        self.state.say(rewound.why);
        self.state.record = Record {
            episode: rewound.start.episode,
            seed: rewound.start.seed,
            goal: rewound.start.goal,
            moments: rewound.moments,
            outcome: rewound.outcome,
            reached: rewound.ended_at.filter(|_| rewound.outcome == Some(true)),
            marks: rewound.marks,
            deeds: rewound.start.deeds,
            ..Record::default()
        };
        // What is undone is seen where it happens: live.
        self.be_live();
    }
}
