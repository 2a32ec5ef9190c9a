//! Deciding what to do next.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Actions, Cancel, Context, ProbedStates, WorldModel};
use crate::planner::{Controller, Plan, Sight};

/// Who drives the hand.
#[derive(Clone)]
pub enum Driver {
    /// The keyboard: the action held at the moment.
    Keyboard,
    /// A controller; `preview` is the model whose probes show where its plan leads.
    Controller {
        /// Decides.
        controller: Arc<Mutex<Box<dyn Controller>>>,
        /// Shows the plan, where it has probes.
        preview: Option<Arc<dyn WorldModel>>,
    },
}

/// An order to decide.
pub struct PlanRequest {
    /// Who decides.
    pub controller: Arc<Mutex<Box<dyn Controller>>>,
    /// Whose probes show the plan.
    pub preview: Option<Arc<dyn WorldModel>>,
    /// What it may look at.
    pub sight: Sight,
}

/// A decision.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The action to take, `[A]`.
    pub action: Vec<f32>,
    /// The plan that it made just now; `None` while it follows an older one, and for controllers without plans.
    pub plan: Option<Plan>,
    /// Where the plan leads, as the planner's own model imagines it.
    pub path: Option<ProbedStates>,
    /// Milliseconds that deciding took (without the preview).
    pub decide_ms: f32,
}

/// The planning worker's function.
///
/// # Errors
/// The controller's error in words.
pub fn planning(order: PlanRequest, cancel: &Cancel) -> Result<Decision, String> {
    let start = std::time::Instant::now();
    // A controller that panicked is still usable: it is reset with the next episode.
    let mut controller = order
        .controller
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let looks = controller.will_look();
    let sight = &order.sight;
    let action = controller
        .decide(sight, cancel)
        .map_err(|e| e.to_string())?;
    let decide_ms = start.elapsed().as_secs_f32() * 1e3;
    let plan = controller.plan().filter(|_| looks).cloned();
    let path = match (&plan, &order.preview) {
        (Some(plan), Some(model)) if !cancel.is_cancelled() => imagined_path(
            model.as_ref(),
            &sight.context,
            &plan.actions,
            sight.dim,
            cancel,
        ),
        _ => None,
    };
    Ok(Decision {
        action,
        plan,
        path,
        decide_ms,
    })
}

/// The plan's probed states; `None` where the model has no probes (the plan itself is not affected by a failure here).
fn imagined_path(
    model: &dyn WorldModel,
    context: &Context,
    actions: &[Vec<f32>],
    dim: usize,
    cancel: &Cancel,
) -> Option<ProbedStates> {
    let frameskip = model.frameskip().max(1);
    let steps = actions.len() / frameskip * frameskip;
    if steps == 0 {
        return None;
    }
    let path = || {
        let latent = model.observe(context)?;
        let rollouts = model.imagine(&latent, &Actions::one(&actions[..steps], dim), cancel)?;
        model.states(&rollouts)
    };
    path().unwrap_or_else(|e| {
        tracing::debug!("no preview of the plan: {e}");
        None
    })
}
