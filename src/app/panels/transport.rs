//! Play, step, loop, the next failure, and what is shown: scene, seed, and who acts.

use bevy_egui::egui::{
    Align, Button, Checkbox, Color32, Layout, Response, RichText, Sense, Ui, WidgetType, vec2,
};

use super::super::command::{Command, keys_of};
use super::super::state::{Cursor, Stage, State};
use super::super::theme;
use super::interventions::outside;
use super::number::{figure, number_ui};
use super::{badge, name, picks};

/// Windows narrower than this, in points, have the controls in two rows.
const NARROW: f32 = 1450.0;

/// Whether a window so wide has the controls in two rows.
pub fn is_narrow(window_width: f32) -> bool {
    window_width < NARROW
}

/// Height that the controls take in a window so wide.
pub fn height(window_width: f32) -> f32 {
    match is_narrow(window_width) {
        true => 60.0,
        false => 28.0,
    }
}

/// Draws the transport controls, in one row or two.
pub fn transport_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let narrow = is_narrow(ui.ctx().content_rect().width());
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        time_ui(ui, state, out);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            if !narrow {
                picks::picks_ui(ui, state, out);
                outside_ui(ui, state, out);
            }
        });
    });
    if narrow {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            moment_menu_ui(ui, state, out);
            speed_ui(ui, state, out);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 5.0;
                picks::picks_ui(ui, state, out);
                outside_ui(ui, state, out);
            });
        });
    }
}

fn hinted(
    ui: &mut Ui,
    button: Button,
    label: &str,
    hint: &str,
    command: Command,
    out: &mut Vec<Command>,
) {
    let response: Response = ui.add(button);
    name(&response, WidgetType::Button, label);
    let hint = format!("{hint}{}", keys_of(&command));
    if response.on_hover_text(hint).clicked() {
        out.push(command);
    }
}

fn time_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let plays = match &state.dream {
        Some(dream) => !dream.paused,
        None => state.playing,
    };
    let (icon, word) = if plays {
        ("⏸", "Pause")
    } else {
        ("▶", "Play")
    };
    let fill = theme::ACCENT.gamma_multiply(if state.look.is_light() { 0.55 } else { 0.35 });
    let play = Button::new(RichText::new(format!("{icon} {word}")).strong())
        .min_size(vec2(78.0, 26.0))
        .fill(fill);
    hinted(ui, play, word, word, Command::TogglePlay, out);
    hinted(
        ui,
        Button::new("⏮"),
        "Step back",
        "One step back",
        Command::StepBack,
        out,
    );
    let hint = "One step on, 0.1 s";
    hinted(ui, Button::new("⏭"), "Step", hint, Command::Step, out);
    let around = Button::new("⟲ Loop").selected(state.range.is_some());
    let hint = "Plays around this moment";
    hinted(ui, around, "Loop", hint, Command::ToggleLoop, out);
    let slow = Button::new("¼×").selected(state.speed < 0.3);
    hinted(
        ui,
        slow,
        "Slow",
        "A quarter of the speed",
        Command::ToggleSlow,
        out,
    );
    let (text, fill) = match state.hunting {
        true => ("Looking…", theme::BAD.gamma_multiply(0.2)),
        false => ("Next failure", theme::BAD.gamma_multiply(0.38)),
    };
    let ink = if state.look.is_light() {
        Color32::BLACK
    } else {
        Color32::WHITE
    };
    let next = Button::new(RichText::new(text).color(ink)).fill(fill);
    let hint = "Goes to the next failure of an imagination, and through seeds until there is one";
    hinted(ui, next, "Next failure", hint, Command::NextFailure, out);
    let hint = "Lets the models imagine the next 20 steps from this moment";
    hinted(
        ui,
        Button::new("Imagine here"),
        "Imagine here",
        hint,
        Command::BranchHere,
        out,
    );
    let is_live = state.stage == Stage::Live;
    if is_live {
        let hint = "Reality and imaginations together, around and around";
        hinted(ui, Button::new("Show"), "Show", hint, Command::Show, out);
    }
    let live = Button::new("Live").selected(is_live && state.cursor == Cursor::Live);
    let hint = "The newest moment: reality runs as it happens, and hands can be laid on it";
    hinted(ui, live, "Live", hint, Command::Live, out);
    if state.undo.is_some() || state.redo.is_some() {
        undo_ui(ui, state, out);
    }
    if !is_narrow(ui.ctx().content_rect().width()) {
        moment_menu_ui(ui, state, out);
        speed_ui(ui, state, out);
    }
}

fn undo_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let runs = state.replay.is_none();
    let undo = ui.add_enabled(state.undo.is_some() && runs, Button::new("Undo"));
    let undo = match &state.undo {
        Some(what) => undo.on_hover_text(format!("Back to before the {what} (Ctrl+Z)")),
        None => undo,
    };
    if undo.clicked() {
        out.push(Command::Undo);
    }
    if let Some(what) = &state.redo {
        let redo = ui.add_enabled(runs, Button::new("Redo"));
        let redo = redo.on_hover_text(format!("Do the {what} again (Ctrl+Y)"));
        if redo.clicked() {
            out.push(Command::Redo);
        }
    }
}

/// Frames of the window and seconds of the world a second, as measured.
pub(super) fn pace_ui(ui: &mut Ui, state: &State) {
    let weak = theme::surfaces(state.look).weak;
    let pace = state.pace;
    let text = format!("{:.0} fps · {:.1}×", pace.frames_per_s, pace.real_time);
    ui.label(RichText::new(text).monospace().small().color(weak)).on_hover_text(
        "Frames of the window in the last second, and seconds of the world shown for each second that \
         passed",
    );
}

/// What can be done with a moment.
fn moment_menu_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let runs = state.replay.is_none();
    ui.menu_button("Moment…", |ui| {
        ui.set_min_width(290.0);
        let shortcut = |text: &str, keys: &str| Button::new(text).shortcut_text(keys);
        let mut continues = state.continues;
        let follows = Checkbox::new(&mut continues, "Next seed follows by itself");
        if ui.add_enabled(runs, follows).changed() {
            out.push(Command::Continue(continues));
        }
        let mut item = |ui: &mut Ui, on: bool, text: &str, keys: &str, command: Command| {
            if ui.add_enabled(on, shortcut(text, keys)).clicked() {
                out.push(command);
            }
        };
        item(ui, runs, "The same seed again", "R", Command::Reset);
        ui.separator();
        item(ui, runs, "Save this moment", "Ctrl+S", Command::SaveMoment);
        let back = match &state.saved {
            Some(saved) => format!("Return to {saved}"),
            None => "Return to the saved moment".into(),
        };
        let is_saved = state.saved.is_some() && runs;
        item(ui, is_saved, &back, "Ctrl+R", Command::RestoreMoment);
        let undo = match &state.undo {
            Some(what) => format!("Undo the {what}"),
            None => "Undo the last disturbance".into(),
        };
        item(
            ui,
            state.undo.is_some() && runs,
            &undo,
            "Ctrl+Z",
            Command::Undo,
        );
        let redo = match &state.redo {
            Some(what) => format!("Do the {what} again"),
            None => "Do again what was undone".into(),
        };
        item(
            ui,
            state.redo.is_some() && runs,
            &redo,
            "Ctrl+Y",
            Command::Redo,
        );
        ui.separator();
        item(
            ui,
            true,
            "Save a picture of the window",
            "Ctrl+P",
            Command::ExportPicture,
        );
        item(
            ui,
            true,
            "Save what plays as a GIF",
            "Ctrl+G",
            Command::ExportGif,
        );
        item(
            ui,
            true,
            "Save what plays as an MP4",
            "",
            Command::ExportMovie,
        );
        item(
            ui,
            true,
            "Save the plots' numbers as a table (CSV)",
            "",
            Command::ExportData,
        );
        item(
            ui,
            true,
            "Copy the command that shows this",
            "Ctrl+K",
            Command::CopyCommand,
        );
    });
}

/// Slowest and fastest, times real time.
const SPEEDS: (f32, f32) = (0.25, 4.0);

fn refused(what: &str, why: &str) -> Command {
    Command::Complain(format!("{what}: {why}; nothing was changed"))
}

fn speed_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let (shown, exact) = (format!("{:.2}×", state.speed), state.speed.to_string());
    if let Some(typed) = number_ui(ui, "Speed, number", &shown, &exact) {
        let (low, high) = SPEEDS;
        let asked = figure(&typed, "×").and_then(|speed| match (low..=high).contains(&speed) {
            true => Ok(Command::Speed(speed)),
            false => Err(format!("`{typed}` is not from {low} to {high}")),
        });
        out.push(asked.unwrap_or_else(|why| refused("Speed", &why)));
    }
}

/// Says that reality has left what the models were trained on.
fn outside_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let Some(scene) = &state.scene else { return };
    let outside = outside(scene, &state.interventions);
    let Some(first) = outside.first() else { return };
    let more = match outside.len() {
        1 => String::new(),
        n => format!(" +{}", n - 1),
    };
    let chip = badge(
        ui,
        &format!("⚠ out of distribution: {}{more}", first.name),
        theme::IMAGINED,
    );
    let lines: Vec<String> = outside
        .iter()
        .map(|o| format!("{}: {}", o.name, o.how_far))
        .collect();
    let hover = format!("The models were not trained on this\n{}", lines.join("\n"));
    let chip = chip.interact(Sense::click()).on_hover_text(hover);
    if chip.clicked() && state.dock != super::super::state::Dock::Interventions {
        out.push(Command::ToggleInterventions);
    }
}
