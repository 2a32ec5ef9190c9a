//! Deciding what to do next.

use std::sync::{Arc, Mutex, PoisonError};

use super::preview::{Look, Preview, preview};
use crate::model::{Cancel, WorldModel};
use crate::planner::{Pilot, Plan, Sight, Truth};

/// Who drives the hand.
#[derive(Clone)]
pub enum Driver {
    /// The keyboard: the action held at the moment.
    Keyboard,
    /// A pilot; `preview` is the model that shows its plan.
    Controller {
        /// Decides.
        controller: Arc<Mutex<Pilot>>,
        /// Shows the plan.
        preview: Option<Arc<dyn WorldModel>>,
    },
}

/// An order to decide.
pub struct PlanRequest {
    /// Who decides.
    pub controller: Arc<Mutex<Pilot>>,
    /// Who shows the plan.
    pub preview: Option<Arc<dyn WorldModel>>,
    /// What it may look at.
    pub sight: Sight,
    /// What it may know besides, if it is a pilot that is shown the truth.
    pub truth: Option<Truth>,
}

/// A decision.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The action to take, `[A]`.
    pub action: Vec<f32>,
    /// The plan that it made just now; `None` while it follows an older one, and for controllers without
    /// plans.
    pub plan: Option<Plan>,
    /// The plan as the planner's own model imagines it.
    pub preview: Preview,
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
        .decide(sight, || order.truth, cancel)
        .map_err(|e| e.to_string())?;
    let decide_ms = start.elapsed().as_secs_f32() * 1e3;
    let plan = controller.plan().filter(|_| looks).cloned();
    let preview = match (&plan, &order.preview) {
        (Some(plan), Some(model)) if !cancel.is_cancelled() => {
            let look = Look {
                model: model.as_ref(),
                context: &sight.context,
                goal: &sight.goal,
                dim: sight.dim,
            };
            preview(&look, plan, cancel)
        }
        _ => Preview::default(),
    };
    Ok(Decision {
        action,
        plan,
        preview,
        decide_ms,
    })
}
