//! Which models are shown: one in the middle, one at the right, each chosen from a list.

use super::state::{Film, Pane, PaneStatus, State};
use crate::model::Camp;

/// Places for models beside reality.
pub const SLOTS: usize = 2;

impl State {
    /// Models of the scene, with their indices: latents first, then pixels, then what is broken; of each
    /// kind those of the fewest scenes first, for they know this one best, hybrids after those of one
    /// camp, and the smallest first, for they answer soonest.
    pub fn scene_models(&self) -> impl Iterator<Item = (usize, &Pane)> {
        let name = self.scene.as_ref().map_or("", |s| s.name.as_str());
        let mut panes: Vec<(usize, &Pane)> = self
            .panes
            .iter()
            .enumerate()
            .filter(|(_, p)| p.is_for(name))
            .collect();
        panes.sort_by_key(|(_, p)| {
            let failed = matches!(p.status, PaneStatus::Failed(_));
            let scenes = p.card.as_ref().map_or(0, |c| c.scenes.len());
            let is_hybrid = p.camp() == Some(Camp::Hybrid);
            let size = p.card.as_ref().map_or(0, |c| c.parameters);
            (failed, p.twin, p.has_pixels(), is_hybrid, scenes, size)
        });
        panes.into_iter()
    }

    /// The model in a place: what a person chose, else the one with pixels that knows the scene best in the
    /// middle, and the one without at the right. A regression twin, or a model's own copy, only if it was
    /// chosen; a broken one only where there is no other.
    pub fn slot(&self, slot: usize) -> Option<(usize, &Pane)> {
        let chosen = |slot: usize| {
            let name = self.slots.get(slot)?.as_ref()?;
            self.scene_models().find(|(_, p)| p.name == *name)
        };
        if let Some(found) = chosen(slot) {
            return Some(found);
        }
        // Two places never show the same model.
        let other = match slot {
            0 => chosen(1),
            _ => self.slot(0),
        };
        let usual: Vec<(usize, &Pane)> = self
            .scene_models()
            .filter(|(i, p)| !p.twin && p.same_as.is_none() && Some(*i) != other.map(|(o, _)| o))
            .collect();
        let of_kind = usual.iter().find(|(_, p)| p.has_pixels() == (slot == 0));
        // Where a scene has models of one camp only, two of them stand beside each other.
        of_kind.or(usual.first()).copied()
    }

    /// The models that are shown, in the order of their places.
    pub fn scene_panes(&self) -> impl Iterator<Item = (usize, &Pane)> {
        let mut shown: Vec<(usize, &Pane)> = (0..SLOTS).filter_map(|s| self.slot(s)).collect();
        shown.dedup_by_key(|(index, _)| *index);
        shown.into_iter()
    }

    /// Those of them whose film is on the screen: the others need not imagine.
    pub fn watched_panes(&self) -> impl Iterator<Item = (usize, &Pane)> {
        let watched = |slot: usize| match self.enlarged {
            Some(film) => film == Film::Model(slot),
            None => true,
        };
        let mut shown: Vec<(usize, &Pane)> = (0..SLOTS)
            .filter(|s| watched(*s))
            .filter_map(|s| self.slot(s))
            .collect();
        shown.dedup_by_key(|(index, _)| *index);
        shown.into_iter()
    }

    /// Whether there is something to see of every model that is shown, or nothing will come of it.
    pub fn has_first_films(&self) -> bool {
        let has = |p: &Pane| !p.rollouts.is_empty() || matches!(p.status, PaneStatus::Failed(_));
        match self.watched_panes().next() {
            Some(_) => self.watched_panes().all(|(_, p)| has(p)),
            None => !self.loading,
        }
    }

    /// The place in which a model is shown.
    pub fn slot_of(&self, index: usize) -> Option<usize> {
        (0..SLOTS).find(|s| self.slot(*s).is_some_and(|(i, _)| i == index))
    }
}
