//! Everything a person can tell the app: one enum feeds buttons, menus, shortcuts, palette and help.

use bevy_egui::egui::{Event, Key};

pub use super::keymap::{Entry, TABLE, keys_of};
use super::screens::{gallery, race, surprise};
use super::state::{Compare, Dock, DriverChoice, Film, Grip, MaskView, PlanView, Screen, Search};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Show this screen.
    Screen(Screen),
    /// Something in the gallery.
    Gallery(gallery::Do),
    /// Something on the Surprise screen.
    Surprise(surprise::Do),
    /// Something in the race.
    Race(race::Do),
    /// Play or pause.
    TogglePlay,
    /// Pause and take one control step.
    Step,
    /// Pause and go back one control step.
    StepBack,
    /// Play around the moment shown, or no longer.
    ToggleLoop,
    /// A quarter of the speed, or all of it.
    ToggleSlow,
    /// Start again from the same seed.
    Reset,
    /// Start again from another seed.
    Seed(u64),
    /// Start again from a seed nobody chose.
    RollSeed,
    /// The next seed.
    NextSeed,
    /// Times real time.
    Speed(f32),
    /// Show the scene with this index.
    Scene(usize),
    /// Who drives.
    Driver(DriverChoice),
    /// The next driver that is available.
    NextDriver,
    /// Whether reality waits while the controller thinks.
    Waits(bool),
    /// Whether the next seed follows when an episode ends.
    Continue(bool),
    /// Look at this moment of the timeline (pauses).
    Scrub(usize),
    /// Go to the newest moment; reality goes on from there as it happens.
    Live,
    /// Play what was recorded and imagined together, again and again.
    Show,
    /// The next failure of an imagination: half a second before it, around and around, slowly.
    NextFailure,
    /// That failure: model, moment.
    Failure(usize, usize),
    /// Let every model imagine from the moment shown.
    BranchHere,
    /// Function evaluations a frame for the model pane with this index.
    Nfe(usize, usize),
    /// Show the model with this index in this place.
    Pick(usize, usize),
    /// Let one film fill the room of all, or none.
    Enlarge(Option<Film>),
    /// Dream in the model pane with this index, from the moment shown.
    Dream(usize),
    /// Dream in the first model that can, or wake.
    ToggleDream,
    /// Dream again from the moment of reality that is shown.
    DreamAgain,
    /// Show the plan in this way.
    PlanView(PlanView),
    /// Open the plan, or show it in the next way.
    NextPlanView,
    /// Imagine several futures of the same actions and show their spread, or one.
    ToggleSpread,
    /// Hide parts of a clip from models that were trained to predict them, or show what they imagine.
    MaskView(MaskView),
    /// Hide more, or nothing again.
    NextMaskView,
    /// Hold imaginations against the truth in this way.
    Compare(Compare),
    /// Hold them against it in the next way.
    NextCompare,
    /// Where the line of the wipe is, from 0 (left) to 1.
    Wipe(f32),
    /// What the models' eye sees in place of the 3-D view, or that.
    ToggleEye,
    /// Show or hide the outlines of what was imagined in the 3-D view.
    ToggleGhosts,
    /// An intervention.
    Intervene(String, f32),
    /// No more interventions.
    ClearInterventions,
    /// Open this at the right, or what was measured again.
    Dock(Dock),
    /// Open or close the interventions.
    ToggleInterventions,
    /// Open or close the timers.
    ToggleTimers,
    /// Open or close the shortcut overlay.
    ToggleShortcuts,
    /// Open or close the palette of commands.
    TogglePalette,
    /// Close what is open, the newest first.
    Close,
    /// Light or dark.
    ToggleTheme,
    /// Black on white and large, for a projector, or as before.
    ToggleProjector,
    /// The 3-D camera follows the body with this index, or none.
    Follow(Option<usize>),
    /// The planner searches like this, or as its model does by itself.
    Search(Option<Search>),
    /// Puts the panes back to where they stood at first.
    ResetLayout,
    /// The whole screen, or a window.
    ToggleFullscreen,
    /// Larger or smaller writing (factor).
    Zoom(f32),
    /// Put the 3-D camera back.
    ResetCamera,
    /// Orbit the 3-D camera by radians about the vertical and the horizontal, and scale its distance.
    Orbit(f32, f32, f32),
    /// Move the 3-D camera across its line of sight, in heights of its picture to the right and down.
    Pan(f32, f32),
    /// Takes hold of something in the 3-D view.
    Grab(Grip),
    /// What is held follows the pointer, which is at this place of the world (metres).
    Lead([f32; 3]),
    /// Lets go of it.
    LetGo,
    /// Goes back to before the last disturbance.
    Undo,
    /// Takes the last undoing back.
    Redo,
    /// Keeps this moment.
    SaveMoment,
    /// Goes back to the moment kept.
    RestoreMoment,
    /// Saves a picture of the window.
    ExportPicture,
    /// Saves the films of the range shown as a GIF.
    ExportGif,
    /// Saves what the plots show as a table.
    ExportData,
    /// Saves the same films as an MP4.
    ExportMovie,
    /// Saves the episode with all that was done to it, to be lived again.
    ExportSession,
    /// Copies the command that shows this moment again.
    CopyCommand,
    /// Plays the opening.
    Opening,
    /// Says that something was not done, and why.
    Complain(String),
    /// Says something that leaves by itself.
    Say(String),
    /// Hides the message about what went wrong.
    DismissError,
    /// Hides the message about the scene's file.
    DismissFault,
    /// Replays this episode of the file that is open.
    ReplayEpisode(u64),
}

/// What is left of a frame's events after a field was finished in it: what was typed into the field is no
/// shortcut.
pub fn after_typing(events: &[Event]) -> &[Event] {
    let finishes = |e: &Event| {
        let Event::Key { key, pressed, .. } = e else {
            return false;
        };
        *pressed && matches!(key, Key::Enter | Key::Escape | Key::Tab)
    };
    let end = events.iter().rposition(finishes);
    end.map_or(&[], |end| &events[end + 1..])
}

/// Keys that steer the hand while somebody drives; they mean nothing else then.
const STEERING: [Key; 12] = [
    Key::W,
    Key::A,
    Key::S,
    Key::D,
    Key::E,
    Key::Q,
    Key::F,
    Key::ArrowUp,
    Key::ArrowDown,
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::PageUp,
];

/// The commands of the keys pressed in this frame. `driving`: the arrows steer the hand; `shown` is the
/// moment on the timeline.
pub fn from_keys(events: &[Event], driving: bool, shown: usize, out: &mut Vec<Command>) {
    for event in events {
        // The modifiers of the event, not those of the frame: a slow frame sees a key and its modifier come
        // and go (`keys.rs`).
        if let Event::Key {
            key,
            pressed: true,
            modifiers,
            ..
        } = event
        {
            let ctrl = modifiers.command || modifiers.ctrl;
            if driving && !ctrl && STEERING.contains(key) {
                continue;
            }
            let meant = TABLE.iter().filter(|s| s.ctrl == ctrl);
            let meant =
                meant.filter(|s| s.key == Some(*key) && s.shift == (ctrl && modifiers.shift));
            out.extend(meant.filter_map(|s| s.command.clone()));
            match key {
                _ if ctrl => {}
                Key::Equals => out.push(Command::Zoom(1.1)),
                Key::Slash if modifiers.shift => out.push(Command::ToggleShortcuts),
                Key::Questionmark => out.push(Command::ToggleShortcuts),
                Key::Escape => out.push(Command::Close),
                Key::ArrowRight => out.push(Command::Step),
                Key::Comma => out.push(Command::Scrub(shown.saturating_sub(1))),
                Key::Period => out.push(Command::Scrub(shown + 1)),
                _ => {}
            }
        }
    }
}

/// Letters of a name that tell a command from a key.
const LEAST_NAME: usize = 4;

/// The action held on the keyboard: velocity in x (right), y (up) and z (down, towards the eye's lower edge),
/// and grip. A key that came and went within the frame was held, too.
pub fn held_action(input: &bevy_egui::egui::InputState) -> [f32; 4] {
    if input.modifiers.command || input.modifiers.ctrl {
        return [0.0; 4];
    }
    let was_pressed = |k: Key| {
        let mut events = input.events.iter();
        events.any(|e| matches!(e, Event::Key { key, pressed: true, .. } if *key == k))
    };
    let down = |keys: &[Key]| {
        let mut keys = keys.iter();
        f32::from(keys.any(|&k| input.key_down(k) || was_pressed(k)))
    };
    let axis = |plus: [Key; 2], minus: [Key; 2]| down(&plus) - down(&minus);
    [
        axis([Key::D, Key::ArrowRight], [Key::A, Key::ArrowLeft]),
        axis([Key::E, Key::PageUp], [Key::Q, Key::PageDown]),
        axis([Key::S, Key::ArrowDown], [Key::W, Key::ArrowUp]),
        down(&[Key::F]),
    ]
}

/// A shortcut, `scrub=N` or a command by the beginning of its name, given at a time, from text such as
/// `3.5:space` or `8:spot the fake`.
pub fn scripted(text: &str) -> Option<(f32, Command)> {
    let (seconds, key) = text.split_once(':')?;
    let seconds: f32 = seconds.parse().ok().filter(|s: &f32| s.is_finite())?;
    if let Some(moment) = key.strip_prefix("scrub=") {
        return Some((seconds, Command::Scrub(moment.parse().ok()?)));
    }
    let by_key = TABLE.iter().find(|s| {
        let first = s.keys.split_whitespace().next();
        first.is_some_and(|k| k.eq_ignore_ascii_case(key))
    });
    let by_name = || {
        let named = |e: &&Entry| e.what.to_lowercase().starts_with(&key.to_lowercase());
        TABLE.iter().filter(|_| key.len() >= LEAST_NAME).find(named)
    };
    let entry = by_key.or_else(by_name)?;
    Some((seconds, entry.command.clone()?))
}
