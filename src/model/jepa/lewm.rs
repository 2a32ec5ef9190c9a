//! The networks: encoder, latent predictor, inverse model.

use super::{ActionBlock, LewmConfig};
use crate::model::nn::{BatchNorm, Conv, Dropout, Init, LayerNorm, Linear, Params, Rng, ops};
use candle_core::{D, Device, Result, Tensor, bail};
use rayon::prelude::*;

const FOLD: usize = 4;

/// LeWM (arXiv 2603.19312): an encoder from one frame to one latent, a predictor of the next latent from a latent and
/// a block of actions, and (ours) an inverse model from two latents to the mean action between them, which training
/// needs and planning does not.
pub struct Lewm {
    config: LewmConfig,
    device: Device,
    mean_image: Vec<f32>,
    stem: Conv,
    down: Conv,
    residual: Vec<(Conv, Conv)>,
    narrow: Conv,
    hidden: Linear,
    hidden_norm: BatchNorm,
    project: Linear,
    latent_norm: BatchNorm,
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
        let [narrow, wide, last] = c.encoder_channels;
        let (e, q, i) = (p.pp("encoder"), p.pp("predictor"), p.pp("inverse"));
        let pixels = c.image_size * c.image_size * 3;
        let mean_image = e.buffer(pixels, "mean_image", Init::Const(0.5))?;
        let mut residual = Vec::new();
        for b in 0..c.residual_blocks {
            let r = e.pp(format!("residual.{b}"));
            residual.push((
                Conv::new(wide, wide, 3, 1, r.pp("0"))?,
                Conv::new(wide, wide, 3, 1, r.pp("1"))?,
            ));
        }
        let side = c.image_size / FOLD / 2;
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
            mean_image: mean_image.flatten_all()?.to_vec1()?,
            stem: Conv::new(FOLD * FOLD * 3, narrow, 1, 1, e.pp("stem"))?,
            down: Conv::new(narrow, wide, 3, 2, e.pp("down"))?,
            residual,
            narrow: Conv::new(wide, last, 1, 1, e.pp("narrow"))?,
            hidden: Linear::new_no_bias(side * side * last, c.encoder_hidden, e.pp("hidden"))?,
            hidden_norm: BatchNorm::new(c.encoder_hidden, true, e.pp("hidden_norm"))?,
            project: Linear::new_no_bias(c.encoder_hidden, c.latent_dim, e.pp("project"))?,
            latent_norm: BatchNorm::new(c.latent_dim, false, e.pp("latent_norm"))?,
            predict_in: Linear::new(
                c.latent_dim + c.action_width(),
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

    /// Sets the image that is subtracted from every frame, `[H·W·3]` in [0, 1], in the model and its buffer.
    pub fn set_mean_image(&mut self, mean: Vec<f32>, p: &Params) -> Result<()> {
        let buffer =
            p.pp("encoder")
                .buffer(self.mean_image.len(), "mean_image", Init::Const(0.5))?;
        buffer.set(&Tensor::from_slice(&mean, mean.len(), &self.device)?)?;
        self.mean_image = mean;
        Ok(())
    }

    /// The image that is subtracted from every frame.
    pub fn mean_image(&self) -> &[f32] {
        &self.mean_image
    }

    /// What [`Lewm::encode`] takes, from frames `[N, H, W, 3]` as bytes: minus the mean, 4×4 pixels folded into
    /// channels, `[N, H/4, W/4, 48]`.
    pub fn pixels(&self, frames: &[u8]) -> Result<Tensor> {
        let size = self.config.image_size;
        let n = frames.len() / (size * size * 3);
        Tensor::from_vec(
            fold_pixels(frames, &self.mean_image, size),
            (n, size / FOLD, size / FOLD, FOLD * FOLD * 3),
            &self.device,
        )
    }

    /// Latents `[N, D]` of [`Lewm::pixels`]. In training batch norm uses the batch and moves its statistics.
    pub fn encode(&self, pixels: &Tensor, train: bool) -> Result<Tensor> {
        let x = ops::gelu(&self.stem.forward(pixels)?)?;
        let mut x = ops::gelu(&self.down.forward(&x)?)?;
        for (first, second) in &self.residual {
            let inner = second.forward(&ops::gelu(&first.forward(&x)?)?)?;
            x = ops::gelu(&(x + inner)?)?;
        }
        let x = ops::gelu(&self.narrow.forward(&x)?)?.flatten_from(1)?;
        let x = ops::gelu(
            &self
                .hidden_norm
                .forward_t(&self.hidden.forward(&x)?, train)?,
        )?;
        self.latent_norm
            .forward_t(&self.project.forward(&x)?, train)
    }

    /// Latents `[N, D]` of frames `[N, H, W, 3]` as bytes, in evaluation, some hundred frames at a time.
    pub fn encode_frames(&self, frames: &[u8]) -> Result<Tensor> {
        const CHUNK: usize = 256;
        let frame = self.config.image_size * self.config.image_size * 3;
        let mut latents = Vec::new();
        for chunk in frames.chunks(CHUNK * frame) {
            latents.push(self.encode(&self.pixels(chunk)?, false)?.detach());
        }
        match latents.len() {
            1 => Ok(latents.remove(0)),
            _ => Tensor::cat(&latents, 0),
        }
    }

    /// The next latents `[N, D]` from `z: [N, D]` and action blocks `a: [N, frameskip·A]`; `rng` only in training.
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
        z + self.predict_out.forward(&h)?
    }

    /// The latents `[N, T, D]` that follow `z: [N, D]` under action blocks `a: [N, T, frameskip·A]`, open loop.
    pub fn roll_out(&self, z: &Tensor, a: &Tensor, mut rng: Option<&mut Rng>) -> Result<Tensor> {
        let (mut z, mut steps) = (z.clone(), Vec::new());
        for t in 0..a.dim(1)? {
            z = self.predict(
                &z,
                &a.narrow(1, t, 1)?.squeeze(1)?.contiguous()?,
                rng.as_deref_mut(),
            )?;
            steps.push(z.clone());
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
        let [narrow, wide, last] = c.encoder_channels.map(|n| n as f64);
        let (first, second) = (
            (c.image_size / FOLD).pow(2) as f64,
            (c.image_size / FOLD / 2).pow(2) as f64,
        );
        let maps = first * 48. * narrow
            + second
                * (9. * narrow * wide + c.residual_blocks as f64 * 18. * wide * wide + wide * last);
        let heads = (second * last + c.latent_dim as f64) * c.encoder_hidden as f64;
        let w = c.predictor_width as f64;
        let inputs = (2 * c.latent_dim + c.action_width()) as f64;
        (
            2. * (maps + heads),
            2. * (inputs * w + c.predictor_blocks as f64 * 2. * w * w),
        )
    }
}

/// Bytes `[N, H, W, 3]` to floats minus `mean`, with 4×4 pixels folded into channels.
fn fold_pixels(frames: &[u8], mean: &[f32], size: usize) -> Vec<f32> {
    let (frame, row) = (size * size * 3, FOLD * 3);
    let (side, channels) = (size / FOLD, FOLD * FOLD * 3);
    let mut folded = vec![0f32; frames.len()];
    folded
        .par_chunks_mut(frame)
        .zip(frames.par_chunks(frame))
        .for_each(|(out, bytes)| {
            for y in 0..size {
                for x in 0..side {
                    let from = (y * side + x) * row;
                    let to = ((y / FOLD) * side + x) * channels + (y % FOLD) * row;
                    let values = bytes[from..from + row].iter().zip(&mean[from..from + row]);
                    for (o, (b, m)) in out[to..to + row].iter_mut().zip(values) {
                        *o = f32::from(*b) / 255. - m;
                    }
                }
            }
        });
    folded
}
