//! The race's part of the session: it starts and calls off races, and finds out why one was lost.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use crate::app::screens::race::{Do, LANES, Lane, RaceState, SERIES, Why, entrants, words};
use crate::app::state::*;
use crate::eval::contest::Contest;
use crate::scene;
use crate::sim::HELD_OUT_SEED;
use crate::task::GoalKind;
use crate::worker::{
    Course, Desk, Doing, Explain, Explained, Finish, Heat, LaneStep, Progress, Race, SetUp,
    explaining, setting_up,
};

/// What the race has behind it.
pub(super) struct Conductor {
    race: Option<Race>,
    starts: Desk<SetUp, (Course, LaneStep)>,
    explains: Desk<Explain, Explained>,
    /// Of what is looked into: the lane, the race, how far it is.
    looking: Option<(usize, Finish, Progress)>,
    /// When the films were last moved on.
    played: Instant,
    /// How many models were ready when the entrants were last listed.
    listed: (usize, usize),
}

impl Conductor {
    /// Starts the workers that prepare starts and look into losses.
    ///
    /// # Errors
    /// The system's error if threads cannot be started.
    pub(super) fn open() -> std::io::Result<Self> {
        Ok(Self {
            race: None,
            starts: Desk::open("setting-up", || setting_up)?,
            explains: Desk::open("explaining", || explaining)?,
            looking: None,
            played: Instant::now(),
            listed: (usize::MAX, 0),
        })
    }

    /// Whether anything is under way that will change the screen by itself.
    pub(super) fn is_busy(&self) -> bool {
        self.race.is_some() || self.starts.is_busy() || self.explains.is_busy()
    }
}

impl Session {
    /// Chooses scene, seed and lanes when the screen is first opened.
    pub(super) fn open_race(&mut self) {
        if self.state.race.scene.is_none() {
            let can_race = |s: &crate::scene::Scene| s.task.is_some();
            let shown = self.state.scene.as_ref().filter(|s| can_race(s));
            let shown = shown.map(|_| self.state.scene_index);
            let first = || self.state.scenes.iter().position(|s| s.has_actions);
            let index = shown.or_else(first).unwrap_or(0);
            self.state.race.seed = match shown {
                Some(_) => self.state.record.seed,
                None => HELD_OUT_SEED,
            };
            self.race_in(index);
        }
        self.racing.played = Instant::now();
    }

    /// Races in the scene with this index from now on.
    fn race_in(&mut self, index: usize) {
        let Some(entry) = self.state.scenes.get(index) else {
            return;
        };
        let (race, name) = (&mut self.state.race, entry.name.clone());
        match scene::load(&name) {
            Ok(scene) if scene.task.is_some() => {
                self.racing.race = None;
                race.scene_index = index;
                race.scene = Some(Arc::new(scene));
                (race.lanes, race.is_chosen, race.runs) = (Vec::new(), false, false);
                race.clear();
                self.racing.listed = (usize::MAX, 0);
                self.list_entrants();
                self.set_up_race();
            }
            Ok(_) => race.problem = Some(format!("{name} has no task, so nobody can race in it")),
            Err(e) => race.problem = Some(e.to_string()),
        }
    }

    /// Lists who can take part, when a model has come in.
    fn list_entrants(&mut self) {
        let ready = |p: &&Pane| p.status != PaneStatus::Loading;
        let now = (
            self.state.panes.len(),
            self.state.panes.iter().filter(ready).count(),
        );
        let Some(scene) = self.state.race.scene.clone() else {
            return;
        };
        if std::mem::replace(&mut self.racing.listed, now) == now {
            return;
        }
        let all = entrants::entrants(&self.state.panes, &scene::models_dir(), &scene);
        let race = &mut self.state.race;
        race.entrants = all;
        if !race.is_chosen && race.races == 0 {
            race.lanes = entrants::usual(&race.entrants)
                .into_iter()
                .map(Lane::of)
                .collect();
        }
    }

    /// The start and goal of the next race, before anybody acts.
    fn set_up_race(&mut self) {
        let race = &mut self.state.race;
        race.start = None;
        if let Some(scene) = &race.scene {
            self.racing.starts.ask((scene.clone(), race.seed));
        }
    }

    /// Does what a person asked for.
    pub(super) fn do_in_race(&mut self, what: Do) {
        let runs = self.state.race.runs;
        match what {
            Do::Toggle if runs => self.stop_race(),
            Do::Toggle | Do::Start => self.start_race(1),
            Do::Series => self.start_race(SERIES),
            Do::Stop => self.stop_race(),
            Do::Counted(on) => {
                self.call_off();
                self.state.race.is_counted = on;
            }
            Do::Scene(index) => self.race_in(index),
            Do::Seed(seed) => self.race_from(seed),
            Do::NextSeed => self.race_from(self.state.race.seed.saturating_add(1)),
            Do::RollSeed => {
                let mix = self.rolled.wrapping_add(self.state.race.seed);
                self.rolled = mix
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                self.race_from(HELD_OUT_SEED + (self.rolled >> 33) % 100_000);
            }
            Do::Add(name) if self.state.race.lanes.len() < LANES.1 => {
                self.choose_lanes(|race| race.lanes.push(Lane::of(name)));
            }
            Do::Swap(lane, name) => self.choose_lanes(|race| {
                if let Some(lane) = race.lanes.get_mut(lane) {
                    *lane = Lane::of(name);
                }
            }),
            Do::Remove(lane) if self.state.race.lanes.len() > LANES.0 => {
                self.choose_lanes(|race| {
                    if lane < race.lanes.len() {
                        race.lanes.remove(lane);
                    }
                });
            }
            Do::Add(_) | Do::Remove(_) => {
                let (least, most) = LANES;
                self.state
                    .say(format!("A race has {least} to {most} controllers"));
            }
            Do::Why(lane) => self.look_into(lane),
            Do::StopWhy => self.stop_looking(),
        }
    }

    fn choose_lanes(&mut self, change: impl FnOnce(&mut RaceState)) {
        self.call_off();
        self.state.race.is_chosen = true;
        change(&mut self.state.race);
    }

    fn race_from(&mut self, seed: u64) {
        self.call_off();
        self.state.race.seed = seed.min(u64::MAX - SERIES);
        self.set_up_race();
    }

    /// Calls off what runs and forgets what was raced.
    fn call_off(&mut self) {
        self.stop_looking();
        self.racing.race = None;
        self.state.race.runs = false;
        self.state.race.clear();
    }

    fn stop_race(&mut self) {
        if let Some(race) = &self.racing.race {
            race.stop();
        }
    }

    fn start_race(&mut self, races: u64) {
        self.call_off();
        let models = scene::models_dir();
        let race = &mut self.state.race;
        let Some(scene) = race.scene.clone() else {
            return;
        };
        let unready = |l: &Lane| {
            let entrant = race.entrant(&l.name)?;
            let problem = entrant.problem.as_ref()?;
            Some(format!("{}: {problem}", l.name))
        };
        if let Some(problem) = race.lanes.iter().find_map(unready) {
            race.problem = Some(format!(
                "{problem}; start again when it is ready, or take it out"
            ));
            return;
        }
        let makers = race.lanes.iter().map(|lane| {
            let back = self.backstage.get(&lane.name);
            entrants::maker(&models, &lane.name, back.and_then(|b| b.model.clone()))
        });
        let heat = Heat {
            scene,
            seeds: race.seed..race.seed + races,
            goals: GoalKind::Scene,
            is_counted: race.is_counted,
        };
        match Race::start(&heat, makers.collect()) {
            Ok(started) => {
                self.racing.race = Some(started);
                (race.runs, race.races) = (true, races);
                for lane in &mut race.lanes {
                    lane.doing = Some(Doing::Preparing);
                }
            }
            Err(e) => race.problem = Some(format!("no threads for a race: {e}")),
        }
    }

    /// Takes in what lanes, starts and explanations have to tell, and lets the films run on.
    pub(super) fn race_on(&mut self) {
        if self.state.screen == Screen::Race {
            self.list_entrants();
        }
        let conductor = &mut self.racing;
        let race = &mut self.state.race;
        if let Some(report) = conductor.starts.poll() {
            match report.result {
                Ok(start) => race.start = Some(start),
                Err(e) => race.problem = Some(e),
            }
        }
        if let Some(running) = &conductor.race {
            for (i, lane) in race.lanes.iter_mut().enumerate() {
                lane.take(running.fetch(i));
            }
            let is_over = |l: &Lane| l.doing.as_ref().is_some_and(Doing::is_over);
            if race.lanes.iter().all(is_over) {
                conductor.race = None;
                race.runs = false;
            }
        }
        let passed = conductor.played.elapsed().as_secs_f32();
        conductor.played = Instant::now();
        race.play(passed);
        let Some((lane, lost, progress)) = &conductor.looking else {
            return;
        };
        let Some(lane) = race.lanes.get_mut(*lane) else {
            return;
        };
        let seed = lost.result.seed;
        match conductor.explains.poll().map(|r| r.result) {
            None => {
                lane.why = Why::Looking {
                    seed,
                    looked: progress.get(),
                };
                return;
            }
            Some(Ok(found)) => {
                let (sentence, figures) = words::why(&found, lost);
                lane.why = Why::Known {
                    seed,
                    sentence,
                    figures,
                };
            }
            Some(Err(e)) => lane.why = Why::Failed(e),
        }
        conductor.looking = None;
    }

    fn look_into(&mut self, index: usize) {
        self.stop_looking();
        let race = &mut self.state.race;
        let (Some(scene), Some(lane)) = (race.scene.clone(), race.lanes.get_mut(index)) else {
            return;
        };
        let model = self.backstage.get(&lane.name).and_then(|b| b.model.clone());
        let (Some(lost), Some(model)) = (lane.lost().cloned(), model) else {
            return;
        };
        let seed = lost.result.seed;
        match entrants::suspect(&scene::models_dir(), &lane.name, &scene, model) {
            Ok((suspect, _)) => {
                let progress = Progress::default();
                let contest = Contest {
                    scene,
                    seeds: seed..seed + 1,
                    goals: GoalKind::Scene,
                };
                self.racing.explains.ask(Explain {
                    contest,
                    suspect,
                    progress: progress.clone(),
                });
                lane.why = Why::Looking {
                    seed,
                    looked: progress.get(),
                };
                self.racing.looking = Some((index, lost, progress));
            }
            Err(e) => lane.why = Why::Failed(e),
        }
    }

    fn stop_looking(&mut self) {
        self.racing.explains.cancel();
        if let Some((lane, ..)) = self.racing.looking.take()
            && let Some(lane) = self.state.race.lanes.get_mut(lane)
        {
            lane.why = Why::Unasked;
        }
    }
}
