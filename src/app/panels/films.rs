//! The films: reality and what two models imagine of it, equally large, each with a line that says what is
//! wrong with it and a bar of what thinking cost.

use bevy_egui::egui::{
    self, Align, Align2, CornerRadius, FontId, Layout, Painter, Rect, RichText, Sense, Stroke,
    StrokeKind, Ui, Vec2, WidgetType, pos2, vec2,
};

use super::super::command::Command;
use super::super::state::{Camp, Film, MaskView, Pane, PaneStatus, Rollout, SAMPLES, State};
use super::super::theme;
use super::super::verdict::{seconds, verdict};
use super::super::view3d::Scenery;
pub use super::cards::{Card, GAP, cards};
use super::masked::{mask_view_ui, masked_ui, sum};
use super::model_film::{self, Canvas, what_is_shown};
use super::pictures::Pictures;
use super::pieces::{dot, enlarge, inside, verdict_ui};
use super::{legible, name, reality};

/// Draws the films; returns the size of reality's picture in points, if it is there.
pub fn films_ui(
    ui: &mut Ui,
    state: &State,
    scenery: Option<&Scenery>,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) -> Vec2 {
    let room = ui.available_rect_before_wrap();
    ui.allocate_rect(room, Sense::hover());
    let mut view = Vec2::splat(64.0);
    for card in cards(room, state.scene_panes().count(), state.enlarged) {
        view = film_ui(ui, state, &card, scenery, pictures, out).unwrap_or(view);
    }
    view
}

/// Draws one film; returns the size of its picture in points if it is reality's.
pub fn film_ui(
    ui: &mut Ui,
    state: &State,
    card: &Card,
    scenery: Option<&Scenery>,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) -> Option<Vec2> {
    card_ground(ui.painter(), state, card.whole);
    match card.film {
        Film::Reality => {
            reality::film_ui(ui, state, card, scenery, pictures, out);
            Some(card.picture.size())
        }
        Film::Model(slot) => {
            let shown = state.scene_panes().nth(slot).map(|(index, _)| index);
            if let Some(index) = shown {
                model_ui(ui, state, card, index, pictures, out);
            }
            None
        }
    }
}

fn card_ground(painter: &Painter, state: &State, whole: Rect) {
    let s = theme::surfaces(state.look);
    painter.rect_filled(whole, CornerRadius::same(8), s.card);
    let line = Stroke::new(1.0, s.line);
    painter.rect_stroke(whole, CornerRadius::same(8), line, StrokeKind::Inside);
}

/// What a camp is called, and what it does.
fn title(pane: &Pane) -> (&'static str, &'static str) {
    match pane.camp() {
        Some(Camp::Generative) => ("Video model", "imagines pictures"),
        Some(Camp::Jepa) => ("JEPA", "imagines states, never pictures"),
        Some(Camp::Hybrid) => ("Hybrid", "imagines states and pictures"),
        _ => ("Model", ""),
    }
}

fn model_ui(
    ui: &mut Ui,
    state: &State,
    card: &Card,
    index: usize,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) {
    let Some(pane) = state.panes.get(index) else {
        return;
    };
    head_ui(ui, state, card, index, pane, out);
    let shown = what_is_shown(state, pane);
    picture_ui(ui, state, card, pane, shown, pictures, out);
    let verdict = verdict(state, pane, shown);
    verdict_ui(ui, state, card.verdict, &verdict);
    cost_ui(
        ui,
        state,
        card.cost,
        index,
        pane,
        shown.map(|(_, r)| r),
        out,
    );
}

fn head_ui(
    ui: &mut Ui,
    state: &State,
    card: &Card,
    index: usize,
    pane: &Pane,
    out: &mut Vec<Command>,
) {
    let s = theme::surfaces(state.look);
    let mut row = inside(ui, card.head, Layout::right_to_left(Align::Center));
    row.spacing_mut().item_spacing.x = 6.0;
    picker_ui(&mut row, state, card.film, index, out);
    row.with_layout(Layout::left_to_right(Align::Center), |ui| {
        let (word, does) = title(pane);
        dot(ui, theme::camp_colour(pane.camp()));
        ui.label(RichText::new(word).strong().size(15.0));
        if ui.available_width() > 110.0 {
            let does = RichText::new(does).color(s.weak).small();
            ui.add(egui::Label::new(does).truncate());
        }
    });
}

/// Picks another model for this film.
fn picker_ui(ui: &mut Ui, state: &State, film: Film, index: usize, out: &mut Vec<Command>) {
    let Film::Model(slot) = film else { return };
    let Some(pane) = state.panes.get(index) else {
        return;
    };
    let broken = |p: &Pane| matches!(p.status, PaneStatus::Failed(_));
    let any_broken = state.scene_models().any(|(_, p)| broken(p));
    let warn = if any_broken { "⚠ " } else { "" };
    let room = ((ui.available_width() - 120.0) / 6.6).clamp(8.0, 26.0) as usize;
    let shown = legible(ui.ctx(), &pane.name).into_owned();
    let short: String = match shown.chars().count() > room {
        true => shown.chars().take(room - 1).chain(['…']).collect(),
        false => shown,
    };
    let button = ui.menu_button(RichText::new(format!("{warn}{short} ⏷")).small(), |ui| {
        ui.set_min_width(380.0);
        for (other, pane) in state.scene_models() {
            let camp = pane.camp().map_or("", |c| c.id());
            let mut text = format!("{} · {camp}", pane.name);
            if pane.twin {
                text.push_str(", asked once without noise");
            }
            if let Some(same) = &pane.same_as {
                text.push_str(&format!(", the same weights as {same}"));
            }
            if broken(pane) {
                text = format!("⚠ {text}: broken");
            }
            let text = legible(ui.ctx(), &text).into_owned();
            let row = ui.selectable_label(other == index, text);
            let about = match (&pane.status, &pane.card) {
                (PaneStatus::Failed(e), _) => e.clone(),
                (_, Some(card)) => card.summary.clone(),
                _ => String::new(),
            };
            let row = row.on_hover_text(legible(ui.ctx(), &about).into_owned());
            if row.clicked() {
                out.push(Command::Pick(slot, other));
            }
        }
    });
    let about = pane.card.as_ref().map(|card| {
        format!(
            "{}\n{:.2} M parameters · {} steps\nTrained on: {}\n{}",
            card.summary,
            pane.parameters.max(card.parameters) as f64 / 1e6,
            card.steps,
            card.scenes.join(", "),
            card.notes
        )
    });
    let about = about.unwrap_or_else(|| "Another model for this film".into());
    let response = button
        .response
        .on_hover_text(legible(ui.ctx(), &about).into_owned());
    name(
        &response,
        WidgetType::ComboBox,
        &format!("Model of film {}: {}", slot + 2, pane.name),
    );
}

fn picture_ui(
    ui: &mut Ui,
    state: &State,
    card: &Card,
    pane: &Pane,
    shown: Option<(super::super::state::Imagination, &Rollout)>,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) {
    let s = theme::surfaces(state.look);
    let rect = card.picture;
    let id = ui.id().with(("film", card.film));
    let response = ui.interact(rect, id, Sense::click_and_drag());
    let is_masked = pane.clip_frames.is_some() && state.mask_view != MaskView::Off;
    let label = match (&pane.masked, is_masked) {
        (Some(masked), true) => format!("Masked clip of {}: {}", pane.name, sum(masked)),
        _ => format!("Imagination of {}", pane.name),
    };
    name(&response, WidgetType::Image, &label);
    if response.double_clicked() {
        enlarge(state, card.film, out);
    }
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, CornerRadius::same(4), s.well);
    if let PaneStatus::Failed(error) = &pane.status {
        return error_ui(ui, rect, error);
    }
    if is_masked {
        masked_ui(&painter, ui, state, pane, rect, pictures);
        return;
    }
    let canvas = Canvas {
        painter: &painter,
        ui,
        state,
        pane,
        rect,
    };
    model_film::draw(&canvas, pictures, shown);
    model_film::wipe_ui(state, &response, out);
    let hint =
        "Double click: large, and back. X: the truth as outline, shining through, wipe, difference";
    response.on_hover_text_at_pointer(hint);
}

fn error_ui(ui: &mut Ui, rect: Rect, error: &str) {
    let colour = ui.visuals().error_fg_color;
    let stroke = Stroke::new(2.0, colour);
    ui.painter()
        .rect_stroke(rect, 4.0, stroke, StrokeKind::Inside);
    let mut inner = inside(ui, rect.shrink(12.0), Layout::top_down(Align::Min));
    inner.label(
        RichText::new("⚠ This model cannot imagine")
            .strong()
            .color(colour),
    );
    // A long reason is cut off at the film's edge; the whole of it is under the pointer.
    let error = legible(ui.ctx(), error).into_owned();
    inner
        .label(RichText::new(error.as_str()).small())
        .on_hover_text(error);
}

/// How long imagining took, as a bar beside that of the other model, and how it can be asked otherwise.
fn cost_ui(
    ui: &mut Ui,
    state: &State,
    rect: Rect,
    index: usize,
    pane: &Pane,
    rollout: Option<&Rollout>,
    out: &mut Vec<Command>,
) {
    let s = theme::surfaces(state.look);
    let mut row = inside(ui, rect, Layout::right_to_left(Align::Center));
    row.spacing_mut().item_spacing.x = 6.0;
    if pane.has_pixels() {
        nfe_ui(&mut row, state, index, pane, out);
    }
    if pane.clip_frames.is_some() {
        mask_view_ui(&mut row, state, index, out);
    }
    if pane.busy {
        row.add(egui::Spinner::new().size(12.0).color(s.weak))
            .on_hover_text("It imagines");
    }
    let Some(rollout) = rollout else { return };
    let longest = |p: &Pane| p.rollouts.iter().map(|r| r.took_ms).fold(0.0f32, f32::max);
    let largest = state
        .scene_panes()
        .map(|(_, p)| longest(p))
        .fold(0.0f32, f32::max);
    let span = seconds(rollout.imagined.steps);
    let took = match rollout.took_ms {
        ms if ms < 100.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    };
    let text = format!("{took} to imagine {span}");
    let area = row.available_rect_before_wrap();
    let painter = row.painter_at(area);
    let font = FontId::proportional(12.0);
    let at = pos2(area.left(), area.top() + 1.0);
    painter.text(at, Align2::LEFT_TOP, &text, font, s.weak);
    let rail = Rect::from_min_size(
        pos2(area.left(), area.bottom() - 7.0),
        vec2(area.width(), 5.0),
    );
    painter.rect_filled(rail, 2.5, s.well);
    let share = (rollout.took_ms / largest.max(1e-3)).clamp(0.0, 1.0);
    let bar = Rect::from_min_size(rail.min, vec2((rail.width() * share).max(3.0), 5.0));
    painter.rect_filled(bar, 2.5, theme::camp_colour(pane.camp()));
    let response = row.interact(area, ui.id().with(("cost", index)), Sense::hover());
    name(&response, WidgetType::ProgressIndicator, &text);
    response.on_hover_text(format!(
        "{} control steps imagined {}, from {} on",
        rollout.imagined.steps,
        rollout.source.words(),
        seconds(rollout.branch)
    ));
}

fn nfe_ui(ui: &mut Ui, state: &State, index: usize, pane: &Pane, out: &mut Vec<Command>) {
    let button = ui.menu_button(
        RichText::new(format!("{} NFE ⏷", pane.nfe)).small(),
        |ui| {
            for &nfe in pane.nfes() {
                let text = format!("{nfe} NFE");
                if ui.selectable_label(nfe == pane.nfe, text).clicked() {
                    out.push(Command::Nfe(index, nfe));
                }
            }
            ui.separator();
            let spread = format!("Spread of {SAMPLES} futures");
            let spread = ui.selectable_label(state.show_spread, spread);
            if spread
                .on_hover_text("Where futures of the same actions differ (K)")
                .clicked()
            {
                out.push(Command::ToggleSpread);
            }
            let dream = ui.selectable_label(false, "Dream in it…");
            if dream
                .on_hover_text("Drive what it imagines, without reality (O)")
                .clicked()
            {
                out.push(Command::Dream(index));
            }
        },
    );
    let hint = "NFE: function evaluations a frame; more are sharper and slower";
    let response = button.response.on_hover_text(hint);
    name(
        &response,
        WidgetType::ComboBox,
        &format!("NFE of {}", pane.name),
    );
}
