//! What can be trained: a recipe checks itself and its experience, and runs its phases one after the other.

use super::bounds::Fault;
use super::error::TrainError;
use super::export::Made;
use super::run::{Given, Session};
use std::path::Path;

/// A model and how it is trained.
pub(super) trait Recipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    fn check(&self) -> Result<(), Fault>;

    /// Components of an action that the experience may have.
    fn action_dim(&self) -> usize;

    /// The folder of a finished model whose weights the training begins with.
    fn start(&self) -> Option<&Path> {
        None
    }

    /// Whether the experience is enough for every phase, and the weights make a file that is read again.
    ///
    /// # Errors
    /// [`TrainError::Misfit`] naming the field.
    fn check_fit(&self, given: &Given) -> Result<(), TrainError>;

    /// Runs the phases that are not done yet, and says what came out.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] with a checkpoint to go on from; what else can go wrong in a phase.
    fn train(&self, session: &mut Session) -> Result<Made, TrainError>;

    /// Whether read-outs of a finished model can be fitted anew.
    fn has_readouts(&self) -> bool {
        false
    }

    /// Fits the read-outs of a finished model, whose weights the session has read, anew.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    fn fit_readouts(&self, _: &mut Session) -> Result<(), TrainError> {
        Ok(())
    }
}
