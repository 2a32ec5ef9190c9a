//! Where the panels go: a strip with one sentence, the films, a column at the right, and time at the bottom.

use bevy_egui::egui::{
    self, CentralPanel, Frame, LayerId, Margin, Panel, Rect, Ui, UiBuilder, vec2,
};

use super::command::Command;
use super::docking::{Docking, MARGIN, bottom_height};
use super::panels::{
    banners, dream, films, overlay, pictures::Pictures, rail, timeline, toasts, top, transport,
};
use super::screens;
use super::state::{Act, Screen, State};
use super::theme;
use super::view3d::Scenery;

/// What the layout tells the 3-D view, and whoever looks at the layout itself.
pub struct Laid {
    /// Size of reality's picture in points.
    pub view_size: egui::Vec2,
    /// The room of the films.
    pub films: Rect,
    /// The column at the right.
    pub rail: Option<Rect>,
    /// Transport and timeline.
    pub bottom: Rect,
}

/// Draws the whole window.
pub fn window_ui(
    ctx: &egui::Context,
    state: &State,
    scenery: Option<&Scenery>,
    docking: &mut Docking,
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
    let s = theme::surfaces(state.look);
    let width = ctx.content_rect().width();
    let bar = Frame::new()
        .fill(s.card)
        .inner_margin(Margin::symmetric(12, 4));
    Panel::top("top")
        .exact_size(top::HEIGHT)
        .frame(bar)
        .show(&mut root, |ui| top::top_ui(ui, state, out));
    banners::banners_ui(&mut root, state, out);
    if state.screen != Screen::Explore {
        return screen_ui(&mut root, state, pictures, out);
    }
    if state.dream.is_none() && state.enlarged.is_none() {
        return panes_ui(&mut root, state, scenery, docking, pictures, out);
    }
    let below = Frame::new()
        .fill(s.card)
        .inner_margin(Margin::symmetric(MARGIN.0 as i8, MARGIN.1 as i8));
    let bottom = Panel::bottom("bottom")
        .resizable(false)
        .exact_size(bottom_height(width))
        .frame(below)
        .show(&mut root, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            transport::transport_ui(ui, state, out);
            timeline::timeline_ui(ui, state, out);
        })
        .response
        .rect;
    let column = rail::width(state, width).map(|wide| {
        // The opening points at the figures when it speaks of them.
        let pointed = state.opening.is_some_and(|o| o.act == Act::Figures);
        let edge = if pointed { theme::ACCENT } else { s.card };
        let side = Frame::new()
            .fill(s.card)
            .stroke(egui::Stroke::new(2.0, edge))
            .inner_margin(Margin::symmetric(12, 10));
        Panel::right("rail")
            .resizable(false)
            .exact_size(wide)
            .frame(side)
            .show(&mut root, |ui| rail::rail_ui(ui, state, pictures, out))
            .response
            .rect
    });
    let (view_size, room) = CentralPanel::default()
        .frame(ground(state))
        .show(&mut root, |ui| {
            let room = ui.available_rect_before_wrap();
            let view = match &state.dream {
                Some(dream) => {
                    dream::dream_ui(ui, state, dream, pictures, out);
                    vec2(64.0, 64.0)
                }
                None => films::films_ui(ui, state, scenery, pictures, out),
            };
            (view, room)
        })
        .inner;
    over_all_ui(ctx, state, bottom.height(), column.map(|c| c.width()), out);
    Laid {
        view_size,
        films: room,
        rail: column,
        bottom,
    }
}

/// Films, column and time where somebody has put them, or as they stand at first.
fn panes_ui(
    root: &mut Ui,
    state: &State,
    scenery: Option<&Scenery>,
    docking: &mut Docking,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) -> Laid {
    let ctx = root.ctx().clone();
    let docked = CentralPanel::default()
        .frame(ground(state))
        .show(root, |ui| docking.show(ui, state, scenery, pictures, out))
        .inner;
    let whole = ctx.content_rect();
    let none = Rect::from_min_max(whole.left_bottom(), whole.right_bottom());
    let moved = docking.is_moved();
    let above = docked
        .time
        .filter(|_| !moved)
        .map_or(0.0, |t| whole.bottom() - t.top());
    let column = docked.column.filter(|_| !moved);
    over_all_ui(&ctx, state, above, column.map(|c| c.width()), out);
    Laid {
        view_size: docked.view.unwrap_or(vec2(64.0, 64.0)),
        films: docked.films,
        rail: docked.column,
        bottom: docked.time.unwrap_or(none),
    }
}

/// What panes and screens lie on.
fn ground(state: &State) -> Frame {
    Frame::new()
        .fill(theme::surfaces(state.look).base)
        .inner_margin(Margin::same(films::GAP as i8))
}

/// What lies over every screen.
fn over_all_ui(
    ctx: &egui::Context,
    state: &State,
    above: f32,
    column: Option<f32>,
    out: &mut Vec<Command>,
) {
    overlay::shortcuts_ui(ctx, state, out);
    overlay::palette_ui(ctx, state, out);
    toasts::toasts_ui(ctx, state, above, column);
}

/// A screen beside Explore: it has all of the room.
fn screen_ui(
    root: &mut Ui,
    state: &State,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) -> Laid {
    let ctx = root.ctx().clone();
    let room = CentralPanel::default()
        .frame(ground(state))
        .show(root, |ui| {
            let room = ui.available_rect_before_wrap();
            screens::screen_ui(ui, state, pictures, out);
            room
        })
        .inner;
    over_all_ui(&ctx, state, 0.0, None, out);
    let whole = ctx.content_rect();
    Laid {
        view_size: vec2(64.0, 64.0),
        films: room,
        rail: None,
        bottom: Rect::from_min_max(whole.left_bottom(), whole.right_bottom()),
    }
}
