//! How the planner searches: what MuJoCo MPC calls its task panel. A change holds from the next decision on.

use bevy_egui::egui::{Grid, RichText, Slider, Ui, WidgetType};

use super::super::command::Command;
use super::super::state::{DriverChoice, Search, State};
use super::super::theme;
use super::name;

/// A number of the search: what it is called, what it means, its most, and where it stands in it.
struct Knob {
    name: &'static str,
    hint: &'static str,
    most: usize,
    at: fn(&mut Search) -> &mut usize,
}

const KNOBS: [Knob; 4] = [
    Knob {
        name: "Horizon",
        hint: "Half seconds planned ahead: each token of the plan holds its action for five control steps",
        most: Search::MOST.horizon,
        at: |s| &mut s.horizon,
    },
    Knob {
        name: "Candidates",
        hint: "Action sequences imagined in one iteration of the search",
        most: Search::MOST.candidates,
        at: |s| &mut s.candidates,
    },
    Knob {
        name: "Iterations",
        hint: "How often the search narrows around its best candidates",
        most: Search::MOST.iterations,
        at: |s| &mut s.iterations,
    },
    Knob {
        name: "Replan after",
        hint: "Control steps that a plan is followed before the next one",
        most: Search::MOST.replan,
        at: |s| &mut s.replan,
    },
];

/// Height of what [`search_ui`] draws, in points.
pub fn height(state: &State) -> f32 {
    match (&state.driver, state.usual_search) {
        (DriverChoice::Planner(_), Some(_)) if state.search.is_some() => 214.0,
        (DriverChoice::Planner(_), Some(_)) => 180.0,
        _ => 0.0,
    }
}

/// Draws the numbers of the search, where a model plans.
pub fn search_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let (DriverChoice::Planner(model), Some(usual)) = (&state.driver, state.usual_search) else {
        return;
    };
    ui.add_space(6.0);
    ui.label(RichText::new("How it searches").strong());
    let mut search = state.search.unwrap_or(usual);
    Grid::new("search").num_columns(2).show(ui, |ui| {
        for knob in &KNOBS {
            ui.label(knob.name).on_hover_text(knob.hint);
            let slider =
                Slider::new((knob.at)(&mut search), 1..=knob.most).logarithmic(knob.most > 50);
            let slider = ui.add(slider).on_hover_text(knob.hint);
            name(&slider, WidgetType::Slider, knob.name);
            ui.end_row();
        }
    });
    if state.knows_stations {
        let hint = "The model proposes the next structured moment (contact, rest, a turning point); the \
                    search aims there, and the goal is the last of them. They are drawn as numbered rings.";
        ui.checkbox(&mut search.stations, "From station to station")
            .on_hover_text(hint);
    }
    let search = search.bounded();
    if search != state.search.unwrap_or(usual) {
        out.push(Command::Search(Some(search)));
    }
    let calls = search.horizon * search.candidates * search.iterations;
    ui.label(
        RichText::new(format!("{calls} imagined tokens a decision"))
            .small()
            .color(s.weak),
    );
    if state.search.is_some() {
        let hint = format!(
            "{} tokens ahead, {} candidates, {} iterations, a new plan every {} steps",
            usual.horizon, usual.candidates, usual.iterations, usual.replan
        );
        if ui
            .button(format!("As {model} does by itself"))
            .on_hover_text(hint)
            .clicked()
        {
            out.push(Command::Search(None));
        }
    }
}
