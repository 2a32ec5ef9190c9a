//! Goal-conditioned behaviour cloning: the action that the recorded behaviour took on its way from this
//! frame to that one (as GCSL, Ghosh et al. 2021, arXiv 1912.06088: any later frame of an episode is a goal
//! that its actions reached).

use super::nn::{FrameEncoder, FrameEncoderSizes, Head, LayerNorm, Linear, Params, ops};
use super::{Card, Context, Cost, Frame, Goal, ModelError, input, policy::Policy};
use candle_core::{D, Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Architecture of the cloned policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloningConfig {
    /// Side of a frame in pixels; a multiple of 8.
    pub image_size: usize,
    /// Channels of the encoder, as of a LeWM.
    pub encoder_channels: [usize; 3],
    /// Residual blocks of two 3×3 convolutions.
    pub residual_blocks: usize,
    /// Width of the layer between the flattened map and a frame's features.
    pub encoder_hidden: usize,
    /// Features of a frame.
    pub features: usize,
    /// Width of the layers that compare both frames' features.
    pub width: usize,
    /// Residual blocks of those layers.
    pub blocks: usize,
    /// Components of an action; 1 where a distance is learned instead.
    pub action_dim: usize,
}

impl Default for CloningConfig {
    fn default() -> Self {
        Self {
            image_size: 64,
            encoder_channels: [32, 64, 32],
            residual_blocks: 1,
            encoder_hidden: 256,
            features: 64,
            width: 256,
            blocks: 2,
            action_dim: 2,
        }
    }
}

impl CloningConfig {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.image_size == 0 || !self.image_size.is_multiple_of(8) {
            let message = format!("found {}, expected a multiple of 8", self.image_size);
            return Err(("image_size", message));
        }
        let channels = self.encoder_channels.iter().copied().min().unwrap_or(0);
        let sizes = [
            ("encoder_channels", channels),
            ("encoder_hidden", self.encoder_hidden),
            ("features", self.features),
            ("width", self.width),
            ("action_dim", self.action_dim),
        ];
        let channels = self.encoder_channels.into_iter().max().unwrap_or(0);
        let most = [
            ("image_size", self.image_size, 512),
            ("encoder_channels", channels, 512),
            ("residual_blocks", self.residual_blocks, 16),
            ("encoder_hidden", self.encoder_hidden, 8192),
            ("features", self.features, 4096),
            ("width", self.width, 4096),
            ("blocks", self.blocks, 32),
            ("action_dim", self.action_dim, 16),
        ];
        input::check_sizes(&sizes, &most)?;
        let flat = (self.image_size / 8).pow(2) * self.encoder_channels[2];
        match flat * self.encoder_hidden > 1 << 26 {
            true => Err((
                "encoder_hidden",
                format!(
                    "found {}, which is too many for a map of {flat} values",
                    self.encoder_hidden
                ),
            )),
            false => Ok(()),
        }
    }
}

/// The networks: one encoder for both frames, and layers that compare them.
pub struct Cloning {
    config: CloningConfig,
    encoder: FrameEncoder,
    compare: Linear,
    blocks: Vec<(LayerNorm, Linear, Linear)>,
    out: Linear,
}

impl Cloning {
    /// Builds the networks on `p`: fresh, or from a file (whose shapes must fit).
    pub fn new(config: &CloningConfig, p: &Params) -> Result<Self> {
        if let Err((field, message)) = config.check() {
            bail!("{field}: {message}");
        }
        let sizes = FrameEncoderSizes {
            head: Head::Flatten,
            image: config.image_size,
            channels: config.encoder_channels,
            residual_blocks: config.residual_blocks,
            hidden: config.encoder_hidden,
            out: config.features,
        };
        let (q, w) = (p.pp("policy"), config.width);
        let block = |b: usize| -> Result<(LayerNorm, Linear, Linear)> {
            let r = q.pp(format!("blocks.{b}"));
            Ok((
                LayerNorm::new(w, 1e-5, r.pp("norm"))?,
                Linear::new(w, w, r.pp("0"))?,
                Linear::new(w, w, r.pp("1"))?,
            ))
        };
        Ok(Self {
            encoder: FrameEncoder::new(sizes, &p.pp("encoder"))?,
            compare: Linear::new(3 * config.features, w, q.pp("in"))?,
            blocks: (0..config.blocks).map(block).collect::<Result<_>>()?,
            out: Linear::new(w, config.action_dim, q.pp("out"))?,
            config: config.clone(),
        })
    }

    /// What encodes the frames.
    pub fn encoder(&self) -> &FrameEncoder {
        &self.encoder
    }

    /// The same, to set its mean image.
    pub fn encoder_mut(&mut self) -> &mut FrameEncoder {
        &mut self.encoder
    }

    /// Actions `[N, A]` from features of what is seen and what is wanted, `[N, D]` each.
    pub fn decide(&self, now: &Tensor, goal: &Tensor) -> Result<Tensor> {
        let both = Tensor::cat(&[now, goal, &(goal - now)?], D::Minus1)?;
        let mut h = ops::gelu(&self.compare.forward(&both)?)?;
        for (norm, first, second) in &self.blocks {
            let inner = ops::gelu(&first.forward(&norm.forward(&h)?)?)?;
            h = (h + second.forward(&inner)?)?;
        }
        self.out.forward(&h)
    }

    /// Floating-point operations to encode a frame and to compare it with a goal.
    pub fn flops(&self) -> f64 {
        let c = &self.config;
        let w = c.width as f64;
        self.encoder.flops() + 3. * c.features as f64 * w + c.blocks as f64 * 2. * w * w
    }

    /// Mean squared error of the actions `[N, A]` of pairs of frames, `pixels: [2·N, ..]`: first all that
    /// are seen, then all goals.
    pub fn loss(&self, pixels: &Tensor, actions: &Tensor, train: bool) -> Result<Tensor> {
        let n = actions.dim(0)?;
        let features = self.encoder.forward(pixels, train)?;
        let (now, goal) = (features.narrow(0, 0, n)?, features.narrow(0, n, n)?);
        let found = self.decide(&now.contiguous()?, &goal.contiguous()?)?;
        (found - actions)?.sqr()?.mean_all()
    }
}

/// A cloned policy, trained.
pub struct ClonedPolicy {
    card: Card,
    model: Cloning,
    parameters: u64,
}

impl ClonedPolicy {
    /// Reads `model.safetensors` of a model folder.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and the tensor at fault.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &CloningConfig,
        device: &Device,
    ) -> std::result::Result<Self, ModelError> {
        input::load(dir, device, |params| {
            let model = Cloning::new(config, &params.detached())?;
            candle_core::Result::Ok(Self {
                card,
                model,
                parameters: params.count() as u64,
            })
        })
    }

    fn features(&self, frame: &Frame) -> std::result::Result<Tensor, ModelError> {
        let side = self.model.config.image_size;
        let found = (frame.size, frame.data.as_slice());
        input::check_frame(&self.card.name, "frame", found, side)?;
        Ok(self.model.encoder.encode_frames(&frame.data)?)
    }
}

impl Policy for ClonedPolicy {
    fn card(&self) -> &Card {
        &self.card
    }

    fn act(
        &self,
        context: &Context,
        goal: &Goal,
        dim: usize,
    ) -> std::result::Result<Vec<f32>, ModelError> {
        let frame = context.frames.last().ok_or_else(|| ModelError::Input {
            model: self.card.name.clone(),
            message: "found no frame, expected at least 1".into(),
        })?;
        let now = self.features(frame)?;
        let goal = self.features(&goal.frame)?;
        let action: Vec<f32> = self.model.decide(&now, &goal)?.flatten_all()?.to_vec1()?;
        let component = |i: usize| action.get(i).map_or(0.0, |a| a.clamp(-1.0, 1.0));
        Ok((0..dim).map(component).collect())
    }

    fn cost(&self) -> Cost {
        Cost {
            parameters: self.parameters,
            encode_flops: self.model.flops(),
            ..Cost::default()
        }
    }
}
