//! How the lanes stand: success with its interval, steps, thinking and operations, live while races run.

use bevy_egui::egui::{Align2, FontId, Rect, Sense, Ui, WidgetType, pos2, vec2};

use super::{Lane, words};
use crate::app::panels::{legible, name};
use crate::app::state::State;
use crate::app::theme;
use crate::stats::Rate;

/// Height of a row.
const ROW: f32 = 21.0;
/// Height of what else there is.
const HEAD: f32 = 44.0;

/// Height of the table for so many lanes.
pub fn height(lanes: usize) -> f32 {
    HEAD + ROW * lanes as f32 + 16.0
}

/// Where columns begin, as shares of the width.
const COLUMNS: [f32; 6] = [0.0, 0.19, 0.29, 0.62, 0.74, 0.87];

/// Draws the table.
pub fn table_ui(ui: &mut Ui, state: &State, rect: Rect) {
    let s = theme::surfaces(state.look);
    let race = &state.race;
    let title = match race.races {
        0 => "How they stand: nothing was raced yet".to_string(),
        1 => format!("How they stand after one race, seed {}", race.seed),
        n => format!(
            "How they stand in {n} races, seeds {} to {}",
            race.seed,
            race.seed + n - 1
        ),
    };
    let time = match race.is_counted {
        true => "thinking time counts",
        false => "the world waits while they think",
    };
    let painter = ui.painter_at(rect);
    let font = FontId::proportional(13.5);
    painter.text(
        rect.min,
        Align2::LEFT_TOP,
        format!("{title}; {time}"),
        font,
        s.text,
    );
    let small = FontId::proportional(11.5);
    let x = |column: usize| rect.left() + rect.width() * COLUMNS[column];
    let heads = [
        "Controller",
        "Reached",
        "Success, with 95 % interval",
        "Steps",
        "A decision",
        if race.is_counted {
            "Acted late"
        } else {
            "FLOPs"
        },
    ];
    for (column, head) in heads.into_iter().enumerate() {
        let at = pos2(x(column), rect.top() + 22.0);
        painter.text(at, Align2::LEFT_TOP, head, small.clone(), s.weak);
    }
    for (i, lane) in race.lanes.iter().enumerate() {
        let top = rect.top() + HEAD - 4.0 + ROW * i as f32;
        let row = Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), ROW));
        row_ui(ui, state, lane, row, x);
    }
}

fn row_ui(ui: &mut Ui, state: &State, lane: &Lane, row: Rect, x: impl Fn(usize) -> f32) {
    let s = theme::surfaces(state.look);
    let race = &state.race;
    let response = ui.allocate_rect(row, Sense::hover());
    let font = FontId::proportional(13.0);
    let middle = row.center().y;
    let whole = ui.painter_at(row);
    let cell = |column: usize, text: &str, colour| {
        let right = if column < 5 {
            x(column + 1) - 6.0
        } else {
            row.right()
        };
        let clip = Rect::from_min_max(pos2(x(column), row.top()), pos2(right, row.bottom()));
        let at = pos2(x(column), middle);
        whole
            .with_clip_rect(clip)
            .text(at, Align2::LEFT_CENTER, text, font.clone(), colour);
    };
    let own = legible(ui.ctx(), &lane.name).into_owned();
    cell(0, &own, s.text);
    let result = lane.summed_up();
    let reached = lane
        .finished
        .iter()
        .filter(|f| f.result.success && !f.result.solved_at_start);
    let count = format!("{} of {}", reached.count(), result.episodes);
    cell(1, &count, s.text);
    let rail = Rect::from_min_max(pos2(x(2), middle - 4.0), pos2(x(3) - 134.0, middle + 4.0));
    if let (Some(rate), true) = (result.success, rail.width() > 30.0) {
        whole.rect_filled(rail, 4.0, s.well);
        let at = |v: f64| rail.left() + rail.width() * v as f32;
        let colour = theme::camp_colour(lane.camp(&race.entrants));
        let bar = Rect::from_min_max(rail.min, pos2(at(rate.rate), rail.bottom()));
        whole.rect_filled(bar, 4.0, colour);
        let ends = [pos2(at(rate.low), middle), pos2(at(rate.high), middle)];
        let line = bevy_egui::egui::Stroke::new(2.0, s.text);
        whole.line_segment(ends, line);
        for end in ends {
            whole.line_segment([end - vec2(0.0, 4.0), end + vec2(0.0, 4.0)], line);
        }
    }
    let share = result.success.map_or("–".into(), |r: Rate| {
        let [rate, low, high] = [r.rate, r.low, r.high].map(|v| 100.0 * v);
        format!("{rate:.0} % [{low:.0}, {high:.0}]")
    });
    let at = pos2(x(3) - 124.0, middle);
    whole.text(at, Align2::LEFT_CENTER, &share, font.clone(), s.text);
    let steps = result.steps_to_success;
    let steps = steps.map_or("–".into(), |s| format!("{:.0}", s.median));
    cell(3, &steps, s.text);
    let ms = lane.decision_ms().map_or("–".into(), words::milliseconds);
    cell(4, &ms, s.text);
    let flops = lane.decision_flops();
    let operations = flops.map_or("–".into(), words::flops);
    let late = lane
        .late_share()
        .map_or("–".into(), |l| format!("{:.0} %", 100.0 * l));
    cell(5, if race.is_counted { &late } else { &operations }, s.text);
    let label = format!("{}: {count}, {share}, {ms}", lane.name);
    name(&response, WidgetType::Label, &label);
    let why = match flops {
        Ok(_) => format!("{operations}FLOP a decision."),
        Err(why) => format!("FLOPs a decision: {why}."),
    };
    let excluded = match result.excluded_solved_at_start {
        0 => String::new(),
        n => format!(" {n} began at the goal and do not count."),
    };
    let planning = lane.plans.as_ref().map(|p| &p.planning);
    let plans = planning.and_then(|p| Some((p.planner, p.budget?, p.replan_steps?)));
    let plans = plans.map_or(String::new(), |(planner, b, replan)| {
        format!(
            "\nPlans by {planner}: {} candidates, {} iterations, {} steps ahead; a plan is followed for {replan} \
             steps.",
            b.candidates,
            b.iterations,
            b.steps()
        )
    });
    response.on_hover_text(format!(
        "{own}: {count} reached, {share}. Steps and time are medians. {why}{excluded}{plans}"
    ));
}
