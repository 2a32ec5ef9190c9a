//! A trained V-JEPA 2-AC as the predictor of a world model.

use super::config::VjepaConfig;
use super::masked::{ClipBatch, MaskedJepa};
use super::masks::{LONG, Mask, SHORT};
use super::predictor::ActionJepa;
use super::summary::Summary;
use crate::model::facets::{Effort, Facets, Masking, Strays};
use crate::model::jepa::ProbeSpec;
use crate::model::jepa::world::{JepaWorld, Predictor, Sizes, step_by_step, whitening_of};
use crate::model::nn::{Params, Rng};
use crate::model::{Cancel, Frame, MaskedClip, ModelError, Rollouts};
use candle_core::{D, Device, Result, Tensor, bail};

/// Candidates imagined together: their tokens stay in the cache.
const CANDIDATES: usize = 64;

/// V-JEPA 2-AC (arXiv 2506.09985) behind the trait: it plans in maps of patch tokens.
pub type VjepaModel = JepaWorld<VjepaPredictor>;

/// The networks of a V-JEPA 2-AC. Its latents are maps of patch tokens.
pub struct VjepaPredictor {
    masked: MaskedJepa,
    model: ActionJepa,
    summary: Summary,
    /// `[K, K]`, transposed for a product from the right.
    whitening: Option<Tensor>,
}

impl VjepaPredictor {
    /// The networks that plan.
    pub fn networks(&self) -> &ActionJepa {
        &self.model
    }
}

impl Predictor for VjepaPredictor {
    type Config = VjepaConfig;
    const PARTS: &'static [&'static str] = &["target", "predictor"];

    fn new(config: &VjepaConfig, params: &Params, _spec: Option<&ProbeSpec>) -> Result<Self> {
        if let Err((field, message)) = config.check() {
            bail!("{field}: {message}");
        }
        Ok(Self {
            masked: MaskedJepa::new(config, params)?,
            model: ActionJepa::new(config, params)?,
            whitening: whitening_of(config.cost, config.summary, params)?,
            summary: Summary::new(config, params)?,
        })
    }

    fn sizes(&self) -> Sizes {
        let c = self.model.config();
        Sizes {
            image: c.image_size,
            latent: c.map_len(),
            summary: c.summary,
            action_dim: c.action_dim,
            frameskip: c.frameskip,
            history: c.history,
            context: (c.history - 1) * c.frameskip + 1,
        }
    }

    fn device(&self) -> &Device {
        self.model.device()
    }

    fn encode(&self, frame: &Frame) -> Result<Tensor> {
        self.model.encode_frames(&frame.data)
    }

    fn predict(&self, last: &Tensor, block: &Tensor) -> Result<Tensor> {
        self.model.predict(last, block)
    }

    fn roll_out(
        &self,
        start: &Tensor,
        blocks: &Tensor,
        cancel: &Cancel,
    ) -> std::result::Result<Tensor, ModelError> {
        let n = blocks.dim(0)?;
        let mut rollouts = Vec::new();
        for first in (0..n).step_by(CANDIDATES) {
            let some = blocks.narrow(0, first, CANDIDATES.min(n - first))?;
            rollouts.push(step_by_step(self, start, &some, cancel)?);
        }
        Ok(match rollouts.is_empty() {
            true => step_by_step(self, start, blocks, cancel)?,
            false => Tensor::cat(&rollouts, 0)?,
        })
    }

    /// The paper's energy mean |ẑ − z_goal|, or the mean square of the whitened difference.
    fn distance(&self, latents: &Tensor, goal: &Tensor) -> Result<Tensor> {
        let delta = latents.broadcast_sub(goal)?;
        match &self.whitening {
            Some(w) => self
                .summary
                .read_difference(&delta)?
                .matmul(w)?
                .sqr()?
                .mean(1),
            None => delta.abs()?.mean(D::Minus1),
        }
    }

    fn summary(&self, latents: &Tensor) -> Result<Tensor> {
        self.summary.read(latents)
    }

    fn flops(&self) -> (f64, f64) {
        self.model.flops()
    }

    fn effort(&self) -> Effort {
        let (candidates, iterations) = self.model.config().search;
        Effort {
            candidates,
            iterations,
            ..Effort::CHEAP
        }
    }

    fn add_facets<'a>(world: &'a VjepaModel, facets: Facets<'a>) -> Facets<'a> {
        Facets {
            masking: Some(world),
            strays: Some(world),
            ..facets
        }
    }
}

/// An imagined map strays by what of it lies outside the principal components of what the encoder produces.
/// It stands in for the surprise by which the open pull request 98 of facebookresearch/vjepa2 prunes elites:
/// that comes from a program beside the model, with a threshold calibrated on observations; here nothing is
/// trained or calibrated, and candidates are compared with each other.
impl Strays for VjepaModel {
    fn strays(&self, rollouts: &Rollouts) -> std::result::Result<Vec<f32>, ModelError> {
        let (_, rows) = self.imagined(rollouts)?;
        Ok(self.predictor.summary.outside(&rows)?.to_vec1()?)
    }
}

impl Masking for VjepaModel {
    fn clip_frames(&self) -> usize {
        self.predictor.model.config().clip_frames
    }

    fn masked(&self, frames: &[Frame], seed: u64) -> std::result::Result<MaskedClip, ModelError> {
        let networks = &self.predictor;
        let c = networks.model.config();
        if frames.len() != c.clip_frames {
            return Err(self.inputs().fault(format!(
                "found a clip of {} frames, expected {}",
                frames.len(),
                c.clip_frames
            )));
        }
        for frame in frames {
            self.check(frame)?;
        }
        let blocks = if seed.is_multiple_of(2) { SHORT } else { LONG };
        let mask = Mask::draw(blocks, c.grid(), &mut Rng::seed(seed));
        let clip: Vec<&[u8]> = frames.iter().map(|f| f.data.as_slice()).collect();
        let masks = std::slice::from_ref(&mask);
        let batch = ClipBatch::new(c, &[clip], masks, networks.model.device())?;
        let errors = networks.masked.errors(&batch)?.mean(D::Minus1)?;
        let errors: Vec<f32> = errors.flatten_all()?.to_vec1()?;
        let (slots, cells) = (c.slots(), c.cells());
        let mut visible = vec![false; slots * cells];
        let mut error = vec![f32::NAN; slots * cells];
        for slot in 0..slots {
            for &cell in &mask.visible {
                visible[slot * cells + cell as usize] = true;
            }
            for (i, &cell) in mask.hidden.iter().enumerate() {
                error[slot * cells + cell as usize] = errors[slot * mask.hidden.len() + i];
            }
        }
        Ok(MaskedClip {
            size: c.image_size,
            frames: frames.iter().map(|f| f.data.clone()).collect(),
            grid: c.grid(),
            visible,
            error,
        })
    }
}
