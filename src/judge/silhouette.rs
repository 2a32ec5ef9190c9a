//! What outlines a body's own shape can have, as the camera sees it under the rotations that it can take:
//! about the vertical where the camera looks down on bodies that lie on the floor, any elsewhere.

use rapier3d::math::{Rotation, Vector};

use super::track::{Moments, Sighting};
use super::world::World;
use crate::camera::SIZE;
use crate::scene::{Kind, Part, Shape};

/// One outline: its area in m² and its moments without unit.
#[derive(Clone, Copy, Debug)]
struct Outline {
    area: f32,
    features: [f32; 4],
}

/// A body's outlines seen at one place.
#[derive(Clone, Debug)]
struct Table {
    at: [f32; 2],
    outlines: Vec<Outline>,
}

/// The outlines of all bodies.
#[derive(Clone, Debug, Default)]
pub struct Silhouettes {
    /// By body; empty for those whose outline is not known (soft ones).
    tables: Vec<Vec<Table>>,
}

/// Turns about the vertical.
const TURNS: usize = 48;
/// Rotations in space.
const ROTATIONS: usize = 160;
/// Places along each axis of the floor.
const PLACES: [f32; 5] = [-0.4, -0.2, 0.0, 0.2, 0.4];
/// Samples of an outline along each 64th of the picture.
const FINE: f32 = 2.5;
/// Points of a circle.
const CIRCLE: usize = 24;
/// Weights of the moments: elongation, elongation, reach, corners.
const WEIGHTS: [f32; 4] = [1.0, 1.0, 1.0, 0.5];

impl Silhouettes {
    /// Of all bodies of a scene.
    pub fn new(world: &World) -> Self {
        let bodies = 0..world.bodies.len();
        Self {
            tables: bodies.map(|b| tables(world, b)).collect(),
        }
    }

    /// Least and greatest area that the body can show where it is, pixels.
    pub fn area(&self, world: &World, body: usize, s: &Sighting) -> Option<[f32; 2]> {
        let table = self.nearest(body, s)?;
        let scale = world.metres_per_pixel(s.place?);
        let size = world.bodies[body].size;
        let shrunk = (size.low / size.high) * (size.low / size.high);
        let areas = table.outlines.iter().map(|o| o.area / (scale * scale));
        let (low, high) = areas.fold((f32::MAX, 0.0f32), |(l, h), a| (l.min(a), h.max(a)));
        Some([low * shrunk, high])
    }

    /// How far the outline is from the nearest that the body can have.
    pub fn misshape(&self, world: &World, body: usize, s: &Sighting) -> Option<f32> {
        let table = self.nearest(body, s)?;
        let pixels = (world.eye.size() as f32 / SIZE as f32).powi(2);
        if s.area < 12.0 * pixels {
            return None;
        }
        let own = features(&s.moments, s.area, world.down);
        let distance = |o: &Outline| {
            let d = (0..4).map(|i| (WEIGHTS[i] * (own[i] - o.features[i])).powi(2));
            d.sum::<f32>().sqrt()
        };
        table.outlines.iter().map(distance).reduce(f32::min)
    }

    fn nearest(&self, body: usize, s: &Sighting) -> Option<&Table> {
        let off = |t: &Table| (t.at[0] - s.at[0]).hypot(t.at[1] - s.at[1]);
        let tables = self.tables.get(body)?.iter();
        tables.min_by(|a, b| off(a).total_cmp(&off(b)))
    }
}

/// Turns about the line of sight are free from the side, so there only the elongation's size counts.
fn features(m: &Moments, area: f32, down: bool) -> [f32; 4] {
    let trace = (m.xx + m.yy).max(1e-6);
    let along = [(m.xx - m.yy) / trace, 2.0 * m.xy / trace];
    let [first, second] = match down {
        true => along,
        false => [along[0].hypot(along[1]), 0.0],
    };
    [first, second, (trace / area.max(1e-6)).ln(), m.r4]
}

fn tables(world: &World, body: usize) -> Vec<Table> {
    let known = &world.bodies[body];
    let own = &world.scene.bodies[body];
    if matches!(known.kind, Kind::Soft | Kind::Fixed) {
        return Vec::new();
    }
    let parts: Vec<Part> = known.shape.parts();
    let colour = |p: &Part| p.colour.unwrap_or(own.colour).is_saturated();
    let parts: Vec<Part> = parts.into_iter().filter(colour).collect();
    let round = parts.len() == 1 && matches!(parts[0].shape, Shape::Ball { .. });
    if world.down {
        let about_y = |k: usize| {
            let half = std::f32::consts::PI * k as f32 / TURNS as f32;
            Rotation::from_xyzw(0.0, libm::sinf(half), 0.0, libm::cosf(half))
        };
        let turns: Vec<Rotation> = match round {
            true => vec![Rotation::IDENTITY],
            false => (0..TURNS).map(about_y).collect(),
        };
        let places = PLACES.iter().flat_map(|&x| PLACES.map(|z| [x, z]));
        return places
            .filter_map(|[x, z]| table(world, &parts, [x, known.plane, z], [x, z], &turns))
            .collect();
    }
    let turns: Vec<Rotation> = match round {
        true => vec![Rotation::IDENTITY],
        false => (0..ROTATIONS).map(spiral).collect(),
    };
    let place = [own.position[0], own.position[1], known.plane];
    let at = [place[0], place[1]];
    table(world, &parts, place, at, &turns)
        .into_iter()
        .collect()
}

/// Rotations spread evenly over all there are (super-Fibonacci spirals, Alexa, CVPR 2022).
fn spiral(i: usize) -> Rotation {
    let s = i as f32 + 0.5;
    let (r, big_r) = (
        (s / ROTATIONS as f32).sqrt(),
        (1.0 - s / ROTATIONS as f32).sqrt(),
    );
    let tau = std::f32::consts::TAU;
    let (alpha, beta) = (tau * s / std::f32::consts::SQRT_2, tau * s / 1.533_751_2);
    let q = [
        r * libm::sinf(alpha),
        r * libm::cosf(alpha),
        big_r * libm::sinf(beta),
        big_r * libm::cosf(beta),
    ];
    Rotation::from_xyzw(q[0], q[1], q[2], q[3])
}

fn table(
    world: &World,
    parts: &[Part],
    place: [f32; 3],
    at: [f32; 2],
    turns: &[Rotation],
) -> Option<Table> {
    let outlines: Vec<Outline> = turns
        .iter()
        .filter_map(|turn| outline(world, parts, Vector::from(place), *turn))
        .collect();
    (!outlines.is_empty()).then_some(Table { at, outlines })
}

/// The outline of the parts together, sampled on a fine grid.
fn outline(world: &World, parts: &[Part], place: Vector, turn: Rotation) -> Option<Outline> {
    let towards = Vector::from(world.eye_position()) - place;
    let hulls: Vec<Vec<[f32; 2]>> = parts
        .iter()
        .map(|p| {
            let (own, towards) = (part_turn(p), towards.normalize());
            let into = turn * own;
            let offset = place + turn * Vector::from(p.position);
            let points = points(&p.shape, into.inverse() * towards);
            let shown = points.into_iter().map(|v| {
                let w = offset + into * v;
                world.eye.project([w.x, w.y, w.z])
            });
            shown.collect::<Option<Vec<_>>>().map(hull)
        })
        .collect::<Option<_>>()?;
    let step = world.eye.size() as f32 / SIZE as f32 / FINE;
    let corners = hulls.iter().flatten();
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    for p in corners {
        for i in 0..2 {
            low[i] = low[i].min(p[i]);
            high[i] = high[i].max(p[i]);
        }
    }
    let steps: [usize; 2] =
        std::array::from_fn(|i| ((high[i] - low[i]) / step).ceil() as usize + 1);
    let mut inside = Vec::new();
    for row in 0..steps[1] {
        for column in 0..steps[0] {
            let p = [
                low[0] + (column as f32 + 0.5) * step,
                low[1] + (row as f32 + 0.5) * step,
            ];
            if hulls.iter().any(|h| contains(h, p)) {
                inside.push(p);
            }
        }
    }
    if inside.len() < 8 {
        return None;
    }
    let count = inside.len() as f32;
    let mean: [f32; 2] = std::array::from_fn(|i| inside.iter().map(|p| p[i]).sum::<f32>() / count);
    let mut m = Moments::default();
    let mut r4 = 0.0;
    for p in &inside {
        let (dx, dy) = (p[0] - mean[0], p[1] - mean[1]);
        m.xx += dx * dx / count;
        m.xy += dx * dy / count;
        m.yy += dy * dy / count;
        r4 += (dx * dx + dy * dy).powi(2) / count;
    }
    m.r4 = r4 / (m.xx + m.yy).powi(2);
    // A pixel smears what it shows over its own width.
    m.xx += 1.0 / 12.0;
    m.yy += 1.0 / 12.0;
    let pixels = count * step * step;
    let scale = world.metres_per_pixel([place.x, place.y, place.z]);
    Some(Outline {
        area: pixels * scale * scale,
        features: features(&m, pixels, world.down),
    })
}

fn part_turn(p: &Part) -> Rotation {
    let half = p.rotation.map(|d| 0.5 * d.to_radians());
    let about = |i: usize| {
        let (s, c) = (libm::sinf(half[i]), libm::cosf(half[i]));
        let mut q = [0.0, 0.0, 0.0, c];
        q[i] = s;
        Rotation::from_xyzw(q[0], q[1], q[2], q[3])
    };
    about(1) * about(0) * about(2)
}

/// Points whose hull is the outline of a convex shape seen from a direction (both in the shape's frame).
fn points(shape: &Shape, towards: Vector) -> Vec<Vector> {
    let any = if towards.x.abs() < 0.7 {
        Vector::X
    } else {
        Vector::Y
    };
    let right = towards.cross(any).normalize();
    let up = towards.cross(right);
    let angle = |k: usize| std::f32::consts::TAU * k as f32 / CIRCLE as f32;
    let circle = |a: Vector, b: Vector, r: f32| {
        (0..CIRCLE).map(move |k| a * (r * libm::cosf(angle(k))) + b * (r * libm::sinf(angle(k))))
    };
    match shape {
        Shape::Ball { radius } => circle(right, up, *radius).collect(),
        Shape::Cuboid { half: [x, y, z] } => (0..8)
            .map(|i| {
                let sign = |bit: usize| if i >> bit & 1 == 0 { 1.0 } else { -1.0 };
                Vector::new(x * sign(0), y * sign(1), z * sign(2))
            })
            .collect(),
        Shape::Cylinder {
            half_height,
            radius,
        } => [-1.0, 1.0]
            .iter()
            .flat_map(|s| {
                circle(Vector::X, Vector::Z, *radius)
                    .map(move |p| p + Vector::Y * (s * half_height))
            })
            .collect(),
        Shape::Capsule {
            half_height,
            radius,
        } => [-1.0, 1.0]
            .iter()
            .flat_map(|s| {
                circle(right, up, *radius).map(move |p| p + Vector::Y * (s * half_height))
            })
            .collect(),
        Shape::Convex { points } => points.iter().map(|&p| Vector::from(p)).collect(),
        // Parts are no compounds.
        Shape::Compound { .. } => Vec::new(),
    }
}

/// The convex hull, counter-clockwise (Andrew's monotone chain, 1979).
fn hull(mut points: Vec<[f32; 2]>) -> Vec<[f32; 2]> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut out: Vec<[f32; 2]> = Vec::new();
    for pass in 0..2 {
        let start = out.len();
        let ordered: Box<dyn Iterator<Item = &[f32; 2]>> = match pass {
            0 => Box::new(points.iter()),
            _ => Box::new(points.iter().rev()),
        };
        for &p in ordered {
            while out.len() >= start + 2 && turn(out[out.len() - 2], out[out.len() - 1], p) <= 0.0 {
                out.pop();
            }
            out.push(p);
        }
        out.pop();
    }
    out
}

fn turn(a: [f32; 2], b: [f32; 2], c: [f32; 2]) -> f32 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

fn contains(hull: &[[f32; 2]], p: [f32; 2]) -> bool {
    (0..hull.len()).all(|i| turn(hull[i], hull[(i + 1) % hull.len()], p) >= 0.0)
}
