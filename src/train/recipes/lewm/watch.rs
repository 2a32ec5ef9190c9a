//! What the latents hold while they are trained.

use crate::episode::Dataset;
use crate::model::jepa::Lewm;
use crate::train::error::TrainError;
use crate::train::readouts::gates::{Gate, Seen, Verdict};
use crate::train::run::Session;

/// Frames whose latents are looked at while they are trained.
pub struct Watch<'a> {
    gate: Gate,
    data: &'a Dataset,
    model: &'a Lewm,
}

impl<'a> Watch<'a> {
    /// Frames of the session's episodes.
    pub fn new(session: &Session<'a>, model: &'a Lewm) -> Self {
        let episodes = [&session.train_episodes[..], &session.validation_episodes];
        Self {
            gate: Gate::new(session.data, episodes, [2500, 1200]),
            data: session.data,
            model,
        }
    }

    /// What the latents hold after `step` steps.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn judge(&self, step: usize) -> Result<Option<Verdict>, TrainError> {
        let d = self.model.config().latent_dim;
        self.gate.judge(self.data, step, |[fit, test]| {
            let latents = |bytes| self.model.encode_frames(bytes)?.flatten_all()?.to_vec1();
            let test: Vec<f32> = latents(test)?;
            Ok(Seen {
                content: test.clone(),
                width: d,
                features: [latents(fit)?, test],
                d,
                facts: Default::default(),
            })
        })
    }
}
