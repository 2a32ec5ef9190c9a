//! Dreams: a person drives what a model imagines, at the model's pace and with no truth behind it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::Session;
use crate::app::screens::gallery::Still;
use crate::app::state::*;
use crate::judge::{CONTEXT_FRAMES, Violation};
use crate::model::{Context, Frame, Frames, Sampling, WorldModel};
use crate::scene::{Law, Scene};
use crate::worker::{DreamStep, Imagined, JudgeRollout, RealityOrder, context_at, held_action};

/// Share of the newest interval in the smoothed frame rate.
const SMOOTHING: f32 = 0.2;

/// Frames that the judge looks at together, after those with which it compares.
const JUDGED: usize = 12;

/// What a dream has behind it.
pub(super) struct Dreamer {
    model: Arc<dyn WorldModel>,
    /// What the model remembers, while no step is under way.
    memory: Option<Context>,
    /// When the last frame came.
    last: Option<Instant>,
    /// One step is due although the dream is stopped.
    one_step: bool,
    /// The last frames, oldest first, for the judge.
    film: VecDeque<Frame>,
    /// The imagined step, counted from 1, of the first frame that the order under way judges.
    judged_from: usize,
    /// The last that it judges.
    judged_to: usize,
    /// The last step in which a body broke a law.
    broken: HashMap<(Law, Option<usize>), usize>,
}

impl Dreamer {
    fn new(model: Arc<dyn WorldModel>) -> Self {
        Self {
            model,
            memory: None,
            last: None,
            one_step: false,
            film: VecDeque::new(),
            judged_from: 0,
            judged_to: 0,
            broken: HashMap::new(),
        }
    }

    /// Takes in a new frame.
    fn film(&mut self, frame: Frame) {
        self.film.push_back(frame);
        if self.film.len() > CONTEXT_FRAMES + JUDGED {
            self.film.pop_front();
        }
    }

    /// What the judge is to look at, `steps` into the dream; the frames before it are those that it
    /// compares with.
    fn evidence(&mut self, scene: Arc<Scene>, steps: usize) -> Option<JudgeRollout> {
        let imagined = self.film.len().checked_sub(CONTEXT_FRAMES)?;
        let size = self.film.back()?.size;
        (self.judged_from, self.judged_to) = ((steps + 1).checked_sub(imagined)?, steps);
        let frames = Frames {
            n: 1,
            steps: imagined,
            size,
            data: self
                .film
                .iter()
                .skip(CONTEXT_FRAMES)
                .flat_map(|f| f.data.iter().copied())
                .collect(),
        };
        Some(JudgeRollout {
            scene,
            real: self.film.iter().take(CONTEXT_FRAMES).cloned().collect(),
            model: String::new(),
            actions: None,
            imagined: Arc::new(Imagined {
                frames: Some(frames),
                ..Imagined::default()
            }),
        })
    }

    /// What was found: marks of the newest frame, and every violation that was not known before.
    fn hear_judge(
        &mut self,
        violations: &[Violation],
        dream: &mut Dream,
    ) -> Vec<(usize, Violation, Still)> {
        let mut fresh = Vec::new();
        let newest = violations.iter().map(|v| v.last_frame).max();
        let end = self.film.len().saturating_sub(CONTEXT_FRAMES + 2);
        let marked = violations.iter().filter(|v| v.last_frame >= end);
        dream.marks = match newest {
            Some(_) => marked
                .filter_map(|v| Some((v.law, *v.boxes.last()?)))
                .collect(),
            None => Vec::new(),
        };
        for v in violations {
            let (first, last) = (
                self.judged_from + v.first_frame,
                self.judged_from + v.last_frame,
            );
            let known = self.broken.get(&(v.law, v.body)).copied();
            if known.is_none_or(|k| first > k + 1) {
                *dream.found.entry(v.law).or_default() += 1;
                fresh.push((first, v.clone(), self.still(v, dream.steps)));
            }
            let end = self.broken.entry((v.law, v.body)).or_default();
            *end = last.max(*end);
        }
        fresh
    }

    /// A picture of a violation, in the middle of it; `steps` have been dreamt since.
    fn still(&self, v: &Violation, steps: usize) -> Still {
        let at = (v.first_frame + v.last_frame) / 2;
        let ago = steps.saturating_sub(self.judged_from + at);
        let frame = (self.film.len().checked_sub(1 + ago)).and_then(|i| self.film.get(i));
        Still {
            size: frame.map_or(0, |f| f.size),
            imagined: frame.map(|f| f.data.clone()),
            mark: v.boxes.get(at - v.first_frame).copied(),
            ..Still::default()
        }
    }
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
        self.dreamer = Some(Dreamer::new(model));
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
        self.dream_judge.cancel();
        let memory = context_at(moments, from, dreamer.model.shape().context_frames);
        let mut real = context_at(moments, from, CONTEXT_FRAMES).frames;
        let missing = CONTEXT_FRAMES.saturating_sub(real.len());
        real.splice(
            0..0,
            vec![real.first().cloned().unwrap_or_default(); missing],
        );
        *dreamer = Dreamer {
            memory: Some(memory),
            film: real.into(),
            ..Dreamer::new(dreamer.model.clone())
        };
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
        self.dream_judge.cancel();
        self.dreamer = None;
        self.state.dream = None;
    }

    /// Takes in what the judge says of the dream.
    fn hear_dream_judge(&mut self) {
        let report = self.dream_judge.poll();
        let (Some(dream), Some(dreamer)) = (&mut self.state.dream, &mut self.dreamer) else {
            return;
        };
        match report.map(|r| r.result) {
            Some(Ok(verdict)) => {
                let fresh = dreamer.hear_judge(&verdict.violations, dream);
                self.exhibit_dreamt(fresh);
            }
            Some(Err(e)) => tracing::warn!("{}: its dream was not judged: {e}", dream.model),
            None => {}
        }
    }

    /// Takes in the step that was dreamt, and asks for the next with the action held now.
    pub(super) fn dream_on(&mut self) {
        self.hear_dream_judge();
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
                    let steps = dreamer.model.shape().frameskip.max(1);
                    if let Some(last) = dreamer.last.replace(now) {
                        let rate = steps as f32 / (now - last).as_secs_f32().max(1e-4);
                        dream.per_s = match dream.per_s > 0.0 {
                            true => dream.per_s + SMOOTHING * (rate - dream.per_s),
                            false => rate,
                        };
                    }
                    dream.steps += steps;
                    if let Some(frame) = dreamt.context.frames.last() {
                        dream.frame = Arc::new(frame.data.clone());
                        // The laws are calibrated for one control step between frames.
                        if steps == 1 {
                            dreamer.film(frame.clone());
                        }
                    }
                    dreamer.memory = Some(dreamt.context);
                }
                Err(e) => {
                    dream.problem = Some(e);
                    dream.paused = true;
                }
            }
        }
        if let (false, Some(scene)) = (self.dream_judge.is_busy(), self.state.scene.clone())
            && dream.steps > dreamer.judged_to
            && let Some(evidence) = dreamer.evidence(scene, dream.steps)
        {
            self.dream_judge.ask(evidence);
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
                dim => {
                    // A key that came and went while the model was at work counts for one step.
                    let tapped = self.tapped.take().filter(|_| self.held == [0.0; 4]);
                    held_action(tapped.unwrap_or(self.held), dim)
                }
            };
            self.dreams.ask(DreamStep {
                model: dreamer.model.clone(),
                context,
                action: dream.action.clone(),
                sampling: Sampling::nfe(pane.nfe),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::oracle::Oracle;
    use crate::scene;

    #[test]
    fn a_violation_that_lasts_is_counted_once_and_marked_while_it_lasts() {
        let push = Arc::new(scene::load("push").unwrap());
        let mut dreamer = Dreamer::new(Arc::new(Oracle::new(&push)));
        let mut dream = Dream::default();
        let found = |first: usize, last: usize| Violation {
            law: Law::Size,
            body: Some(0),
            first_frame: first,
            last_frame: last,
            severity: 1.0,
            boxes: vec![[0, 0, 1, 1]; last - first + 1],
            sentence: String::new(),
        };
        (0..CONTEXT_FRAMES).for_each(|_| dreamer.film(Frame::new(2, vec![0; 12])));
        let mut steps = 0;
        let mut judge = |dreamer: &mut Dreamer, more: usize, violations: &[Violation]| {
            (0..more).for_each(|_| dreamer.film(Frame::new(2, vec![0; 12])));
            steps += more;
            let evidence = dreamer.evidence(push.clone(), steps).unwrap();
            let frames = evidence.imagined.frames.as_ref().unwrap();
            assert_eq!(frames.steps, steps.min(JUDGED));
            assert_eq!(evidence.real.len(), CONTEXT_FRAMES);
            dreamer.hear_judge(violations, &mut dream);
            (dream.found.get(&Law::Size).copied(), dream.marks.len())
        };
        assert_eq!(judge(&mut dreamer, 3, &[]), (None, 0));
        assert_eq!(judge(&mut dreamer, 1, &[found(2, 3)]), (Some(1), 1));
        assert_eq!(judge(&mut dreamer, 1, &[found(2, 4)]), (Some(1), 1));
        assert_eq!(judge(&mut dreamer, 4, &[found(2, 4)]), (Some(1), 0));
        // Twenty steps on, the judge looks at the last twelve: its frame 8 is the dream's 17th step.
        assert_eq!(judge(&mut dreamer, 11, &[found(8, 11)]), (Some(2), 1));
        assert_eq!(dreamer.broken[&(Law::Size, Some(0))], 20);
    }
}
