//! Where a body can be put so that a fault shows.

use super::*;

impl Injection<'_> {
    /// A shift in the plane of motion that moves the body by so many 64ths of the picture, to where there is
    /// room at the frame `at` and the next few.
    pub(super) fn shift(&self, at: usize, pixels: f32, rng: &mut ChaCha8Rng) -> Option<[f32; 3]> {
        let body = self.occasion.body;
        let (eye, truth) = (self.eye, self.truth);
        let bodies = &truth.scene.bodies;
        let place = truth.states[at].bodies[body].position;
        let from = eye.project(place)?;
        let down = truth.scene.is_seen_from_above();
        let low = truth.low(at, body);
        let carried = low < ON_FLOOR_M;
        let wanted = pixels * fine(eye);
        let size = eye.size() as f32;
        let radius = truth.scene.bodies[body].shape.bounding_radius();
        let reach = |b: usize, t: usize| {
            let shape = &truth.scene.bodies[b].shape;
            shape.bounding_radius() / eye.metres_per_pixel(truth.states[t].bodies[b].position)
        };
        for _ in 0..TRIES {
            let angle = rng.random_range(0.0..std::f32::consts::TAU);
            let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
            let direction = match (down, carried) {
                (true, _) => [cos, 0.0, sin],
                (false, true) => [cos.signum(), 0.0, 0.0],
                (false, false) => [cos, sin, 0.0],
            };
            let mut metres = wanted * eye.metres_per_pixel(place);
            let moved = |metres: f32| {
                let to: [f32; 3] = std::array::from_fn(|i| place[i] + direction[i] * metres);
                eye.project(to)
                    .map(|p| (to, (p[0] - from[0]).hypot(p[1] - from[1]), p))
            };
            for _ in 0..4 {
                if let Some((_, found, _)) = moved(metres) {
                    metres *= wanted / found.max(1e-3);
                }
            }
            let Some((to, _, p)) = moved(metres) else {
                continue;
            };
            let own = radius / eye.metres_per_pixel(to);
            let margin = own + 2.0 * fine(eye);
            let inside = p.iter().all(|&c| c > margin && c < size - margin);
            let moves = |o: &usize| *o != body && bodies[*o].kind != Kind::Fixed;
            let clear = (at..(at + 2).min(truth.states.len())).all(|t| {
                (0..bodies.len()).filter(moves).all(|o| {
                    let other = eye.project(truth.states[t].bodies[o].position);
                    other.is_none_or(|q| {
                        let apart = own + reach(o, t) + 2.0 * fine(eye);
                        (q[0] - p[0]).hypot(q[1] - p[1]) > apart
                    })
                })
            });
            let by = std::array::from_fn(|i| to[i] - place[i]);
            let above = down || low + by[1] > -0.005;
            if inside && clear && above && self.shows(by) {
                return Some(by);
            }
        }
        None
    }

    /// Whether nothing hides the body where a shift takes it.
    pub(super) fn shows(&self, by: [f32; 3]) -> bool {
        let Occasion { at, body, .. } = self.occasion;
        let mut fork = self.truth.worlds[at].fork();
        let from = self.truth.states[at].bodies[body].position;
        fork.teleport(body, std::array::from_fn(|i| from[i] + by[i]));
        let count = |v: &View| {
            v.ids
                .iter()
                .filter(|&&id| usize::from(id) == body + 1)
                .count()
        };
        10 * count(&self.eye.look(&fork)) >= 8 * count(&self.truth.views[at])
    }

    /// From where the body is to where it is so deep in the other one, on the side that it comes from (a box:
    /// through its nearest face).
    pub(super) fn sunk_into(&self, other: usize) -> Option<[f32; 3]> {
        let Occasion { at, body, .. } = self.occasion;
        let state = &self.truth.states[at];
        let (place, target) = (state.bodies[body].position, state.bodies[other].position);
        let shapes = [other, body].map(|b| (b, &self.truth.scene.bodies[b].shape));
        let boxy = shapes
            .iter()
            .find(|(_, s)| matches!(s, Shape::Cuboid { .. }));
        let yaw = boxy.map(|(b, _)| state.bodies[*b].yaw());
        let [x, z] = direction([place[0] - target[0], place[2] - target[2]], yaw);
        let apart = (1.0 - self.amount) * 0.5 * (shapes[0].1.size() + shapes[1].1.size());
        let to = [
            target[0] + x * apart,
            place[1].min(target[1]).max(0.02),
            target[2] + z * apart,
        ];
        Some(sub(to, place))
    }

    /// What the eye cannot see nobody can judge: both bodies have to show a third of themselves.
    pub(super) fn both_show(&self, other: usize, by: [f32; 3]) -> bool {
        let Occasion { at, body, .. } = self.occasion;
        let mut fork = self.truth.worlds[at].fork();
        let from = self.truth.states[at].bodies[body].position;
        fork.teleport(body, std::array::from_fn(|i| from[i] + by[i]));
        let view = self.eye.look(&fork);
        let count =
            |v: &View, b: usize| v.ids.iter().filter(|&&id| usize::from(id) == b + 1).count();
        [body, other]
            .iter()
            .all(|&b| 3 * count(&view, b) >= count(&self.truth.views[at], b))
    }
}
