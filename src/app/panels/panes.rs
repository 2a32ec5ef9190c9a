//! What the eye sees, and one pane a model with its imagination of the same moment.

use bevy_egui::egui::{
    Align, Color32, ComboBox, CornerRadius, FontId, Layout, Rect, RichText, Sense, Stroke,
    StrokeKind, Ui, WidgetType, vec2,
};

use super::super::command::Command;
use super::super::state::{Imagination, MaskView, Pane, PaneStatus, Rollout, SAMPLES, State};
use super::super::theme;
use super::ghosts::ghosts_ui;
use super::masked::{mask_view_ui, masked_ui, sum};
use super::paint::{
    Picture, WHOLE, corner_label, inset, inset_rect, row_ui, stamp, violation_label,
};
use super::pictures::{Pictures, difference_image, frame_image, spread_image, square_image};
use super::{badge, legible, name};
use crate::sim::CONTROL_HZ;

/// The eye's view of the moment looked at, with the goal's picture in its corner.
pub fn eye_ui(ui: &mut Ui, state: &State, pictures: &mut Pictures, side: f32) {
    let s = theme::surfaces(state.light);
    row_ui(ui, |ui| {
        ui.label(RichText::new("Eye").strong()).on_hover_text(
            "What the models see: rays cast into the very colliders that are simulated",
        );
        badge(ui, "reality", s.text);
        time_label(ui, state, state.shown());
    });
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
    name(&response, WidgetType::Image, "What the eye sees");
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, CornerRadius::same(4), s.well);
    let stamp = stamp(&(state.record.episode, state.record.amended, state.shown()));
    let Some(moment) = state.shown_moment() else {
        return;
    };
    if let Some(texture) = pictures.show(ui.ctx(), "eye", stamp, || square_image(&moment.rgb)) {
        painter.image(texture, rect, WHOLE, Color32::WHITE);
    }
    if let Some(goal) = &state.record.goal {
        let episode = stamp_of_episode(state);
        let picture = &goal.picture;
        let texture = pictures.show(ui.ctx(), "goal", episode, || {
            frame_image(picture.frame.size, &picture.frame.data)
        });
        if let Some(texture) = texture {
            let corner = inset_rect(rect, state);
            inset(&painter, corner, texture, "goal", theme::IMAGINED);
        }
    }
    row_ui(ui, |ui| {
        let side = state.eye.as_ref().map_or(64, |e| e.size());
        let text = match ui.available_width() > 200.0 {
            true => format!("{side} × {side} pixels: all that models see"),
            false => format!("{side} × {side} pixels"),
        };
        let text = RichText::new(text).small().color(s.weak);
        ui.add(bevy_egui::egui::Label::new(text).truncate());
    });
}

/// One model's pane.
pub fn pane_ui(
    ui: &mut Ui,
    state: &State,
    index: usize,
    pictures: &mut Pictures,
    side: f32,
    out: &mut Vec<Command>,
) {
    let Some(pane) = state.panes.get(index) else {
        return;
    };
    let s = theme::surfaces(state.light);
    let shown = state.imagined(pane);
    header_ui(ui, state, pane, shown.map(|(at, _)| at));
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::click());
    let is_masked = pane.clip_frames.is_some() && state.mask_view != MaskView::Off;
    let label = match (&pane.masked, is_masked) {
        (Some(masked), true) => format!("Masked clip of {}: {}", pane.name, sum(masked)),
        _ => format!("Imagination of {}", pane.name),
    };
    name(&response, WidgetType::Image, &label);
    let has_pixels = pane.has_pixels();
    if has_pixels && response.clicked() {
        out.push(Command::ToggleDifference);
    }
    if has_pixels {
        response.on_hover_text("Click: the truth, or how far imagination is from it (X)");
    }
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, CornerRadius::same(4), s.well);
    let say = |text: &str| {
        let galley = painter.layout(
            text.to_string(),
            FontId::proportional(12.5),
            s.weak,
            side - 24.0,
        );
        let at = rect.center() - galley.size() * 0.5;
        painter.galley(at, galley, s.weak);
    };
    if let PaneStatus::Failed(error) = &pane.status {
        error_ui(ui, rect, error);
        return;
    }
    match shown {
        _ if is_masked => masked_ui(&painter, ui, state, pane, rect, pictures),
        None if pane.status == PaneStatus::Loading => say("Loading the model…"),
        None => {
            let key = stamp(&(state.record.episode, state.shown(), "waiting"));
            if let Some(moment) = state.shown_moment()
                && let Some(texture) =
                    pictures.show(ui.ctx(), &pane.name, key, || square_image(&moment.rgb))
            {
                painter.image(texture, rect, WHOLE, Color32::from_gray(90));
            }
            corner_label(
                &painter,
                rect,
                match state.playing || pane.busy {
                    true => "imagining…",
                    false => "nothing imagined here: press B",
                },
            );
        }
        Some((at, rollout)) => {
            let (painter, ui) = (&painter, &*ui);
            let picture = Picture {
                painter,
                ui,
                state,
                pane,
                rollout,
                at,
                rect,
            };
            match rollout.imagined.frames {
                Some(_) => frames_ui(&picture, pictures),
                None => ghosts_ui(&picture, pictures),
            }
        }
    }
    footer_ui(ui, state, index, pane, shown, out);
}

fn header_ui(ui: &mut Ui, state: &State, pane: &Pane, imagination: Option<Imagination>) {
    row_ui(ui, |ui| {
        let shown = legible(ui.ctx(), &pane.name).into_owned();
        // The time at the right is not to be pushed out by a long name.
        let least = match imagination {
            Some(_) => 48.0,
            None => 0.0,
        };
        let title = ui
            .scope(|ui| {
                ui.set_max_width((ui.available_width() - least).max(20.0));
                ui.add(bevy_egui::egui::Label::new(RichText::new(shown).strong()).truncate())
            })
            .inner;
        if let Some(card) = &pane.card {
            let about = format!(
                "{}\n{:.2} M parameters · {} steps\nTrained on: {}\n{}",
                card.summary,
                pane.parameters.max(card.parameters) as f64 / 1e6,
                card.steps,
                card.scenes.join(", "),
                card.notes
            );
            title.on_hover_text(legible(ui.ctx(), &about));
            if ui.available_width() > 100.0 {
                badge(ui, card.camp.id(), theme::camp_colour(pane.camp()));
            }
        }
        if let Some(other) = &pane.same_as
            && ui.available_width() > 60.0
        {
            let words = format!("The weights are those of {other}: this is one model twice");
            badge(ui, "twice", theme::BAD).on_hover_text(legible(ui.ctx(), &words));
        }
        if let Some(i) = imagination {
            time_label(ui, state, i.moment());
        }
    });
}

fn time_label(ui: &mut Ui, state: &State, moment: usize) {
    let weak = theme::surfaces(state.light).weak;
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let seconds = moment as f32 / CONTROL_HZ as f32;
        let colour = if moment == state.shown() {
            weak
        } else {
            theme::IMAGINED
        };
        ui.label(
            RichText::new(format!("{seconds:.1} s"))
                .monospace()
                .color(colour),
        );
    });
}

fn error_ui(ui: &mut Ui, rect: Rect, error: &str) {
    let colour = ui.visuals().error_fg_color;
    let stroke = Stroke::new(2.0, colour);
    ui.painter()
        .rect_stroke(rect, 4.0, stroke, StrokeKind::Inside);
    let mut inner = ui.new_child(bevy_egui::egui::UiBuilder::new().max_rect(rect.shrink(12.0)));
    inner.label(
        RichText::new("⚠ This model cannot imagine")
            .strong()
            .color(colour),
    );
    // A long reason is cut off at the pane's edge; the whole of it is under the pointer.
    inner.set_clip_rect(inner.clip_rect().intersect(rect.shrink(4.0)));
    let error = legible(ui.ctx(), error).into_owned();
    inner
        .label(RichText::new(error.as_str()).small())
        .on_hover_text(error);
}

fn frames_ui(picture: &Picture, pictures: &mut Pictures) {
    let Picture {
        painter, ui, state, ..
    } = *picture;
    let (pane, rollout, at, rect) = picture.subject();
    let Some(frames) = &rollout.imagined.frames else {
        return;
    };
    let truth = state
        .record
        .moments
        .get(at.moment())
        .map(|m| m.rgb.as_slice());
    // The branch itself is real: there is nothing imagined to show yet.
    let Some(index) = rollout.index(at.k) else {
        if let Some(rgb) = truth {
            let texture = pictures.show(
                ui.ctx(),
                &pane.name,
                stamp(&(state.record.episode, at.moment(), "real")),
                || square_image(rgb),
            );
            if let Some(texture) = texture {
                painter.image(texture, rect, WHOLE, Color32::WHITE);
            }
        }
        corner_label(painter, rect, "branch: still real");
        return;
    };
    let frame = frames.at(0, index);
    let key = picture.stamp(index);
    let texture = pictures.show(ui.ctx(), &pane.name, key, || {
        frame_image(frames.size, frame)
    });
    if let Some(texture) = texture {
        painter.image(texture, rect, WHOLE, Color32::WHITE);
    }
    if state.show_spread && frames.n > 1 {
        let all: Vec<&[u8]> = (0..frames.n).map(|n| frames.at(n, index)).collect();
        let texture = pictures.show(ui.ctx(), &format!("{} spread", pane.name), key, || {
            spread_image(frames.size, &all)
        });
        if let Some(texture) = texture {
            let corner = inset_rect(rect, state);
            inset(painter, corner, texture, "spread", Color32::WHITE);
        }
    } else if let Some(truth) = truth {
        let place = format!("{} truth", pane.name);
        let key = stamp(&(key, state.show_difference));
        let texture = pictures.show(ui.ctx(), &place, key, || {
            if state.show_difference {
                difference_image(frames.size, frame, truth)
            } else {
                square_image(truth)
            }
        });
        if let Some(texture) = texture {
            let corner = inset_rect(rect, state);
            let what = if state.show_difference {
                "difference"
            } else {
                "truth"
            };
            inset(painter, corner, texture, what, Color32::WHITE);
        }
    }
    let scale = rect.width() / frames.size as f32;
    for v in rollout.violations_at(at.k) {
        let Some([x0, y0, x1, y1]) = v.boxes.get(index - v.first_frame).copied() else {
            continue;
        };
        let corner = |x: u16, y: u16| rect.min + vec2(f32::from(x), f32::from(y)) * scale;
        let outline = Rect::from_two_pos(corner(x0, y0), corner(x1, y1)).expand(2.0);
        violation_label(painter, rect, outline, v.law);
    }
}

fn footer_ui(
    ui: &mut Ui,
    state: &State,
    index: usize,
    pane: &Pane,
    shown: Option<(Imagination, &Rollout)>,
    out: &mut Vec<Command>,
) {
    let weak = theme::surfaces(state.light).weak;
    row_ui(ui, |ui| {
        let text = match shown {
            Some((_, r)) => {
                let mut laws: Vec<&str> = r.violations.iter().map(|v| v.law.id()).collect();
                laws.dedup();
                let found = match (r.judged, r.violations.len()) {
                    (false, _) => String::new(),
                    (true, 0) => " · lawful".into(),
                    (true, 1) => format!(" · 1 violation: {}", laws.join(", ")),
                    (true, n) => format!(" · {n} violations: {}", laws.join(", ")),
                };
                let digits = usize::from(r.took_ms < 10.0);
                format!("{:.digits$} ms a rollout{found}", r.took_ms)
            }
            None => String::new(),
        };
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if pane.has_pixels() {
                nfe_ui(ui, state, index, pane, out);
            }
            if pane.clip_frames.is_some() {
                mask_view_ui(ui, state, index, out);
            }
            if pane.busy {
                let spinner = bevy_egui::egui::Spinner::new().size(12.0);
                ui.add(spinner.color(theme::IMAGINED));
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let text = RichText::new(text).small().color(weak);
                let label = ui.add(bevy_egui::egui::Label::new(text).truncate());
                if let Some((_, r)) = shown {
                    label.on_hover_text(format!(
                        "{} control steps imagined {}, from {:.1} s on",
                        r.imagined.steps,
                        r.source.words(),
                        r.branch as f32 / CONTROL_HZ as f32
                    ));
                }
            });
        });
    });
}

fn nfe_ui(ui: &mut Ui, state: &State, index: usize, pane: &Pane, out: &mut Vec<Command>) {
    ComboBox::from_id_salt(("nfe", index))
        .selected_text(RichText::new(format!("{} NFE", pane.nfe)).small())
        .width(58.0)
        .show_ui(ui, |ui| {
            for &nfe in pane.nfes() {
                let selected = nfe == pane.nfe;
                if ui
                    .selectable_label(selected, format!("{nfe} NFE"))
                    .clicked()
                {
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
            let dream = ui.selectable_label(false, "Dream…");
            if dream
                .on_hover_text("Drive what it imagines, without reality (O)")
                .clicked()
            {
                out.push(Command::Dream(index));
            }
        })
        .response
        .on_hover_text("Function evaluations a frame: more are sharper and slower");
}

fn stamp_of_episode(state: &State) -> u64 {
    let record = &state.record;
    stamp(&(
        record.episode,
        record.amended,
        record.seed,
        state.scene_index,
    ))
}
