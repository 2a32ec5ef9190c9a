//! Counterfactual edits: physics broken on purpose, at a given step, for tests of surprise.

use rapier3d::prelude::*;

use super::Reality;
use super::build::{BODY, FLOOR};
use crate::scene::{EditKind, Kind};

impl Reality {
    /// Applies the scene's edits of this step.
    pub(super) fn apply_edits(&mut self) {
        let scene = self.scene().clone();
        let now = self.steps();
        for edit in scene.edits.iter().filter(|e| u64::from(e.step) == now) {
            if edit.what == EditKind::ReverseGravity {
                self.world.gravity = -self.world.gravity;
            } else if let Some(body) = scene.body_index(&edit.body) {
                self.edit(body, edit.what);
            }
        }
    }

    fn edit(&mut self, body: usize, what: EditKind) {
        match what {
            EditKind::Teleport { to } => self.teleport(body, to),
            EditKind::Vanish => {
                self.hidden[body] = true;
                self.world.colliders[self.colliders[body]].set_enabled(false);
                if self.soft[body].is_none() {
                    self.world.bodies[self.bodies[body]].set_enabled(false);
                }
            }
            EditKind::Recolour { colour } => self.drawn[body].colour = colour,
            EditKind::PassThrough => {
                let groups = InteractionGroups::new(BODY, FLOOR, InteractionTestMode::And);
                self.world.colliders[self.colliders[body]].set_collision_groups(groups);
            }
            EditKind::Freeze if self.drawn[body].kind == Kind::Dynamic => {
                let held = &mut self.world.bodies[self.bodies[body]];
                held.set_linvel(Vector::ZERO, true);
                held.set_angvel(Vector::ZERO, true);
                held.set_body_type(RigidBodyType::Fixed, true);
            }
            EditKind::Freeze | EditKind::ReverseGravity => {}
        }
    }
}
