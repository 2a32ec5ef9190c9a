//! Pictures of the real window, keys pressed by a script, and the walk through everything that the window
//! test takes.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};

use super::command::Command;
use super::state::{Cursor, Dock, DriverChoice, Look, State};
use super::view3d::View3d;

/// What the window does by itself before it closes.
#[derive(Resource, Clone, Debug, Default)]
pub struct Errand {
    /// A picture to take.
    pub shot: Option<PathBuf>,
    /// Seconds after the start.
    pub after_s: f32,
    /// Commands to give on the way: seconds after the start, command.
    pub script: VecDeque<(f32, Command)>,
    /// Walks through all scenes and controllers, then leaves.
    pub walks: bool,
    /// What went wrong, for whoever opened the window.
    pub problem: Problem,
    taken: bool,
    /// When there was something to see: time counts from here.
    began: Option<f32>,
}

/// What went wrong with an errand, if anything.
pub type Problem = Arc<Mutex<Option<String>>>;

/// What went wrong.
pub fn said(problem: &Problem) -> Option<String> {
    problem
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

impl Errand {
    /// Whether anything is still to be done.
    pub fn is_under_way(&self) -> bool {
        self.shot.is_some() || self.walks || !self.script.is_empty()
    }

    /// An errand: a picture `after_s` seconds after the start, commands on the way, or the walk through
    /// everything.
    pub fn new(
        shot: Option<PathBuf>,
        after_s: f32,
        script: Vec<(f32, Command)>,
        walks: bool,
    ) -> Self {
        Self {
            shot,
            after_s,
            script: script.into(),
            walks,
            problem: Problem::default(),
            taken: false,
            began: None,
        }
    }
}

/// Seconds that a step of the walk may take before it counts as failed: models think at a low priority, so
/// that they are slow where something else computes beside them.
const PATIENCE_S: f32 = 300.0;

/// What a step of the walk is compared with.
#[derive(Clone, Debug, Default)]
struct Before {
    driver: Option<DriverChoice>,
    look: Look,
    newest: usize,
}

/// One step of the walk: a command, and what has to come of it.
#[derive(Clone)]
struct Step {
    what: &'static str,
    command: Command,
    done: fn(&State, &Before) -> bool,
}

fn step(what: &'static str, command: Command, done: fn(&State, &Before) -> bool) -> Step {
    Step {
        what,
        command,
        done,
    }
}

/// Every scene plays, is stopped, scrubbed, branched and stepped, and changes hands.
fn steps(scenes: usize) -> VecDeque<Step> {
    let mut all = VecDeque::new();
    for scene in 0..scenes {
        all.push_back(step("play a scene", Command::Scene(scene), |s, _| {
            // Time waits for the first key of whoever drives.
            let drives = s.driver == DriverChoice::Keyboard && s.has_actions();
            drives || s.newest() >= 3 && s.playing
        }));
        all.push_back(step(
            "change the controller",
            Command::NextDriver,
            |s, b| !s.has_actions() || Some(&s.driver) != b.driver.as_ref(),
        ));
        all.push_back(step("scrub", Command::Scrub(3), |s, _| {
            // Where the next episode has just begun, there are not so many moments yet.
            matches!(s.cursor, Cursor::At(_)) && !s.playing
        }));
        all.push_back(step("branch", Command::BranchHere, |s, _| {
            s.note.is_some() || s.panes.iter().any(|p| p.busy || !p.rollouts.is_empty())
        }));
        all.push_back(step("dream", Command::ToggleDream, |s, _| {
            let unable = !s.scene_panes().any(|(_, p)| p.can_dream());
            unable || s.dream.as_ref().is_some_and(|d| d.steps >= 2)
        }));
        all.push_back(step("wake", Command::ToggleDream, |s, _| s.dream.is_none()));
        all.push_back(step("go back to live", Command::Live, |s, _| {
            s.cursor == Cursor::Live
        }));
        all.push_back(step("take one step", Command::Step, |s, b| {
            s.newest() > b.newest
        }));
        all.push_back(step("play on", Command::TogglePlay, |s, _| s.playing));
    }
    all.push_back(step("change the theme", Command::ToggleTheme, |s, b| {
        s.look != b.look
    }));
    all.push_back(step("open the timers", Command::ToggleTimers, |s, _| {
        s.dock == Dock::Timers
    }));
    all
}

/// How far the walk is.
#[derive(Default)]
pub struct Walk {
    steps: Option<VecDeque<Step>>,
    current: Option<(Step, Before, f32)>,
    problem: Option<String>,
    over: bool,
}

impl Walk {
    /// Goes on; returns the command to give next.
    fn go_on(&mut self, state: &State, now: f32) -> Option<Command> {
        if let Some(note) = state.note.as_ref().filter(|_| state.note_is_error) {
            self.problem.get_or_insert(note.clone());
        }
        if let Some((step, before, since)) = &self.current {
            let late = now - since > PATIENCE_S;
            if late {
                let problem = format!("failed to {} within {PATIENCE_S} s", step.what);
                self.problem.get_or_insert(problem);
            }
            if !late && !(step.done)(state, before) {
                // An episode that began in that very moment has taken the view with it.
                let is_lost = state.cursor == Cursor::Live && now - since > 1.0;
                let is_scrub = matches!(step.command, Command::Scrub(_));
                return (is_scrub && is_lost).then(|| step.command.clone());
            }
        }
        let before = Before {
            driver: Some(state.driver.clone()),
            look: state.look,
            newest: state.newest(),
        };
        let steps = self.steps.get_or_insert_with(|| steps(state.scenes.len()));
        // A command that turns a thing over would undo what it is for where that is so already: a model that
        // is loaded between "dream" and "wake" must not begin to dream at the second.
        let is_needless = |s: &Step| s.command == Command::ToggleDream && (s.done)(state, &before);
        while steps.front().is_some_and(is_needless) {
            steps.pop_front();
        }
        self.current = steps.pop_front().map(|step| (step, before, now));
        self.over = self.current.is_none();
        self.current.as_ref().map(|(step, ..)| step.command.clone())
    }
}

/// Gives the commands that are due, and leaves when all is done.
pub fn run_errand(
    mut errand: ResMut<Errand>,
    (mut session, view): (NonSendMut<super::AppSession>, Res<View3d>),
    mut commands: Commands,
    mut exit: MessageWriter<AppExit>,
    time: Res<Time<Real>>,
    mut walk: Local<Walk>,
    mut over_since: Local<Option<f32>>,
) {
    let elapsed = time.elapsed_secs();
    if errand.began.is_none() {
        let state = &session.state;
        let awaits = state.awaited.is_some();
        if state.record.moments.is_empty() || awaits {
            let has_failed = state.note_is_error && (!awaits || !state.loading);
            let waits = errand.shot.is_some() || errand.walks;
            if waits && (has_failed || elapsed > PATIENCE_S) {
                let why = state.note.clone();
                let why = why.unwrap_or_else(|| "the scene did not begin".into());
                leave(&errand.problem, Some(why), &mut exit);
            }
            return;
        }
        errand.began = Some(elapsed);
    }
    let now = elapsed - errand.began.unwrap_or(0.0);
    while errand.script.front().is_some_and(|(at, _)| *at <= now) {
        if let Some((_, command)) = errand.script.pop_front() {
            let screen = session.state.screen;
            session
                .pending
                .extend(super::screens::of_key(screen, command));
        }
    }
    if errand.walks && !walk.over {
        if let Some(command) = walk.go_on(&session.state, now) {
            session.pending.push(command);
        }
        return;
    }
    if errand.taken || (errand.shot.is_none() && !errand.walks) {
        return;
    }
    let problem = walk.problem.clone();
    let Some(path) = errand.shot.clone() else {
        errand.taken = true;
        leave(&errand.problem, problem, &mut exit);
        return;
    };
    // After a walk, the last command gets a moment to reach the screen.
    let since = *over_since.get_or_insert(now);
    let due = if errand.walks {
        since + 1.5
    } else {
        errand.after_s
    };
    let late = now > due + PATIENCE_S;
    let is_whole = view.is_there() || late;
    if now < due || !errand.script.is_empty() || !is_whole {
        return;
    }
    errand.taken = true;
    commands.spawn(Screenshot::primary_window()).observe(
        move |captured: On<ScreenshotCaptured>,
              mut errand: ResMut<Errand>,
              mut exit: MessageWriter<AppExit>| {
            match picture(&captured.image) {
                // The window is not drawn yet: another try with the next frame.
                Ok(None) if !late => errand.taken = false,
                Ok(None) => {
                    let black = "the window stayed blank, so no picture was saved".to_string();
                    leave(&errand.problem, Some(black), &mut exit);
                }
                Ok(Some(picture)) => {
                    let saved = save(&picture, &path).err();
                    leave(&errand.problem, saved.or(problem.clone()), &mut exit);
                }
                Err(e) => leave(&errand.problem, Some(e), &mut exit),
            }
        },
    );
}

fn leave(told: &Problem, problem: Option<String>, exit: &mut MessageWriter<AppExit>) {
    exit.write(match problem {
        None => AppExit::Success,
        Some(problem) => {
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
            AppExit::error()
        }
    });
}

/// The window's picture, or nothing while all of it has one colour.
fn picture(image: &Image) -> Result<Option<image::RgbImage>, String> {
    let picture = image
        .clone()
        .try_into_dynamic()
        .map_err(|e| format!("the window's picture cannot be read: {e}"))?
        .to_rgb8();
    let picture = image::RgbImage::from_raw(picture.width(), picture.height(), picture.into_raw())
        .ok_or_else(|| "the window's picture has a strange size".to_string())?;
    let first = picture.pixels().next().copied();
    let is_blank = picture.pixels().all(|p| Some(*p) == first);
    Ok((!is_blank).then_some(picture))
}

/// Writes beside the file, and puts it in place once it is whole.
fn save(picture: &image::RgbImage, path: &Path) -> Result<(), String> {
    let at = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let saved = picture
        .save_with_format(&part, image::ImageFormat::Png)
        .map_err(|e| at(&e))
        .and_then(|()| std::fs::rename(&part, path).map_err(|e| at(&e)));
    if saved.is_err() {
        // Whatever is there of it is of no use, and may fill the disk.
        let _gone = std::fs::remove_file(&part);
    }
    saved?;
    println!("{}", path.display());
    Ok(())
}
