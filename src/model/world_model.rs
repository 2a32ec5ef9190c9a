//! The trait that every imagination implements, whatever its camp.
//!
//! A model sees a [`Context`] of observations (pixels, never the state), turns it into an opaque
//! [`Latent`], and imagines [`Rollouts`] for many action sequences at once. One imagined step spans
//! [`Shape::frameskip`] control steps. Everything else that a model may be able to do is one of its
//! [`Facets`]: to say how far an imagined moment is from a goal picture, to draw what it imagines, to be
//! surprised.
//!
//! A model is shared by threads and never changes: what may differ from one call to the next, such as how
//! many function evaluations an imagined frame takes, is handed over with the call ([`Sampling`]).

use rayon::prelude::*;

use super::{
    Actions, Cancel, Card, Context, Cost, Facets, Frames, Latent, ModelError, Rollouts, Sampling,
    Shape,
};

/// A learned (or, for the oracle, true) imagination.
///
/// # Errors
/// All methods return [`ModelError::Input`] where an input does not fit the model and
/// [`ModelError::Cancelled`] once `cancel` is raised.
pub trait WorldModel: Send + Sync {
    /// Name, camp, architecture, training, scenes.
    fn card(&self) -> &Card;

    /// What it takes and how far it steps.
    fn shape(&self) -> Shape;

    /// Takes in the context.
    fn observe(&self, context: &Context) -> Result<Latent, ModelError>;

    /// Imagines the future of each action sequence; `actions.steps` is a multiple of [`Shape::frameskip`],
    /// and T of the rollouts is that quotient.
    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError>;

    /// What imagining costs when it is sampled like that.
    fn cost(&self, sampling: Sampling) -> Cost;

    /// Function evaluations that an imagined frame takes when it is sampled like that; `None` for models
    /// that do not sample. A model that always takes the same number says so whatever it is asked for.
    fn nfe(&self, _sampling: Sampling) -> Option<usize> {
        None
    }

    /// What else it can do.
    fn facets(&self) -> Facets<'_>;
}

/// An ability, or the error that `model` lacks it: `lack` completes "model `name`: ".
///
/// # Errors
/// [`ModelError::Input`] where the ability is not there.
pub fn require<T>(
    model: &(impl WorldModel + ?Sized),
    ability: Option<T>,
    lack: &str,
) -> Result<T, ModelError> {
    ability.ok_or_else(|| ModelError::input(&model.card().name, lack))
}

/// `count` different futures of one action sequence, for models that draw theirs by chance; the first is
/// the one that `sampling` names, and N of the frames is `count`. `None` for models without pixels.
///
/// # Errors
/// [`ModelError::Input`] for more than one sequence, and those of the model.
pub fn futures(
    model: &dyn WorldModel,
    latent: &Latent,
    actions: &Actions,
    sampling: Sampling,
    count: usize,
    cancel: &Cancel,
) -> Result<Option<Frames>, ModelError> {
    if model.facets().pixels.is_none() {
        return Ok(None);
    }
    if actions.n != 1 {
        let found = actions.n;
        let message = format!("several futures of {found} action sequences, expected one");
        return Err(ModelError::input(&model.card().name, message));
    }
    let one = |k: u64| {
        let sampling = sampling.draw(sampling.draw + k);
        let rollouts = model.imagine(latent, actions, sampling, cancel)?;
        model.facets().frames(&rollouts)
    };
    let drawn: Result<Vec<_>, ModelError> = (0..count as u64).into_par_iter().map(one).collect();
    let drawn: Vec<Frames> = drawn?.into_iter().flatten().collect();
    Ok(drawn.first().map(|first| Frames {
        n: drawn.len(),
        steps: first.steps,
        size: first.size,
        data: drawn.iter().flat_map(|f| f.data.iter().copied()).collect(),
    }))
}

/// The frames that a model imagines from a context under one or several action sequences; `lack` says what
/// it is of no use for if it imagines none.
///
/// # Errors
/// Those of the model, and [`ModelError::Input`] for one without pixels.
pub fn imagined_frames(
    model: &dyn WorldModel,
    context: &Context,
    actions: &Actions,
    lack: &str,
) -> Result<Frames, ModelError> {
    let (latent, sampling) = (model.observe(context)?, Sampling::default());
    let rollouts = model.imagine(&latent, actions, sampling, &Cancel::new())?;
    require(model, model.facets().frames(&rollouts)?, lack)
}
