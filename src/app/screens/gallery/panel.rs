//! Draws the gallery: filters, and cards with a still, what happened, what was expected. A click on a card
//! goes to its moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use bevy_egui::egui::{
    self, Align, Align2, Button, Color32, CornerRadius, FontId, Layout, Painter, Rect, RichText,
    ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetType, pos2, vec2,
};

use super::still::{imagined, truth};
use super::{Do, Entry, Fault, Gallery, Origin, Source, shipped};
use crate::app::command::Command;
use crate::app::panels::pictures::Pictures;
use crate::app::panels::{legible, name};
use crate::app::state::State;
use crate::app::theme;
use crate::app::verdict::seconds;

/// Least width of a card, in points.
const LEAST_WIDTH: f32 = 500.0;
/// Height of a card with a still, and of one without.
const HIGH: f32 = 156.0;
const LOW: f32 = 86.0;
const GAP: f32 = 10.0;
const PAD: f32 = 10.0;
const HEADING: f32 = 34.0;

/// Draws the gallery in the room there is.
pub fn gallery_ui(ui: &mut Ui, state: &State, pictures: &mut Pictures, out: &mut Vec<Command>) {
    let gallery = &state.gallery;
    let shown = gallery.shown();
    bar_ui(ui, state, shown.len(), out);
    ui.add_space(4.0);
    if shown.is_empty() {
        return nothing_ui(ui, state);
    }
    let rows = rows(&shown, ui.available_width());
    let height = rows.iter().map(Row::height).sum::<f32>();
    ScrollArea::vertical()
        .auto_shrink(false)
        .show_viewport(ui, |ui, viewport| {
            ui.set_height(height);
            let origin = ui.max_rect().min;
            let width = ui.available_width() - 4.0;
            let (mut top, mut place) = (0.0, 0);
            for row in &rows {
                let bottom = top + row.height();
                let is_seen = bottom >= viewport.min.y && top <= viewport.max.y;
                let at = Rect::from_min_size(
                    pos2(origin.x, origin.y + top),
                    vec2(width, row.height() - GAP),
                );
                match row {
                    Row::Heading(text) if is_seen => heading(ui, state, at, text),
                    Row::Heading(_) => {}
                    Row::Cards { cards, columns } => {
                        let wide = (width - GAP * (*columns as f32 - 1.0)) / *columns as f32;
                        for (i, entry) in cards.iter().enumerate() {
                            let left = at.left() + i as f32 * (wide + GAP);
                            let card =
                                Rect::from_min_size(pos2(left, at.top()), vec2(wide, at.height()));
                            if is_seen {
                                card_ui(ui, state, card, entry, place + i, pictures, out);
                            }
                        }
                        place += cards.len();
                    }
                }
                top = bottom;
            }
        });
}

/// A line of the list.
enum Row<'a> {
    Heading(&'static str),
    Cards {
        cards: &'a [Arc<Entry>],
        columns: usize,
    },
}

impl Row<'_> {
    fn height(&self) -> f32 {
        match self {
            Row::Heading(_) => HEADING,
            Row::Cards { cards, .. } => {
                let any = cards.iter().any(|e| e.still.is_some());
                GAP + if any { HIGH } else { LOW }
            }
        }
    }
}

fn rows(shown: &[Arc<Entry>], width: f32) -> Vec<Row<'_>> {
    let columns = ((width / LEAST_WIDTH) as usize).max(1);
    let mut rows = Vec::new();
    let group = |e: &Entry| e.is_shipped().then_some(shipped::group(e.fault));
    for part in shown.chunk_by(|a, b| group(a) == group(b)) {
        if let Some(first) = part.first().filter(|e| e.is_shipped()) {
            rows.push(Row::Heading(shipped::heading(first.fault)));
        }
        let lines = part.chunks(columns);
        rows.extend(lines.map(|cards| Row::Cards { cards, columns }));
    }
    rows
}

fn heading(ui: &Ui, state: &State, rect: Rect, text: &str) {
    let s = theme::surfaces(state.look);
    let at = rect.left_center() + vec2(2.0, 2.0);
    ui.painter().text(
        at,
        Align2::LEFT_CENTER,
        text,
        FontId::proportional(15.0),
        s.text,
    );
}

/// Whose entries are shown, and which of them.
fn bar_ui(ui: &mut Ui, state: &State, shown: usize, out: &mut Vec<Command>) {
    let (gallery, s) = (&state.gallery, theme::surfaces(state.look));
    ui.horizontal(|ui| {
        ui.set_min_height(28.0);
        let source = gallery.source();
        let sources = [
            (
                Source::Session,
                "This session",
                "What the judge has found since the window opened",
            ),
            (
                Source::Report,
                "Shipped report",
                "What was measured on held-out seeds, from models/*/eval/",
            ),
        ];
        for (of, words, hint) in sources {
            let text = format!("{words}  {}", gallery.all(of).len());
            let button = ui.add(Button::selectable(source == of, text));
            name(&button, WidgetType::Button, words);
            if button.on_hover_text(hint).clicked() {
                out.push(Command::Gallery(Do::Source(of)));
            }
        }
        ui.separator();
        filters_ui(ui, gallery, out);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let all = gallery.all(source).len();
            let text = match shown == all {
                true => "a click goes to the moment, as do the keys 1 to 9".to_string(),
                false => format!("{shown} of {all}"),
            };
            let text = RichText::new(text).color(s.weak).small();
            ui.add(egui::Label::new(text).truncate());
        });
    });
}

fn filters_ui(ui: &mut Ui, gallery: &Gallery, out: &mut Vec<Command>) {
    let all = gallery.all(gallery.source());
    let filter = &gallery.filter;
    let counted = |of: &dyn Fn(&Entry) -> (String, Do)| -> Vec<(String, usize, Do)> {
        let mut counts: BTreeMap<String, (usize, Do)> = BTreeMap::new();
        for entry in all {
            let (words, what) = of(entry);
            counts.entry(words).or_insert((0, what)).0 += 1;
        }
        let each = counts.into_iter();
        each.map(|(words, (n, what))| (words, n, what)).collect()
    };
    let faults = counted(&|e| (e.fault.words().into(), Do::Fault(Some(e.fault))));
    let models = counted(&|e| (e.model.clone(), Do::Model(Some(e.model.clone()))));
    let scenes = counted(&|e| (e.scene.clone(), Do::Scene(Some(e.scene.clone()))));
    let fault = filter.fault.map(|f| f.words().to_string());
    menu_ui(ui, "What", fault, faults, Do::Fault(None), out);
    menu_ui(
        ui,
        "Model",
        filter.model.clone(),
        models,
        Do::Model(None),
        out,
    );
    menu_ui(
        ui,
        "Scene",
        filter.scene.clone(),
        scenes,
        Do::Scene(None),
        out,
    );
}

/// A list to choose from, with how many entries each choice leaves.
fn menu_ui(
    ui: &mut Ui,
    title: &str,
    chosen: Option<String>,
    choices: Vec<(String, usize, Do)>,
    none: Do,
    out: &mut Vec<Command>,
) {
    let words = chosen.as_deref().unwrap_or("all");
    let words = legible(ui.ctx(), words).into_owned();
    let button = ui.menu_button(format!("{title}: {words} ⏷"), |ui| {
        ui.set_min_width(200.0);
        if ui.selectable_label(chosen.is_none(), "all").clicked() {
            out.push(Command::Gallery(none));
        }
        for (choice, count, what) in choices {
            let text = legible(ui.ctx(), &choice).into_owned();
            let on = chosen.as_deref() == Some(choice.as_str());
            let row = Button::selectable(on, text).shortcut_text(count.to_string());
            if ui.add(row).clicked() {
                out.push(Command::Gallery(what));
            }
        }
    });
    name(
        &button.response,
        WidgetType::ComboBox,
        &format!("{title}: {words}"),
    );
}

/// What an empty gallery says: what will fill it.
pub fn nothing(state: &State) -> (String, String) {
    let gallery = &state.gallery;
    let say = |a: &str, b: &str| (a.to_string(), b.to_string());
    if gallery.filter != super::Filter::default() {
        return say(
            "Nothing of this kind.",
            "Choose \"all\" in a list above, or the other source.",
        );
    }
    match gallery.source() {
        Source::Report if !gallery.is_read => {
            say("The shipped results are being read.", "It takes a moment.")
        }
        Source::Report => say(
            "No shipped result says that anything went wrong.",
            "Results lie in models/*/eval/; `parallax eval --plan` measures what is missing.",
        ),
        Source::Session if gallery.judged == 0 => say(
            "Nothing has been judged in this session yet.",
            "Whatever a model imagines or dreams in Explore (F2) is judged, and what it gets wrong \
             comes here.",
        ),
        Source::Session => (
            format!(
                "Nothing wrong so far, in {} imaginations that were judged.",
                gallery.judged
            ),
            "F in Explore goes through seeds until a model fails.".into(),
        ),
    }
}

fn nothing_ui(ui: &mut Ui, state: &State) {
    let (first, second) = nothing(state);
    let s = theme::surfaces(state.look);
    let room = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.add_space(room * 0.35);
        ui.label(RichText::new(first).size(18.0));
        ui.label(RichText::new(second).color(s.weak).size(15.0));
        for problem in &state.gallery.problems {
            let problem = legible(ui.ctx(), problem).into_owned();
            ui.label(RichText::new(problem).color(ui.visuals().error_fg_color));
        }
    });
}

/// Where it happened, in a line.
pub fn place(entry: &Entry) -> String {
    let when = match &entry.origin {
        Origin::Episode(at) => format!("seed {} · {}", entry.seed, seconds(at.moment)),
        Origin::Dream { step, .. } => format!("seed {} · dreamt, step {step}", entry.seed),
        Origin::Report(_) if entry.fault == Fault::Goal => format!("seed {}", entry.seed),
        Origin::Report(_) => "held-out seeds".into(),
    };
    format!("{} · {} · {when}", entry.model, entry.scene)
}

fn card_ui(
    ui: &mut Ui,
    state: &State,
    rect: Rect,
    entry: &Entry,
    place_in_list: usize,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) {
    let s = theme::surfaces(state.look);
    let response = ui.interact(rect, ui.id().with(("card", entry.id)), Sense::click());
    let painter = ui.painter_at(rect.expand(1.0).intersect(ui.clip_rect()));
    let hovered = response.hovered() || response.has_focus();
    let edge = if hovered { theme::ACCENT } else { s.line };
    let radius = CornerRadius::same(8);
    painter.rect_filled(rect, radius, s.card);
    painter.rect_stroke(rect, radius, Stroke::new(1.0, edge), StrokeKind::Inside);
    let inner = rect.shrink(PAD);
    let left = match &entry.still {
        Some(still) => {
            let caption = 16.0;
            let side = inner.height() - caption;
            let under = |at: Rect, text: &str| {
                let at = at.center_bottom() + vec2(0.0, 3.0);
                let font = FontId::proportional(11.5);
                painter.text(at, Align2::CENTER_TOP, text, font, s.weak);
            };
            let first = Rect::from_min_size(inner.min, vec2(side, side));
            imagined(ui, &painter, state, first, entry, still, pictures);
            under(first, "imagined");
            let second = first.translate(vec2(side + 6.0, 0.0));
            truth(ui, &painter, state, second, entry, still, pictures);
            under(second, "in reality");
            second.right() + 12.0
        }
        None => inner.left(),
    };
    let words = Rect::from_min_max(pos2(left, inner.top()), inner.max);
    words_of(ui, &painter, state, words, entry, place_in_list);
    let label = format!("{}: {}", entry.fault.words(), entry.sentence);
    name(&response, WidgetType::Button, &label);
    if hovered {
        ui.ctx()
            .output_mut(|o| o.cursor_icon = egui::CursorIcon::PointingHand);
    }
    let response = response.on_hover_text_at_pointer(hint(entry));
    if response.clicked() {
        out.push(Command::Gallery(Do::Open(entry.id)));
    }
}

fn hint(entry: &Entry) -> String {
    let sentence = format!("{}.", entry.sentence.trim_end_matches('.'));
    match &entry.origin {
        Origin::Episode(at) if at.by_hand => {
            format!("{sentence}\nOpens its seed: what hands did to it is not made again")
        }
        Origin::Episode(_) => format!("{sentence}\nOpens its moment in Explore"),
        Origin::Dream { .. } => {
            format!("{sentence}\nDreams again from where the dream set out")
        }
        Origin::Report(r) if entry.fault == Fault::Goal => format!(
            "{sentence}\nLets this planner act from this seed\n{}\n{}",
            r.from, r.command
        ),
        Origin::Report(r) => format!(
            "{sentence}\nLooks for such a failure in Explore, seed by seed\n{}\n{}",
            r.from, r.command
        ),
    }
}

fn words_of(ui: &Ui, painter: &Painter, state: &State, rect: Rect, entry: &Entry, place_: usize) {
    let s = theme::surfaces(state.look);
    let broken = theme::broken(state.look);
    let write = |top: f32, text: &str, size: f32, colour: Color32, rows: usize| -> f32 {
        let text = legible(ui.ctx(), text).into_owned();
        let font = FontId::proportional(size);
        let mut job = egui::text::LayoutJob::simple(text, font, colour, rect.width());
        job.wrap.max_rows = rows;
        let galley = painter.layout_job(job);
        let below = top + galley.size().y;
        painter.galley(pos2(rect.left(), top), galley, colour);
        below
    };
    // Mark and title; at the right the key, and how bad it is.
    let mark = pos2(rect.left() + 7.0, rect.top() + 9.0);
    match entry.fault {
        Fault::Law(law) => theme::law_mark(painter, law, mark, 5.0),
        Fault::Place | Fault::Goal => theme::far_mark(painter, mark, 5.0),
    }
    let value = match &entry.origin {
        Origin::Report(shipped) => shipped.value.clone(),
        _ => String::new(),
    };
    let right = match (place_ < 9, value.is_empty()) {
        (true, true) => format!("{}", place_ + 1),
        (true, false) => format!("{value}   {}", place_ + 1),
        (false, _) => value,
    };
    let at = rect.right_top() + vec2(0.0, 1.0);
    let font = FontId::proportional(12.5);
    let drawn = painter.text(at, Align2::RIGHT_TOP, right, font, s.weak);
    let title = super::capital(entry.fault.words());
    let mut job =
        egui::text::LayoutJob::simple_singleline(title, FontId::proportional(15.0), broken);
    job.wrap.max_width = (drawn.left() - rect.left() - 28.0).max(40.0);
    job.wrap.max_rows = 1;
    let galley = painter.layout_job(job);
    painter.galley(pos2(rect.left() + 19.0, rect.top()), galley, broken);
    let rail = Rect::from_min_size(
        pos2(rect.left(), rect.top() + 22.0),
        vec2(rect.width(), 3.0),
    );
    painter.rect_filled(rail, 1.5, s.well);
    let share = vec2((rail.width() * entry.severity).max(3.0), 3.0);
    painter.rect_filled(Rect::from_min_size(rail.min, share), 1.5, theme::BAD);
    let has_still = entry.still.is_some();
    let below = write(
        rect.top() + 29.0,
        &entry.sentence,
        13.5,
        s.text,
        if has_still { 3 } else { 1 },
    );
    if has_still {
        let expected = format!("Expected: {}.", entry.fault.expected());
        write(below + 2.0, &expected, 12.0, s.weak, 2);
    }
    let foot = rect.bottom() - 14.0;
    painter.circle_filled(
        pos2(rect.left() + 5.0, foot + 7.0),
        4.0,
        theme::camp_colour(entry.camp),
    );
    let text = legible(ui.ctx(), &place(entry)).into_owned();
    let font = FontId::proportional(11.5);
    let mut job = egui::text::LayoutJob::simple_singleline(text, font, s.weak);
    job.wrap.max_width = rect.width() - 14.0;
    job.wrap.max_rows = 1;
    let galley = painter.layout_job(job);
    painter.galley(pos2(rect.left() + 14.0, foot), galley, s.weak);
}
