//! The second stage: the frozen encoder's map of a frame, and how actions change it.

use super::config::VjepaConfig;
use super::encoder::positions;
use super::maps::FrameMaps;
use crate::model::nn::{LayerNorm, Linear, Params, PreNormBlock, ops};
use candle_core::{D, Device, Result, Tensor};

/// How far a predicted map is from the true one. The default is the paper's mean absolute error.
#[derive(Clone, Debug, Default)]
pub struct MapError {
    /// Errors of a value below this count by their square, so that small ones pull less (Huber; 0 is the
    /// plain absolute error).
    pub smooth: f64,
    /// Share of a token's weight, 0 to 1, that goes by how much the token changes: most of a picture stays as
    /// it is, and where all tokens count alike a predictor that copies is nearly right. With 1 a token that
    /// stays as it is does not count at all.
    pub by_change: f64,
    /// The planner's own distance: what its mean square counts, and the matrix `[map, K]` that takes a
    /// difference of maps to the whitened numbers in which a planner compares futures with its goal.
    pub planned: Option<(f64, Tensor)>,
}

impl MapError {
    /// Mean error of maps `found` against `truth`, whose tokens of `width` values have changed since `last`;
    /// all `[N, map]`. The weights of a batch's tokens have mean 1.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn mean(
        &self,
        found: &Tensor,
        truth: &Tensor,
        last: &Tensor,
        width: usize,
    ) -> Result<Tensor> {
        let by_values = self.by_values(found, truth, last, width)?;
        match &self.planned {
            None => Ok(by_values),
            Some((weight, metric)) => {
                let off = (found - truth)?.matmul(metric)?;
                by_values + (off.sqr()?.mean_all()? * *weight)?
            }
        }
    }

    fn by_values(
        &self,
        found: &Tensor,
        truth: &Tensor,
        last: &Tensor,
        width: usize,
    ) -> Result<Tensor> {
        let mut error = (found - truth)?.abs()?;
        if self.smooth > 0. {
            let small = error.minimum(self.smooth)?;
            error = ((&small * (error - (&small * 0.5)?)?)? * (1. / self.smooth))?;
        }
        if self.by_change <= 0. {
            return error.mean_all();
        }
        let by_token = |values: &Tensor| values.reshape(((), width))?.mean(1);
        let change = by_token(&(truth - last)?.abs()?)?;
        let usual = change.mean_all()?.maximum(1e-9)?;
        let weight = (change.broadcast_div(&usual)? * self.by_change)? + (1. - self.by_change);
        (by_token(&error)? * weight?)?.mean_all()
    }
}

/// A map of a frame: its tokens' layer-normalised embeddings, squares of `merge × merge` tokens side by
/// side, so that `[N, map]` is also `[N, squares, merge²·width]` and nothing need be turned round between
/// encoding, predicting and comparing.
pub struct ActionJepa {
    config: VjepaConfig,
    maps: FrameMaps,
    input: Linear,
    positions: Tensor,
    blocks: Vec<PreNormBlock>,
    norm: LayerNorm,
    output: Linear,
}

impl ActionJepa {
    /// The encoder under `target`, which stays as it is, and the predictor under `predictor`.
    pub fn new(config: &VjepaConfig, p: &Params) -> Result<Self> {
        let (c, w, q) = (config, config.predictor_width, p.pp("predictor"));
        let (side, square) = (c.grid() / c.merge, c.merge * c.merge * c.width);
        let actions = c.frameskip * c.action_dim;
        let block = |i| {
            let p = q.pp(format!("blocks.{i}"));
            PreNormBlock::new(w, c.predictor_heads, c.predictor_mlp_width, p)
        };
        let shape = (1, side * side, w);
        Ok(Self {
            maps: FrameMaps::new(config, c.merge, p)?,
            input: Linear::new(c.history * square + actions, w, q.pp("in"))?,
            positions: Tensor::from_vec(positions(1, side, w), shape, p.device())?,
            blocks: (0..c.predictor_layers).map(block).collect::<Result<_>>()?,
            norm: LayerNorm::new(w, 1e-5, q.pp("norm"))?,
            output: Linear::zeros(w, square, q.pp("out"))?,
            config: config.clone(),
        })
    }

    /// Its configuration.
    pub fn config(&self) -> &VjepaConfig {
        &self.config
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        self.positions.device()
    }

    /// Maps `[N, map]` of frames `[N, H, W, 3]` as bytes.
    pub fn encode_frames(&self, frames: &[u8]) -> Result<Tensor> {
        self.maps.encode_frames(frames)
    }

    /// The next maps `[N, map]` from the last `z: [N, history·map]`, oldest first, an imagined step apart,
    /// and the actions `a: [N, frameskip·A]`, which every square's token is told (as in DINO-WM).
    pub fn predict(&self, z: &Tensor, a: &Tensor) -> Result<Tensor> {
        let c = &self.config;
        let (n, map) = (z.dim(0)?, c.map_len());
        let squares = self.positions.dim(1)?;
        let last = z.narrow(1, (c.history - 1) * map, map)?;
        let mut parts = Vec::with_capacity(c.history + 1);
        for h in 0..c.history {
            parts.push(z.narrow(1, h * map, map)?.reshape((n, squares, ()))?);
        }
        let actions = a.unsqueeze(1)?;
        parts.push(actions.broadcast_as((n, squares, a.dim(1)?))?);
        let x = self.input.forward(&Tensor::cat(&parts, D::Minus1)?)?;
        let mut x = x.broadcast_add(&self.positions)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        let change = self.output.forward(&self.norm.forward(&x)?)?;
        let next = (last.reshape(((), c.width))? + change.reshape(((), c.width))?)?;
        if c.residual {
            return next.reshape((n, map));
        }
        ops::layer_norm(&next, None, None, 1e-5)?.reshape((n, map))
    }

    /// The last maps `[N, history·map]` once `next: [N, map]` has followed `z`.
    pub fn shift(&self, z: &Tensor, next: &Tensor) -> Result<Tensor> {
        let (h, map) = (self.config.history, self.config.map_len());
        match h {
            1 => Ok(next.clone()),
            _ => Tensor::cat(&[&z.narrow(1, map, (h - 1) * map)?, next], 1),
        }
    }

    /// The maps that follow `z: [N, history·map]` under actions `a: [N, T, frameskip·A]`, open loop: T of
    /// `[N, map]`.
    pub fn roll_out(&self, z: &Tensor, a: &Tensor) -> Result<Vec<Tensor>> {
        let (mut z, mut maps) = (z.clone(), Vec::new());
        for t in 0..a.dim(1)? {
            let block = a.narrow(1, t, 1)?.squeeze(1)?.contiguous()?;
            let next = self.predict(&z, &block)?;
            z = self.shift(&z, &next)?;
            maps.push(next);
        }
        Ok(maps)
    }

    /// Teacher-forced and rollout losses of maps `z: [B, history + R, map]` with `a: [B, history − 1 + R,
    /// frameskip·A]` between them: mean errors of R next maps, each from true ones (of the first `forced` of
    /// them alone, if that is fewer), and of the last R − 1 of an open-loop rollout from the first (0 for
    /// R = 1), taken as `measure` says. What a token has changed since is the last true map that the
    /// prediction knew.
    pub fn losses(
        &self,
        z: &Tensor,
        a: &Tensor,
        measure: &MapError,
        forced: Option<usize>,
    ) -> Result<(Tensor, Tensor)> {
        let h = self.config.history;
        let (b, tokens, map) = z.dims3()?;
        let steps = tokens - h;
        let window = |t: usize| z.narrow(1, t, h)?.contiguous()?.reshape((b, h * map));
        let block = |t: usize| a.narrow(1, h - 1 + t, 1)?.squeeze(1)?.contiguous();
        let at = |t: usize| z.narrow(1, t, 1)?.squeeze(1)?.contiguous();
        let windows = (0..steps).map(window).collect::<Result<Vec<_>>>()?;
        let blocks = (0..steps).map(block).collect::<Result<Vec<_>>>()?;
        let lasts = (0..steps)
            .map(|t| at(h - 1 + t))
            .collect::<Result<Vec<_>>>()?;
        let truths = (0..steps).map(|t| at(h + t)).collect::<Result<Vec<_>>>()?;
        let of = forced.unwrap_or(steps).clamp(1, steps);
        let joined = |parts: &[Tensor]| Tensor::cat(&parts[..of], 0);
        let forced = self.predict(&joined(&windows)?, &joined(&blocks)?)?;
        let (truth, last) = (joined(&truths)?, joined(&lasts)?);
        let teacher = measure.mean(&forced, &truth, &last, self.config.width)?;
        let mut next = forced.narrow(0, 0, b)?;
        let mut known = windows[0].clone();
        let mut open = Vec::new();
        for t in 1..steps {
            known = self.shift(&known, &next)?;
            next = self.predict(&known, &blocks[t])?;
            open.push(measure.mean(&next, &truths[t], &lasts[0], self.config.width)?);
        }
        let rollout = match open.is_empty() {
            true => teacher.zeros_like()?,
            false => Tensor::stack(&open, 0)?.mean_all()?,
        };
        Ok((teacher, rollout))
    }

    /// Floating-point operations (two a multiply-add) of encoding one frame and of predicting one map.
    pub fn flops(&self) -> (f64, f64) {
        let c = &self.config;
        let w = c.predictor_width;
        let squares = c.cells() / (c.merge * c.merge);
        let square = c.merge * c.merge * c.width;
        let inputs = c.history * square + c.frameskip * c.action_dim;
        let ends = 2. * (squares * w * (inputs + square)) as f64;
        let inner = PreNormBlock::flops(squares, w, c.predictor_mlp_width);
        (
            FrameMaps::flops(c),
            ends + c.predictor_layers as f64 * inner,
        )
    }
}
