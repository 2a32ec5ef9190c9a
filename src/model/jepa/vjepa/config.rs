//! Every choice of a V-JEPA 2-AC.

use crate::model::input::check_sizes;
use crate::model::jepa::GoalCost;
use serde::{Deserialize, Serialize};

/// Frames in one tubelet.
pub const TUBELET: usize = 2;

/// Architecture of a V-JEPA 2-AC. The defaults are sized for 64-pixel frames and a processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VjepaConfig {
    /// Side of a frame in pixels.
    pub image_size: usize,
    /// Side of a tubelet in pixels; it is [`TUBELET`] frames deep.
    pub patch: usize,
    /// Frames of a clip in the masked phase; a multiple of [`TUBELET`].
    pub clip_frames: usize,
    /// Width of a token.
    pub width: usize,
    /// Layers of the encoder.
    pub layers: usize,
    /// Heads of the encoder's attention.
    pub heads: usize,
    /// Width of the encoder's MLPs.
    pub mlp_width: usize,
    /// Width of the predictor of hidden tubelets.
    pub masked_width: usize,
    /// Its layers.
    pub masked_layers: usize,
    /// Its heads.
    pub masked_heads: usize,
    /// The action-conditioned predictor looks at squares of so many tokens on a side as one token of its own.
    pub merge: usize,
    /// Width of the action-conditioned predictor.
    pub predictor_width: usize,
    /// Its layers.
    pub predictor_layers: usize,
    /// Its heads.
    pub predictor_heads: usize,
    /// Width of its MLPs.
    pub predictor_mlp_width: usize,
    /// Whether what it says is the change of the last map and nothing else is done to their sum. Otherwise
    /// the sum is layer-normalised, token by token, as the encoder's embeddings are.
    pub residual: bool,
    /// Observed maps, an imagined step apart, that it sees.
    pub history: usize,
    /// Control steps that one imagined step spans.
    pub frameskip: usize,
    /// Components of an action.
    pub action_dim: usize,
    /// Principal components of the whole map that probes read, and that the whitened cost is taken in.
    pub summary: usize,
    /// Share of the mean variance that is added before inverting the covariance of the whitened cost.
    pub whiten_lambda: f64,
    /// Distance that planners use: [`GoalCost::Plain`] is the paper's energy, mean |ẑ − z_goal|.
    pub cost: GoalCost,
    /// Candidates and iterations of a search that a processor can pay for: one imagined step costs 30 of
    /// LeWM's.
    pub search: (usize, usize),
}

impl Default for VjepaConfig {
    fn default() -> Self {
        Self {
            image_size: 64,
            patch: 8,
            clip_frames: 8,
            width: 96,
            layers: 4,
            heads: 3,
            mlp_width: 384,
            masked_width: 64,
            masked_layers: 3,
            masked_heads: 2,
            merge: 2,
            predictor_width: 96,
            predictor_layers: 3,
            predictor_heads: 3,
            predictor_mlp_width: 192,
            residual: false,
            history: 1,
            frameskip: 5,
            action_dim: 2,
            summary: 128,
            whiten_lambda: 0.1,
            cost: GoalCost::Plain,
            search: (64, 4),
        }
    }
}

impl VjepaConfig {
    /// Tokens on a side of a frame.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch.max(1)
    }

    /// Tokens of a frame, or of a tubelet's depth of frames.
    pub fn cells(&self) -> usize {
        self.grid() * self.grid()
    }

    /// Tubelets a clip is deep.
    pub fn slots(&self) -> usize {
        self.clip_frames / TUBELET
    }

    /// Values of a frame's map, `cells · width`.
    pub fn map_len(&self) -> usize {
        self.cells() * self.width
    }

    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let sizes = [
            ("image_size", self.image_size),
            ("patch", self.patch),
            ("clip_frames", self.clip_frames),
            ("layers", self.layers),
            ("mlp_width", self.mlp_width),
            ("masked_layers", self.masked_layers),
            ("merge", self.merge),
            ("predictor_layers", self.predictor_layers),
            ("predictor_mlp_width", self.predictor_mlp_width),
            ("history", self.history),
            ("frameskip", self.frameskip),
            ("action_dim", self.action_dim),
            ("summary", self.summary),
        ];
        let most = [
            ("image_size", self.image_size, 512),
            ("clip_frames", self.clip_frames, 64),
            ("width", self.width, 1024),
            ("layers", self.layers, 32),
            ("mlp_width", self.mlp_width, 4096),
            ("masked_width", self.masked_width, 1024),
            ("masked_layers", self.masked_layers, 32),
            ("predictor_width", self.predictor_width, 1024),
            ("predictor_layers", self.predictor_layers, 32),
            ("predictor_mlp_width", self.predictor_mlp_width, 4096),
            ("history", self.history, 64),
            ("frameskip", self.frameskip, 1000),
            ("action_dim", self.action_dim, 16),
            ("summary", self.summary, 4096),
        ];
        check_sizes(&sizes, &most)?;
        let multiples = [
            ("image_size", self.image_size, self.patch),
            ("clip_frames", self.clip_frames, TUBELET),
            ("merge", self.grid(), self.merge),
            ("heads", self.width, self.heads),
            ("masked_heads", self.masked_width, self.masked_heads),
            (
                "predictor_heads",
                self.predictor_width,
                self.predictor_heads,
            ),
        ];
        for (field, whole, part) in multiples {
            if part == 0 || whole == 0 || !whole.is_multiple_of(part) {
                return Err((
                    field,
                    format!("{whole} does not divide into parts of {part}"),
                ));
            }
        }
        if let Some((field, width)) = [("width", self.width), ("masked_width", self.masked_width)]
            .into_iter()
            .find(|(_, width)| *width < 8 || width % 2 != 0)
        {
            return Err((
                field,
                format!("found {width}, expected an even number from 8 up"),
            ));
        }
        if self.map_len() > 1 << 20 || self.map_len() * self.summary > 1 << 26 {
            return Err((
                "summary",
                format!(
                    "found {}, which is too many for maps of {} values",
                    self.summary,
                    self.map_len()
                ),
            ));
        }
        if self.summary > self.map_len() {
            return Err((
                "summary",
                format!(
                    "found {}, expected at most {}",
                    self.summary,
                    self.map_len()
                ),
            ));
        }
        if !(self.whiten_lambda > 0. && self.whiten_lambda <= 1e6) {
            return Err((
                "whiten_lambda",
                format!("found {}, expected more than 0", self.whiten_lambda),
            ));
        }
        Ok(())
    }
}
