//! What the scene lets a body do: the numbers that bound the laws, as its file, what is drawn for each seed
//! and `--set` leave them.

use std::sync::Arc;

use crate::camera::Eye;
use crate::scene::{ActionSpace, Combine, Kind, Scene, Shape};
use crate::sim::Reality;

/// An interval of a number that is not known more closely.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    /// Least.
    pub low: f32,
    /// Greatest.
    pub high: f32,
}

/// What is known of one body.
#[derive(Clone, Debug)]
pub struct Known {
    /// How it moves.
    pub kind: Kind,
    /// Its shape at the greatest size.
    pub shape: Shape,
    /// Factor on its shape.
    pub size: Range,
    /// The plane that its centre moves in: height above the floor where the camera looks down, else z,
    /// metres.
    pub plane: f32,
    /// Kilograms.
    pub mass: Range,
    /// Greatest friction with anything that it can slide on.
    pub friction: f32,
    /// Least friction with the floor.
    pub grip: f32,
    /// Greatest restitution with anything.
    pub restitution: f32,
    /// Share of the velocity lost in a second.
    pub damping: Range,
    /// Radius of a ball that surely lies inside, metres.
    pub inscribed: f32,
    /// Radius of a ball that surely holds it, metres.
    pub bounding: f32,
    /// Whether a joint holds it.
    pub jointed: bool,
    /// Seen from the side: where along the line of sight it may be, metres (z).
    pub depth: Range,
    /// Seen from the side: whether nothing keeps it in its plane, so that a pixel tells neither its height
    /// nor its distance.
    pub wanders: bool,
}

/// The upper side of a fixed box, as the camera sees it from the side.
#[derive(Clone, Copy, Debug)]
pub struct Ledge {
    /// The body.
    pub body: usize,
    /// Its middle along the plane's axes, metres.
    pub middle: [f32; 2],
    /// Unit vector along it, to the right.
    pub along: [f32; 2],
    /// Half of its length, metres.
    pub half: f32,
}

/// Everything that laws ask the scene.
pub struct World {
    /// The scene.
    pub scene: Arc<Scene>,
    /// Its camera.
    pub eye: Eye,
    /// Whether the camera looks down, so that bodies move in planes parallel to the floor.
    pub down: bool,
    /// Gravity along y, m/s².
    pub gravity: Range,
    /// By body.
    pub bodies: Vec<Known>,
    /// The scene without anything that moves, `[H, W, 3]`.
    pub plate: Vec<u8>,
    /// `[H, W]`: brightness of the plate, bytes.
    pub bright: Vec<f32>,
    /// `[H, W]`: distance of the fixed body that is seen there, where the file has it, metres; infinite where
    /// there is none.
    pub fixed: Vec<f32>,
    /// Whether fixed bodies are drawn elsewhere for each seed.
    pub drawn_elsewhere: bool,
    /// The hand's greatest speed along an axis, m/s.
    pub hand_speed: f32,
    /// By body: whether anything fixed could touch it.
    pub walls: Vec<bool>,
    /// By body: the point it swings about along the plane's axes, and how far from it, metres.
    pub pivots: Vec<Option<([f32; 2], f32)>>,
    /// Seen from the side: upper sides of fixed boxes that stand where the file has them.
    pub ledges: Vec<Ledge>,
    origin: [f32; 3],
}

/// The camera looks down if its line of sight falls more than so much of its length.
const DOWN: f32 = 0.8;

impl World {
    /// What a scene says; `None` if it cannot be built (a scene that was checked can).
    pub fn new(scene: &Arc<Scene>) -> Option<Self> {
        let eye = Eye::standard(scene).ok()?;
        let (from, to) = (scene.camera_position(), scene.camera.target);
        let look = [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
        let length = (look[0] * look[0] + look[1] * look[1] + look[2] * look[2]).sqrt();
        let down = -look[1] > DOWN * length;
        let (plate, fixed) = plate(scene)?;
        let drawn = |b: &crate::scene::Body| {
            let prefix = format!("{}.", b.name);
            let moved = |r: &crate::scene::Randomise| {
                r.target.starts_with(&prefix) && range(scene, &r.target).spread() > 0.0
            };
            b.kind == Kind::Fixed && scene.randomise.iter().any(moved)
        };
        Some(Self {
            down,
            gravity: range(scene, "gravity"),
            bodies: (0..scene.bodies.len())
                .map(|i| known(scene, i, down))
                .collect(),
            bright: plate
                .chunks_exact(3)
                .map(|p| (f32::from(p[0]) + f32::from(p[1]) + f32::from(p[2])) / 3.0)
                .collect(),
            plate,
            fixed,
            drawn_elsewhere: scene.bodies.iter().any(drawn),
            hand_speed: match scene.actions {
                ActionSpace::None => 0.0,
                ActionSpace::Planar { max_speed, .. } | ActionSpace::Spatial { max_speed, .. } => {
                    max_speed
                }
            },
            origin: from,
            scene: scene.clone(),
            walls: (0..scene.bodies.len())
                .map(|i| {
                    let fixed = |&f: &usize| scene.bodies[f].kind == Kind::Fixed;
                    let mut others = (0..scene.bodies.len()).filter(fixed);
                    others.any(|f| may_touch(scene, down, i, f))
                })
                .collect(),
            pivots: (0..scene.bodies.len())
                .map(|i| pivot(scene, down, i))
                .collect(),
            ledges: match down {
                true => Vec::new(),
                false => (0..scene.bodies.len())
                    .filter_map(|i| ledge(scene, i))
                    .collect(),
            },
            eye,
        })
    }

    /// Whether two bodies can ever touch: from the side, bodies in different planes cannot.
    pub fn may_touch(&self, a: usize, b: usize) -> bool {
        may_touch(&self.scene, self.down, a, b)
    }

    /// Greatest downward pull, m/s².
    pub fn weight(&self) -> f32 {
        self.gravity.low.abs().max(self.gravity.high.abs())
    }

    /// The point of a body's plane that a pixel shows: in the world, and along the plane's axes.
    pub fn place(&self, body: usize, pixel: [f32; 2]) -> Option<([f32; 3], [f32; 2])> {
        let plane = self.bodies[body].plane;
        if self.down {
            let p = self.eye.unproject(pixel, plane)?;
            return Some((p, [p[0], p[2]]));
        }
        // The ray meets the planes of constant height in points of one line.
        let a = self
            .eye
            .unproject(pixel, self.origin[1] - 1.0)
            .or_else(|| self.eye.unproject(pixel, self.origin[1] + 1.0))?;
        let o = self.origin;
        let along = (plane - o[2]) / (a[2] - o[2]);
        if !along.is_finite() || along <= 0.0 {
            return None;
        }
        let p: [f32; 3] = std::array::from_fn(|i| o[i] + along * (a[i] - o[i]));
        Some((p, [p[0], p[1]]))
    }

    /// The point that a pixel shows, so many metres from the camera; on the floor where that is infinite.
    /// `None` in the sky.
    pub fn shown(&self, pixel: [f32; 2], away: f32) -> Option<[f32; 3]> {
        if away.is_infinite() {
            return self.eye.unproject(pixel, 0.0);
        }
        let o = self.origin;
        let below = self.eye.unproject(pixel, o[1] - 1.0);
        let on = below.or_else(|| self.eye.unproject(pixel, o[1] + 1.0))?;
        let long = self.distance(on);
        Some(std::array::from_fn(|i| o[i] + away / long * (on[i] - o[i])))
    }

    /// Where the camera stands.
    pub fn eye_position(&self) -> [f32; 3] {
        self.origin
    }

    /// Distance of a point from the camera, metres.
    pub fn distance(&self, p: [f32; 3]) -> f32 {
        let d: [f32; 3] = std::array::from_fn(|i| p[i] - self.origin[i]);
        (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt()
    }

    /// Metres that a pixel spans where a body moves.
    pub fn metres_per_pixel(&self, place: [f32; 3]) -> f32 {
        self.eye.metres_per_pixel(place)
    }
}

impl Range {
    /// Width.
    pub fn spread(self) -> f32 {
        self.high - self.low
    }
}

/// The values that a field can have: set, drawn or given.
pub fn range(scene: &Scene, target: &str) -> Range {
    let set = scene.interventions.iter().rfind(|(t, _)| t == target);
    let (low, high) = match set {
        Some((_, value)) => (*value, *value),
        None => scene.training_range(target).unwrap_or_default(),
    };
    Range { low, high }
}

fn known(scene: &Scene, i: usize, down: bool) -> Known {
    let b = &scene.bodies[i];
    let field = |name: &str, f: &str| range(scene, &format!("{name}.{f}"));
    let own = |f: &str| field(&b.name, f);
    let size = own("size");
    let shape = b.shape.scaled(size.high);
    let friction = own("friction").high;
    let floor = range(scene, "floor_friction").high;
    let others = scene.bodies.iter().filter(|o| o.name != b.name);
    let with = |other: f32, combine: Combine| match (b.combine, combine) {
        (Combine::Multiply, _) | (_, Combine::Multiply) => friction * other,
        (Combine::Min, _) | (_, Combine::Min) => friction.min(other),
        _ => 0.5 * (friction + other),
    };
    let frictions = others
        .clone()
        .map(|o| with(field(&o.name, "friction").high, o.combine));
    let restitutions = others.map(|o| field(&o.name, "restitution").high);
    Known {
        kind: b.kind,
        plane: match (down, b.kind) {
            (false, _) => b.position[2],
            (true, Kind::Hand) => b.position[1],
            (true, _) => shape.half_height(),
        },
        mass: own("mass"),
        friction: frictions.fold(with(floor, Combine::Average), f32::max),
        grip: match b.combine {
            Combine::Multiply => own("friction").low * range(scene, "floor_friction").low,
            Combine::Min => own("friction").low.min(range(scene, "floor_friction").low),
            Combine::Average => 0.5 * (own("friction").low + range(scene, "floor_friction").low),
        },
        // What is soft gives back by its springs.
        restitution: match b.kind {
            Kind::Soft => 1.0,
            _ => restitutions.fold(own("restitution").high, f32::max),
        },
        damping: own("damping"),
        inscribed: inscribed(&b.shape) * size.low,
        bounding: shape.bounding_radius(),
        depth: depth(scene, b),
        wanders: !down && wanders(scene, b),
        jointed: scene.joints.iter().any(|j| j.a == b.name || j.b == b.name),
        shape,
        size,
    }
}

/// From this restitution on bodies with corners are thrown out of their plane.
const LIVELY: f32 = 0.9;
/// Bodies that may be so far from their plane wander, metres.
const ASIDE: f32 = 0.05;

fn is_bowl(b: &crate::scene::Body) -> bool {
    b.kind == Kind::Fixed && matches!(b.shape, Shape::Compound { .. })
}

/// Where a body may be along z.
fn depth(scene: &Scene, b: &crate::scene::Body) -> Range {
    let mut own = range(scene, &format!("{}.z", b.name));
    let bowls = scene
        .bodies
        .iter()
        .filter(|o| is_bowl(o) && b.kind != Kind::Fixed);
    for o in bowls {
        let reach = o.shape.bounding_radius();
        own.low = own.low.min(o.position[2] - reach);
        own.high = own.high.max(o.position[2] + reach);
    }
    match scene.actions {
        ActionSpace::Spatial { low, high, .. } if b.kind != Kind::Fixed => Range {
            low: own.low.min(low[2]),
            high: own.high.max(high[2]),
        },
        _ => own,
    }
}

/// Whether a body seen from the side may leave its plane: its z is drawn, a hand carries it in space, walls
/// of a compound throw it about, or something with corners bounces without loss.
fn wanders(scene: &Scene, b: &crate::scene::Body) -> bool {
    let lively = |o: &crate::scene::Body| {
        let corners = o.kind == Kind::Dynamic && !matches!(o.shape, Shape::Ball { .. });
        corners && range(scene, &format!("{}.restitution", o.name)).high > LIVELY
    };
    let jointed = scene.joints.iter().any(|j| j.a == b.name || j.b == b.name);
    !jointed
        && (depth(scene, b).spread() > ASIDE
            || range(scene, &format!("{}.vz", b.name)).spread() > 0.0
            || scene.bodies.iter().any(|o| is_bowl(o) || lively(o)))
}

fn inscribed(shape: &Shape) -> f32 {
    match shape {
        Shape::Ball { radius } | Shape::Capsule { radius, .. } => *radius,
        Shape::Cuboid { half } => half[0].min(half[1]).min(half[2]),
        Shape::Cylinder {
            half_height,
            radius,
        } => half_height.min(*radius),
        // Of an outline with corners and notches only the part nearest to the origin is sure to be inside.
        Shape::Convex { .. } | Shape::Compound { .. } => 0.0,
    }
}

fn may_touch(scene: &Scene, down: bool, a: usize, b: usize) -> bool {
    if down {
        return true;
    }
    let [a, b] = [a, b].map(|i| {
        let body = &scene.bodies[i];
        let z = range(scene, &format!("{}.z", body.name));
        let vz = range(scene, &format!("{}.vz", body.name));
        let size = range(scene, &format!("{}.size", body.name)).high;
        let reach = size
            * match &body.shape {
                // A fixed box reaches as far as its sides if it is not turned about the vertical.
                Shape::Cuboid { half } if body.kind == Kind::Fixed && body.yaw == 0.0 => half[2],
                shape => shape.bounding_radius(),
            };
        let wanders = vz.spread() > 0.0 || body.kind == Kind::Hand;
        (z.low - reach, z.high + reach, wanders)
    });
    a.2 || b.2 || (a.0 < b.1 && b.0 < a.1)
}

/// What a body swings about, if a hinge along the line of sight holds it to something fixed.
fn pivot(scene: &Scene, down: bool, body: usize) -> Option<([f32; 2], f32)> {
    let b = &scene.bodies[body];
    let joint = scene.joints.iter().find(|j| j.b == b.name)?;
    let crate::scene::JointKind::Revolute { axis } = joint.kind else {
        return None;
    };
    let home = match joint.a.as_str() {
        "world" => [0.0; 3],
        name => {
            let a = &scene.bodies[scene.body_index(name)?];
            (a.kind == Kind::Fixed).then_some(a.position)?
        }
    };
    let along_sight = axis[0] == 0.0 && axis[1] == 0.0;
    let at = [home[0] + joint.anchor_a[0], home[1] + joint.anchor_a[1]];
    let arm = joint.anchor_b[0].hypot(joint.anchor_b[1]);
    (!down && along_sight && arm > 0.0).then_some((at, arm))
}

/// The upper side of a fixed box that is turned about the line of sight alone and always stands in one place.
fn ledge(scene: &Scene, body: usize) -> Option<Ledge> {
    let b = &scene.bodies[body];
    let Shape::Cuboid { half } = b.shape else {
        return None;
    };
    let prefix = format!("{}.", b.name);
    let moved = scene
        .randomise
        .iter()
        .any(|r| r.target.starts_with(&prefix));
    let set = scene
        .interventions
        .iter()
        .any(|(t, _)| t.starts_with(&prefix));
    let turned = b.yaw != 0.0 || b.pitch != 0.0;
    if b.kind != Kind::Fixed || moved || set || turned {
        return None;
    }
    let (sin, cos) = (
        libm::sinf(b.roll.to_radians()),
        libm::cosf(b.roll.to_radians()),
    );
    Some(Ledge {
        body,
        middle: [b.position[0] - sin * half[1], b.position[1] + cos * half[1]],
        along: [cos, sin],
        half: half[0],
    })
}

/// The picture of what never moves, and where it shows fixed bodies.
fn plate(scene: &Arc<Scene>) -> Option<(Vec<u8>, Vec<f32>)> {
    let mut still = (**scene).clone();
    still.bodies.retain(|b| b.kind == Kind::Fixed);
    let names: Vec<String> = still.bodies.iter().map(|b| b.name.clone()).collect();
    let stays = |target: &str| match target.split_once('.') {
        Some(("camera", _)) => true,
        Some((name, _)) => names.iter().any(|n| n == name),
        None => true,
    };
    still.interventions.retain(|(target, _)| stays(target));
    (still.randomise, still.joints) = (Vec::new(), Vec::new());
    (still.apart, still.sensors, still.edits) = (Vec::new(), Vec::new(), Vec::new());
    (still.task, still.actions) = (None, ActionSpace::None);
    still
        .interventions
        .retain(|(t, _)| !t.starts_with("action."));
    let still = Arc::new(still);
    let eye = Eye::standard(&still).ok()?;
    let view = eye.look(&Reality::new(&still, 0).ok()?);
    let far = |(&id, &depth): (&u8, &f32)| if id > 0 { depth } else { f32::INFINITY };
    let fixed = view.ids.iter().zip(&view.depth).map(far).collect();
    Some((view.rgb, fixed))
}
