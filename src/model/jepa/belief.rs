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
use crate::model::facets::{Decodes, Facets};
use crate::model::input::check_sizes;
use crate::model::nn::{Linear, Mlp, Params};
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

/// Sizes of a belief.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeliefSizes {
    /// Numbers of the carried state, B.
    pub width: usize,
    /// Width of the layer between it and the correction.
    pub hidden: usize,
    /// Observations that it is formed of: whoever has fewer hands over those.
    pub context: usize,
}

impl Default for BeliefSizes {
    fn default() -> Self {
        Self {
            width: 256,
            hidden: 512,
            context: 40,
        }
    }
}

impl BeliefSizes {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let sizes = [
            ("belief.width", self.width),
            ("belief.hidden", self.hidden),
            ("belief.context", self.context),
        ];
        let most = [
            ("belief.width", self.width, 2048),
            ("belief.hidden", self.hidden, 4096),
            ("belief.context", self.context, 1000),
        ];
        check_sizes(&sizes, &most)
    }
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
    width: usize,
    input: Linear,
    state: Linear,
    correct: Mlp,
}

impl Belief {
    /// On `p`, the model's root.
    pub fn new(config: &BeliefConfig, p: &Params) -> Result<Self> {
        let (c, b, p) = (&config.lewm, config.belief, p.pp("belief"));
        Ok(Self {
            width: b.width,
            input: Linear::new(c.latent_dim + c.action_width(), 3 * b.width, p.pp("input"))?,
            state: Linear::new(b.width, 3 * b.width, p.pp("state"))?,
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
        let w = self.width;
        let seen = self.input.forward(&Tensor::cat(&[z, a], D::Minus1)?)?;
        let held = self.state.forward(b)?;
        let part = |x: &Tensor, i: usize| x.narrow(1, i * w, w);
        let gate = |i| sigmoid(&(part(&seen, i)? + part(&held, i)?)?);
        let (reset, keep) = (gate(0)?, gate(1)?);
        let fresh = (part(&seen, 2)? + (reset * part(&held, 2)?)?)?.tanh()?;
        // (1 - keep) fresh + keep b
        &fresh + (keep * (b - &fresh)?)?
    }

    /// The latents `[N, D]` that follow the beliefs `b: [N, B]`, where the LeWM expects `expected: [N, D]`.
    pub fn corrected(&self, b: &Tensor, expected: &Tensor) -> Result<Tensor> {
        let known = Tensor::cat(&[b, expected], D::Minus1)?;
        expected + self.correct.forward(&known)?
    }

    /// Floating-point operations of carrying it on and of correcting one latent.
    fn flops(&self, config: &BeliefConfig) -> f64 {
        let (c, b) = (&config.lewm, config.belief);
        let carry = 3 * b.width * (c.latent_dim + c.action_width() + b.width);
        let correct = b.hidden * (b.width + 2 * c.latent_dim);
        2.0 * (carry + correct) as f64
    }
}

/// 1 / (1 + e⁻ˣ), by way of the hyperbolic tangent, which does not overflow.
fn sigmoid(x: &Tensor) -> Result<Tensor> {
    ((x * 0.5)?.tanh()? * 0.5)? + 0.5
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
