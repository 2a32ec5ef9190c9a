//! What bodies do on what holds them: the floor, a slope, a ledge, a hinge, the air.

use super::*;

impl Scout<'_> {
    /// How far the vertical velocity of a body that only the floor can touch is from what gravity and one
    /// bounce make of the one before, m/s. Where it may have bounced before, only that it falls too fast
    /// counts.
    pub(super) fn hops(&self, n: usize, t: usize, before: f32, now: f32, down: f32) -> Option<f32> {
        let (world, dt) = (self.world, self.tracks.dt);
        let known = &world.bodies[self.tracks.tracks[n].body];
        let margin = MARGIN * self.fine_m[n];
        let heights = [self.height(n, t - 2), self.height(n, t - 1)];
        let g = 0.5 * (world.gravity.low + world.gravity.high);
        if known.kind != Kind::Dynamic || g >= 0.0 {
            return None;
        }
        let high = heights.iter().all(|&h| h > margin);
        let clear = high && heights[0] + heights[1] > down * dt + 2.0 * margin;
        let falls = |v: [f32; 2]| {
            before < g * dt && (before - v[1] - g * dt).abs() < FALLS * (1.0 + before.abs())
        };
        // Floors only push up: nothing falls faster than free.
        let flown = before + g * dt;
        if !clear && !self.earlier(n, t).is_some_and(falls) {
            return Some((flown - now).max(0.0));
        }
        let ball = matches!(known.shape, Shape::Ball { .. });
        // Corners come down as the body turns, and turning may become flight.
        let (corner, e) = match ball {
            true => (0.0, known.restitution),
            false => (known.bounding - known.inscribed, 1.0),
        };
        let slack = 0.5 * (margin + corner);
        let speed = before + 0.5 * g * dt;
        // Metres above the floor after a bounce, at most; `None` if it does not come so far down.
        let after = |height: f32| {
            let impact = (speed * speed - 2.0 * g * height).sqrt();
            let rest = dt - (-speed - impact) / g;
            (rest > 0.0).then(|| (e * impact * rest + 0.5 * g * rest * rest).max(0.0))
        };
        let (low, high) = ((heights[1] - slack).max(0.0), heights[1] + slack);
        let bounced = after(low).map(|up| {
            let [least, most] = [-high / dt, (up - low) / dt];
            (least - now).max(now - most).max(0.0)
        });
        let free = after(high).is_none().then_some((now - flown).abs());
        bounced.into_iter().chain(free).reduce(f32::min)
    }

    /// Whether the body surely flies over three frames that end at `t`.
    pub(super) fn flies(&self, n: usize, t: usize, speed: f32) -> bool {
        let margin = MARGIN * self.fine_m[n];
        let heights: [f32; 3] = std::array::from_fn(|k| self.height(n, t - 2 + k));
        let free = |a: f32, b: f32| {
            a > margin && b > margin && a + b > speed * self.tracks.dt + 2.0 * margin
        };
        free(heights[0], heights[1]) && free(heights[1], heights[2])
    }

    /// Whether it stays at one height over four frames that end at `t`, near the floor: a ball that still
    /// hops does not.
    pub(super) fn lies(&self, n: usize, t: usize) -> bool {
        let low = self.height(n, t) < 2.0 * MARGIN * self.fine_m[n];
        let seen = |k: &usize| self.at(n, *k).is_seen();
        let heights = (t.saturating_sub(3)..=t)
            .filter(seen)
            .map(|k| self.at(n, k).at[1]);
        let (least, most) = heights.fold((f32::MAX, f32::MIN), |(l, h), y| (l.min(y), h.max(y)));
        low && most - least < LEVEL * self.fine_m[n]
    }

    /// How far a body that is partly hidden now, or next to something, is from where it could be, metres:
    /// what is seen of it lies within its outline.
    pub(super) fn partly_seen(
        &self,
        n: usize,
        t: usize,
        step: &Step,
        pull: [f32; 2],
        near: bool,
    ) -> Option<f32> {
        let known = &self.world.bodies[self.tracks.tracks[n].body];
        if near || known.jointed || known.wanders || known.kind != Kind::Dynamic {
            return None;
        }
        let (before, now) = (self.at(n, t - 1), self.at(n, t));
        let shown = (now.area / before.area.max(1.0)).clamp(0.05, 1.0);
        let hidden = known.bounding * ((1.0 - shown) / shown).min(1.0);
        let off = match self.world.down {
            true => self.slides(n, step.before, step.now, 0) * self.tracks.dt,
            false => self.contact_jump(n, t, step, pull),
        };
        Some((off - hidden - self.fine_m[n]).max(0.0))
    }

    /// The velocity between frames `t - 3` and `t - 2`, if the body is seen whole there.
    pub(super) fn earlier(&self, n: usize, t: usize) -> Option<[f32; 2]> {
        let whole = t >= 3 && self.whole(n, t - 3) && self.whole(n, t - 2);
        let (a, b) = (self.at(n, t.checked_sub(3)?), self.at(n, t - 2));
        whole.then(|| minus(b.at, a.at).map(|d| d / self.tracks.dt))
    }

    /// How far a velocity is from a change as before, or a smaller one, m/s: friction and slopes pull with
    /// the same force until the body stands, or rolls.
    pub(super) fn unsteady(&self, n: usize, t: usize) -> Option<f32> {
        let dt = self.tracks.dt;
        let first = self.earlier(n, t)?;
        let at: [[f32; 2]; 3] = std::array::from_fn(|k| self.at(n, t - 2 + k).at);
        let before = minus(at[1], at[0]).map(|d| d / dt);
        let now = minus(at[2], at[1]).map(|d| d / dt);
        let on = [2.0 * before[0] - first[0], 2.0 * before[1] - first[1]];
        Some(from_segment(now, before, on))
    }

    /// The same for what has moved straight along something fixed, and high above the floor.
    pub(super) fn on_slope(&self, n: usize, t: usize, down: f32) -> Option<f32> {
        if self.world.down || self.world.bodies[self.tracks.tracks[n].body].kind != Kind::Dynamic {
            return None;
        }
        let first = self.earlier(n, t)?;
        let dt = self.tracks.dt;
        let before = minus(self.at(n, t - 1).at, self.at(n, t - 2).at).map(|d| d / dt);
        let margin = 2.0 * MARGIN * self.fine_m[n];
        let cross = first[0] * before[1] - first[1] * before[0];
        let straight = cross.abs() < STRAIGHT * length(first) * length(before);
        let along = (t - 3..t).all(|k| self.wall_within(n, k, margin));
        let high = self.height(n, t - 1) > down * dt + margin;
        let moves = length(first) > 2.0 * REST && length(before) > length(first);
        (straight && along && high && moves)
            .then(|| self.unsteady(n, t))
            .flatten()
    }

    /// How far the velocity of a body that slides or rolls down the upper side of a fixed box is from what
    /// gravity and friction along it make of the one before, m/s. Coulomb: friction is at most μ times what
    /// presses the body to the box, and that is its weight while it stays on it.
    pub(super) fn on_ledge(&self, n: usize, t: usize) -> Option<f32> {
        let (world, dt) = (self.world, self.tracks.dt);
        let known = &world.bodies[self.tracks.tracks[n].body];
        let margin = MARGIN * self.fine_m[n];
        if known.kind != Kind::Dynamic || known.jointed || known.wanders || world.down {
            return None;
        }
        let at: [[f32; 2]; 3] = std::array::from_fn(|k| self.at(n, t - 2 + k).at);
        let [before, now] = [0, 1].map(|k| minus(at[k + 1], at[k]).map(|d| d / dt));
        let dot = |a: [f32; 2], b: [f32; 2]| a[0] * b[0] + a[1] * b[1];
        let g = 0.5 * (world.gravity.low + world.gravity.high);
        let body = self.tracks.tracks[n].body;
        world.ledges.iter().find_map(|ledge| {
            let up = [-ledge.along[1], ledge.along[0]];
            let from = |p: [f32; 2]| minus(p, ledge.middle);
            let ahead = [at[1][0] + before[0] * dt, at[1][1] + before[1] * dt];
            let on = |p: [f32; 2]| dot(from(p), ledge.along).abs() < ledge.half - known.bounding;
            let lies = |p: [f32; 2]| dot(from(p), up) < known.inscribed * LIES + margin;
            let steady = dot(before, up).abs() < STRAIGHT * length(before) + 0.5 * margin / dt;
            let holds = world.may_touch(body, ledge.body)
                && steady
                && [at[0], at[1], ahead].into_iter().all(on)
                && ahead[1] > known.bounding + margin
                && [at[0], at[1]].into_iter().all(lies);
            if !holds {
                return None;
            }
            let (speed, pull) = (dot(before, ledge.along), g * ledge.along[1] * dt);
            let brake = known.friction * g.abs() * ledge.along[0] * dt
                + known.damping.high * dt * speed.abs();
            // Friction brakes until the body stands; it pushes only what slips while it turns.
            let free = speed + pull;
            let held = free.signum() * (free.abs() - brake).max(0.0);
            let off = |v: f32| {
                let allowed = [v * ledge.along[0], v * ledge.along[1]];
                minus(now, allowed)
            };
            let nearest = dot(now, ledge.along).clamp(held.min(free), held.max(free));
            let [along, across] = [ledge.along, up].map(|axis| dot(off(nearest), axis));
            Some(along.hypot(STEADY * across))
        })
    }

    /// How far a velocity is from what friction allows after another, m/s.
    pub(super) fn slides(
        &self,
        n: usize,
        before: [f32; 2],
        now: [f32; 2],
        alone_for: usize,
    ) -> f32 {
        let (world, dt) = (self.world, self.tracks.dt);
        let known = &world.bodies[self.tracks.tracks[n].body];
        let speed = length(before);
        let g = world.weight();
        let brake = known.friction * g * dt;
        // A ball slips until it rolls: that takes 2 v / 7 μ g (Coulomb friction on a solid ball).
        let ball = matches!(known.shape, Shape::Ball { .. });
        let slips = 2.0 * speed.max(0.3) / (7.0 * known.grip * g).max(1e-3) / dt;
        let rolls = ball && alone_for as f32 > slips + 1.0;
        if ball && !rolls {
            // What spin it has from a collision is not seen.
            return (length(minus(now, before)) - brake - known.damping.high * dt * speed).max(0.0);
        }
        let brake = if rolls { 0.0 } else { brake };
        let least = (1.0 - brake / speed.max(1e-6) - known.damping.high * dt).max(0.0);
        from_segment(now, before.map(|v| v * least), before)
    }

    /// How far the last of three places on a circle is from where gravity takes a pendulum, m/s.
    pub(super) fn swings(
        &self,
        (pivot, arm): ([f32; 2], f32),
        at: [[f32; 2]; 3],
        damping: f32,
    ) -> f32 {
        let dt = self.tracks.dt;
        let angle = at.map(|p| {
            let d = minus(p, pivot);
            libm::atan2f(d[0], -d[1])
        });
        let g = 0.5 * (self.world.gravity.low + self.world.gravity.high);
        let wrap = |a: f32| libm::remainderf(a, std::f32::consts::TAU);
        let (first, second) = (wrap(angle[1] - angle[0]), wrap(angle[2] - angle[1]));
        let pull = g / arm * libm::sinf(angle[1]) * dt * dt;
        let (low, high) = (first * (1.0 - damping * dt) + pull, first + pull);
        let off = (low.min(high) - second)
            .max(second - low.max(high))
            .max(0.0);
        let radial = (length(minus(at[2], pivot)) - arm).abs();
        off.hypot(radial / arm) * arm / dt
    }
}
