//! Dreams: a person drives what a model imagines, at the model's pace and with no truth behind it.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use crate::app::state::*;
use crate::model::{Context, WorldModel};
use crate::worker::{DreamStep, RealityOrder, context_at, held_action};

/// Share of the newest interval in the smoothed frame rate.
const SMOOTHING: f32 = 0.2;

/// What a dream has behind it.
pub(super) struct Dreamer {
    model: Arc<dyn WorldModel>,
    /// What the model remembers, while no step is under way.
    memory: Option<Context>,
    /// When the last frame came.
    last: Option<Instant>,
    /// One step is due although the dream is stopped.
    one_step: bool,
}

impl Session {
    /// Dreams in a pane's model, or wakes if it dreams in it already.
    pub(super) fn dream_in(&mut self, index: usize) {
        let Some(pane) = self.state.panes.get(index).filter(|p| p.can_dream()) else {
            self.state
                .say("No model of this scene is ready to dream: it takes one with pixels");
            return;
        };
        let name = pane.name.clone();
        let Some(model) = self.backstage.get(&name).and_then(|b| b.model.clone()) else {
            return;
        };
        if self.state.record.moments.is_empty() {
            return;
        }
        self.pause();
        self.reality.tell(RealityOrder::Hold([0.0; 4]));
        self.dreamer = Some(Dreamer {
            model,
            memory: None,
            last: None,
            one_step: false,
        });
        self.state.dream = Some(Dream {
            model: name,
            ..Dream::default()
        });
        self.dream_again();
    }

    /// Dreams in the first model that can, or wakes.
    pub(super) fn toggle_dream(&mut self) {
        if self.state.dream.is_some() {
            return self.wake();
        }
        let able = self.state.scene_panes().find(|(_, p)| p.can_dream());
        let index = able.map_or(usize::MAX, |(i, _)| i);
        self.dream_in(index);
    }

    /// Sets out anew from the moment of reality that is shown.
    pub(super) fn dream_again(&mut self) {
        let from = self.state.shown();
        let (Some(dream), Some(dreamer)) = (&mut self.state.dream, &mut self.dreamer) else {
            return;
        };
        self.dreams.cancel();
        let moments = &self.state.record.moments;
        let Some(moment) = moments.get(from) else {
            return;
        };
        *dream = Dream {
            model: std::mem::take(&mut dream.model),
            from,
            frame: Arc::new(moment.rgb.clone()),
            ..Dream::default()
        };
        dreamer.memory = Some(context_at(moments, from, dreamer.model.context_frames()));
        dreamer.last = None;
    }

    /// Stops the dream where it is, or lets it go on.
    pub(super) fn hold_dream(&mut self) {
        if let Some(dream) = &mut self.state.dream {
            dream.paused ^= true;
        }
        if let Some(dreamer) = &mut self.dreamer {
            dreamer.last = None;
        }
    }

    /// Stops the dream and takes one step of it.
    pub(super) fn step_dream(&mut self) {
        if let (Some(dream), Some(dreamer)) = (&mut self.state.dream, &mut self.dreamer) {
            dream.paused = true;
            dreamer.one_step = true;
        }
    }

    /// Ends the dream.
    pub(super) fn wake(&mut self) {
        self.dreams.cancel();
        self.dreamer = None;
        self.state.dream = None;
    }

    /// Takes in the step that was dreamt, and asks for the next with the action held now.
    pub(super) fn dream_on(&mut self) {
        let report = self.dreams.poll();
        let (Some(dream), Some(dreamer)) = (&mut self.state.dream, &mut self.dreamer) else {
            return;
        };
        if let Some(report) = report {
            self.state
                .timers
                .rollout(&dream.model)
                .add(report.took.as_secs_f32() * 1e3);
            match report.result {
                Ok(dreamt) => {
                    let now = Instant::now();
                    let steps = dreamer.model.frameskip().max(1);
                    if let Some(last) = dreamer.last.replace(now) {
                        let rate = steps as f32 / (now - last).as_secs_f32().max(1e-4);
                        dream.per_s = match dream.per_s > 0.0 {
                            true => dream.per_s + SMOOTHING * (rate - dream.per_s),
                            false => rate,
                        };
                    }
                    dream.steps += steps;
                    if let Some(frame) = dreamt.context.frames.last() {
                        dream.frame = Arc::new(frame.clone());
                    }
                    dreamer.memory = Some(dreamt.context);
                }
                Err(e) => {
                    dream.problem = Some(e);
                    dream.paused = true;
                }
            }
        }
        if dream.paused && !dreamer.one_step {
            return;
        }
        let dim = self.state.scene.as_ref().map_or(0, |s| s.actions.dim());
        let pane = self.state.panes.iter().find(|p| p.name == dream.model);
        if let (Some(context), Some(pane)) = (dreamer.memory.take(), pane) {
            dreamer.one_step = false;
            dream.action = match dim {
                0 => Vec::new(),
                dim => held_action(self.held, dim),
            };
            self.dreams.ask(DreamStep {
                model: dreamer.model.clone(),
                context,
                action: dream.action.clone(),
                nfe: pane.nfe,
            });
        }
    }
}
