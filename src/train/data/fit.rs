//! Whether experience fits a recipe, asked before the first step: a later phase must not find out hours
//! later.

use crate::episode::Dataset;
use crate::model::nn::Params;
use crate::model::registry::MAX_BYTES;
use crate::sim::CALIBRATION_SEED;
use crate::train::error::TrainError;

/// There is experience, all of it for training.
pub fn any(data: &Dataset) -> Result<(), TrainError> {
    if data.is_empty() || data.episodes.is_empty() {
        return Err(TrainError::misfit(
            "data",
            "there are no episodes; name a folder of them with --data".into(),
        ));
    }
    match data.episodes.iter().find(|e| e.seed >= CALIBRATION_SEED) {
        None => Ok(()),
        Some(e) => Err(TrainError::misfit(
            "data",
            format!(
                "there is an episode of seed {}; training takes seeds below {CALIBRATION_SEED}",
                e.seed
            ),
        )),
    }
}

/// Frames have the side that the model takes.
pub fn side(data: &Dataset, field: &str, side: usize) -> Result<(), TrainError> {
    match data.size == side {
        true => Ok(()),
        false => Err(TrainError::misfit(
            field,
            format!(
                "found {side}, but the episodes' frames have {} pixels a side",
                data.size
            ),
        )),
    }
}

/// At least one of some episodes has `tokens` frames, `stride` apart. `what` says what they are for, such as
/// `training`.
pub fn long_enough(
    data: &Dataset,
    episodes: &[usize],
    (field, what): (&str, &str),
    tokens: usize,
    stride: usize,
) -> Result<(), TrainError> {
    let needed = tokens.saturating_sub(1).saturating_mul(stride) + 1;
    let longest = episodes.iter().map(|&e| data.episodes[e].len).max();
    match longest {
        None => Err(TrainError::misfit(
            field,
            format!(
                "there is no {what} episode for it; record more, or change validation_share or \
                 max_frames"
            ),
        )),
        Some(longest) if longest < needed => Err(TrainError::misfit(
            field,
            format!(
                "{what} episodes have {longest} frames, but {tokens} frames that lie {stride} control steps \
                 apart need {needed}"
            ),
        )),
        Some(_) => Ok(()),
    }
}

/// The weights make a file that is read again: `build` makes all of them, with any values.
pub fn file_size(build: impl FnOnce(&Params) -> candle_core::Result<()>) -> Result<(), TrainError> {
    let params = Params::fresh(0, &candle_core::Device::Cpu);
    build(&params)?;
    let all = params.vars().into_iter().chain(params.buffers());
    let numbers: u64 = all.map(|(_, v)| v.elem_count() as u64).sum();
    // As half floats, with some room for the names.
    let bytes = 2 * numbers + (64 << 10);
    match bytes <= MAX_BYTES {
        true => Ok(()),
        false => Err(TrainError::misfit(
            "model",
            format!(
                "its {numbers} numbers make a file of {:.1} MiB, expected at most {} MiB, which is \
                 what is read",
                bytes as f64 / f64::from(1 << 20),
                MAX_BYTES >> 20
            ),
        )),
    }
}
