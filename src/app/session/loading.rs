//! Models as they arrive from the loading thread.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::TryRecvError;

use super::{Backstage, Session};
use crate::app::state::*;
use crate::model::{Card, Sampling, WorldModel};
use crate::worker::{Desk, Loaded, imagination, judging, load_model, masking};

impl Session {
    pub(super) fn hear_loading(&mut self) {
        let mut at = 0;
        while let Some(news) = self.loading.get(at) {
            match news.try_recv() {
                Ok(Loaded::Found { name, card, twin }) => {
                    let mut pane = Pane {
                        name,
                        twin,
                        ..Pane::default()
                    };
                    match card {
                        Ok(card) => {
                            pane.same_as = self.twin_in_weights(&card);
                            if let Some(other) = &pane.same_as {
                                let same = format!(
                                    "{} and {other} have the same weights: they are one model",
                                    pane.name
                                );
                                tracing::warn!("{same}");
                                self.state.say(same);
                            }
                            pane.card = Some(*card);
                        }
                        Err(e) => pane.status = PaneStatus::Failed(e),
                    }
                    self.state.panes.push(pane);
                    self.state.drivers = self.driver_options();
                }
                Ok(Loaded::Ready { name, model, took }) => {
                    tracing::info!("{name}: loaded in {:.0} ms", took.as_secs_f64() * 1e3);
                    self.take_model(&name, model);
                }
                Err(TryRecvError::Disconnected) => {
                    self.loading.remove(at);
                    if self.loading.is_empty() {
                        self.state.loading = false;
                        self.note_missing_planner();
                        self.give_up_awaited();
                    }
                }
                Err(TryRecvError::Empty) => at += 1,
            }
        }
    }

    /// Loads a model from a folder that is not among the shipped ones.
    pub(super) fn add_model(&mut self, dir: &Path) {
        let name = dir.file_name().map(|n| n.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if self.state.panes.iter().any(|p| p.name == name) {
            let there = format!("a model called {name} is here already; rename the folder");
            return self.state.complain(format!("{}: {there}", dir.display()));
        }
        match load_model(dir) {
            Ok(news) => {
                self.loading.push(news);
                self.state.loading = true;
                let said =
                    format!("Loading {name}: it will stand in the list of each film of its scenes");
                self.state.say(said);
            }
            Err(e) => {
                let said = format!("{}: no thread can be started: {e}", dir.display());
                self.state.complain(said);
            }
        }
    }

    /// A model that is there already, and has the weights that this card names.
    fn twin_in_weights(&self, card: &Card) -> Option<String> {
        let same = |p: &&Pane| {
            let other = p.card.as_ref().map(|c| c.sha256.as_str());
            !card.sha256.is_empty() && other == Some(card.sha256.as_str())
        };
        self.state.panes.iter().find(same).map(|p| p.name.clone())
    }

    pub(super) fn note_missing_planner(&mut self) {
        if self.state.has_actions()
            && self.state.driver == DriverChoice::Oracle
            && !self.driver_is_chosen
            && self.wished.is_none()
        {
            self.state
                .say("No JEPA model for this scene is loaded: the oracle drives instead");
        }
    }

    pub(super) fn take_model(&mut self, name: &str, model: Result<Arc<dyn WorldModel>, String>) {
        let opened = model.and_then(|model| {
            let usual = Sampling::default();
            let (parameters, nfe) = (model.cost(usual).parameters, model.nfe(usual));
            let nfe = nfe.unwrap_or(1);
            let clip_frames = model.facets().masking.map(|m| m.clip_frames());
            let thread = |kind: &str| format!("{kind}-{name}");
            let back = Backstage {
                model: Some(model),
                imagination: Desk::open(&thread("imagine"), || imagination)
                    .map_err(|e| e.to_string())?,
                judging: Desk::open(&thread("judge"), || judging).map_err(|e| e.to_string())?,
                masking: Desk::open(&thread("mask"), || masking).map_err(|e| e.to_string())?,
                asked: (0, Rollout::default()),
                judged: (0, 0),
                masks: MaskKey::default(),
            };
            Ok((back, parameters, clip_frames, nfe))
        });
        let Some(pane) = self.state.panes.iter_mut().find(|p| p.name == name) else {
            return;
        };
        match opened {
            Ok((back, parameters, clip_frames, nfe)) => {
                pane.status = PaneStatus::Ready;
                pane.nfe = nfe;
                (pane.parameters, pane.clip_frames) = (parameters, clip_frames);
                self.backstage.insert(name.into(), back);
            }
            Err(e) => pane.status = PaneStatus::Failed(e),
        }
        let before = self.state.driver.clone();
        self.state.drivers = self.driver_options();
        if !self.driver_is_chosen {
            let choice = match &self.wished {
                Some(wish) => self.find_driver(wish),
                None => self.quickest_planner(),
            };
            let is_awaited = self.state.awaited.is_some();
            let begun = self.state.stage != Stage::Live && self.state.newest() > 0;
            if let Some(choice) = choice.filter(|c| *c != before || is_awaited)
                && self.state.has_actions()
            {
                self.set_driver(choice);
                // Whoever acted until now was a stand-in: the one who was meant begins anew.
                if begun && self.state.replay.is_none() {
                    self.restart(self.state.record.seed);
                }
            }
        }
    }
}
