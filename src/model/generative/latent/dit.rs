//! The network that imagines in latents: a transformer over the cells of one frame (DiT, Peebles & Xie
//! 2023, arXiv 2212.09748).
//!
//! It is causal in time: the frame at noise level τ stands beside the frames before it, each with a noise
//! level of its own (diffusion forcing, Chen et al. 2024, arXiv 2407.01392), and nothing of later frames.
//! The window is short and enters cell by cell through the first layer, so there are no keys and values of
//! old frames to keep: one evaluation costs the tokens of a single frame, however long the rollout. A few
//! residual convolutions may come first (`local`): what moves, moves to a cell nearby, which attention
//! would have to learn from positions. Tokens look at each other within the frame; noise levels and actions
//! speak through adaptive layer norm. A straight path, scaled by the condition, leads from the noisy frame
//! and from the newest frame of the context to the output: what stands still need not pass through the
//! blocks.

use candle_core::{D, Result, Tensor};

use super::LatentDiffusionConfig;
use crate::model::generative::block::Block;
use crate::model::nn::{AdaLnZeroBlock, Init, Linear, Params, fourier_features, ops};

/// Features of one noise level.
const LEVEL_FEATURES: usize = 32;
/// Groups of channels that local blocks normalise together.
const GROUPS: usize = 8;

/// What the next latent depends on.
#[derive(Clone, Debug)]
pub struct Window {
    /// `[B, S, S, K·C]`: the context with its noise, oldest frame first.
    pub context: Tensor,
    /// `[B, K]`: noise level of each frame of the context; at 1 a frame says nothing.
    pub context_levels: Tensor,
    /// `[B, A·dim]`: the latest actions, oldest first; the last leads to the next frame.
    pub actions: Tensor,
    /// `[B, width]`: what is believed once the newest frame of the context was seen or imagined; nobody
    /// reads it in a network without a belief.
    pub belief: Option<Tensor>,
}

/// The causal transformer.
#[derive(Clone)]
pub struct Dit {
    config: LatentDiffusionConfig,
    level_features: Params,
    embed_first: Linear,
    embed_second: Linear,
    input: Linear,
    position: Tensor,
    local: Vec<Block>,
    blocks: Vec<AdaLnZeroBlock>,
    out_condition: Linear,
    out: Linear,
    straight: Linear,
    belief: Option<Linear>,
}

impl Dit {
    /// A network of the variables in `p`.
    pub fn new(config: &LatentDiffusionConfig, p: Params) -> Result<Self> {
        let (width, embed) = (config.width, config.embed);
        let (token, k) = (config.token_channels(), config.context);
        let conditions = (k + 1) * LEVEL_FEATURES + config.actions * config.action_dim;
        let block = |i: usize| {
            let p = p.pp("blocks").pp(i);
            AdaLnZeroBlock::new(width, embed, config.heads, config.hidden, false, p)
        };
        let net = Self {
            level_features: p.pp("level_features"),
            embed_first: Linear::new(conditions, embed, p.pp("embed_first"))?,
            embed_second: Linear::new(embed, embed, p.pp("embed_second"))?,
            input: Linear::new((k + 1) * token, width, p.pp("input"))?,
            position: p.get((1, config.tokens(), width), "position", Init::Normal(0.02))?,
            local: (0..config.local)
                .map(|i| Block::new(width, embed, GROUPS, p.pp("local").pp(i)))
                .collect::<Result<_>>()?,
            blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
            out_condition: Linear::zeros(embed, 2 * width, p.pp("out_condition"))?,
            out: Linear::zeros(width, token, p.pp("out"))?,
            straight: Linear::zeros(embed, 4 * config.channels(), p.pp("straight"))?,
            belief: (config.belief)
                .map(|b| Linear::zeros(b.width, embed, p.pp("belief")))
                .transpose()?,
            config: config.clone(),
        };
        // The frequencies are buffers: ask once, so that they exist before weights are averaged or counted.
        let zero = Tensor::zeros(1, candle_core::DType::F32, p.device())?;
        fourier_features(&zero, LEVEL_FEATURES, &net.level_features)?;
        Ok(net)
    }

    /// The settings it was built from.
    pub fn config(&self) -> &LatentDiffusionConfig {
        &self.config
    }

    /// The estimate of the clean latent `[B, S, S, C]` in `noisy`, at noise level `level: [B]`.
    pub fn forward(&self, noisy: &Tensor, level: &Tensor, window: &Window) -> Result<Tensor> {
        let (b, side, _, channels) = noisy.dims4()?;
        let (k, width) = (self.config.context, self.config.width);
        let levels = Tensor::cat(&[&level.unsqueeze(1)?, &window.context_levels], 1)?;
        let features =
            fourier_features(&levels.flatten_all()?, LEVEL_FEATURES, &self.level_features)?;
        let features = features.reshape((b, (k + 1) * LEVEL_FEATURES))?;
        let condition = Tensor::cat(&[&features, &window.actions], D::Minus1)?;
        let condition = ops::silu(&self.embed_first.forward(&condition)?)?;
        let mut condition = self.embed_second.forward(&condition)?;
        if let (Some(speak), Some(belief)) = (&self.belief, &window.belief) {
            condition = (condition + speak.forward(belief)?)?;
        }

        let x = Tensor::cat(&[noisy, &window.context], D::Minus1)?;
        let x = self.input.forward(&self.to_tokens(&x)?)?;
        let mut x = x.broadcast_add(&self.position)?;
        let active = ops::silu(&condition)?;
        if !self.local.is_empty() {
            let cells = side / self.config.merge;
            let mut map = x.reshape((b, cells, cells, width))?;
            for block in &self.local {
                map = block.forward(&map, &active)?;
            }
            x = map.reshape((b, cells * cells, width))?;
        }
        for block in &self.blocks {
            x = block.forward(&x, &condition)?;
        }
        let condition = active;
        let x = ops::modulated_norm(&x, &self.out_condition.forward(&condition)?, 1e-6)?;
        debug_assert_eq!(x.dims(), [b, self.config.tokens(), width]);
        let said = self.to_cells(&self.out.forward(&x)?, side)?;

        let newest = window
            .context
            .narrow(D::Minus1, (k - 1) * channels, channels)?
            .contiguous()?;
        let straight = self.straight.forward(&condition)?;
        let gains = |i: usize| straight.narrow(D::Minus1, 2 * i * channels, 2 * channels);
        let from_noisy = ops::film(noisy, &gains(0)?, None)?;
        let from_newest = ops::film(&newest, &gains(1)?, None)?;
        (said + from_noisy)? + (from_newest + newest)?
    }

    /// `[B, S, S, C]` to `[B, tokens, m²·C]`.
    fn to_tokens(&self, x: &Tensor) -> Result<Tensor> {
        let x = match self.config.merge {
            1 => x.clone(),
            m => ops::space_to_depth(x, m)?,
        };
        let (b, h, w, c) = x.dims4()?;
        x.reshape((b, h * w, c))
    }

    fn to_cells(&self, x: &Tensor, side: usize) -> Result<Tensor> {
        let (b, _, c) = x.dims3()?;
        let m = self.config.merge;
        let x = x.reshape((b, side / m, side / m, c))?;
        match m {
            1 => Ok(x),
            m => ops::depth_to_space(&x, m),
        }
    }

    /// Multiply-adds of one evaluation for one frame.
    pub fn multiply_adds(config: &LatentDiffusionConfig) -> f64 {
        let (width, embed, hidden) = (
            config.width as f64,
            config.embed as f64,
            config.hidden as f64,
        );
        let (tokens, token) = (config.tokens() as f64, config.token_channels() as f64);
        let block = tokens * (4.0 * width * width + 2.0 * width * hidden + 2.0 * tokens * width)
            + 6.0 * embed * width;
        let local = tokens * 18.0 * width * width + 4.0 * embed * width;
        config.layers as f64 * block
            + config.local as f64 * local
            + tokens * token * width * (config.context + 2) as f64
            + config.belief.map_or(0.0, |b| b.width as f64 * embed)
            + embed * (2.0 * embed + 2.0 * width + 4.0 * config.channels() as f64)
    }
}
