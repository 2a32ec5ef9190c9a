//! A belief beside the latents of a finished LeWM, so that what is hidden goes on being: a small recurrent
//! state (a GRU, Cho et al. 2014, arXiv 1406.1078) over the latents, seen or imagined, and the actions that
//! led to them. As ADEPT (Smith et al. 2019) and PLATO (Piloto et al. 2022) expect of whoever is surprised
//! when a thing does not come out again.
//!
//! The LeWM stays as it is. What is believed corrects its next latent by a residual that begins at zero, so
//! that training starts from the LeWM itself and its predictor runs as it is (FiLM would reach into every one
//! of its blocks). Probes read latent and belief side by side.

use super::world::{JepaWorld, Predictor, Sizes};
use super::{Decoder, LewmConfig, LewmPredictor, ProbeSpec};
use crate::model::belief::BeliefSizes;
use crate::model::facets::{Decodes, Facets};
use crate::model::nn::{Gru, Mlp, Params};
use crate::model::{Frame, Frames, ModelError, Rollouts};
use candle_core::{D, Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

/// A LeWM with a belief behind the trait.
pub type BeliefModel = JepaWorld<BeliefPredictor>;

/// `model.ron` of a LeWM with a belief.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeliefConfig {
    /// The LeWM, whose weights stay as they are.
    pub lewm: LewmConfig,
    /// The belief.
    pub belief: BeliefSizes,
}

impl BeliefConfig {
    /// Whether the networks can be built.
    ///
    /// # Errors
    /// The first field at fault, and what was found and expected.
    pub fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        self.lewm.check()?;
        self.belief.check()?;
        match self.lewm.frameskip {
            1 => Ok(()),
            found => Err((
                "lewm.frameskip",
                format!(
                    "found {found}, expected 1: a belief is carried from observation to observation"
                ),
            )),
        }
    }
}

/// The carried state and the correction that it makes.
pub struct Belief {
    cell: Gru,
    correct: Mlp,
}

impl Belief {
    /// On `p`, the model's root.
    pub fn new(config: &BeliefConfig, p: &Params) -> Result<Self> {
        let (c, b, p) = (&config.lewm, config.belief, p.pp("belief"));
        Ok(Self {
            cell: Gru::new(c.latent_dim + c.action_width(), b.width, &p)?,
            correct: Mlp::new(
                b.width + c.latent_dim,
                b.hidden,
                c.latent_dim,
                p.pp("correct"),
            )?,
        })
    }

    /// The belief `[N, B]` once the actions `a: [N, A]` have led to the latents `z: [N, D]`.
    pub fn carry(&self, b: &Tensor, z: &Tensor, a: &Tensor) -> Result<Tensor> {
        self.cell.carry(b, &[z, a])
    }

    /// The latents `[N, D]` that follow the beliefs `b: [N, B]`, where the LeWM expects `expected: [N, D]`.
    pub fn corrected(&self, b: &Tensor, expected: &Tensor) -> Result<Tensor> {
        let known = Tensor::cat(&[b, expected], D::Minus1)?;
        expected + self.correct.forward(&known)?
    }

    /// Floating-point operations of carrying it on and of correcting one latent.
    fn flops(&self, config: &BeliefConfig) -> f64 {
        let (c, b) = (&config.lewm, config.belief);
        let carry = Gru::multiply_adds(c.latent_dim + c.action_width(), b.width);
        let correct = b.hidden * (b.width + 2 * c.latent_dim);
        2.0 * (carry + correct as f64)
    }
}

/// The networks of a LeWM with a belief. One of its steps is a latent and a belief side by side, `[N, D +
/// B]`.
pub struct BeliefPredictor {
    config: BeliefConfig,
    lewm: LewmPredictor,
    belief: Belief,
}

impl BeliefPredictor {
    /// The LeWM.
    pub fn lewm(&self) -> &LewmPredictor {
        &self.lewm
    }

    /// The belief.
    pub fn belief(&self) -> &Belief {
        &self.belief
    }

    fn latent(&self) -> usize {
        self.config.lewm.latent_dim
    }

    fn parts(&self, step: &Tensor) -> Result<(Tensor, Tensor)> {
        let (d, b) = (self.latent(), self.config.belief.width);
        Ok((step.narrow(1, 0, d)?, step.narrow(1, d, b)?))
    }
}

impl Predictor for BeliefPredictor {
    type Config = BeliefConfig;
    const PARTS: &'static [&'static str] = &["encoder", "predictor", "belief"];

    fn new(config: &BeliefConfig, params: &Params, spec: Option<&ProbeSpec>) -> Result<Self> {
        if let Err((field, message)) = config.check() {
            bail!("{field}: {message}");
        }
        Ok(Self {
            lewm: LewmPredictor::new(&config.lewm, params, spec)?,
            belief: Belief::new(config, params)?,
            config: config.clone(),
        })
    }

    fn sizes(&self) -> Sizes {
        let (own, width) = (self.lewm.sizes(), self.config.belief.width);
        Sizes {
            latent: own.latent + width,
            summary: own.summary + width,
            context: own.context.max(self.config.belief.context),
            ..own
        }
    }

    fn device(&self) -> &Device {
        self.lewm.device()
    }

    /// The latent of a frame that nothing is believed of.
    fn encode(&self, frame: &Frame) -> Result<Tensor> {
        let nothing = Tensor::zeros(
            (1, self.config.belief.width),
            candle_core::DType::F32,
            self.device(),
        )?;
        Tensor::cat(&[&self.lewm.encode(frame)?, &nothing], 1)
    }

    fn carries(&self) -> bool {
        true
    }

    fn carry(&self, before: Option<&Tensor>, seen: &Tensor, block: &Tensor) -> Result<Tensor> {
        let (z, nothing) = self.parts(seen)?;
        let b = match before {
            Some(step) => self.parts(step)?.1,
            None => nothing,
        };
        Tensor::cat(&[&z, &self.belief.carry(&b, &z, block)?], 1)
    }

    fn predict(&self, last: &Tensor, block: &Tensor) -> Result<Tensor> {
        let (n, step) = (last.dim(0)?, self.sizes().latent);
        let history = self.config.lewm.history;
        let (d, w) = (self.latent(), self.config.belief.width);
        let steps = last.reshape((n, history, step))?;
        let z = steps.narrow(2, 0, d)?.reshape((n, history * d))?;
        let b = steps.narrow(1, history - 1, 1)?.narrow(2, d, w)?;
        let b = b.reshape((n, w))?;
        let next = self.belief.corrected(&b, &self.lewm.predict(&z, block)?)?;
        let b = self.belief.carry(&b, &next, block)?;
        Tensor::cat(&[next, b], 1)
    }

    /// The LeWM's distance: nothing is asked of what is believed.
    fn distance(&self, steps: &Tensor, goal: &Tensor) -> Result<Tensor> {
        self.lewm
            .distance(&self.parts(steps)?.0, &self.parts(goal)?.0)
    }

    fn unit_of_surprise(&self) -> f32 {
        self.lewm.unit_of_surprise()
    }

    fn summary(&self, steps: &Tensor) -> Result<Tensor> {
        Ok(steps.clone())
    }

    fn flops(&self) -> (f64, f64) {
        let (encode, predict) = self.lewm.flops();
        (encode, predict + self.belief.flops(&self.config))
    }

    fn add_facets<'a>(world: &'a BeliefModel, facets: Facets<'a>) -> Facets<'a> {
        Facets {
            decoder: world.predictor.lewm.decoder().is_some().then_some(world),
            ..facets
        }
    }
}

impl Decodes for BeliefModel {
    fn decoded(&self, rollouts: &Rollouts) -> std::result::Result<Frames, ModelError> {
        let (steps, rows) = self.imagined(rollouts)?;
        let (n, steps, _) = steps.dims3()?;
        let own = &self.predictor;
        let decoder: Option<&Decoder> = own.lewm.decoder();
        let decoder = decoder.ok_or_else(|| self.inputs().fault("has no decoder".into()))?;
        let z = own.parts(&rows)?.0.contiguous()?;
        Ok(Frames {
            n,
            steps,
            size: own.config.lewm.image_size,
            data: decoder.draw(&z, own.lewm.lewm().mean_image())?,
        })
    }
}
