//! Clips of reality of which masked models see parts.

use std::sync::Arc;

use super::Session;
use crate::app::state::*;
use crate::worker::{MaskClip, context_at};

/// While reality plays, a clip is masked anew every so many moments: time enough to look at it.
const EVERY: usize = 8;

impl Session {
    /// More hidden, or nothing again.
    pub(super) fn next_mask_view(&mut self) {
        let able = self
            .state
            .scene_panes()
            .any(|(_, p)| p.clip_frames.is_some());
        match able || self.state.mask_view != MaskView::Off {
            true => self.state.mask_view = self.state.mask_view.next(),
            false => self
                .state
                .say("No model of this scene was trained by masking"),
        }
    }

    /// Takes in what was masked, and asks for the clip that ends with the moment shown, where a pane shows
    /// another.
    pub(super) fn mask_clips(&mut self) {
        let shown = match self.state.playing {
            true => self.state.shown() / EVERY * EVERY,
            false => self.state.shown(),
        };
        let (view, record) = (self.state.mask_view, &self.state.record);
        let key = (record.episode, shown, view);
        for pane in &mut self.state.panes {
            let Some(back) = self.backstage.get_mut(&pane.name) else {
                continue;
            };
            if let Some(report) = back.masking.poll() {
                match report.result {
                    Ok(clip) => {
                        let (key, clip) = (back.masks, Arc::new(clip));
                        pane.masked = Some(MaskedShown { key, clip });
                    }
                    Err(e) => pane.status = PaneStatus::Failed(e),
                }
            }
            let is_wanted = view != MaskView::Off && pane.status == PaneStatus::Ready;
            let is_there = pane.masked.as_ref().is_some_and(|m| m.key == key);
            let (Some(model), Some(frames)) = (&back.model, pane.clip_frames) else {
                continue;
            };
            if !is_wanted || is_there || back.masking.is_busy() || record.moments.is_empty() {
                continue;
            }
            let clip = context_at(&record.moments, shown, frames);
            back.masks = key;
            back.masking.ask(MaskClip {
                model: model.clone(),
                frames: clip.frames,
                // The same moment is masked in the same way; other moments in others.
                seed: 2 * shown as u64 + u64::from(view == MaskView::Large),
            });
        }
    }
}
