//! Who drives: the picker, the choice at the start, and the controllers behind it.

use std::sync::{Arc, Mutex};

use super::Session;
use crate::app::command::Command;
use crate::app::state::*;
use crate::model::{Camp, WorldModel};
use crate::planner::{Budget, Cem, Mpc, OracleMpc, Pilot, Random, Stations};
use crate::worker::{Driver, RealityOrder};

impl Session {
    /// Lists the controllers of this scene, and picks one that works if none was chosen or the chosen one
    /// does not.
    pub(super) fn choose_driver(&mut self) {
        self.state.drivers = self.driver_options();
        self.state.awaited = None;
        if !self.state.has_actions() {
            // Nobody acts here, and whoever drove goes on in the next scene.
            return;
        }
        let works = |s: &State, c: &DriverChoice| {
            s.drivers
                .iter()
                .any(|d| d.choice == *c && d.problem.is_none())
        };
        let wished = self.wished.clone();
        let wish = wished.as_deref().and_then(|w| self.find_driver(w));
        if let (Some(wished), None) = (wished, &wish) {
            // Somebody asked for it: nobody else drives in its place.
            self.state.awaited = Some(wished);
            if !self.state.loading {
                self.give_up_awaited();
            }
            return;
        }
        let planner = self
            .quickest_planner()
            .filter(|_| !self.driver_is_chosen && self.wished.is_none());
        let current = Some(self.state.driver.clone()).filter(|_| self.driver_is_chosen);
        let fallback = [DriverChoice::Oracle, DriverChoice::Random];
        let before = current.clone();
        let choice = [wish, planner, current]
            .into_iter()
            .flatten()
            .chain(fallback)
            .find(|c| works(&self.state, c))
            .unwrap_or(DriverChoice::Keyboard);
        if let Some(DriverChoice::Planner(name)) = before.filter(|b| *b != choice) {
            let label = self.state.drivers.iter().find(|d| d.choice == choice);
            let instead = label.map_or("another", |d| d.label.as_str()).to_string();
            self.state.say(format!(
                "{name} cannot drive in this scene; instead of it: {instead}"
            ));
        }
        self.set_driver(choice);
    }

    /// Lets reality run or stop; while the controller that was asked for is not there, it stands still.
    pub(super) fn play(&mut self, on: bool) {
        let runs = on && self.state.awaited.is_none();
        self.reality.tell(RealityOrder::Play(runs));
    }

    /// All models are in, and the controller that was asked for is not among them.
    pub(super) fn give_up_awaited(&mut self) {
        let Some(wish) = self.state.awaited.clone() else {
            return;
        };
        let failed = self.state.panes.iter().find(|p| p.name == wish);
        let why = match failed.map(|p| &p.status) {
            Some(PaneStatus::Failed(e)) => e.clone(),
            _ => "no such model of this scene could be loaded".into(),
        };
        self.state.playing = false;
        self.play(false);
        self.state.complain(format!(
            "{wish} cannot drive: {why}; choose another controller"
        ));
    }

    /// The first model that is ready to plan in latents: they are what the app is about, and the fastest.
    pub(super) fn quickest_planner(&self) -> Option<DriverChoice> {
        let ready = |p: &Pane| p.status == PaneStatus::Ready && !p.has_pixels();
        let mut models = self.state.scene_models();
        let found = models.find(|(_, p)| ready(p));
        found.map(|(_, p)| DriverChoice::Planner(p.name.clone()))
    }

    pub(super) fn find_driver(&self, wish: &str) -> Option<DriverChoice> {
        let by_camp = |camp| {
            self.state
                .scene_models()
                .find(|(_, p)| p.camp() == Some(camp) && p.status == PaneStatus::Ready)
                .map(|(_, p)| DriverChoice::Planner(p.name.clone()))
        };
        match wish {
            "jepa" => by_camp(Camp::Jepa),
            "generative" => by_camp(Camp::Generative),
            "oracle" => Some(DriverChoice::Oracle),
            "random" => Some(DriverChoice::Random),
            "keyboard" => Some(DriverChoice::Keyboard),
            name => self
                .state
                .scene_models()
                .find(|(_, p)| p.name == name && p.status == PaneStatus::Ready)
                .map(|_| DriverChoice::Planner(name.into())),
        }
    }

    pub(super) fn driver_options(&self) -> Vec<DriverOption> {
        let no_task = (!self.state.has_actions()).then(|| "This scene has no actions".to_string());
        // Planners in latent space come first.
        let mut models: Vec<_> = self.state.scene_models().collect();
        models.retain(|(_, p)| p.card.is_some());
        models.sort_by_key(|(_, p)| p.has_pixels());
        let mut options: Vec<DriverOption> = models
            .into_iter()
            .map(|(_, p)| DriverOption {
                choice: DriverChoice::Planner(p.name.clone()),
                label: match p.camp() {
                    Some(Camp::Jepa) => format!("JEPA planner · {}", p.name),
                    Some(Camp::Generative) => format!("Generative planner · {}", p.name),
                    _ => format!("Planner · {}", p.name),
                },
                problem: no_task.clone().or_else(|| match &p.status {
                    PaneStatus::Ready => None,
                    PaneStatus::Loading => Some("Still loading".into()),
                    PaneStatus::Failed(e) => Some(e.clone()),
                }),
            })
            .collect();
        for (choice, label) in [
            (DriverChoice::Oracle, "Oracle · fork of reality"),
            (DriverChoice::Random, "Random actions"),
            (DriverChoice::Keyboard, "You · arrows or WASD"),
        ] {
            options.push(DriverOption {
                choice,
                label: label.into(),
                problem: no_task.clone(),
            });
        }
        options
    }

    /// Searches like this from now on, or as the model does by itself.
    pub(super) fn set_search(&mut self, search: Option<Search>) {
        self.state.search = search.map(Search::bounded);
        // Successes of another search are not this one's.
        self.state.score = Score::default();
        self.set_driver(self.state.driver.clone());
    }

    /// How a model searches by itself. Pixels cost a hundred times what latents cost: their planner gets a
    /// budget, and follows a plan for so long, that a person can wait for it.
    fn usual_search(model: &dyn WorldModel) -> Search {
        let budget = Budget::for_model(model);
        Search {
            horizon: budget.horizon,
            candidates: budget.candidates,
            iterations: budget.iterations,
            replan: match model.facets().pixels {
                Some(_) => budget.hold,
                None => Budget::REPLAN,
            },
            stations: false,
        }
    }

    pub(super) fn set_driver(&mut self, choice: DriverChoice) {
        if choice != self.state.driver {
            self.state.score = Score::default();
        }
        self.state.driver = choice.clone();
        self.state.decision = None;
        let model = match &choice {
            DriverChoice::Planner(name) => self.backstage.get(name).and_then(|b| b.model.clone()),
            _ => None,
        };
        self.state.usual_search = model.as_ref().map(|m| Self::usual_search(m.as_ref()));
        self.state.knows_stations = model.is_some_and(|m| m.facets().stations.is_some());
        if let Some(usual) = self.state.usual_search
            && (self.wished_search.iter().any(Option::is_some) || self.wished_stations)
        {
            let [horizon, candidates, iterations, replan] = std::mem::take(&mut self.wished_search);
            let search = Search {
                horizon: horizon.unwrap_or(usual.horizon),
                candidates: candidates.unwrap_or(usual.candidates),
                iterations: iterations.unwrap_or(usual.iterations),
                replan: replan.unwrap_or(usual.replan),
                stations: std::mem::take(&mut self.wished_stations),
            };
            self.state.search = Some(search.bounded());
        }
        if self.state.awaited.take().is_some() {
            self.play(self.state.playing);
        }
        if let Some(driver) = self.build_driver(&choice) {
            self.reality.tell(RealityOrder::Drive(driver));
        }
    }

    pub(super) fn build_driver(&self, choice: &DriverChoice) -> Option<Driver> {
        let model = match choice {
            DriverChoice::Planner(name) => Some(self.backstage.get(name)?.model.clone()?),
            _ => None,
        };
        let pilot = match (choice, &model) {
            (DriverChoice::Keyboard, _) => return Some(Driver::Keyboard),
            (DriverChoice::Planner(_), Some(model)) => {
                let usual = Self::usual_search(model.as_ref());
                let search = self.state.search.unwrap_or(usual);
                let budget = Budget {
                    horizon: search.horizon,
                    candidates: search.candidates,
                    iterations: search.iterations,
                    ..Budget::for_model(model.as_ref())
                };
                let (model, replan) = (model.clone(), search.replan);
                Pilot::Sighted(match search.stations && self.state.knows_stations {
                    true => Box::new(Mpc::new(model, Stations::default(), budget, replan)),
                    false => Box::new(Mpc::new(model, Cem::default(), budget, replan)),
                })
            }
            (DriverChoice::Oracle, _) => {
                let scene = self.state.scene.as_deref()?;
                let budget = Budget::oracle(scene);
                let oracle = OracleMpc::new(scene, budget, Budget::ORACLE.hold);
                Pilot::Informed(Box::new(oracle))
            }
            (DriverChoice::Planner(_), None) => return None,
            (DriverChoice::Random, _) => {
                Pilot::Sighted(Box::new(Random::new(self.state.record.seed)))
            }
        };
        Some(Driver::Controller {
            controller: Arc::new(Mutex::new(pilot)),
            preview: model,
        })
    }

    pub(super) fn next_driver(&mut self) {
        let usable: Vec<&DriverOption> = self
            .state
            .drivers
            .iter()
            .filter(|d| d.problem.is_none())
            .collect();
        let at = usable.iter().position(|d| d.choice == self.state.driver);
        let next = at.map_or(0, |i| (i + 1) % usable.len().max(1));
        if let Some(choice) = usable.get(next).map(|d| d.choice.clone()) {
            self.apply(Command::Driver(choice));
        }
    }
}
