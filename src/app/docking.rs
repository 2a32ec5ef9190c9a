//! The panes of the first screen: films, the column and time. They are dragged by their titles, put beside or
//! upon each other, and resized at the gaps between them; where they stand is remembered.

use bevy_egui::egui::{
    self, CornerRadius, CursorIcon, Frame, Margin, Rect, Sense, Stroke, Ui, Vec2, vec2,
};
use egui_tiles::{
    Behavior, Container, EditAction, Linear, LinearDir, ResizeState, Tile, TileId, Tiles, Tree,
    UiResponse,
};
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::panels::films::{GAP, film_ui};
use super::panels::{cards, pictures::Pictures, rail, timeline, transport};
use super::state::{Act, Film, State};
use super::theme;
use super::view3d::Scenery;

/// A pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Part {
    /// A film.
    Film(Film),
    /// What was measured, or whatever was opened in its place.
    Column,
    /// Transport and timeline.
    Time,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 5] = [
        Part::Film(Film::Reality),
        Part::Film(Film::Model(0)),
        Part::Film(Film::Model(1)),
        Part::Column,
        Part::Time,
    ];
}

/// No pane is narrower or lower than this, in points.
const LEAST: f32 = 150.0;
/// Height of the part of a pane by which it is dragged.
const HANDLE: f32 = 34.0;
/// Width of what stands at the right of a title and is pressed, not dragged.
const BUTTONS: f32 = 130.0;
/// Margins in the pane of time.
pub const MARGIN: (f32, f32) = (12.0, 8.0);

/// Where the panes stand.
pub struct Docking {
    tree: Tree<Part>,
    /// Whether somebody has moved them; until then they keep the window's own proportions.
    moved: bool,
}

impl Default for Docking {
    fn default() -> Self {
        let mut tiles = Tiles::default();
        let [reality, first, second, column, time] = Part::ALL.map(|p| tiles.insert_pane(p));
        let upper = Linear::new(LinearDir::Horizontal, vec![reality, first, second, column]);
        let upper = tiles.insert_container(Container::Linear(upper));
        let whole = Linear::new(LinearDir::Vertical, vec![upper, time]);
        let root = tiles.insert_container(Container::Linear(whole));
        Self {
            tree: Tree::new("panes", root, tiles),
            moved: false,
        }
    }
}

/// What drawing the panes tells.
pub struct Docked {
    /// Size of reality's picture in points; `None` if it is not on the screen.
    pub view: Option<Vec2>,
    /// The room of the films.
    pub films: Rect,
    /// The column, if it is on the screen.
    pub column: Option<Rect>,
    /// Transport and timeline, if they are on the screen.
    pub time: Option<Rect>,
}

impl Docking {
    /// Whether somebody has moved the panes.
    pub fn is_moved(&self) -> bool {
        self.moved
    }

    /// Where the panes stand, as text to be remembered; `None` while nobody has moved them.
    pub fn text(&self) -> Option<String> {
        self.moved
            .then(|| serde_json::to_string(&self.tree).ok())
            .flatten()
    }

    /// Puts the panes where they stood. A text that is not whole is as if nothing was remembered, and says so
    /// in the log.
    pub fn from_text(text: &str) -> Self {
        let tree = match serde_json::from_str::<Tree<Part>>(text) {
            Ok(tree) => tree,
            Err(e) => {
                tracing::warn!("the panes' places cannot be read: {e}; they stand as at first");
                return Self::default();
            }
        };
        let once = |part: &Part| {
            let panes = tree.tiles.tiles();
            panes
                .filter(|t| matches!(t, Tile::Pane(p) if p == part))
                .count()
                == 1
        };
        let rooted = tree.root().is_some_and(|r| tree.tiles.get(r).is_some());
        if !rooted || !Part::ALL.iter().all(once) || !is_a_tree(&tree) {
            tracing::warn!("the panes' places are not whole; they stand as at first");
            return Self::default();
        }
        Self { tree, moved: true }
    }

    fn find(&self, part: Part) -> Option<TileId> {
        self.tree.tiles.find_pane(&part)
    }

    /// Gives the panes the window's own proportions in a room of this size.
    fn proportion(&mut self, room: Vec2, films: usize, column: Option<f32>, time: f32) {
        let Some(root) = self.tree.root() else { return };
        let ids = Part::ALL.map(|p| self.find(p));
        let columns = column.map_or(0.0, |c| c + GAP);
        let film = (room.x - columns - GAP * (films as f32 - 1.0)) / films.max(1) as f32;
        let upper = match self.tree.tiles.get(root) {
            Some(Tile::Container(Container::Linear(whole))) => whole.children.first().copied(),
            _ => None,
        };
        let mut share = |parent: Option<TileId>, child: Option<TileId>, points: f32| {
            let parent = parent.and_then(|p| self.tree.tiles.get_mut(p));
            if let (Some(Tile::Container(Container::Linear(l))), Some(child)) = (parent, child) {
                l.shares.set_share(child, points.max(1.0));
            }
        };
        share(Some(root), upper, room.y - time - GAP);
        share(Some(root), ids[4], time);
        for id in &ids[..3] {
            share(upper, *id, film);
        }
        share(upper, ids[3], column.unwrap_or(1.0));
    }

    /// Draws the panes in all of the room that is there.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        state: &State,
        scenery: Option<&Scenery>,
        pictures: &mut Pictures,
        out: &mut Vec<Command>,
    ) -> Docked {
        let room = ui.available_rect_before_wrap();
        let window = ui.ctx().content_rect().width();
        let models = state.scene_panes().count();
        let column = rail::width(state, window);
        let time = bottom_height(window);
        for part in Part::ALL {
            let there = match part {
                Part::Film(Film::Model(slot)) => slot < models,
                Part::Column => column.is_some(),
                _ => true,
            };
            if let Some(id) = self.find(part) {
                self.tree.set_visible(id, there);
            }
        }
        if !self.moved {
            self.proportion(room.size(), 1 + models, column, time);
        }
        let mut panes = Panes {
            state,
            scenery,
            pictures,
            out,
            docked: Docked {
                view: None,
                films: Rect::NOTHING,
                column: None,
                time: None,
            },
            edited: false,
        };
        self.tree.ui(&mut panes, ui);
        let (mut docked, edited) = (panes.docked, panes.edited);
        self.moved |= edited;
        if !docked.films.is_positive() {
            docked.films = room;
        }
        docked
    }
}

/// Height of transport and timeline in a window so wide: the same for every scene, so that buttons stay where
/// they are.
pub fn bottom_height(window_width: f32) -> f32 {
    transport::height(window_width) + 4.0 + timeline::HEIGHT + 2.0 * MARGIN.1
}

/// Whether every tile is reached from the root once: a damaged file must not send anybody in circles.
fn is_a_tree(tree: &Tree<Part>) -> bool {
    let (mut waiting, mut seen) = (Vec::from_iter(tree.root()), Vec::new());
    while let Some(id) = waiting.pop() {
        if seen.contains(&id) {
            return false;
        }
        seen.push(id);
        match tree.tiles.get(id) {
            Some(Tile::Container(c)) => waiting.extend(c.children().copied()),
            Some(Tile::Pane(_)) => {}
            None => return false,
        }
    }
    Part::ALL
        .iter()
        .all(|p| tree.tiles.find_pane(p).is_some_and(|id| seen.contains(&id)))
}

struct Panes<'a> {
    state: &'a State,
    scenery: Option<&'a Scenery>,
    pictures: &'a mut Pictures,
    out: &'a mut Vec<Command>,
    docked: Docked,
    edited: bool,
}

impl Panes<'_> {
    /// The title by which a pane is dragged; what is drawn later lies over it and can be pressed.
    fn handle(&self, ui: &mut Ui, id: TileId) -> UiResponse {
        let whole = ui.max_rect();
        let wide = (whole.width() - BUTTONS).max(40.0);
        let rect = Rect::from_min_size(whole.min, vec2(wide, HANDLE.min(whole.height())));
        let response = ui.interact(rect, ui.id().with(("title", id)), Sense::drag());
        let response = response.on_hover_cursor(CursorIcon::Grab);
        match response.drag_started() {
            true => UiResponse::DragStarted,
            false => UiResponse::None,
        }
    }

    fn film(&mut self, ui: &mut Ui, film: Film) {
        let whole = ui.max_rect();
        self.docked.films = self.docked.films.union(whole);
        let card = cards::card(film, whole);
        let view = film_ui(ui, self.state, &card, self.scenery, self.pictures, self.out);
        self.docked.view = view.or(self.docked.view);
    }

    fn framed(
        &mut self,
        ui: &mut Ui,
        edge: Stroke,
        margin: Margin,
        add: impl FnOnce(&mut Self, &mut Ui),
    ) {
        let whole = ui.max_rect();
        let s = theme::surfaces(self.state.look);
        ui.painter()
            .rect_filled(whole, CornerRadius::same(8), s.card);
        ui.painter()
            .rect_stroke(whole, CornerRadius::same(8), edge, egui::StrokeKind::Inside);
        Frame::new().inner_margin(margin).show(ui, |ui| {
            ui.set_clip_rect(whole.shrink(1.0).intersect(ui.clip_rect()));
            add(self, ui);
        });
    }
}

impl Behavior<Part> for Panes<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, id: TileId, part: &mut Part) -> UiResponse {
        let whole = ui.max_rect();
        let s = theme::surfaces(self.state.look);
        let thin = Stroke::new(1.0, s.line);
        match *part {
            Part::Film(film) => {
                let moved = self.handle(ui, id);
                self.film(ui, film);
                moved
            }
            Part::Column => {
                self.docked.column = Some(whole);
                let moved = self.handle(ui, id);
                // The opening points at the figures when it speaks of them.
                let pointed = self.state.opening.is_some_and(|o| o.act == Act::Figures);
                let edge = if pointed {
                    Stroke::new(2.0, theme::ACCENT)
                } else {
                    thin
                };
                self.framed(ui, edge, Margin::symmetric(12, 10), |me, ui| {
                    rail::rail_ui(ui, me.state, me.pictures, me.out);
                });
                moved
            }
            Part::Time => {
                self.docked.time = Some(whole);
                let margin = Margin::symmetric(MARGIN.0 as i8, MARGIN.1 as i8);
                self.framed(ui, thin, margin, |me, ui| {
                    ui.spacing_mut().item_spacing.y = 4.0;
                    transport::transport_ui(ui, me.state, me.out);
                    timeline::timeline_ui(ui, me.state, me.out);
                });
                UiResponse::None
            }
        }
    }

    fn tab_title_for_pane(&mut self, part: &Part) -> egui::WidgetText {
        match part {
            Part::Film(Film::Reality) => "Reality".into(),
            Part::Film(Film::Model(slot)) => match self.state.slot(*slot) {
                Some((_, pane)) => pane.name.clone().into(),
                None => "Model".into(),
            },
            Part::Column => self.state.dock.words().into(),
            Part::Time => "Time".into(),
        }
    }

    fn on_edit(&mut self, edit: EditAction) {
        self.edited |= edit != EditAction::TabSelected;
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        GAP
    }

    fn min_size(&self) -> f32 {
        LEAST
    }

    fn resize_stroke(&self, _: &egui::Style, at: ResizeState) -> Stroke {
        match at {
            ResizeState::Idle => Stroke::NONE,
            ResizeState::Hovering => Stroke::new(2.0, theme::ACCENT.gamma_multiply(0.7)),
            ResizeState::Dragging => Stroke::new(3.0, theme::ACCENT),
        }
    }

    fn tab_bar_color(&self, _: &egui::Visuals) -> egui::Color32 {
        theme::surfaces(self.state.look).base
    }

    fn drag_preview_color(&self, _: &egui::Visuals) -> egui::Color32 {
        theme::ACCENT.gamma_multiply(0.25)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panes_places_come_back_and_a_damaged_text_leaves_them_as_at_first() {
        let moved = Docking {
            moved: true,
            ..Docking::default()
        };
        let text = moved.text().unwrap();
        let back = Docking::from_text(&text);
        assert!(back.is_moved());
        assert!(back.tree == moved.tree);
        assert_eq!(Docking::default().text(), None);
        // One pane twice, one missing; and a tree that leads in circles.
        let twice = text.replace("\"Time\"", "\"Column\"");
        assert!(!Docking::from_text(&twice).is_moved());
        assert!(!Docking::from_text("{}").is_moved());
        assert!(!Docking::from_text("not json").is_moved());
    }
}
