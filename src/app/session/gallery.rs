//! The gallery's part of the session: every verdict goes into it, and an entry leads back to its moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::math::Vec3;
use bevy_egui::egui::{Rect, pos2, vec2};

use super::Session;
use crate::app::panels::outline::{Gaze, across_eye, probed_pose, through_eye};
use crate::app::screens::gallery::{At, Do, Entry, Fault, Origin, Outline, Still};
use crate::app::state::*;
use crate::app::verdict::{box_at, far_off, findings, offsets, own_size, sentence, span};
use crate::judge::Violation;
use crate::scene::Kind;
use crate::worker::{RealityOrder, Replay};

/// How long a moment may take to come again before it is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How severe it is when a body has been lost.
const LOST: f32 = 0.95;

/// An entry on whose moment the session waits.
pub(super) struct Seek {
    entry: Arc<Entry>,
    since: Instant,
    /// The scene that was shown when it began, by the count of scenes shown.
    version: u64,
}

impl Session {
    /// Takes in the shipped report once it is read.
    pub(super) fn hear_report(&mut self) {
        if let Some(read) = self.report.as_ref().and_then(|r| r.try_recv().ok()) {
            self.state.gallery.take_report(read);
            self.report = None;
        }
    }

    /// The name under which the picker lists the scene shown.
    pub(super) fn scene_listed(&self) -> String {
        let listed = self.state.scenes.get(self.state.scene_index);
        let scene = self.state.scene.as_ref();
        let name = listed.map(|s| s.name.clone());
        name.or(scene.map(|s| s.name.clone())).unwrap_or_default()
    }

    fn here(&self, branch: usize, moment: usize, nfe: usize) -> At {
        let state = &self.state;
        At {
            episode: state.record.episode,
            branch,
            moment,
            driver: state.has_actions().then(|| state.driver.clone()),
            nfe,
            replay: state.replay.as_ref().map(|r| r.replay.clone()),
            interventions: state.interventions.clone(),
            by_hand: !state.record.marks.is_empty()
                || state.driver == DriverChoice::Keyboard && state.has_actions(),
        }
    }

    /// Puts into the gallery what was found in what a model imagined from a moment.
    pub(super) fn exhibit(&mut self, index: usize, branch: usize) {
        self.state.gallery.judged += 1;
        let Some(pane) = self.state.panes.get(index) else {
            return;
        };
        let Some(rollout) = pane.rollout(branch) else {
            return;
        };
        // Of what one body does against one law, the worst.
        let mut worst: Vec<&Violation> = Vec::new();
        for v in &rollout.violations {
            match worst
                .iter_mut()
                .find(|w| (w.law, w.body) == (v.law, v.body))
            {
                Some(w) if w.severity < v.severity => *w = v,
                Some(_) => {}
                None => worst.push(v),
            }
        }
        let entry = |fault, moment, severity: f32, sentence: String, still| Entry {
            id: 0,
            fault,
            model: pane.name.clone(),
            camp: pane.camp(),
            scene: self.scene_listed(),
            seed: self.state.record.seed,
            severity: severity.clamp(1e-6, 1.0),
            sentence,
            origin: Origin::Episode(self.here(branch, moment, pane.nfe)),
            still: Some(Arc::new(still)),
        };
        let mut found: Vec<Entry> = worst
            .into_iter()
            .map(|v| {
                let (moment, _) = span(rollout, v);
                let still = self.still_of(rollout, v);
                let fault = Fault::Law(v.law);
                entry(fault, moment, v.severity, sentence(&self.state, v), still)
            })
            .collect();
        if let Some(far) = far_off(&self.state, index, rollout) {
            let (k, severity) = self.farthest(rollout);
            let still = self.still_at(rollout, k, true);
            found.push(entry(
                Fault::Place,
                far.moment,
                severity,
                far.sentence,
                still,
            ));
        }
        let (episode, model) = (self.state.record.episode, pane.name.clone());
        self.state.gallery.take(episode, &model, branch, found);
    }

    /// The step after the branch at which a body is farthest off for its size, and how bad that is.
    fn farthest(&self, rollout: &Rollout) -> (usize, f32) {
        let known = self.state.newest().saturating_sub(rollout.branch);
        let reach = rollout.imagined.steps.min(known);
        let bad = |k: usize| {
            let offs = offsets(&self.state, rollout, k);
            let each = offs.iter().map(|o| match o.metres {
                None => LOST,
                Some(m) => 1.0 - own_size(&self.state, o.body) / m.max(1e-6),
            });
            each.fold(0.0f32, f32::max)
        };
        let all = (1..=reach).map(|k| (k, bad(k)));
        all.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((1, 0.0))
    }

    /// A picture of a violation, where its mark is largest.
    fn still_of(&self, rollout: &Rollout, v: &Violation) -> Still {
        let area = |[x0, y0, x1, y1]: [u16; 4]| {
            u32::from(x1.saturating_sub(x0)) * u32::from(y1.saturating_sub(y0))
        };
        let all = v.first_frame..=v.last_frame;
        let frame = all
            .max_by_key(|frame| box_at(v, *frame).map_or(0, area))
            .unwrap_or(v.first_frame);
        let skip = rollout.imagined.frameskip.max(1);
        let still = self.still_at(rollout, (frame + 1) * skip, false);
        Still {
            mark: box_at(v, frame),
            ..still
        }
    }

    /// A picture of what was imagined `k` steps after its branch, and of reality then.
    fn still_at(&self, rollout: &Rollout, k: usize, is_far: bool) -> Still {
        let state = &self.state;
        let moment = rollout.branch + k;
        let truth = state.record.moments.get(moment);
        let frames = rollout.imagined.frames.as_ref();
        let index = rollout.index(k).unwrap_or_default();
        let frames = frames.filter(|f| index < f.steps);
        let side = truth.map_or(0, |t| (t.rgb.len() / 3).isqrt());
        let mut still = Still {
            size: frames.map_or(side, |f| f.size),
            imagined: frames.map(|f| f.at(0, index).to_vec()),
            truth: truth.map(|t| t.rgb.clone()),
            moment,
            ..Still::default()
        };
        let (Some(scene), Some(eye), Some(truth)) = (&state.scene, &state.eye, truth) else {
            return still;
        };
        if still.imagined.is_some() && !is_far {
            return still;
        }
        let rect = Rect::from_min_size(pos2(0.0, 0.0), vec2(1.0, 1.0) * still.size as f32);
        let gaze = Gaze {
            project: &|p| through_eye(eye, rect, p),
            across: across_eye(scene),
        };
        let mut add = |edges: Vec<Vec<bevy_egui::egui::Pos2>>, fill| {
            still.outlines.extend(edges.into_iter().map(|edge| Outline {
                points: edge.iter().map(|p| [p.x, p.y]).collect(),
                fill,
            }));
        };
        for (i, body) in scene.bodies.iter().enumerate() {
            if body.kind != Kind::Fixed {
                add(gaze.edges_in(state, truth, i), None);
            }
        }
        let mut lines = Vec::new();
        if let Some(states) = &rollout.imagined.states {
            for (column, name) in states.bodies.iter().enumerate() {
                let Some(i) = scene.body_index(name) else {
                    continue;
                };
                let height = scene.bodies[i].position[1];
                let pose = state.probed(rollout, column, k);
                let pose = pose.and_then(|p| probed_pose(height, p));
                let (Some(solid), Some(pose)) = (state.solids.get(i), pose) else {
                    continue;
                };
                let [r, g, b] = solid.colour.rgb();
                add(gaze.edges(solid, &pose), Some([r, g, b]));
                let ends = truth.state.bodies.get(i).and_then(|real| {
                    let from = through_eye(eye, rect, Vec3::from(real.position))?;
                    Some((from, through_eye(eye, rect, Vec3::from(pose.position))?))
                });
                if let Some((a, b)) = ends {
                    lines.push([[a.x, a.y], [b.x, b.y]]);
                }
            }
        } else if let (Some(seen), Some(real)) = (
            rollout.imagined.tracks.get(index),
            state.record.tracks.get(moment),
        ) {
            let each = real.iter().zip(seen);
            lines.extend(each.filter_map(|(real, seen)| Some([(*real)?, (*seen)?])));
        }
        let is_long = |[a, b]: &[[f32; 2]; 2]| (a[0] - b[0]).hypot(a[1] - b[1]) > 2.0;
        still.lines = lines.into_iter().filter(is_long).collect();
        still
    }

    /// Puts into the gallery what a dream breaks.
    pub(super) fn exhibit_dreamt(&mut self, found: Vec<(usize, Violation, Still)>) {
        self.state.gallery.judged += 1;
        let Some(dream) = &self.state.dream else {
            return;
        };
        let (model, from) = (dream.model.clone(), dream.from);
        let pane = self.state.panes.iter().find(|p| p.name == model);
        let (camp, nfe) = pane.map_or((None, 1), |p| (p.camp(), p.nfe));
        for (step, v, still) in found {
            let entry = Entry {
                id: 0,
                fault: Fault::Law(v.law),
                model: model.clone(),
                camp,
                scene: self.scene_listed(),
                seed: self.state.record.seed,
                severity: v.severity.clamp(1e-6, 1.0),
                sentence: sentence(&self.state, &v),
                origin: Origin::Dream {
                    at: self.here(from, from, nfe),
                    step,
                },
                still: Some(Arc::new(still)),
            };
            self.state.gallery.add(entry);
        }
    }

    /// Does what a person asked for in the gallery.
    pub(super) fn do_in_gallery(&mut self, what: Do) {
        let open = match what {
            Do::Open(id) => self.state.gallery.find(id),
            Do::OpenPlace(place) => self.state.gallery.shown().get(place).cloned(),
            other => return self.state.gallery.filter(&other),
        };
        if let Some(entry) = open {
            self.open_entry(entry);
        }
    }

    /// Goes to the moment of an entry: at once where it is still shown, else through its scene and seed.
    fn open_entry(&mut self, entry: Arc<Entry>) {
        self.show_screen(Screen::Explore);
        self.wake();
        self.state.hunting = false;
        let at = match &entry.origin {
            Origin::Episode(at) | Origin::Dream { at, .. } => Some(at),
            Origin::Report(_) => None,
        };
        let is_here = at.is_some_and(|at| at.episode == self.state.record.episode);
        let seek = Seek {
            entry: entry.clone(),
            since: Instant::now(),
            version: self.state.scene_version,
        };
        if is_here {
            self.show_in_a_slot(&entry.model);
            self.seek = Some(seek);
            return self.seek_on();
        }
        if let Some(replay) = at.and_then(|at| at.replay.clone()) {
            self.open_replay(replay);
            self.seek = Some(seek);
            return;
        }
        if !self.go_to(&entry, at) {
            return;
        }
        self.seek = Some(Seek {
            version: self.state.scene_version,
            ..seek
        });
        if at.is_some_and(|at| at.by_hand) {
            self.state
                .say("Hands were laid on that episode: its seed is shown as it goes without them");
        }
    }

    /// Shows a model beside reality: one with pictures in the middle, another at the right.
    fn show_in_a_slot(&mut self, model: &str) {
        let found = self.state.panes.iter().position(|p| p.name == model);
        let Some(index) = found.filter(|i| self.state.slot_of(*i).is_none()) else {
            return;
        };
        let slot = usize::from(!self.state.panes[index].has_pixels());
        self.pick(slot, index);
    }

    /// Shows the scene and seed of an entry, with its model and whoever drove; whether there is such a scene.
    fn go_to(&mut self, entry: &Entry, at: Option<&At>) -> bool {
        let scenes = &self.state.scenes;
        let index = scenes.iter().position(|s| s.name == entry.scene);
        let Some(index) = index.filter(|i| scenes[*i].summary.is_ok()) else {
            let scene = &entry.scene;
            self.state
                .say(format!("The scene {scene} is not there any more"));
            return false;
        };
        let driver = match (entry.fault, at) {
            (Fault::Goal, _) => Some(DriverChoice::Planner(entry.model.clone())),
            (_, Some(at)) => at.driver.clone().filter(|d| *d != DriverChoice::Keyboard),
            _ => None,
        };
        if let Some(driver) = driver {
            self.wished = None;
            self.driver_is_chosen = true;
            self.state.driver = driver;
        } else if self.state.driver == DriverChoice::Keyboard {
            self.driver_is_chosen = false;
        }
        self.state.record.seed = entry.seed;
        self.state.stage = Stage::Preparing;
        self.state.playing = true;
        self.apply_speed(1.0);
        self.open_scene(index);
        self.player.awaits = true;
        self.show_in_a_slot(&entry.model);
        if let Some(at) = at {
            let pane = self.state.panes.iter_mut();
            if let Some(pane) = pane.into_iter().find(|p| p.name == entry.model) {
                pane.nfe = at.nfe.max(1);
            }
            for (target, value) in &at.interventions {
                self.state.interventions.insert(target.clone(), *value);
                self.reality.tell(RealityOrder::Set(target.clone(), *value));
            }
            if !at.interventions.is_empty() {
                self.restart(entry.seed);
            }
        }
        true
    }

    /// Nobody waits for the moment of an entry any more.
    pub(super) fn forget_seek(&mut self) {
        self.seek = None;
    }

    /// Goes on waiting for the moment of an entry.
    pub(super) fn seek_on(&mut self) {
        let Some(seek) = &self.seek else { return };
        let (entry, late) = (seek.entry.clone(), seek.since.elapsed() > PATIENCE);
        let is_same = self.state.record.seed == entry.seed;
        match &entry.origin {
            _ if late => {
                self.forget_seek();
                self.state.say("That moment has not come again");
            }
            Origin::Episode(at) => {
                if self.is_there(at, seek.version, is_same) {
                    self.seek_in(&entry, at);
                }
            }
            Origin::Dream { at, .. } => {
                if self.is_there(at, seek.version, is_same) && self.state.newest() >= at.moment {
                    self.forget_seek();
                    self.look_at(at.moment);
                    let pane = self.state.panes.iter().position(|p| p.name == entry.model);
                    self.dream_in(pane.unwrap_or(usize::MAX));
                }
            }
            Origin::Report(_) if seek.version != self.state.scene_version || !is_same => {
                self.forget_seek();
            }
            Origin::Report(_) => {
                self.forget_seek();
                if entry.fault != Fault::Goal {
                    self.hunt_for(entry.model.clone(), entry.fault);
                } else {
                    let (model, seed) = (&entry.model, entry.seed);
                    let text =
                        format!("{model} plans in seed {seed}, where it failed when measured");
                    self.state.say(text);
                }
            }
        }
    }

    /// Whether the episode of an entry is shown as far as it is needed.
    fn is_there(&mut self, at: &At, version: u64, is_same: bool) -> bool {
        if let Some(replay) = &at.replay {
            let is_it = |r: &ReplayShown| same_replay(&r.replay, replay);
            return self.state.replay.as_ref().is_some_and(is_it);
        }
        if version != self.state.scene_version || !is_same {
            // Somebody has gone elsewhere meanwhile.
            self.forget_seek();
            return false;
        }
        let runs = self.player.awaits || self.state.record.moments.is_empty();
        let is_old = at.episode == self.state.record.episode;
        !runs && (is_old || self.state.stage == Stage::Showing)
    }

    /// The episode is there: the model imagines from the same moment, and the judge speaks.
    fn seek_in(&mut self, entry: &Entry, at: &At) {
        let found = (self.state.panes.iter()).position(|p| p.name == entry.model);
        let Some(index) = found else {
            return self.forget_seek();
        };
        let pane = &self.state.panes[index];
        if let PaneStatus::Failed(_) = pane.status {
            self.forget_seek();
            return self.state.say("Its model has failed and cannot imagine");
        }
        let law = match entry.fault {
            Fault::Law(law) => Some(law),
            Fault::Place | Fault::Goal => None,
        };
        let judging = self.backstage.get(&pane.name);
        let judging = judging.is_some_and(|b| b.judging.is_busy());
        match pane.rollout(at.branch) {
            Some(rollout) if rollout.judged => {}
            Some(_) => return,
            None if pane.busy || judging || pane.status != PaneStatus::Ready => return,
            None if at.branch > self.state.newest() => {
                self.forget_seek();
                return self
                    .state
                    .say("The episode went otherwise this time: it ended before that moment");
            }
            None => {
                if let Some(scene) = self.state.scene.clone() {
                    let (actions, source) = self.actions_from(at.branch, &scene);
                    self.ask_to_imagine(index, at.branch, &actions, source, &scene);
                }
                return;
            }
        }
        self.forget_seek();
        let all = findings(&self.state).into_iter();
        let of_it = all.filter(|f| f.pane == index && f.law == law);
        let nearest = of_it.min_by_key(|f| f.moment.abs_diff(at.moment));
        match nearest {
            Some(f) => self.look_at_failure(index, f.moment),
            None => {
                let moment = at.moment.min(self.state.newest());
                self.look_at_failure(index, moment);
                self.state.focus = None;
                self.state
                    .say("It went otherwise this time: here is the moment at which it was found");
            }
        }
    }
}

fn same_replay(a: &Replay, b: &Replay) -> bool {
    (&a.file, a.episode) == (&b.file, b.episode)
}
