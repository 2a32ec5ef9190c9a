//! The strip at the top: one sentence that says what is seen, and the way to everything else.

use bevy_egui::egui::{self, Align, Button, FontId, Layout, RichText, Ui, WidgetType};

use super::super::command::{Command, keys_of};
use super::super::screens::tabs_ui;
use super::super::state::{Act, Dock, DriverChoice, Screen, Stage, State};
use super::super::theme;
use super::super::verdict::{camp_word, focused, seconds};
use super::transport::pace_ui;
use super::{legible, name};

/// Windows at least so wide have room for all switches in a row, in points.
const ALL_SWITCHES: f32 = 1500.0;

/// Height of the strip, in points.
pub const HEIGHT: f32 = 52.0;

/// What is seen, in a sentence or two; the second is what matters.
pub fn sentence(state: &State) -> (String, String) {
    let say = |a: &str, b: &str| (a.to_string(), b.to_string());
    match state.screen {
        Screen::Explore => {}
        other => return say(&format!("{}.", other.meaning()), "Esc leads back."),
    }
    if let Some(dream) = &state.dream {
        let a = format!("This world exists only in what {} imagines.", dream.model);
        return (a, "You drive it; nothing real comes in.".into());
    }
    if let Some(opening) = state.opening {
        match opening.act {
            Act::Figures => {
                let a = "That was one seed. At the right is what was measured on many.";
                return say(a, "Who is better depends on what you ask for.");
            }
            Act::YourTurn => {
                let a = "Reality runs live.";
                return say(
                    a,
                    "Your turn: pull the cube, and see whether they foresee it.",
                );
            }
            Act::Phenomenon | Act::Task => {}
        }
    }
    if let Some(failure) = focused(state) {
        let pane = state.panes.get(failure.pane);
        let camp = pane.and_then(|p| p.camp()).map_or("Model", camp_word);
        let a = format!("What the {camp} imagined at {}:", seconds(failure.moment));
        return (a, failure.sentence);
    }
    if state.hunting {
        let a = format!("Looking for a failure: seed {}.", state.record.seed);
        return (a, "It stops at the first one.".into());
    }
    if state.replay.is_some() {
        let a = "A recorded episode, rebuilt from its seed and actions.";
        return say(a, "The models imagine beside it.");
    }
    let models = state.scene_panes().count();
    if models == 0 && !state.loading {
        let a = "Reality is simulated.";
        return say(
            a,
            "No model was trained on this scene, so nothing is imagined.",
        );
    }
    let both = if models == 1 {
        "The model"
    } else {
        "Both models"
    };
    let each = if models == 1 {
        "it thinks"
    } else {
        "each thinks"
    };
    match state.stage {
        _ if state.record.moments.is_empty() => say(
            "Parallax: one reality, two imaginations.",
            "It begins in a moment.",
        ),
        Stage::Preparing if state.has_actions() => (
            "Reality first: a controller acts towards the goal.".into(),
            format!("Then see what {each} would happen."),
        ),
        Stage::Preparing => (
            "Reality is simulated.".into(),
            format!("{both} now imagine what comes next.")
                .replace("model now imagine ", "model now imagines "),
        ),
        Stage::Showing => (
            format!("Reality is simulated. {both} saw only its beginning."),
            format!("Here is what {each} happens next."),
        ),
        Stage::Live if state.driver == DriverChoice::Keyboard && state.has_actions() => say(
            "You act: W A S D or the arrows.",
            "Time begins with your first key.",
        ),
        Stage::Live => (
            "Reality runs live: pull a body, move the goal.".into(),
            format!("{both} imagine on from here.").replace("model imagine ", "model imagines "),
        ),
    }
}

/// Draws the strip.
pub fn top_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    ui.horizontal_centered(|ui| {
        ui.add_space(2.0);
        let width = ui.ctx().content_rect().width();
        if width > 1100.0 {
            ui.label(RichText::new("Parallax").heading().strong());
            ui.add_space(4.0);
        }
        tabs_ui(ui, state, out);
        ui.add_space(8.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            switches_ui(ui, state, out);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                sentence_ui(ui, state);
            });
        });
    });
}

fn sentence_ui(ui: &mut Ui, state: &State) {
    let s = theme::surfaces(state.look);
    let (first, second) = sentence(state);
    let [first, second] = [first, second].map(|t| legible(ui.ctx(), &t).into_owned());
    let width = ui.available_width();
    let size = match width {
        w if w > 620.0 => 16.0,
        w if w > 420.0 => 14.0,
        _ => 12.0,
    };
    let mut job = egui::text::LayoutJob::default();
    job.wrap.max_width = width;
    job.wrap.max_rows = 2;
    let weak = egui::TextFormat::simple(FontId::proportional(size), s.weak);
    let strong_colour = match focused(state).is_some() {
        true => theme::broken(state.look),
        false => s.text,
    };
    let strong = egui::TextFormat::simple(FontId::proportional(size), strong_colour);
    job.append(&first, 0.0, weak);
    job.append(&format!(" {second}"), 0.0, strong);
    ui.add(egui::Label::new(job).wrap())
        .on_hover_text(format!("{first} {second}"));
}

/// Switches from the right.
fn switches_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let mut switch =
        |ui: &mut Ui, text: &str, label: &str, on: bool, hint: &str, command: Command| {
            let response = ui.add(Button::new(text).selected(on));
            name(&response, WidgetType::Button, label);
            let hint = format!("{hint}{}", keys_of(&command));
            if response.on_hover_text(hint).clicked() {
                out.push(command);
            }
        };
    switch(
        ui,
        "?",
        "Help",
        state.show_shortcuts,
        "All keys",
        Command::ToggleShortcuts,
    );
    let theme = if state.look.is_light() { "🌙" } else { "☀" };
    switch(
        ui,
        theme,
        "Theme",
        false,
        "Light or dark",
        Command::ToggleTheme,
    );
    let hint = "All commands by name";
    let wide = ui.ctx().content_rect().width() > 1100.0;
    let text = if wide { "Commands" } else { "…" };
    let on = state.show_palette;
    switch(ui, text, "Commands", on, hint, Command::TogglePalette);
    if state.screen != Screen::Explore {
        return;
    }
    if ui.ctx().content_rect().width() < ALL_SWITCHES {
        return panels_menu_ui(ui, state, out);
    }
    for dock in Dock::ALL.into_iter().rev() {
        let on = state.dock == dock;
        switch(
            ui,
            dock.words(),
            dock.words(),
            on,
            dock.meaning(),
            Command::Dock(dock),
        );
    }
    dream_ui(ui, state, out);
    pace_ui(ui, state);
}

/// What stands at the right, and dreaming, in a list: narrow windows have no room for a row of them.
fn panels_menu_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let wide = super::rail::is_wide(ui.ctx().content_rect().width());
    let menu = ui.menu_button("Panels ⏷", |ui| {
        ui.set_min_width(150.0);
        for dock in Dock::ALL {
            if dock == Dock::Measured && !wide {
                continue;
            }
            let row = Button::selectable(state.dock == dock, dock.words());
            if ui.add(row).on_hover_text(dock.meaning()).clicked() {
                out.push(Command::Dock(dock));
            }
        }
        ui.separator();
        dream_ui(ui, state, out);
    });
    let response = menu.response.on_hover_text("What stands at the right");
    name(&response, WidgetType::ComboBox, "Panels");
}

fn dream_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let able = state.scene_panes().any(|(_, p)| p.can_dream());
    let dream = Button::new("Dream").selected(state.dream.is_some());
    let dream = ui
        .add_enabled(able || state.dream.is_some(), dream)
        .on_hover_text("Drive what a video model imagines, without reality (O)")
        .on_disabled_hover_text("No video model is ready for this scene");
    if dream.clicked() {
        out.push(Command::ToggleDream);
    }
}
