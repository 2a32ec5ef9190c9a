//! What a model keeps of a body that it has never seen so: "How far is video generation from world model"
//! (Kang et al. 2024, arXiv 2411.02385, §5) finds that video models fall back on the nearest training
//! case, and hold on to colour more than to size, to size more than to velocity, and to velocity more than
//! to shape. Here one attribute of one body at a time is set to what training never showed, the model sees
//! it so in its context, and what it imagines is placed between the two: 1 is the attribute as it was
//! given, 0 as training had it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::control::EvalError;
use super::rollout::CONTEXT;
use crate::camera::Eye;
use crate::episode::record;
use crate::judge::{Blob, Tracker};
use crate::model::{Actions, Context, WorldModel, imagined_frames};
use crate::scene::{Colour, Kind, Scene, Shape};
use crate::stats::{Mean, quantile};
use crate::task::TaskError;

/// Imagined steps after which colour, size and shape are looked at.
pub const STEPS: usize = 10;
/// The same for velocity: soon, before bodies meet.
pub const MOTION_STEPS: usize = 5;
/// Factor by which a body grows.
const GROWN: f32 = 1.5;
/// A body of less than this share of its true area is lost, and says nothing of its attributes.
const LOST: f32 = 0.3;
/// Differences that are smaller than this between what was given and what training had cannot be told
/// apart: pixels, and squareness.
const TOO_CLOSE: (f64, f64) = (2.0, 0.08);

/// What can be changed about a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// A hue far from all of the scene's.
    Colour,
    /// Half as large again.
    Size,
    /// The other way.
    Velocity,
    /// A cube for a ball, a ball for a cube.
    Shape,
}

impl Attribute {
    /// All, in the order in which the paper finds them kept.
    pub const ALL: [Attribute; 4] = [
        Attribute::Colour,
        Attribute::Size,
        Attribute::Velocity,
        Attribute::Shape,
    ];

    /// Imagined steps after which it is looked at.
    pub const fn steps(self) -> usize {
        match self {
            Attribute::Velocity => MOTION_STEPS,
            _ => STEPS,
        }
    }
}

/// How much of one attribute is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Clips in which the body was still there.
    pub clips: usize,
    /// 1 as given, 0 as in training; clipped to [-0.5, 1.5] in each clip, so that no single one decides;
    /// null where every body was lost.
    pub kept: Option<Mean>,
    /// Median over clips.
    pub median: Option<f64>,
    /// Share of clips in which the body was lost.
    pub lost: f64,
}

/// All attributes of a scene's bodies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttributesResult {
    /// By attribute; those that the scene allows.
    pub attributes: BTreeMap<Attribute, Kept>,
    /// The attributes by how much is kept, most first.
    pub order: Vec<Attribute>,
    /// The paper's order of the same.
    pub published_order: Vec<Attribute>,
}

/// Measures a model in a scene on seeds `seed..seed + clips` for every attribute and every free body.
///
/// # Errors
/// [`EvalError`] of the first clip that fails; an input error if the model imagines no frames.
pub fn run(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    clips: u64,
) -> Result<AttributesResult, EvalError> {
    let mut attributes = BTreeMap::new();
    for attribute in Attribute::ALL {
        let mut found: Vec<Option<f64>> = Vec::new();
        for body in (0..scene.bodies.len()).filter(|&b| scene.bodies[b].kind == Kind::Dynamic) {
            let Some(odd) = StrangeBody::of(scene, body, attribute) else {
                continue;
            };
            let each: Result<Vec<Option<Option<f64>>>, EvalError> = (seed..seed + clips)
                .into_par_iter()
                .map(|seed| odd.kept(model, seed))
                .collect();
            found.extend(each?.into_iter().flatten());
        }
        if found.is_empty() {
            continue;
        }
        let values: Vec<f64> = found.iter().flatten().copied().collect();
        attributes.insert(
            attribute,
            Kept {
                clips: values.len(),
                kept: Mean::bootstrap(&values),
                median: quantile(&values, 0.5),
                lost: 1.0 - values.len() as f64 / found.len() as f64,
            },
        );
    }
    let published_order: Vec<Attribute> = attributes.keys().copied().collect();
    let mut order = published_order.clone();
    order.sort_by(|a, b| {
        let mean = |x| {
            let kept = attributes.get(x).and_then(|k: &Kept| k.kept);
            kept.map_or(f64::NEG_INFINITY, |k| k.mean)
        };
        mean(b).total_cmp(&mean(a))
    });
    Ok(AttributesResult {
        attributes,
        order,
        published_order,
    })
}

/// A scene with one odd body.
struct StrangeBody {
    attribute: Attribute,
    /// The scene as it is shown.
    given: Arc<Scene>,
    /// The scene that training had.
    usual: Arc<Scene>,
    body: usize,
    /// Velocity across, m/s: the one given and the nearest that training had.
    velocity: [f32; 2],
}

impl StrangeBody {
    /// `None` where the attribute cannot be changed, or not so that it could be seen.
    fn of(scene: &Arc<Scene>, body: usize, attribute: Attribute) -> Option<StrangeBody> {
        let mut given = Scene::clone(scene);
        let mut velocity = [0.0; 2];
        let name = given.bodies[body].name.clone();
        let range = |field: &str| {
            let target = format!("{name}.{field}");
            let drawn = scene.randomise.iter().find(|r| r.target == target)?;
            Some([drawn.low, drawn.high])
        };
        match attribute {
            Attribute::Colour => given.bodies[body].colour = foreign_hue(scene),
            Attribute::Size => given.bodies[body].size *= GROWN,
            Attribute::Shape => {
                let shape = &mut given.bodies[body].shape;
                *shape = match *shape {
                    Shape::Ball { radius } => Shape::Cuboid { half: [radius; 3] },
                    Shape::Cuboid { half: [a, b, c] } if a == b && b == c => {
                        Shape::Ball { radius: a }
                    }
                    _ => return None,
                };
            }
            Attribute::Velocity => {
                let [low, high] = range("vx").filter(|[low, high]| low * high > 0.0)?;
                let (slow, middle) = match low > 0.0 {
                    true => (low, 0.5 * (low + high)),
                    false => (high, 0.5 * (low + high)),
                };
                velocity = [-0.7 * middle, slow];
                let set = format!("{name}.vx={}", velocity[0]);
                given.intervene(&set).ok()?;
                // From as near the middle as training had it, so that it stays in view.
                if let Some([low, high]) = range("x") {
                    let x = if low.abs() < high.abs() { low } else { high };
                    given.intervene(&format!("{name}.x={x}")).ok()?;
                }
            }
        }
        Some(StrangeBody {
            attribute,
            given: Arc::new(given),
            usual: scene.clone(),
            body,
            velocity,
        })
    }

    /// How much is kept in the clip of a seed; the outer `None` where the clip cannot tell, the inner where
    /// the body is lost.
    fn kept(&self, model: &dyn WorldModel, seed: u64) -> Result<Option<Option<f64>>, EvalError> {
        let steps = self.attribute.steps();
        let eye = Eye::standard(&self.given).map_err(|e| TaskError::Episode(e.into()))?;
        let episode = record(&self.given, &eye, seed).map_err(TaskError::from)?;
        let size = eye.size();
        let frame = |t: usize| {
            let n = size * size * 3;
            episode.frames.get(t * n..(t + 1) * n)
        };
        let Some(truth) = frame(CONTEXT - 1 + steps) else {
            return Ok(None);
        };
        let dim = self.given.actions.dim();
        let action = |t: usize| episode.actions[t * dim..(t + 1) * dim].to_vec();
        let context = Context::new(
            size,
            (0..CONTEXT).filter_map(frame).map(<[u8]>::to_vec),
            (0..CONTEXT - 1).map(action).collect(),
        );
        let actions: Vec<Vec<f32>> = (0..steps).map(|t| action(CONTEXT - 1 + t)).collect();
        let lack = "imagines no frames whose bodies could be looked at";
        let frames = imagined_frames(model, &context, &Actions::one(&actions, dim), lack)?;
        let imagined = frames.at(0, steps - 1);
        let blob = |scene: &Scene, frame: &[u8]| -> Option<Blob> {
            let tracker = Tracker::new(scene);
            let at = tracker.bodies.iter().position(|&b| b == self.body)?;
            tracker.blobs(size, frame).into_iter().nth(at)
        };
        let (Some(now), Some(real)) = (blob(&self.given, imagined), blob(&self.given, truth))
        else {
            return Ok(None);
        };
        // The body in the colour that it had in training, for those that went back to it.
        let back = blob(&self.usual, imagined).map_or(0.0, |b| b.area);
        if real.area < 8.0 {
            return Ok(None);
        }
        let seen = match self.attribute {
            Attribute::Colour => now.area + back,
            _ => now.area,
        };
        if seen < LOST * real.area {
            return Ok(Some(None));
        }
        let between = |value: f64, usual: f64, given: f64, close: f64| {
            ((given - usual).abs() > close)
                .then(|| ((value - usual) / (given - usual)).clamp(-0.5, 1.5))
        };
        let kept = match self.attribute {
            Attribute::Colour => Some(f64::from(now.area / seen.max(1e-6))),
            Attribute::Size => {
                let given = f64::from(real.area);
                let usual = given / f64::from(GROWN * GROWN);
                between(f64::from(now.area), usual, given, TOO_CLOSE.0)
            }
            Attribute::Shape => {
                let was = match self.given.bodies[self.body].shape {
                    Shape::Ball { .. } => SQUARE,
                    _ => 0.0,
                };
                let (value, given) = (squareness(&now, size), squareness(&real, size));
                between(value, was, given, TOO_CLOSE.1)
            }
            Attribute::Velocity => {
                let Some(start) = frame(CONTEXT - 1).and_then(|f| blob(&self.given, f)) else {
                    return Ok(None);
                };
                let moved = |b: &Blob| f64::from(b.centroid[0] - start.centroid[0]);
                let given = moved(&real);
                let usual = given * f64::from(self.velocity[1] / self.velocity[0]);
                between(moved(&now), usual, given, TOO_CLOSE.0)
            }
        };
        Ok(kept.map(Some))
    }
}

/// The palette's hue that is farthest from all of the scene's.
fn foreign_hue(scene: &Scene) -> Colour {
    let direction = |c: Colour| {
        let rgb = c.rgb().map(f32::from);
        let grey = rgb.iter().sum::<f32>() / 3.0;
        let away = rgb.map(|v| v - grey);
        let length = away.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
        away.map(|v| v / length)
    };
    let likeness = |c: Colour| {
        let own = direction(c);
        let taken = scene.bodies.iter().filter(|b| b.colour.is_saturated());
        taken
            .map(|b| {
                let other = direction(b.colour);
                own.iter().zip(other).map(|(a, b)| a * b).sum::<f32>()
            })
            .fold(-1.0, f32::max)
    };
    let mut palette = Colour::PALETTE;
    palette.sort_by(|a, b| likeness(*a).total_cmp(&likeness(*b)));
    palette[0]
}

/// Squareness of a whole square.
const SQUARE: f64 = 3.0 / 7.0;

/// |E z⁴| / E |z|⁴ over a mask, with z the offset from its middle as a complex number: 0 for a disc, 3/7
/// for a square however it is turned.
pub fn squareness(blob: &Blob, size: usize) -> f64 {
    let (mut real, mut imaginary, mut all) = (0.0, 0.0, 0.0);
    for (i, &m) in blob.mask.iter().enumerate().filter(|(_, m)| **m > 0.0) {
        let x = (i % size) as f64 + 0.5 - f64::from(blob.centroid[0]);
        let y = (i / size) as f64 + 0.5 - f64::from(blob.centroid[1]);
        let (a, b) = (x * x - y * y, 2.0 * x * y);
        let m = f64::from(m);
        real += m * (a * a - b * b);
        imaginary += m * 2.0 * a * b;
        all += m * (a * a + b * b);
    }
    real.hypot(imaginary) / all.max(1e-9)
}
