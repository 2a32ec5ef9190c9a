//! Where the panels go.

use bevy_egui::egui::{
    self, Align, CentralPanel, Frame, LayerId, Layout, Margin, Panel, ScrollArea, Sense, Ui,
    UiBuilder, vec2,
};

use super::command::Command;
use super::panels::{
    banners, curve, dream, findings, interventions, overlay, paint, panes, pictures::Pictures,
    plan, reality, timeline, timers, top, transport,
};
use super::state::State;
use super::theme;
use super::view3d::Scenery;

const GAP: f32 = 10.0;
/// Both margins of a card.
const CARD_MARGIN: f32 = 20.0;
const HEADER: f32 = paint::ROW + 5.0;
const FOOTER: f32 = paint::ROW + 5.0;

/// What the layout tells the 3-D view.
pub struct Laid {
    /// Size of its rectangle in points.
    pub view_size: egui::Vec2,
}

/// Draws the whole window.
pub fn window_ui(
    ctx: &egui::Context,
    state: &State,
    scenery: Option<&Scenery>,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) -> Laid {
    let mut root = Ui::new(
        ctx.clone(),
        "window".into(),
        UiBuilder::new()
            .layer_id(LayerId::background())
            .max_rect(ctx.content_rect()),
    );
    let s = theme::surfaces(state.light);
    let bar = Frame::new()
        .fill(s.card)
        .inner_margin(Margin::symmetric(12, 6));
    Panel::top("top")
        .exact_size(top::height(ctx.content_rect().width()))
        .frame(bar)
        .show(&mut root, |ui| top::top_ui(ui, state, out));
    banners::banners_ui(&mut root, state, out);
    let bottom = Frame::new()
        .fill(s.card)
        .inner_margin(Margin::symmetric(12, 9));
    Panel::bottom("bottom")
        .resizable(false)
        .frame(bottom)
        .show(&mut root, |ui| bottom_ui(ui, state, out));
    let side = Frame::new().fill(s.base).inner_margin(Margin::same(10));
    let window = ctx.content_rect().size();
    let side_px = picture_side(state, window);
    Panel::right("panes")
        .resizable(false)
        .exact_size(2.0 * (side_px + CARD_MARGIN) + 3.0 * GAP)
        .show_separator_line(false)
        .frame(side)
        .show(&mut root, |ui| cards_ui(ui, state, side_px, pictures, out));
    let centre = Frame::new().fill(s.base).inner_margin(Margin {
        left: 10,
        right: 0,
        top: 10,
        bottom: 10,
    });
    let view_size = CentralPanel::default()
        .frame(centre)
        .show(&mut root, |ui| match &state.dream {
            Some(dream) => dream::dream_ui(ui, state, dream, pictures, out),
            None => reality::reality_ui(ui, state, scenery, out),
        })
        .inner;
    interventions::interventions_ui(ctx, state, out);
    timers::timers_ui(ctx, state, out);
    overlay::shortcuts_ui(ctx, state, out);
    Laid { view_size }
}

fn bottom_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    transport::transport_ui(ui, state, out);
    ui.add_space(2.0);
    let curve_width = 330.0;
    let height = timeline_height(state, ui.ctx().content_rect().size());
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), height),
        Layout::left_to_right(Align::Min),
        |ui| {
            let width = (ui.available_width() - curve_width - 14.0).max(200.0);
            ui.allocate_ui_with_layout(vec2(width, height), Layout::top_down(Align::Min), |ui| {
                timeline::timeline_ui(ui, state, out);
            });
            ui.add_space(6.0);
            ui.vertical(|ui| {
                transport::lamp_ui(ui, state);
                if state.record.goal.is_some() {
                    ui.allocate_ui(vec2(curve_width, ui.available_height()), |ui| {
                        curve::curve_ui(ui, state);
                    });
                }
            });
        },
    );
}

fn timeline_height(state: &State, window: egui::Vec2) -> f32 {
    // The distance curve wants some height; a small window wants it for the pictures.
    let least = if window.y < 800.0 { 128.0 } else { 150.0 };
    (24.0 + 24.0 * (1 + state.scene_panes().count()) as f32).max(least)
}

/// Side of the square pictures in the cards, so that one or two rows of two fill the height and leave
/// reality over half of the width.
fn picture_side(state: &State, window: egui::Vec2) -> f32 {
    let bars = top::height(window.x) + transport::height(window.x) + 38.0;
    let has_error = state.note_is_error && state.note.is_some();
    let strips = [state.replay.is_some(), state.fault.is_some(), has_error];
    let strips = 38.0 * strips.into_iter().filter(|s| *s).count() as f32;
    let height = window.y - bars - strips - timeline_height(state, window) - 3.0 * GAP;
    let rows = (2 + state.scene_panes().count()).div_ceil(2).min(2);
    let by_height = height / rows as f32 - CARD_MARGIN - HEADER - FOOTER;
    let by_width = (window.x * 0.45 - 3.0 * GAP) * 0.5 - CARD_MARGIN;
    by_height.max(128.0).min(by_width).floor()
}

fn cards_ui(
    ui: &mut Ui,
    state: &State,
    side: f32,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) {
    ui.spacing_mut().item_spacing = vec2(GAP, GAP);
    let models: Vec<usize> = state.scene_panes().map(|(i, _)| i).collect();
    let cards = 2 + models.len();
    let card_size = vec2(side + CARD_MARGIN, side + CARD_MARGIN + HEADER + FOOTER);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let mut card = 0;
        while card < cards {
            ui.horizontal_top(|ui| {
                for _ in 0..2 {
                    if card < cards {
                        // The list of violations takes what is left of its row.
                        let whole_row = !state.has_actions() && card + 1 == cards && card % 2 == 0;
                        let size = match whole_row {
                            true => vec2(2.0 * card_size.x + GAP, card_size.y),
                            false => card_size,
                        };
                        card_ui(ui, state, size, |ui| match card {
                            0 => panes::eye_ui(ui, state, pictures, side),
                            k if k <= models.len() => {
                                panes::pane_ui(ui, state, models[k - 1], pictures, side, out);
                            }
                            _ if state.has_actions() => {
                                plan::plan_ui(ui, state, pictures, side, out)
                            }
                            _ => findings::findings_ui(ui, state, side, out),
                        });
                        card += 1;
                    }
                }
            });
        }
    });
}

fn card_ui(ui: &mut Ui, state: &State, size: egui::Vec2, content: impl FnOnce(&mut Ui)) {
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let layout = Layout::top_down(Align::Min);
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout));
    theme::card(state.light).show(&mut inner, |ui| {
        ui.set_min_size(size - vec2(20.0, 20.0));
        ui.set_max_width(size.x - 20.0);
        ui.spacing_mut().item_spacing = vec2(6.0, 5.0);
        content(ui);
    });
}
