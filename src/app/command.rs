//! Everything a person can tell the app: one enum feeds buttons, menus and shortcuts.

use bevy_egui::egui::{Event, Key};

use super::state::{DriverChoice, Grip, MaskView, PlanView};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Play or pause.
    TogglePlay,
    /// Pause and take one control step.
    Step,
    /// Start again from the same seed.
    Reset,
    /// Start again from another seed.
    Seed(u64),
    /// Start again from a seed nobody chose.
    RollSeed,
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
    /// Go back to the newest moment.
    Live,
    /// Let every model imagine from the moment shown.
    BranchHere,
    /// Function evaluations a frame for the model pane with this index.
    Nfe(usize, usize),
    /// Show the model pane with this index and let it imagine, or not.
    ShowModel(usize, bool),
    /// Dream in the model pane with this index, from the moment shown.
    Dream(usize),
    /// Dream in the first model that can, or wake.
    ToggleDream,
    /// Dream again from the moment of reality that is shown.
    DreamAgain,
    /// Show the plan in this way.
    PlanView(PlanView),
    /// Show the plan in the next way.
    NextPlanView,
    /// Imagine several futures of the same actions and show their spread, or one.
    ToggleSpread,
    /// Hide parts of a clip from models that were trained to predict them, or show what they imagine.
    MaskView(MaskView),
    /// Hide more, or nothing again.
    NextMaskView,
    /// Show difference heat maps instead of truth thumbnails.
    ToggleDifference,
    /// Show or hide the ghosts in the 3-D view.
    ToggleGhosts,
    /// An intervention.
    Intervene(String, f32),
    /// No more interventions.
    ClearInterventions,
    /// Open or close the interventions.
    ToggleInterventions,
    /// Open or close the timers.
    ToggleTimers,
    /// Open or close the shortcut overlay.
    ToggleShortcuts,
    /// Light or dark.
    ToggleTheme,
    /// Larger or smaller writing (factor).
    Zoom(f32),
    /// Put the 3-D camera back.
    ResetCamera,
    /// Orbit the 3-D camera by radians about the vertical and the horizontal, and scale its distance.
    Orbit(f32, f32, f32),
    /// Takes hold of something in the 3-D view.
    Grab(Grip),
    /// What is held follows the pointer, which is at this place of the world (metres).
    Lead([f32; 3]),
    /// Lets go of it.
    LetGo,
    /// Goes back to before the last disturbance.
    Undo,
    /// Keeps this moment.
    SaveMoment,
    /// Goes back to the moment kept.
    RestoreMoment,
    /// Says that something was not done, and why.
    Complain(String),
    /// Hides the message about what went wrong.
    DismissError,
    /// Hides the message about the scene's file.
    DismissFault,
    /// Replays this episode of the file that is open.
    ReplayEpisode(u64),
}

/// A shortcut: keys, what they do, in words.
pub struct Shortcut {
    /// What is shown.
    pub keys: &'static str,
    /// What it does.
    pub what: &'static str,
    key: Option<Key>,
    ctrl: bool,
    command: Option<Command>,
}

const fn ctrl(keys: &'static str, what: &'static str, key: Key, command: Command) -> Shortcut {
    Shortcut {
        keys,
        what,
        key: Some(key),
        ctrl: true,
        command: Some(command),
    }
}

const fn key(keys: &'static str, what: &'static str, key: Key, command: Command) -> Shortcut {
    Shortcut {
        keys,
        what,
        key: Some(key),
        ctrl: false,
        command: Some(command),
    }
}

/// A key that another line of the overview speaks for.
const fn unlisted(key: Key, command: Command) -> Shortcut {
    Shortcut {
        keys: "",
        what: "",
        key: Some(key),
        ctrl: false,
        command: Some(command),
    }
}

const fn hint(keys: &'static str, what: &'static str) -> Shortcut {
    Shortcut {
        keys,
        what,
        key: None,
        ctrl: false,
        command: None,
    }
}

/// All shortcuts, in the order in which the overlay lists them.
pub const SHORTCUTS: &[Shortcut] = &[
    key("Space", "Play or pause", Key::Space, Command::TogglePlay),
    key(
        "N  or  →",
        "One step (the arrow, where you do not drive)",
        Key::N,
        Command::Step,
    ),
    key("R", "Reset to the same seed", Key::R, Command::Reset),
    key("G", "Another seed", Key::G, Command::RollSeed),
    key(
        "B",
        "Branch here: let the models imagine from this moment",
        Key::B,
        Command::BranchHere,
    ),
    key("L", "Back to live", Key::L, Command::Live),
    key(
        "1 … 9",
        "First to ninth scene",
        Key::Num1,
        Command::Scene(0),
    ),
    unlisted(Key::Num2, Command::Scene(1)),
    unlisted(Key::Num3, Command::Scene(2)),
    unlisted(Key::Num4, Command::Scene(3)),
    unlisted(Key::Num5, Command::Scene(4)),
    unlisted(Key::Num6, Command::Scene(5)),
    unlisted(Key::Num7, Command::Scene(6)),
    unlisted(Key::Num8, Command::Scene(7)),
    unlisted(Key::Num9, Command::Scene(8)),
    key("C", "Next controller", Key::C, Command::NextDriver),
    ctrl(
        "Ctrl+Z",
        "Undo the last disturbance: reality goes back to before it",
        Key::Z,
        Command::Undo,
    ),
    ctrl("Ctrl+S", "Save this moment", Key::S, Command::SaveMoment),
    ctrl(
        "Ctrl+R",
        "Return to the saved moment",
        Key::R,
        Command::RestoreMoment,
    ),
    hint("W A S D  or arrows", "Drive the hand (controller: you)"),
    hint("E  Q  F", "Hand up, down, and its suction while held"),
    hint(",  and  .", "Scrub one moment back or forward"),
    key("H", "Show or hide ghosts", Key::H, Command::ToggleGhosts),
    key(
        "X",
        "Difference heat map or truth",
        Key::X,
        Command::ToggleDifference,
    ),
    key(
        "P",
        "Plan: energy, elites, cost by step, latent path, film",
        Key::P,
        Command::NextPlanView,
    ),
    key(
        "K",
        "Several futures of the same actions: where they differ",
        Key::K,
        Command::ToggleSpread,
    ),
    key(
        "J",
        "Masked clip: what a V-JEPA predicts of what it does not see",
        Key::J,
        Command::NextMaskView,
    ),
    key(
        "O",
        "Dream: drive what a generative model imagines, without reality; again to wake",
        Key::O,
        Command::ToggleDream,
    ),
    key("I", "Interventions", Key::I, Command::ToggleInterventions),
    key("T", "Timers", Key::T, Command::ToggleTimers),
    key("V", "Put the camera back", Key::V, Command::ResetCamera),
    key("M", "Light or dark", Key::M, Command::ToggleTheme),
    key("+", "Larger writing", Key::Plus, Command::Zoom(1.1)),
    key("-", "Smaller writing", Key::Minus, Command::Zoom(1.0 / 1.1)),
    hint("Drag a body", "Pull it, as with a spring; the hand follows"),
    hint("Shift+drag a body", "Strike it: an impulse when you let go"),
    hint("Drag the goal", "Put it elsewhere"),
    hint("Drag the floor", "Turn the view; wheel: nearer or farther"),
    key(
        "?",
        "This overview",
        Key::Questionmark,
        Command::ToggleShortcuts,
    ),
];

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
            let meant = SHORTCUTS.iter().filter(|s| s.ctrl == ctrl);
            let meant = meant.filter(|s| s.key == Some(*key));
            out.extend(meant.filter_map(|s| s.command.clone()));
            match key {
                _ if ctrl => {}
                Key::Equals => out.push(Command::Zoom(1.1)),
                Key::Slash if modifiers.shift => out.push(Command::ToggleShortcuts),
                Key::ArrowRight if !driving => out.push(Command::Step),
                Key::Comma => out.push(Command::Scrub(shown.saturating_sub(1))),
                Key::Period => out.push(Command::Scrub(shown + 1)),
                _ => {}
            }
        }
    }
}

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

/// A shortcut or `scrub=N` pressed at a time, from text such as `3.5:space`.
pub fn scripted(text: &str) -> Option<(f32, Command)> {
    let (seconds, key) = text.split_once(':')?;
    let seconds: f32 = seconds.parse().ok().filter(|s: &f32| s.is_finite())?;
    if let Some(moment) = key.strip_prefix("scrub=") {
        return Some((seconds, Command::Scrub(moment.parse().ok()?)));
    }
    let shortcut = SHORTCUTS.iter().find(|s| {
        s.keys
            .split_whitespace()
            .next()
            .is_some_and(|k| k.eq_ignore_ascii_case(key))
    })?;
    Some((seconds, shortcut.command.clone()?))
}
