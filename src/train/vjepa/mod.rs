//! How a V-JEPA 2-AC is trained: masked clips of all scenes without their actions, then, with the encoder as it is then, the
//! action-conditioned predictor on stored maps of the scenes that are to be controlled; then the summary, the whitened distance and the
//! read-outs.

mod actions;
mod gate;
mod maps;
mod masked;

pub use actions::ActionPhase;
pub use masked::MaskedPhase;

use super::lewm::ReadoutPhase;
use super::session::Opened;
use super::{Export, Outcome, TrainConfig, TrainError, TrainOptions, export};
use crate::episode::Dataset;
use crate::model::Camp;
use crate::model::jepa::vjepa::{ActionJepa, MaskedJepa, VjepaConfig};
use gate::Gate;
use serde::{Deserialize, Serialize};

/// Model and stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VjepaRecipe {
    /// Architecture.
    pub model: VjepaConfig,
    /// Masked clips, without actions.
    pub masked: MaskedPhase,
    /// The action-conditioned predictor on stored maps.
    pub actions: ActionPhase,
    /// Probes of the frozen maps' summaries.
    pub readouts: ReadoutPhase,
}

impl VjepaRecipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.model.check()?;
        self.masked.check(&self.model)?;
        if self.actions.batch == 0 || self.actions.rollout == 0 {
            return Err(("actions", "batch and rollout must be at least 1".into()));
        }
        Ok(())
    }
}

/// What all stages share.
type Session<'a> = super::session::Session<'a, VjepaRecipe>;

/// Trains a V-JEPA 2-AC into `options.out`.
pub(super) fn train(
    config: &TrainConfig,
    recipe: &VjepaRecipe,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    let Opened {
        mut session,
        params,
        resumed_steps: mut optimiser_steps,
    } = Session::open(config, recipe, data, options, recipe.model.image_size)?;
    let networks = MaskedJepa::new(&recipe.model, &params)?;
    let maps = ActionJepa::new(&recipe.model, &params)?;
    if optimiser_steps.is_none() {
        MaskedJepa::follow(&params, 0.)?;
    }
    let gate = Gate::new(&session);
    if session.progress.phase == 0 {
        let steps = optimiser_steps.take();
        if masked::run(&mut session, &networks, &params, (&gate, &maps), steps)? == Outcome::Paused
        {
            return Ok(Outcome::Paused);
        }
        session.next_phase();
    }
    let verdict = gate.judge(&maps, &mut session)?;
    let (masked_scenes, masked_frames) = (data.scenes.len(), data.len());
    let Some(done) = actions::run(&mut session, &params, optimiser_steps)? else {
        return Ok(Outcome::Paused);
    };
    let frozen = params.detached();
    let parts = ["target", "predictor"];
    let what = Export {
        camp: Camp::Jepa,
        parameters: parts
            .iter()
            .map(|part| frozen.pp(part).count() as u64)
            .sum(),
        steps: session.progress.total_steps,
        seconds: session.seconds(),
        notes: format!(
            "Masked pretraining on {masked_scenes} scenes, {masked_frames} frames, without actions; then the encoder as it is and a \
             predictor over {} tokens a frame, each of {}x{} patches, with the actions told to every token. {verdict} {}",
            recipe.model.cells() / recipe.model.merge.pow(2),
            recipe.model.merge,
            recipe.model.merge,
            done.notes
        ),
        device: &options.device,
    };
    export(config, done.data(data), &params, &options.out, &what)?;
    session.checkpoint.remove()?;
    Ok(Outcome::Finished)
}
