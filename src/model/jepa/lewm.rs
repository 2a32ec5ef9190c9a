//! The networks: encoder, latent predictor, inverse model.

use super::{ActionBlock, LewmConfig};
use crate::model::nn::{
    Dropout, FrameEncoder, LayerNorm, Linear, Params, ResidualRollout, Rng, ops,
};
use candle_core::{D, Device, Result, Tensor, bail};

/// LeWM (arXiv 2603.19312): an encoder from one frame to one latent, a predictor of the next latent from
/// the last H latents and a block of actions, and (ours) an inverse model from two latents to the mean
/// action between them, which training needs and planning does not.
pub struct Lewm {
    config: LewmConfig,
    device: Device,
    encoder: FrameEncoder,
    predict_in: Linear,
    predict_blocks: Vec<(LayerNorm, Linear, Linear)>,
    predict_out: Linear,
    dropout: Dropout,
    inverse: (Linear, Linear),
}

impl Lewm {
    /// Builds the networks on `p`: fresh, or from a file (whose shapes must fit).
    pub fn new(config: &LewmConfig, p: &Params) -> Result<Self> {
        if let Err((field, message)) = config.check() {
            bail!("{field}: {message}");
        }
        let c = config;
        let (q, i) = (p.pp("predictor"), p.pp("inverse"));
        let mut predict_blocks = Vec::new();
        for b in 0..c.predictor_blocks {
            let (r, w) = (q.pp(format!("blocks.{b}")), c.predictor_width);
            predict_blocks.push((
                LayerNorm::new(w, 1e-5, r.pp("norm"))?,
                Linear::new(w, w, r.pp("0"))?,
                Linear::new(w, w, r.pp("1"))?,
            ));
        }
        Ok(Self {
            device: p.device().clone(),
            encoder: FrameEncoder::new(c.encoder(), &p.pp("encoder"))?,
            predict_in: Linear::new(
                c.history * c.latent_dim + c.action_width(),
                c.predictor_width,
                q.pp("in"),
            )?,
            predict_blocks,
            predict_out: Linear::zeros(c.predictor_width, c.latent_dim, q.pp("out"))?,
            dropout: Dropout::new(c.dropout),
            inverse: (
                Linear::new(2 * c.latent_dim, c.inverse_width, i.pp("0"))?,
                Linear::new(c.inverse_width, c.action_dim, i.pp("1"))?,
            ),
            config: config.clone(),
        })
    }

    /// Its configuration.
    pub fn config(&self) -> &LewmConfig {
        &self.config
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sets the image that is subtracted from every frame, `[H·W·3]` in [0, 1], in the model and its
    /// buffer.
    pub fn set_mean_image(&mut self, mean: Vec<f32>, p: &Params) -> Result<()> {
        self.encoder.set_mean_image(mean, &p.pp("encoder"))
    }

    /// The image that is subtracted from every frame.
    pub fn mean_image(&self) -> &[f32] {
        self.encoder.mean_image()
    }

    /// What [`Lewm::encode`] takes, from frames `[N, H, W, 3]` as bytes.
    pub fn pixels(&self, frames: &[u8]) -> Result<Tensor> {
        self.encoder.pixels(frames)
    }

    /// Latents `[N, D]` of [`Lewm::pixels`]. In training batch norm uses the batch and moves its statistics.
    pub fn encode(&self, pixels: &Tensor, train: bool) -> Result<Tensor> {
        self.encoder.forward(pixels, train)
    }

    /// Latents `[N, D]` of frames `[N, H, W, 3]` as bytes, in evaluation, some hundred frames at a time.
    pub fn encode_frames(&self, frames: &[u8]) -> Result<Tensor> {
        self.encoder.encode_frames(frames)
    }

    /// The next latents `[N, D]` from the last `z: [N, H·D]`, oldest first, a token apart, and action
    /// blocks `a: [N, frameskip·A]`; `rng` only in training.
    pub fn predict(&self, z: &Tensor, a: &Tensor, mut rng: Option<&mut Rng>) -> Result<Tensor> {
        let a = match self.config.action_block {
            ActionBlock::Concat => a.clone(),
            ActionBlock::Mean => self.mean_action(a)?,
        };
        let mut h = ops::gelu(
            &self
                .predict_in
                .forward(&Tensor::cat(&[z, &a], D::Minus1)?)?,
        )?;
        for (norm, first, second) in &self.predict_blocks {
            let inner = ops::gelu(&first.forward(&norm.forward(&h)?)?)?;
            h = (h + second.forward(&self.dropout.forward(&inner, rng.as_deref_mut())?)?)?;
        }
        let d = self.config.latent_dim;
        z.narrow(1, (self.config.history - 1) * d, d)? + self.predict_out.forward(&h)?
    }

    /// The last latents `[N, H·D]` once `next: [N, D]` has followed `z: [N, H·D]`.
    pub fn shift(&self, z: &Tensor, next: &Tensor) -> Result<Tensor> {
        let (h, d) = (self.config.history, self.config.latent_dim);
        match h {
            1 => Ok(next.clone()),
            _ => Tensor::cat(&[&z.narrow(1, d, (h - 1) * d)?, next], 1),
        }
    }

    /// The same predictor for planning on a processor.
    pub fn rollout(&self) -> Result<ResidualRollout> {
        ResidualRollout::new(
            &self.predict_in,
            &self.predict_blocks,
            &self.predict_out,
            self.config.history,
        )
    }

    /// The latents `[N, T, D]` that follow `z: [N, H·D]` under action blocks `a: [N, T, frameskip·A]`,
    /// open loop.
    pub fn roll_out(&self, z: &Tensor, a: &Tensor, mut rng: Option<&mut Rng>) -> Result<Tensor> {
        let (mut z, mut steps) = (z.clone(), Vec::new());
        for t in 0..a.dim(1)? {
            let block = a.narrow(1, t, 1)?.squeeze(1)?.contiguous()?;
            let next = self.predict(&z, &block, rng.as_deref_mut())?;
            z = self.shift(&z, &next)?;
            steps.push(next);
        }
        Tensor::stack(&steps, 1)
    }

    /// Mean action `[N, A]` of blocks `[N, frameskip·A]`.
    pub fn mean_action(&self, a: &Tensor) -> Result<Tensor> {
        a.reshape((a.dim(0)?, self.config.frameskip, self.config.action_dim))?
            .mean(1)
    }

    /// The mean action `[N, A]` that the inverse model believes led from `z` to `next`, both `[N, D]`.
    pub fn invert(&self, z: &Tensor, next: &Tensor) -> Result<Tensor> {
        let h = ops::gelu(
            &self
                .inverse
                .0
                .forward(&Tensor::cat(&[z, next], D::Minus1)?)?,
        )?;
        self.inverse.1.forward(&h)
    }

    /// Floating-point operations (two a multiply-add) of encoding one frame and of predicting one latent.
    pub fn flops(&self) -> (f64, f64) {
        let c = &self.config;
        let w = c.predictor_width as f64;
        let inputs = ((c.history + 1) * c.latent_dim + c.action_width()) as f64;
        (
            self.encoder.flops(),
            2. * (inputs * w + c.predictor_blocks as f64 * 2. * w * w),
        )
    }
}
