//! Faults in films of reality: what would be drawn if the body were elsewhere or another, if its picture were
//! damaged, or if another physics moved it from some moment on.

mod room;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::catalogue::{Does, Fault, Need, Strength};
use super::faulty::Faulty;
use super::paint;
use super::truth::{ON_FLOOR_M, Occasion, Truth, bounds, direction, dot, fine, sub};
use crate::camera::{Eye, View};
use crate::scene::{Colour, EditKind, Kind, Shape, hue_of};
use crate::sim::Reality;

/// Tries for a place with room.
const TRIES: usize = 60;

impl Fault {
    /// Whether what is done at a frame shows in the next one only: the simulator has to take a step.
    pub(super) fn starts_a_frame_later(&self) -> bool {
        match self.does {
            Does::Speed | Does::StopDead | Does::Kick | Does::Hover | Does::Weight { .. } => true,
            Does::PassBody | Does::PassWall => true,
            Does::Edit(what) => what != EditKind::Vanish,
            _ => false,
        }
    }
}

/// Injects a fault into a clip at an occasion drawn from its seed; `None` where it gives none.
pub fn inject(
    truth: &Truth,
    eye: &Eye,
    tracked: &[usize],
    fault: &Fault,
    strength: Strength,
) -> Option<Faulty> {
    let amount = fault.amount(strength)?;
    // One draw for all strengths of a fault: they differ in nothing else where the occasion is the same.
    let mut rng = ChaCha8Rng::seed_from_u64(truth.seed ^ fault.key());
    let occasion = truth.occasion(eye, tracked, fault, amount, &mut rng)?;
    let injection = Injection {
        truth,
        eye,
        fault,
        amount,
        occasion,
    };
    match fault.does {
        Does::FreezeFilm => Some(injection.frozen()),
        Does::Dissolve => injection.dissolved(&mut rng),
        Does::Shift | Does::Shake | Does::Twin | Does::Sink => injection.moved(&mut rng),
        Does::Resize { .. }
        | Does::Swell { .. }
        | Does::Turn
        | Does::Recolour { .. }
        | Does::Swap => Some(injection.changed(&mut rng)),
        Does::Blur | Does::Fade | Does::Squash | Does::Vanish => Some(injection.painted(&mut rng)),
        _ => injection.simulated(&mut rng),
    }
}

struct Injection<'a> {
    truth: &'a Truth,
    eye: &'a Eye,
    fault: &'a Fault,
    amount: f32,
    occasion: Occasion,
}

/// Two simulators that do the same draw bytes that are so much apart.
const ROUNDING: u8 = 3;

impl Injection<'_> {
    /// Frames as `draw` gives them from the occasion on; it is told the frame and says where it drew.
    fn film(&self, mut draw: impl FnMut(usize) -> (Vec<u8>, Vec<[u16; 4]>)) -> Faulty {
        let Occasion {
            at,
            body,
            other,
            touch,
        } = self.occasion;
        let later = usize::from(self.fault.starts_a_frame_later());
        let mut frames: Vec<Vec<u8>> = self.truth.frames();
        let mut places = vec![Vec::new(); frames.len()];
        for t in at + later..frames.len() {
            let (frame, shown) = draw(t);
            frames[t] = frame;
            places[t] = shown;
        }
        // What is to show at a touch may show before it, if a third body is touched first.
        let honest = &self.truth.views;
        let differs = |t: &usize| {
            let pairs = frames[*t].iter().zip(&honest[*t].rgb);
            pairs.into_iter().any(|(a, b)| a.abs_diff(*b) > ROUNDING)
        };
        let first = match touch {
            Some(t) => (at + later..t).find(differs).unwrap_or(t.max(at + later)),
            None => at + later,
        };
        for t in at + later..first {
            frames[t].clone_from(&honest[t].rgb);
            places[t].clear();
        }
        Faulty {
            frames,
            first: first - super::REFERENCE,
            body: (body != usize::MAX).then_some(body),
            other,
            places,
        }
    }

    /// Where a body is at fault: where it is seen, where it should be, and what holds both; with another
    /// body, that one, too.
    fn places(&self, t: usize, view: &View) -> Vec<[u16; 4]> {
        let Occasion { body, other, .. } = self.occasion;
        let honest = &self.truth.views[t];
        let mut places: Vec<[u16; 4]> = [bounds(view, body), bounds(honest, body)]
            .into_iter()
            .flatten()
            .collect();
        if let [[a, b, c, d], [e, f, g, h]] = places[..] {
            places.push([a.min(e), b.min(f), c.max(g), d.max(h)]);
        }
        places.extend(other.and_then(|o| bounds(view, o)));
        places
    }

    fn frozen(&self) -> Faulty {
        super::frozen::hold(self.truth, self.occasion.at, self.amount as usize)
    }

    /// A patch of what is seen of floor, sky and fixed bodies, and that no moving body nor its shadow comes
    /// near, in another brightness.
    fn dissolved(&self, rng: &mut ChaCha8Rng) -> Option<Faulty> {
        let (views, size) = (&self.truth.views, self.eye.size());
        let side = ((self.amount * fine(self.eye)).round() as usize).max(1);
        let margin = (3.0 * fine(self.eye)) as usize;
        let clear = |x: usize, y: usize| {
            let (x0, y0) = (x.saturating_sub(margin), y.saturating_sub(margin));
            let (x1, y1) = ((x + side + margin).min(size), (y + side + margin).min(size));
            views.iter().all(|v| {
                let same = |i: usize| {
                    (0..3).all(|c| v.rgb[i * 3 + c].abs_diff(views[0].rgb[i * 3 + c]) < 6)
                };
                (y0..y1).all(|y| (x0..x1).all(|x| !v.moving[y * size + x] && same(y * size + x)))
            })
        };
        let room = size.checked_sub(side + 2)?;
        let found = (0..4 * TRIES).find_map(|_| {
            let (x, y) = (rng.random_range(1..=room), rng.random_range(1..=room));
            clear(x, y).then_some((x, y))
        });
        let (x, y) = found?;
        let patch = [x as u16, y as u16, (x + side) as u16, (y + side) as u16];
        Some(self.film(|t| (paint::dissolved(size, &views[t].rgb, patch), vec![patch])))
    }

    /// The body elsewhere, or there twice.
    fn moved(&self, rng: &mut ChaCha8Rng) -> Option<Faulty> {
        let Occasion {
            at, body, other, ..
        } = self.occasion;
        let by = match self.fault.does {
            // From the side one body may be behind the other.
            Does::Sink if !self.truth.scene.is_seen_from_above() => return None,
            Does::Sink => self.sunk_into(other?)?,
            Does::Twin => {
                let reach = self.truth.scene.bodies[body].shape.bounding_radius();
                let place = self.truth.states[at].bodies[body].position;
                let apart = 2.0 * reach / self.eye.metres_per_pixel(place) / fine(self.eye);
                self.shift(at, self.amount + apart, rng)?
            }
            _ => self.shift(at, self.amount, rng)?,
        };
        if self.fault.does == Does::Sink && !self.both_show(other?, by) {
            return None;
        }
        Some(self.film(|t| {
            let honest = &self.truth.views[t];
            let shaken = self.fault.does == Does::Shake && (t - at) % 2 == 1;
            let by = if shaken { [0.0; 3] } else { by };
            let mut fork = self.truth.worlds[t].fork();
            let from = self.truth.states[t].bodies[body].position;
            let to = match (self.fault.does, other) {
                // The other one goes on; this one stays in it.
                (Does::Sink, Some(o)) => {
                    let target = self.truth.states[t].bodies[o].position;
                    let start = self.truth.states[at].bodies[o].position;
                    let own = self.truth.states[at].bodies[body].position;
                    std::array::from_fn(|i| own[i] + by[i] + target[i] - start[i])
                }
                _ => std::array::from_fn(|i| from[i] + by[i]),
            };
            fork.teleport(body, to);
            let view = self.eye.look(&fork);
            let places = self.places(t, &view);
            if self.fault.does != Does::Twin {
                return (view.rgb, places);
            }
            let mut both = honest.rgb.clone();
            for (i, _) in view
                .ids
                .iter()
                .enumerate()
                .filter(|(_, id)| usize::from(**id) == body + 1)
            {
                both[i * 3..i * 3 + 3].copy_from_slice(&view.rgb[i * 3..i * 3 + 3]);
            }
            (both, places)
        }))
    }

    /// The body as another: of another size, colour or turn.
    fn changed(&self, rng: &mut ChaCha8Rng) -> Faulty {
        let Occasion {
            at, body, other, ..
        } = self.occasion;
        let amount = self.amount;
        let colour = self.strange_colour();
        let turn = if rng.random::<bool>() {
            amount
        } else {
            -amount
        };
        let axis = match self.truth.scene.is_seen_from_above() {
            true => [0.0, 1.0, 0.0],
            false => [0.0, 0.0, 1.0],
        };
        self.film(|t| {
            let mut fork = self.truth.worlds[t].fork();
            let sign = |up: bool| if up { 1.0 } else { -1.0 };
            let mut share = 1.0;
            match self.fault.does {
                Does::Resize { up } => fork.resize(body, 1.0 + sign(up) * amount),
                Does::Swell { up } => {
                    let frames = (t - at + 1) as i32;
                    fork.resize(body, (1.0 + sign(up) * amount).powi(frames));
                }
                Does::Turn => fork.turn(body, axis, turn.to_radians()),
                Does::Swap => {
                    share = amount;
                    let other = other.unwrap_or(body);
                    let [own, others] = [body, other].map(|b| fork.body(b).colour);
                    fork.edit(body, EditKind::Recolour { colour: others });
                    fork.edit(other, EditKind::Recolour { colour: own });
                }
                _ => {
                    share = amount;
                    fork.edit(body, EditKind::Recolour { colour });
                }
            }
            let view = self.eye.look(&fork);
            let places = self.places(t, &view);
            (
                paint::mix(&view.rgb, &self.truth.views[t].rgb, share),
                places,
            )
        })
    }

    /// The body's picture damaged.
    fn painted(&self, rng: &mut ChaCha8Rng) -> Faulty {
        let Occasion { at, body, .. } = self.occasion;
        let (amount, size) = (self.amount, self.eye.size());
        let axis = usize::from(rng.random::<bool>());
        self.film(|t| {
            let honest = &self.truth.views[t];
            let mut fork = self.truth.worlds[t].fork();
            fork.edit(body, EditKind::Vanish);
            let without = self.eye.look(&fork).rgb;
            let frame = match self.fault.does {
                Does::Blur => paint::blurred(size, &honest.rgb, &without, amount * fine(self.eye)),
                Does::Fade => paint::mix(&honest.rgb, &without, amount),
                Does::Vanish => {
                    let gone = ((t - at + 1) as f32 / amount).min(1.0);
                    paint::mix(&honest.rgb, &without, 1.0 - gone)
                }
                _ => {
                    let id = body as u8 + 1;
                    paint::squashed(size, &honest.rgb, &without, &honest.ids, id, amount, axis)
                }
            };
            (frame, self.places(t, honest))
        })
    }

    /// Another physics from the occasion on.
    fn simulated(&self, rng: &mut ChaCha8Rng) -> Option<Faulty> {
        let Occasion { at, body, .. } = self.occasion;
        let (amount, truth) = (self.amount, self.truth);
        let mut world = truth.worlds[at].fork();
        let jump = match self.fault.does {
            Does::Jump => Some(self.shift(at, amount, rng)?),
            _ => None,
        };
        let colour = self.strange_colour();
        let edit = match self.fault.does {
            Does::Speed => EditKind::Speed { factor: amount },
            Does::StopDead => EditKind::StopDead,
            Does::Hover => EditKind::Hover {
                steps: amount as u32,
            },
            Does::PassBody => EditKind::PassThrough,
            Does::PassWall => EditKind::PassWall,
            Does::Recolours => EditKind::Recolour { colour },
            Does::Edit(what) => what,
            Does::Jump => {
                let (from, by) = (truth.states[at].bodies[body].position, jump?);
                let to = std::array::from_fn(|i| from[i] + by[i]);
                EditKind::Teleport { to }
            }
            Does::Weight { sign } => {
                world.weigh(body, f32::from(sign) * amount);
                EditKind::Speed { factor: 1.0 }
            }
            _ => {
                self.kick(&mut world, rng);
                EditKind::Speed { factor: 1.0 }
            }
        };
        world.edit(body, edit);
        let hovers = match edit {
            EditKind::Hover { steps } => steps as usize,
            _ => usize::MAX,
        };
        if self.fault.needs.contains(&Need::Free) && !self.is_told(&world) {
            return None;
        }
        // What shows at once is drawn before the simulator takes a step.
        let mut now = at;
        Some(self.film(|t| {
            while now < t {
                if now - at == hovers {
                    world.weigh(body, 1.0);
                }
                world.act(&truth.actions[now]);
                world.step();
                now += 1;
            }
            let view = self.eye.look(&world);
            let places = self.places(t, &view);
            (view.rgb, places)
        }))
    }

    /// Whether a step on the body is still seen whole and nothing has touched it: what it hits or where it
    /// goes may explain everything else.
    fn is_told(&self, world: &Reality) -> bool {
        let Occasion { at, body, .. } = self.occasion;
        let mut world = world.fork();
        world.act(&self.truth.actions[at]);
        world.step();
        let state = world.measure();
        let touched = state.contacts.iter().any(|&(a, b)| a == body || b == body);
        let view = self.eye.look(&world);
        let border = (2.0 * fine(self.eye)) as u16;
        let size = view.size as u16;
        let inside = bounds(&view, body).is_some_and(|[x0, y0, x1, y1]| {
            x0 >= border && y0 >= border && x1 + border <= size && y1 + border <= size
        });
        let count = |v: &View| {
            (v.ids.iter())
                .filter(|&&id| usize::from(id) == body + 1)
                .count()
        };
        !touched && inside && 10 * count(&view) >= 8 * count(&self.truth.views[at])
    }

    /// Changes the body's velocity by so many 64ths of the picture a frame, in the plane of motion.
    fn kick(&self, world: &mut Reality, rng: &mut ChaCha8Rng) {
        let Occasion { at, body, .. } = self.occasion;
        let state = &self.truth.states[at].bodies[body];
        let low = self.truth.low(at, body);
        let angle = rng.random_range(0.0..std::f32::consts::TAU);
        let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
        let direction = match (self.truth.scene.is_seen_from_above(), low < ON_FLOOR_M) {
            (true, _) => [cos, 0.0, sin],
            (false, true) => [cos.signum(), 0.0, 0.0],
            (false, false) => [cos, sin, 0.0],
        };
        let speed = 10.0 * self.amount * fine(self.eye) * self.eye.metres_per_pixel(state.position);
        let mass = world.body(body).mass;
        world.impulse(body, direction.map(|d| d * speed * mass));
    }

    /// A colour that no body of the scene has: the one whose hue is furthest from all of theirs, or the one
    /// nearest to this body's.
    fn strange_colour(&self) -> Colour {
        let bodies = &self.truth.scene.bodies;
        let body = self.occasion.body.min(bodies.len() - 1);
        let (own, _) = hue_of(bodies[body].colour.rgb());
        let free = Colour::PALETTE
            .into_iter()
            .filter(|c| bodies.iter().all(|b| b.colour != *c));
        let near = |c: &Colour| dot(own, hue_of(c.rgb()).0);
        let nearest = |c: &Colour| {
            let hues = bodies.iter().filter(|b| b.colour.is_saturated());
            let cosines = hues.map(|b| dot(hue_of(b.colour.rgb()).0, hue_of(c.rgb()).0));
            cosines.fold(-1.0, f32::max)
        };
        let found = match self.fault.does {
            Does::Recolour { next: true } => free.max_by(|a, b| near(a).total_cmp(&near(b))),
            _ => free.min_by(|a, b| nearest(a).total_cmp(&nearest(b))),
        };
        found.unwrap_or(Colour::Grey)
    }
}
