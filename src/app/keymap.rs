//! The table of commands that have a name: shortcuts, palette, help and tooltips read it.

use bevy_egui::egui::Key;

use super::command::Command;
use super::screens::{race, surprise};
use super::state::{Compare, Dock, DriverChoice, Film, Screen};

/// A command by its name: keys, what it does, in words.
pub struct Entry {
    /// The keys as they are shown; empty where there is none.
    pub keys: &'static str,
    /// What it does; empty for keys that another line speaks for.
    pub what: &'static str,
    /// The key.
    pub key: Option<Key>,
    /// With Ctrl.
    pub ctrl: bool,
    /// With Ctrl and Shift.
    pub shift: bool,
    /// What it is; `None` for what hands do.
    pub command: Option<Command>,
}

const fn entry_of(
    keys: &'static str,
    what: &'static str,
    key: Option<Key>,
    (ctrl, shift): (bool, bool),
    command: Option<Command>,
) -> Entry {
    Entry {
        keys,
        what,
        key,
        ctrl,
        shift,
        command,
    }
}

const fn entry(
    keys: &'static str,
    what: &'static str,
    key: Option<Key>,
    ctrl: bool,
    command: Option<Command>,
) -> Entry {
    entry_of(keys, what, key, (ctrl, false), command)
}

const fn key(keys: &'static str, what: &'static str, key: Key, command: Command) -> Entry {
    entry(keys, what, Some(key), false, Some(command))
}

const fn ctrl(keys: &'static str, what: &'static str, key: Key, command: Command) -> Entry {
    entry(keys, what, Some(key), true, Some(command))
}

/// A key that another line of the overview speaks for.
const fn unlisted(key: Key, command: Command) -> Entry {
    entry("", "", Some(key), false, Some(command))
}

/// A command without a key: the palette has it.
const fn named(what: &'static str, command: Command) -> Entry {
    entry("", what, None, false, Some(command))
}

const fn hint(keys: &'static str, what: &'static str) -> Entry {
    entry(keys, what, None, false, None)
}

/// All commands that have a name, in the order in which the help lists them.
pub const TABLE: &[Entry] = &[
    key("Space", "Play or pause", Key::Space, Command::TogglePlay),
    key(
        "F",
        "Next failure: half a second before it, slowly, around and around",
        Key::F,
        Command::NextFailure,
    ),
    key("N  or  →", "One step on", Key::N, Command::Step),
    key("←", "One step back", Key::ArrowLeft, Command::StepBack),
    key(
        "U",
        "Play around this moment, or no longer",
        Key::U,
        Command::ToggleLoop,
    ),
    key(
        "Y",
        "A quarter of the speed, or all of it",
        Key::Y,
        Command::ToggleSlow,
    ),
    hint(",  and  .", "Scrub one moment back or forward"),
    key("B", "Imagine from here", Key::B, Command::BranchHere),
    key(
        "L",
        "Live: the newest moment, where hands can be laid on reality",
        Key::L,
        Command::Live,
    ),
    key(
        "S",
        "Show: reality and imaginations together, around",
        Key::S,
        Command::Show,
    ),
    key(
        "R  or  Backspace",
        "Reset to the same seed",
        Key::R,
        Command::Reset,
    ),
    unlisted(Key::Backspace, Command::Reset),
    key("G", "Another seed", Key::G, Command::RollSeed),
    named("The next seed", Command::NextSeed),
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
    named("Drive yourself", Command::Driver(DriverChoice::Keyboard)),
    named(
        "Let the oracle drive",
        Command::Driver(DriverChoice::Oracle),
    ),
    named("Random actions", Command::Driver(DriverChoice::Random)),
    hint("W A S D  or arrows", "Drive the hand (controller: you)"),
    hint("E  Q  F", "Hand up, down, and its suction while you drive"),
    key(
        "X",
        "Truth: outline, shining through, wipe, difference",
        Key::X,
        Command::NextCompare,
    ),
    named("Truth as an outline", Command::Compare(Compare::Outline)),
    named(
        "Truth shines through (onion skin)",
        Command::Compare(Compare::Onion),
    ),
    named(
        "Wipe between truth and imagination",
        Command::Compare(Compare::Wipe),
    ),
    named(
        "Difference to the truth",
        Command::Compare(Compare::Difference),
    ),
    key(
        "E",
        "What the models' eye sees, or the 3-D view",
        Key::E,
        Command::ToggleEye,
    ),
    key(
        "H",
        "Outlines of what was imagined in reality",
        Key::H,
        Command::ToggleGhosts,
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
    named("Enlarge reality", Command::Enlarge(Some(Film::Reality))),
    named(
        "Enlarge the film in the middle",
        Command::Enlarge(Some(Film::Model(0))),
    ),
    named(
        "Enlarge the film at the right",
        Command::Enlarge(Some(Film::Model(1))),
    ),
    named("All films again", Command::Enlarge(None)),
    key(
        "P",
        "Plan: energy, elites, cost by step, latent path, film",
        Key::P,
        Command::NextPlanView,
    ),
    key(
        "O",
        "Dream: drive what a generative model imagines, without reality; again to wake",
        Key::O,
        Command::ToggleDream,
    ),
    key(
        "I",
        "Interventions: change the world",
        Key::I,
        Command::ToggleInterventions,
    ),
    key("T", "Timers", Key::T, Command::ToggleTimers),
    named(
        "The opening: one minute that plays by itself",
        Command::Opening,
    ),
    key(
        "F2",
        "Explore: reality and the films beside it",
        Key::F2,
        Command::Screen(Screen::Explore),
    ),
    key(
        "F3",
        "Gallery: what the models got wrong, the worst first",
        Key::F3,
        Command::Screen(Screen::Gallery),
    ),
    key(
        "F4",
        "Race: several controllers at the same task",
        Key::F4,
        Command::Screen(Screen::Race),
    ),
    named("Start the race", Command::Race(race::Do::Start)),
    named("Twenty races", Command::Race(race::Do::Series)),
    key(
        "F5",
        "Surprise: impossible events, and which film is real",
        Key::F5,
        Command::Screen(Screen::Surprise),
    ),
    named(
        "Spot the fake: which of two films is real?",
        Command::Surprise(surprise::Do::Mode(surprise::Mode::Spot)),
    ),
    named("What was measured", Command::Dock(Dock::Measured)),
    named(
        "Bodies: where each is, and which one the camera follows",
        Command::Dock(Dock::Bodies),
    ),
    named("Follow no body", Command::Follow(None)),
    named("Failures of this episode", Command::Dock(Dock::Findings)),
    ctrl(
        "Ctrl+Z",
        "Undo the last disturbance of this episode",
        Key::Z,
        Command::Undo,
    ),
    ctrl("Ctrl+Y", "Do again what was undone", Key::Y, Command::Redo),
    ctrl("Ctrl+S", "Save this moment", Key::S, Command::SaveMoment),
    ctrl(
        "Ctrl+R",
        "Return to the saved moment",
        Key::R,
        Command::RestoreMoment,
    ),
    ctrl(
        "Ctrl+P",
        "Save a picture of the window",
        Key::P,
        Command::ExportPicture,
    ),
    ctrl(
        "Ctrl+G",
        "Save the range that plays as a GIF",
        Key::G,
        Command::ExportGif,
    ),
    ctrl(
        "Ctrl+E",
        "Save the session: it replays to the same bits",
        Key::E,
        Command::ExportSession,
    ),
    named(
        "Save what the plots show as a table (CSV)",
        Command::ExportData,
    ),
    named(
        "Save the films of the range as an MP4 (needs ffmpeg)",
        Command::ExportMovie,
    ),
    ctrl(
        "Ctrl+K",
        "Copy the command that shows this moment",
        Key::K,
        Command::CopyCommand,
    ),
    key("V", "Put the camera back", Key::V, Command::ResetCamera),
    named(
        "Projector: black on white, larger writing",
        Command::ToggleProjector,
    ),
    named("Put the panes back where they stood", Command::ResetLayout),
    key("M", "Light or dark", Key::M, Command::ToggleTheme),
    key(
        "F11",
        "The whole screen",
        Key::F11,
        Command::ToggleFullscreen,
    ),
    key("+", "Larger writing", Key::Plus, Command::Zoom(1.1)),
    key("-", "Smaller writing", Key::Minus, Command::Zoom(1.0 / 1.1)),
    hint("Esc", "Close what is open"),
    entry_of(
        "Ctrl+Shift+P",
        "All commands by name",
        Some(Key::P),
        (true, true),
        Some(Command::TogglePalette),
    ),
    key(
        "F1  or  ?",
        "This overview",
        Key::F1,
        Command::ToggleShortcuts,
    ),
    hint(
        "Drag a title",
        "Put the pane elsewhere; drag the gap between panes: their sizes",
    ),
    hint("Double click a film", "Enlarge it, and back"),
    hint(
        "Drag a body",
        "Pull it, as with a spring; the hand follows (live)",
    ),
    hint(
        "Shift+drag a body",
        "Strike it: an impulse when you let go (live)",
    ),
    hint("Drag the goal", "Put it elsewhere (live)"),
    hint(
        "Drag the floor",
        "Turn the view; right button: move it; wheel: nearer or farther",
    ),
];

/// The keys of a command as a tooltip shows them, such as ` (Space)`; nothing where it has none.
pub fn keys_of(command: &Command) -> String {
    let found = TABLE.iter().find(|e| e.command.as_ref() == Some(command));
    match found {
        Some(entry) if !entry.keys.is_empty() => format!(" ({})", entry.keys),
        _ => String::new(),
    }
}
