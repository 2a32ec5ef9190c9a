//! Pictures of the real window, and the walk through everything that the window test takes.

use std::path::PathBuf;

use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};

use super::command::Command;
use super::state::Cursor;

/// What the window does by itself before it closes.
#[derive(Resource, Clone, Debug, Default)]
pub struct Errand {
    /// A picture to take.
    pub shot: Option<PathBuf>,
    /// Seconds after the start.
    pub after_s: f32,
    /// Commands to give on the way: seconds after the start, command.
    pub script: Vec<(f32, Command)>,
    /// Walks through all scenes and controllers, then exits.
    pub walk: bool,
    taken: bool,
}

impl Errand {
    /// An errand: a picture `after_s` seconds after the start, commands on the way, or the walk through everything.
    pub fn new(
        shot: Option<PathBuf>,
        after_s: f32,
        script: Vec<(f32, Command)>,
        walk: bool,
    ) -> Self {
        Self {
            shot,
            after_s,
            script,
            walk,
            taken: false,
        }
    }
}

/// The walk that `--play-all` takes: every scene plays, is scrubbed and branched, every controller drives.
pub fn walk(scenes: usize) -> Vec<(f32, Command)> {
    let mut script = Vec::new();
    let mut at = 1.0;
    for scene in 0..scenes {
        script.push((at, Command::Scene(scene)));
        script.push((at + 1.2, Command::NextDriver));
        script.push((at + 1.8, Command::Scrub(3)));
        script.push((at + 2.0, Command::BranchHere));
        script.push((at + 2.6, Command::Step));
        script.push((at + 2.8, Command::TogglePlay));
        at += 3.4;
    }
    script.push((at, Command::ToggleTheme));
    script.push((at + 0.2, Command::ToggleTimers));
    script.push((at + 0.4, Command::ToggleInterventions));
    script
}

/// Gives the commands that are due, and leaves when all is done.
pub fn run_errand(
    mut errand: ResMut<Errand>,
    mut session: NonSendMut<super::AppSession>,
    mut commands: Commands,
    mut exit: MessageWriter<AppExit>,
    time: Res<Time<Real>>,
    mut seen: Local<Walked>,
) {
    let now = time.elapsed_secs();
    while errand.script.first().is_some_and(|(at, _)| *at <= now) {
        let (_, command) = errand.script.remove(0);
        seen.note(&command, &session.state);
        session.pending.push(command);
    }
    if errand.walk && errand.script.is_empty() && errand.shot.is_none() {
        seen.finish(&session.state, &mut exit);
        errand.walk = false;
        return;
    }
    let due = errand.script.is_empty() && now >= errand.after_s && !errand.taken;
    if let Some(path) = errand.shot.clone().filter(|_| due) {
        errand.taken = true;
        let walked = errand.walk.then(|| seen.verdict(&session.state));
        commands.spawn(Screenshot::primary_window()).observe(
            move |captured: On<ScreenshotCaptured>, mut exit: MessageWriter<AppExit>| {
                let saved = save(&captured.image, &path);
                let outcome = saved.and_then(|()| walked.clone().unwrap_or(Ok(())));
                exit.write(match outcome {
                    Ok(()) => AppExit::Success,
                    Err(e) => {
                        eprintln!("error: {e}");
                        AppExit::error()
                    }
                });
            },
        );
    }
}

fn save(image: &Image, path: &std::path::Path) -> Result<(), String> {
    let picture = image
        .clone()
        .try_into_dynamic()
        .map_err(|e| format!("the window's picture cannot be read: {e}"))?
        .to_rgb8();
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    image::RgbImage::from_raw(picture.width(), picture.height(), picture.into_raw())
        .ok_or_else(|| "the window's picture has a strange size".to_string())?
        .save(path)
        .map_err(|e| format!("{}: {e}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// What the walk has seen so far.
#[derive(Default)]
pub struct Walked {
    played: usize,
    problems: Vec<String>,
}

impl Walked {
    /// Looks at the state before a command is given.
    fn note(&mut self, command: &Command, state: &super::state::State) {
        match command {
            Command::NextDriver => {
                if state.newest() < 2 {
                    let scene = state.scene.as_ref().map_or("none", |s| s.name.as_str());
                    self.problems.push(format!("scene {scene} did not play"));
                }
                self.played += 1;
            }
            Command::BranchHere => {
                if state.cursor == Cursor::Live {
                    self.problems.push("scrubbing did not stop at a moment".into());
                }
            }
            _ => {}
        }
        if let Some(note) = state.note.as_ref().filter(|_| state.note_is_error) {
            self.problems.push(note.clone());
        }
    }

    fn verdict(&self, state: &super::state::State) -> Result<(), String> {
        if self.played < state.scenes.len() || self.played == 0 {
            return Err(format!("{} scenes of {} were played", self.played, state.scenes.len()));
        }
        match self.problems.first() {
            None => Ok(()),
            Some(first) => Err(format!("{first} ({} problems)", self.problems.len())),
        }
    }

    fn finish(&self, state: &super::state::State, exit: &mut MessageWriter<AppExit>) {
        exit.write(match self.verdict(state) {
            Ok(()) => AppExit::Success,
            Err(e) => {
                eprintln!("error: {e}");
                AppExit::error()
            }
        });
    }
}
