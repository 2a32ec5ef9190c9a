//! How to run a training, as opposed to what to train, and how it ended.

use crate::system::Stop;
use candle_core::Device;
use std::path::PathBuf;

/// How to run a training.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Where to compute.
    pub device: Device,
    /// Stop in time, with a checkpoint to go on from.
    pub minutes: Option<f64>,
    /// Go on from the checkpoint in `out`, if there is one.
    pub resume: bool,
    /// The model folder to fill.
    pub out: PathBuf,
    /// Folders of experience in place of the configuration's.
    pub data: Vec<PathBuf>,
    /// Name damaged shards and train without them, rather than fail.
    pub skip_damaged: bool,
    /// Of a finished model in `out`, fit only the read-outs and the action prior anew (LeWM).
    pub readouts_only: bool,
    /// Put the new model in the place of a finished one in `out` once it is complete, or begin an unfinished
    /// training anew.
    pub overwrite: bool,
    /// Ends the training with a checkpoint once it is raised.
    pub stop: Stop,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            minutes: None,
            resume: false,
            out: PathBuf::new(),
            data: Vec::new(),
            skip_damaged: false,
            readouts_only: false,
            overwrite: false,
            stop: Stop::new(),
        }
    }
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The model folder is complete.
    Finished,
    /// Time was up, or somebody asked for an end; `resume` goes on.
    Paused,
}
