//! A clip of reality of which a masked model sees parts: how a V-JEPA learns.

use bevy_egui::egui::{
    Align2, Color32, ComboBox, FontId, Painter, Rect, RichText, Ui, WidgetType, pos2, vec2,
};

use super::super::command::Command;
use super::super::state::{MaskView, MaskedShown, Pane, State};
use super::super::theme;
use super::paint::{WHOLE, corner_label, stamp};
use super::pictures::{Pictures, frame_image};
use crate::model::MaskedClip;

/// A row of the film: a word for it, and its pictures.
type Row = (&'static str, fn(&MaskedClip, usize) -> Vec<u8>);

/// The clip, what the context encoder sees of it, and where the prediction of the rest is wrong; a column
/// is a tubelet's two frames.
pub(super) fn masked_ui(
    painter: &Painter,
    ui: &Ui,
    state: &State,
    pane: &Pane,
    rect: Rect,
    pictures: &mut Pictures,
) {
    let s = theme::surfaces(state.look);
    let Some(MaskedShown { key, clip }) = &pane.masked else {
        corner_label(painter, rect, "masking a clip…");
        return;
    };
    let rows: [Row; 3] = [
        ("the clip", |clip, t| clip.frames[t].clone()),
        ("what it sees", MaskedClip::seen),
        ("error of what it predicts", MaskedClip::heat),
    ];
    let columns = (clip.frames.len() / 2).max(1);
    let (gap, line) = (3.0, 16.0);
    let side = ((rect.width() - gap) / columns as f32 - gap)
        .min((rect.height() - 2.0 * line - 8.0) / rows.len() as f32 - gap);
    let left = rect.center().x - 0.5 * (columns as f32 * (side + gap) - gap);
    for (r, (word, picture)) in rows.into_iter().enumerate() {
        let top = rect.top() + gap + r as f32 * (side + gap);
        for column in 0..columns {
            let at = pos2(left + column as f32 * (side + gap), top);
            let place = Rect::from_min_size(at, vec2(side, side));
            let name = format!("{} masked {r} {column}", pane.name);
            let texture = pictures.show(ui.ctx(), &name, stamp(key), || {
                frame_image(clip.size, &picture(clip, 2 * column))
            });
            if let Some(texture) = texture {
                painter.image(texture, place, WHOLE, Color32::WHITE);
            }
        }
        let galley =
            painter.layout_no_wrap(word.into(), FontId::proportional(10.5), Color32::WHITE);
        let ground = Rect::from_min_size(pos2(left, top), galley.size() + vec2(8.0, 2.0));
        painter.rect_filled(ground, 2.0, Color32::from_black_alpha(150));
        painter.galley(ground.min + vec2(4.0, 1.0), galley, Color32::WHITE);
    }
    let (hidden, error) = clip.hidden();
    let share = 100.0 * hidden as f32 / clip.error.len().max(1) as f32;
    let lines = [
        (
            format!("{share:.0} % hidden, mean error {error:.2}"),
            s.text,
        ),
        ("black 0, white 0.8: a mere guess".into(), s.weak),
    ];
    for (i, (text, colour)) in lines.into_iter().enumerate() {
        let at = rect.left_bottom() + vec2(8.0, (i as f32 - 1.0) * line - 3.0);
        let font = FontId::proportional(11.5);
        painter.text(at, Align2::LEFT_BOTTOM, text, font, colour);
    }
}

/// What came of it, in a sentence.
pub(super) fn sum(masked: &MaskedShown) -> String {
    let (hidden, error) = masked.clip.hidden();
    let all = masked.clip.error.len();
    format!("{hidden} of {all} tubelets hidden, mean error {error:.2}")
}

/// Picks what a masked model's pane shows.
pub(super) fn mask_view_ui(ui: &mut Ui, state: &State, index: usize, out: &mut Vec<Command>) {
    // In a narrow card the spinner and the time beside it need some room, too.
    let width = (ui.available_width() - 28.0).clamp(60.0, 132.0);
    let response = ComboBox::from_id_salt(("mask", index))
        .selected_text(RichText::new(state.mask_view.words()).small())
        .truncate()
        .width(width)
        .show_ui(ui, |ui| {
            for view in [MaskView::Off, MaskView::Small, MaskView::Large] {
                let selected = view == state.mask_view;
                if ui.selectable_label(selected, view.words()).clicked() {
                    out.push(Command::MaskView(view));
                }
            }
        })
        .response
        .on_hover_text(
            "Its imagination, or a clip of which it sees parts and predicts the embeddings of \
             the rest (J)",
        );
    super::name(&response, WidgetType::ComboBox, "Masked view");
}
