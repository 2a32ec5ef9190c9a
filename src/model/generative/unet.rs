//! The network of the diffusion model: a small U-Net over folded frames.
//!
//! 64×64 pixels are folded 4×4 into 16×16×48, because two CPU cores decide what can be learned: a
//! convolution at full resolution costs sixteen times as much. Two levels (16×16 and 8×8), residual
//! blocks with adaptive group norm, self-attention over the 64 inner cells, and a straight path from the
//! noisy input to the output, scaled channel by channel by the noise level: it carries the noise out, so
//! that the blocks need not.

use candle_core::{D, Result, Tensor};

use super::PixelDiffusionConfig;
use super::block::Block;
use crate::model::nn::{Attention, Conv, Linear, Params, fourier_features, ops};

/// What the next frame depends on.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// `[B, S, S, K·3p²]`: the context, oldest frame first.
    pub context: Tensor,
    /// `[B]`: noise level that was added to the context.
    pub context_level: Tensor,
    /// `[B, A·dim]`: the latest actions, oldest first; the last leads to the next frame.
    pub actions: Tensor,
}

/// Self-attention over all cells of the inner level, as a residual.
#[derive(Clone, Debug)]
struct CellAttention {
    condition: Linear,
    attention: Attention,
    groups: usize,
}

impl CellAttention {
    fn forward(&self, x: &Tensor, condition: &Tensor) -> Result<Tensor> {
        let (b, h, w, c) = x.dims4()?;
        let y = ops::film(x, &self.condition.forward(condition)?, Some(self.groups))?;
        let y = self.attention.forward(&y.reshape((b, h * w, c))?)?;
        x + y.reshape((b, h, w, c))?
    }
}

/// The network `F` of EDM.
#[derive(Clone)]
pub struct UNet {
    noise_features: Params,
    context_features: Params,
    embed: usize,
    embed_first: Linear,
    embed_second: Linear,
    input: Linear,
    before: Vec<Block>,
    down: Conv,
    inner: Vec<Block>,
    attention: Option<CellAttention>,
    up: Linear,
    after: Vec<Block>,
    out_condition: Linear,
    out: Linear,
    straight: Linear,
    groups: usize,
}

impl UNet {
    /// A network of the variables in `p`.
    pub fn new(config: &PixelDiffusionConfig, p: Params) -> Result<Self> {
        let (width, inner, embed) = (config.width, config.inner_width, config.embed);
        let channels = config.channels();
        let blocks = |n: usize, width: usize, name: &str| {
            (0..n)
                .map(|i| Block::new(width, config.embed, config.groups, p.pp(name).pp(i)))
                .collect::<Result<Vec<_>>>()
        };
        let attention = match config.heads {
            0 => None,
            heads => Some(CellAttention {
                condition: Linear::zeros(embed, 2 * inner, p.pp("attention_condition"))?,
                attention: Attention::new(inner, heads, false, p.pp("attention"))?,
                groups: config.groups,
            }),
        };
        let net = Self {
            noise_features: p.pp("noise_features"),
            context_features: p.pp("context_features"),
            embed,
            embed_first: Linear::new(
                embed + config.actions * config.action_dim,
                embed,
                p.pp("embed_first"),
            )?,
            embed_second: Linear::new(embed, embed, p.pp("embed_second"))?,
            input: Linear::new(channels * (config.context + 1), width, p.pp("input"))?,
            before: blocks(config.blocks, width, "before")?,
            down: Conv::new(width, inner, 3, 2, p.pp("down"))?,
            inner: blocks(config.inner_blocks, inner, "inner")?,
            attention,
            up: Linear::new(inner, width, p.pp("up"))?,
            after: blocks(config.blocks, width, "after")?,
            out_condition: Linear::zeros(embed, 2 * width, p.pp("out_condition"))?,
            out: Linear::zeros(width, channels, p.pp("out"))?,
            straight: Linear::zeros(embed, 2 * channels, p.pp("straight"))?,
            groups: config.groups,
        };
        // The frequencies are buffers: ask once, so that they exist before weights are averaged or counted.
        let zero = Tensor::zeros(1, candle_core::DType::F32, p.device())?;
        net.features(&zero, &zero)?;
        Ok(net)
    }

    fn features(&self, noise: &Tensor, context_level: &Tensor) -> Result<Tensor> {
        let half = self.embed / 2;
        let noise = fourier_features(noise, half, &self.noise_features)?;
        // Levels are below about 0.3: spread them over a period of the typical frequency.
        let context = fourier_features(&(context_level * 4.0)?, half, &self.context_features)?;
        Tensor::cat(&[noise, context], D::Minus1)
    }

    /// F, `[B, S, S, 3p²]`, from `noisy: [B, S, S, 3p²]` times c_in and `noise: [B]` = c_noise.
    pub fn forward(
        &self,
        noisy: &Tensor,
        noise: &Tensor,
        conditions: &Conditions,
    ) -> Result<Tensor> {
        let condition = self.condition(noise, conditions)?;
        let (mut x, inner) = self.descend(noisy, &conditions.context, &condition)?;
        x = (x + ops::upsample2(&self.up.forward(&inner)?)?)?;
        for block in &self.after {
            x = block.forward(&x, &condition)?;
        }
        let x = ops::film(
            &x,
            &self.out_condition.forward(&condition)?,
            Some(self.groups),
        )?;
        let straight = ops::film(noisy, &self.straight.forward(&condition)?, None)?;
        self.out.forward(&x)? + straight
    }

    /// What every block is told of noise levels and actions, `[B, E]`.
    fn condition(&self, noise: &Tensor, conditions: &Conditions) -> Result<Tensor> {
        let features = self.features(noise, &conditions.context_level)?;
        let embedding = Tensor::cat(&[&features, &conditions.actions], D::Minus1)?;
        let embedding = ops::silu(&self.embed_first.forward(&embedding)?)?;
        ops::silu(&self.embed_second.forward(&embedding)?)
    }

    /// Both levels before the way up: `[B, S, S, W]` and `[B, S/2, S/2, I]`.
    fn descend(
        &self,
        noisy: &Tensor,
        context: &Tensor,
        condition: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let mut x = self
            .input
            .forward(&Tensor::cat(&[noisy, context], D::Minus1)?)?;
        for block in &self.before {
            x = block.forward(&x, condition)?;
        }
        let mut inner = self.down.forward(&x)?;
        for (i, block) in self.inner.iter().enumerate() {
            inner = block.forward(&inner, condition)?;
            if let (0, Some(attention)) = (i, &self.attention) {
                inner = attention.forward(&inner, condition)?;
            }
        }
        Ok((x, inner))
    }

    /// The innermost activations `[B, S/2, S/2, I]` of the inputs of [`forward`](Self::forward): what the
    /// network makes of the scene.
    pub fn inner(&self, noisy: &Tensor, noise: &Tensor, conditions: &Conditions) -> Result<Tensor> {
        let condition = self.condition(noise, conditions)?;
        Ok(self.descend(noisy, &conditions.context, &condition)?.1)
    }

    /// Multiply-adds of one evaluation for one frame: (all, those of the first and last layer, which only
    /// translate between pixels and features).
    pub fn multiply_adds(config: &PixelDiffusionConfig) -> (f64, f64) {
        let (width, inner, embed) = (
            config.width as f64,
            config.inner_width as f64,
            config.embed as f64,
        );
        let (cells, channels) = (
            (config.side() * config.side()) as f64,
            config.channels() as f64,
        );
        let block = |cells: f64, w: f64| cells * 2.0 * 9.0 * w * w + embed * 4.0 * w;
        let pixels = cells * channels * width * (config.context + 2) as f64;
        let inner_cells = cells / 4.0;
        let attention = match config.heads {
            0 => 0.0,
            _ => inner_cells * (4.0 * inner * inner + 2.0 * inner_cells * inner),
        };
        let features = 2.0 * config.blocks as f64 * block(cells, width)
            + config.inner_blocks as f64 * block(inner_cells, inner)
            + inner_cells * (9.0 * width * inner + inner * width)
            + attention
            + embed * (2.0 * embed + 2.0 * channels + 2.0 * width);
        (features + pixels, pixels)
    }
}
