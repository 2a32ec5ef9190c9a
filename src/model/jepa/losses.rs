//! What a LeWM is trained on.

use super::Lewm;
use crate::model::nn::{Rng, ops};
use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// Weights of the parts of [`joint_loss`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JointWeights {
    /// One-step prediction.
    pub one_step: f64,
    /// Open-loop prediction over all tokens of the sequence.
    pub open_loop: f64,
    /// SIGReg (0.09 in the paper).
    pub sigreg: f64,
    /// Fresh random directions a step.
    pub sigreg_projections: usize,
    /// Factor on the statistic in place of the batch size that the paper multiplies by.
    pub sigreg_factor: f64,
    /// Inverse dynamics. Without it the latent may latch on to what is constant in an episode and know
    /// nothing of what moves, while the loss looks excellent.
    pub inverse: f64,
}

impl Default for JointWeights {
    fn default() -> Self {
        Self {
            one_step: 1.,
            open_loop: 1.,
            sigreg: 0.09,
            sigreg_projections: 256,
            sigreg_factor: 128.,
            inverse: 1.,
        }
    }
}

/// The parts of the loss, unweighted, and their weighted sum.
pub struct JointLoss {
    /// Weighted sum.
    pub total: Tensor,
    /// Mean squared error of one step.
    pub one_step: Tensor,
    /// Mean squared error open loop.
    pub open_loop: Tensor,
    /// Distance of the latents' distribution from a standard normal.
    pub sigreg: Tensor,
    /// Mean squared error of the inverse model.
    pub inverse: Tensor,
}

/// Loss of sequences: `pixels: [B·T, ..]` (sequence by sequence), `actions: [B, T-1, frameskip·A]`. With
/// a history of H latents, prediction begins at frame H of each. No stop-gradient and no moving average:
/// prediction pulls on both latents, SIGReg keeps them apart.
pub fn joint_loss(
    model: &Lewm,
    pixels: &Tensor,
    actions: &Tensor,
    weights: &JointWeights,
    rng: &mut Rng,
) -> Result<JointLoss> {
    let (b, transitions, width) = actions.dims3()?;
    let t = transitions + 1;
    let flat = model.encode(pixels, true)?;
    let d = flat.dim(1)?;
    let z = flat.reshape((b, t, d))?;
    let now = z
        .narrow(1, 0, transitions)?
        .contiguous()?
        .reshape((b * transitions, d))?;
    let next = z
        .narrow(1, 1, transitions)?
        .contiguous()?
        .reshape((b * transitions, d))?;
    let flat_actions = actions.reshape((b * transitions, width))?;
    let history = model.config().history;
    let steps = t - history;
    let (known, blocks) = match history {
        1 => (now.clone(), flat_actions.clone()),
        h => {
            let slid: Vec<Tensor> = (0..h)
                .map(|i| z.narrow(1, i, steps))
                .collect::<Result<_>>()?;
            let blocks = actions.narrow(1, h - 1, steps)?.contiguous()?;
            (
                Tensor::cat(&slid, 2)?.reshape((b * steps, h * d))?,
                blocks.reshape((b * steps, width))?,
            )
        }
    };
    let following = z
        .narrow(1, history, steps)?
        .contiguous()?
        .reshape((b * steps, d))?;
    let one_step = (model.predict(&known, &blocks, Some(&mut *rng))? - following)?
        .sqr()?
        .mean_all()?;
    let open_loop = open_loop_loss(model, &z, actions, None, Some(&mut *rng))?;
    let inverse = (model.invert(&now, &next)? - model.mean_action(&flat_actions)?)?
        .sqr()?
        .mean_all()?;
    let directions = unit_directions(d, weights.sigreg_projections, rng, model)?;
    let by_time = z.transpose(0, 1)?.contiguous()?.reshape((t * b, d))?;
    let projected = by_time
        .matmul(&directions)?
        .reshape((t, b, weights.sigreg_projections))?;
    let sigreg = ops::epps_pulley(&projected, weights.sigreg_factor)?;
    let total = ((&one_step * weights.one_step)? + (&open_loop * weights.open_loop)?)?;
    let total = ((total + (&sigreg * weights.sigreg)?)? + (&inverse * weights.inverse)?)?;
    Ok(JointLoss {
        total,
        one_step,
        open_loop,
        sigreg,
        inverse,
    })
}

/// Mean squared error of open-loop prediction on latents `z: [B, T+1, D]` under `actions: [B, T, ..]`, from
/// the first H of them on. With `planned`, a weight and the matrix `[D, D]` of the planner's whitened
/// distance, so much of the mean square in that distance is added.
pub fn open_loop_loss(
    model: &Lewm,
    z: &Tensor,
    actions: &Tensor,
    planned: Option<(f64, &Tensor)>,
    rng: Option<&mut Rng>,
) -> Result<Tensor> {
    let h = model.config().history;
    let steps = actions.dim(1)? + 1 - h;
    let first = z.narrow(1, 0, h)?.flatten_from(1)?.contiguous()?;
    let imagined = model.roll_out(&first, &actions.narrow(1, h - 1, steps)?, rng)?;
    let off = (imagined - z.narrow(1, h, steps)?)?;
    let plain = off.sqr()?.mean_all()?;
    let Some((weight, w)) = planned else {
        return Ok(plain);
    };
    let whitened = off.flatten_to(1)?.matmul(&w.t()?)?;
    plain + (whitened.sqr()?.mean_all()? * weight)?
}

/// Directions on the unit sphere, `[D, n]`.
fn unit_directions(d: usize, n: usize, rng: &mut Rng, model: &Lewm) -> Result<Tensor> {
    let mut rows = rng.normal_vec(d * n);
    for row in rows.chunks_exact_mut(d) {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        row.iter_mut().for_each(|v| *v /= norm);
    }
    Tensor::from_vec(rows, (n, d), model.device())?
        .t()?
        .contiguous()
}
