//! Sequences of predictions, of which all but the first see what the model itself predicted before.

use crate::episode::Dataset;
use crate::model::ModelError;
use crate::model::nn::Rng;
use candle_core::Tensor;

/// Streams of the generator beyond this draw a model's own frames, not batches.
pub const OWN_FRAMES: u64 = 1 << 40;

/// Every frame that can be predicted: those of some episodes that follow another.
pub struct Moments<'a> {
    data: &'a Dataset,
    /// Episode, and frame in it.
    targets: Vec<(u32, u32)>,
}

impl<'a> Moments<'a> {
    /// Those of `episodes`, for an architecture.
    ///
    /// # Errors
    /// [`ModelError::Input`] if there is nothing to predict.
    pub fn new(
        data: &'a Dataset,
        episodes: &[usize],
        architecture: &str,
    ) -> Result<Self, ModelError> {
        let of = |&e: &usize| (1..data.episodes[e].len).map(move |t| (e as u32, t as u32));
        let targets: Vec<_> = episodes.iter().flat_map(of).collect();
        match targets.is_empty() {
            false => Ok(Self { data, targets }),
            true => Err(ModelError::Input {
                model: architecture.into(),
                message: "the episodes hold no two frames in a row".into(),
            }),
        }
    }

    /// Episodes and first frames to predict of `n` sequences of `rolls` predictions.
    pub fn draw(&self, n: usize, rolls: usize, rng: &mut Rng) -> Vec<(usize, usize)> {
        let mut one = || {
            let (e, t) = self.targets[rng.below(self.targets.len())];
            let latest = self.data.episodes[e as usize].len.saturating_sub(rolls);
            (e as usize, (t as usize).min(latest).max(1))
        };
        (0..n).map(|_| one()).collect()
    }

    /// Appends the latest `count` actions, of `dim` components each, that lead to frame `t` of an episode;
    /// zeros where it had not begun.
    pub fn actions(
        &self,
        (episode, t): (usize, usize),
        (count, dim): (usize, usize),
        out: &mut Vec<f32>,
    ) {
        let start = self.data.episodes[episode].start;
        for i in 0..count {
            match (t + i).checked_sub(count) {
                Some(at) => out.extend_from_slice(self.data.action(start + at)),
                None => out.resize(out.len() + dim, 0.0),
            }
        }
    }
}

/// Mean over the predictions of a batch of what `term` makes of each and of its context `[B, S, S, K·C]`, of
/// `channels` C. Where there are several predictions in a row, `own` makes the frame that becomes context of
/// the next.
///
/// # Errors
/// Of the tensor library, of `own` and of `term`.
pub fn rolled_loss<S>(
    context: &Tensor,
    steps: &[S],
    channels: usize,
    mut own: impl FnMut(&Tensor, &S) -> Result<Tensor, ModelError>,
    term: impl Fn(&Tensor, &S) -> Result<Tensor, ModelError>,
) -> Result<Tensor, ModelError> {
    let mut context = context.clone();
    let mut total: Option<Tensor> = None;
    for (i, step) in steps.iter().enumerate() {
        if let Some(before) = i.checked_sub(1).map(|i| &steps[i]) {
            let next = own(&context, before)?;
            let kept = context.narrow(3, channels, context.dim(3)? - channels)?;
            context = Tensor::cat(&[kept.contiguous()?, next], 3)?;
        }
        let term = term(&context, step)?;
        total = Some(match total {
            Some(total) => (total + term)?,
            None => term,
        });
    }
    let total = total.ok_or_else(|| ModelError::Input {
        model: "diffusion".into(),
        message: "a batch of no predictions".into(),
    })?;
    Ok((total / steps.len() as f64)?)
}
