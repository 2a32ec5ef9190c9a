//! What the controller is asked, and what it answers.

use super::*;

impl Stage {
    /// Asks the controller for the action at the newest moment.
    pub(super) fn ask(&mut self) {
        let (
            Some(act),
            Driver::Controller {
                controller,
                preview,
            },
        ) = (&self.act, &self.driver)
        else {
            return;
        };
        let dim = act.reality.scene().actions.dim();
        let Some(goal) = act.goal.as_ref().filter(|_| dim > 0) else {
            return;
        };
        self.asked_at = Some(act.moments.len());
        let is_informed = controller
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .knows_truth();
        self.desk.ask(PlanRequest {
            controller: controller.clone(),
            preview: preview.clone(),
            sight: Sight {
                context: context_at(&act.moments, act.moments.len() - 1, SIGHT_FRAMES),
                goal: goal.picture.clone(),
                dim,
            },
            truth: is_informed.then(|| Truth {
                reality: act.reality.fork(),
                goal: goal.state.clone(),
            }),
        });
    }

    pub(super) fn hear_decision(&mut self) {
        let Some(report) = self.desk.poll() else {
            return;
        };
        self.asked_at = None;
        match report.result {
            Ok(decision) => {
                self.next_action = Some(decision.action.clone());
                self.say(News::Decided(Box::new(decision)));
            }
            Err(message) => {
                self.playing = false;
                self.steps_owed = 0;
                self.say(News::Failed(format!("the controller failed: {message}")));
            }
        }
    }

    /// Whether the next step can be taken: nobody has to be waited for.
    pub(super) fn is_ready(&self) -> bool {
        self.asked_at.is_none() || !self.waits
    }
}
