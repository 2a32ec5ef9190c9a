//! How a V-JEPA 2-AC is trained: masked clips of all scenes without their actions, then, with the encoder as it is then, the
//! action-conditioned predictor on stored maps of the scenes that are to be controlled; then the summary, the whitened distance and the
//! read-outs.

mod actions;
mod gate;
mod maps;
mod masked;

pub use actions::ActionPhase;
pub use masked::MaskedPhase;

use super::bounds::{self, Fault};
use super::lewm::{ReadoutPhase, moving_bodies, thinned};
use super::session::Opened;
use super::{Export, Outcome, TrainConfig, TrainError, TrainOptions, export, fit};
use crate::episode::Dataset;
use crate::model::Camp;
use crate::model::jepa::Probes;
use crate::model::jepa::vjepa::{ActionJepa, MaskedJepa, Summary, VjepaConfig};
use crate::model::nn::Init;
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
    pub fn check(&self) -> Result<(), Fault> {
        bounds::inside("model", self.model.check())?;
        self.masked.check(&self.model)?;
        self.actions.check()?;
        self.readouts.check(self.model.image_size)
    }
}

/// Whether the experience of both stages is there and enough, and the weights make a file that is read again.
pub(super) fn check_fit(
    config: &TrainConfig,
    recipe: &VjepaRecipe,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<(), TrainError> {
    let (model, masked, actions) = (&recipe.model, &recipe.masked, &recipe.actions);
    fit::side(data, "model.image_size", model.image_size)?;
    let (train, _) = data.split_episodes(config.validation_share);
    let what = ("model.clip_frames", "training");
    fit::long_enough(data, &train, what, model.clip_frames, masked.stride)?;
    let is_there = |name: &&String| data.scenes.iter().any(|s| s.name == **name);
    if let Some(name) = masked.gate_scenes.iter().find(|name| !is_there(name)) {
        let message = format!("found {name}, of which there are no episodes");
        return Err(fit::misfit("masked.gate_scenes", message));
    }
    // Read now and again when its turn has come: what is wrong with it is not found out after the first
    // stage.
    let own = actions::experience(recipe, options)?;
    let second = own.as_ref().unwrap_or(data);
    fit::any(second)?;
    fit::side(second, "model.image_size", model.image_size)?;
    let (stored, held_out) = second.split_episodes(config.validation_share);
    if let Some(own) = &own {
        actions::keep_apart(data, &train, own, &held_out)?;
    }
    let stored = thinned(
        &stored,
        actions.max_frames as f64 / second.len().max(1) as f64,
    );
    let what = ("actions.rollout", "training");
    let tokens = actions.rollout + model.history;
    fit::long_enough(second, &stored, what, tokens, model.frameskip)?;
    fit::file_size(|params| {
        let k = model.summary;
        MaskedJepa::new(model, params)?;
        ActionJepa::new(model, params)?;
        Summary::new(model, params)?;
        params.buffer((k, k), "whitening", Init::Zeros)?;
        Probes::new(k, moving_bodies(second).len(), params)?;
        Ok(())
    })
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
    } = Session::open(config, recipe, data, options)?;
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
    Ok(Outcome::Finished)
}
