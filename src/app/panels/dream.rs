//! The dream: what a model imagines step by step while a person drives it, in place of reality.

use bevy_egui::egui::{
    Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, RichText, Sense, Stroke, Ui,
    UiBuilder, Vec2, WidgetType, pos2, vec2,
};

use super::super::command::Command;
use super::super::state::{Dream, State};
use super::super::theme;
use super::pictures::{Pictures, square_image};
use super::{badge, name};
use crate::sim::CONTROL_HZ;

/// Height of the bar under the picture.
const BAR: f32 = 40.0;

/// Draws the dream and its controls; returns the size of its rectangle in points.
pub fn dream_ui(
    ui: &mut Ui,
    state: &State,
    dream: &Dream,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) -> Vec2 {
    let s = theme::surfaces(state.look);
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    name(&response, WidgetType::Image, "Dream");
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 8.0, s.card);
    painter.rect_stroke(
        rect.shrink(1.0),
        8.0,
        Stroke::new(2.0, theme::IMAGINED.gamma_multiply(0.8)),
        bevy_egui::egui::StrokeKind::Inside,
    );
    let inner = rect.shrink2(vec2(14.0, 10.0));
    let [head, foot] = [inner.top(), inner.bottom() - BAR]
        .map(|y| Rect::from_min_size(pos2(inner.left(), y), vec2(inner.width(), BAR)));
    let mut top = ui.new_child(UiBuilder::new().max_rect(head));
    top.horizontal_centered(|ui| head_ui(ui, state, dream));
    let room = Rect::from_min_max(
        pos2(inner.left(), head.bottom() + 4.0),
        pos2(inner.right(), foot.top() - 6.0),
    );
    let side = room.width().min(room.height()).max(16.0);
    let picture = Rect::from_center_size(room.center(), vec2(side, side));
    let key = super::paint::stamp(&(&dream.model, dream.from, dream.steps, state.record.episode));
    let texture = pictures.show(ui.ctx(), "dream", key, || square_image(&dream.frame));
    painter.rect_filled(picture, CornerRadius::same(4), s.well);
    if let Some(texture) = texture {
        painter.image(texture, picture, super::paint::WHOLE, Color32::WHITE);
    }
    let scale = side / (dream.frame.len() as f32 / 3.0).sqrt().max(1.0);
    for (law, [x0, y0, x1, y1]) in &dream.marks {
        let corner = |x: u16, y: u16| picture.min + vec2(f32::from(x), f32::from(y)) * scale;
        let outline = Rect::from_two_pos(corner(*x0, *y0), corner(*x1, *y1)).expand(2.0);
        super::paint::violation_box(&painter, picture, outline, *law);
    }
    if state.has_actions() {
        stick(&painter, picture, &dream.action);
    }
    if let Some(problem) = &dream.problem {
        let mut ui = ui.new_child(UiBuilder::new().max_rect(picture.shrink(16.0)));
        let colour = ui.visuals().error_fg_color;
        ui.label(
            RichText::new("⚠ The dream cannot go on")
                .strong()
                .color(colour),
        );
        ui.label(RichText::new(super::legible(ui.ctx(), problem)).small());
    }
    let mut bottom = ui.new_child(UiBuilder::new().max_rect(foot));
    bottom.horizontal_centered(|ui| foot_ui(ui, state, dream, out));
    rect.size()
}

fn head_ui(ui: &mut Ui, state: &State, dream: &Dream) {
    let weak = theme::surfaces(state.look).weak;
    ui.label(RichText::new("Dream").heading().strong());
    let camp = state.panes.iter().find(|p| p.name == dream.model);
    let colour = theme::camp_colour(camp.and_then(|p| p.camp()));
    ui.allocate_ui(vec2(0.0, 22.0), |ui| {
        let model = super::legible(ui.ctx(), &dream.model).into_owned();
        badge(ui, &model, colour)
    });
    ui.label(RichText::new("no truth behind it").color(weak))
        .on_hover_text(
            "Every frame is imagined from the model's own frames before: nothing real comes in \
             until you set out anew",
        );
    ui.with_layout(
        bevy_egui::egui::Layout::right_to_left(bevy_egui::egui::Align::Center),
        |ui| {
            let rate = match dream.per_s {
                r if r <= 0.0 => "– frames/s".into(),
                r if r < 9.95 => format!("{r:.1} frames/s"),
                r => format!("{r:.0} frames/s"),
            };
            ui.label(RichText::new(rate).monospace())
                .on_hover_text(format!("Real time is {CONTROL_HZ} frames a second"));
            ui.add_space(10.0);
            ui.label(RichText::new(format!("step {}", dream.steps)).monospace());
            ui.add_space(10.0);
            let found: Vec<String> = (dream.found.iter())
                .map(|(law, n)| format!("{} {n}", law.id()))
                .collect();
            let text = match (dream.found.values().sum::<usize>(), dream.steps) {
                (_, 0) => String::new(),
                (0, _) => no_violation(state),
                (1, _) => format!("1 violation: {}", found.join(", ")),
                (n, _) => format!("{n} violations: {}", found.join(", ")),
            };
            let text = RichText::new(text).color(weak);
            ui.add(bevy_egui::egui::Label::new(text).truncate())
                .on_hover_text("What the judge found since it set out: it needs no truth for that");
        },
    );
}

fn foot_ui(ui: &mut Ui, state: &State, dream: &Dream, out: &mut Vec<Command>) {
    let weak = theme::surfaces(state.look).weak;
    let (word, hint) = match dream.paused {
        true => ("▶ Dream on", "Space"),
        false => ("⏸ Pause", "Space"),
    };
    if ui.button(word).on_hover_text(hint).clicked() {
        out.push(Command::TogglePlay);
    }
    if ui
        .button("⟲ From reality")
        .on_hover_text("Set out anew from the moment on the timeline (R)")
        .clicked()
    {
        out.push(Command::DreamAgain);
    }
    if ui
        .button("✖ Wake")
        .on_hover_text("Back to reality (O)")
        .clicked()
    {
        out.push(Command::ToggleDream);
    }
    let pane = state.panes.iter().position(|p| p.name == dream.model);
    if let Some(index) = pane {
        ui.add_space(6.0);
        ui.label(RichText::new("NFE").color(weak))
            .on_hover_text("Function evaluations a frame: more are sharper and slower");
        ui.spacing_mut().item_spacing.x = 2.0;
        for &nfe in state.panes[index].nfes() {
            let chosen = state.panes[index].nfe == nfe;
            let number = ui.selectable_label(chosen, nfe.to_string());
            name(&number, WidgetType::SelectableLabel, &format!("{nfe} NFE"));
            if number.clicked() {
                out.push(Command::Nfe(index, nfe));
            }
        }
        ui.spacing_mut().item_spacing.x = 8.0;
    }
    let hint = match state.has_actions() {
        true => "W A S D or arrows drive",
        false => "nobody acts in this scene",
    };
    let from = dream.from as f32 / CONTROL_HZ as f32;
    let text = RichText::new(format!("from {from:.1} s · {hint}")).color(weak);
    ui.add(bevy_egui::egui::Label::new(text).truncate());
}

/// What can be said where nothing was found: how many laws were looked at.
fn no_violation(state: &State) -> String {
    match state.scene.as_ref().map_or(0, |s| s.laws.len()) {
        0 => "no law can be checked here".into(),
        1 => "no violation of 1 law checked".into(),
        n => format!("no violation of {n} laws checked"),
    }
}

/// What the person does, as a stick in the corner.
fn stick(painter: &Painter, picture: Rect, action: &[f32]) {
    let radius = 0.05 * picture.width().max(240.0);
    let middle = picture.left_bottom() + vec2(radius + 12.0, -radius - 12.0);
    painter.circle(
        middle,
        radius,
        Color32::from_black_alpha(110),
        Stroke::new(1.5, Color32::from_white_alpha(160)),
    );
    let (x, y, grips) = match *action {
        [x, up, z, grip] => (x, z - up, grip > 0.0),
        [x, z] => (x, z, false),
        _ => (0.0, 0.0, false),
    };
    let by = vec2(x, y);
    let by = by / by.length().max(1.0) * radius * 0.7;
    let knob: Pos2 = middle + by;
    painter.line_segment([middle, knob], Stroke::new(2.5, Color32::WHITE));
    let fill = match grips {
        true => theme::ACCENT,
        false => Color32::WHITE,
    };
    painter.circle_filled(knob, radius * 0.28, fill);
    if grips {
        let font = FontId::proportional(11.0);
        let at = middle - vec2(0.0, radius + 8.0);
        painter.text(at, Align2::CENTER_CENTER, "grips", font, Color32::WHITE);
    }
}
