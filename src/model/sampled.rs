//! A model that samples in another way than its configuration says, wherever nothing else is asked for.

use std::sync::Arc;

use super::{
    Actions, Cancel, Card, Context, Cost, Facets, Latent, ModelError, Rollouts, Sampling, Shape,
    WorldModel,
};

/// A view of a shared model with a usual sampling of its own; the model itself stays as it is.
pub struct Sampled {
    model: Arc<dyn WorldModel>,
    usual: Sampling,
}

impl Sampled {
    /// `model`, which samples as `usual` says where it is not told otherwise.
    pub fn new(model: Arc<dyn WorldModel>, usual: Sampling) -> Self {
        Self { model, usual }
    }

    fn chosen(&self, asked: Sampling) -> Sampling {
        Sampling {
            nfe: asked.nfe.or(self.usual.nfe),
            draw: asked.draw.wrapping_add(self.usual.draw),
        }
    }
}

impl WorldModel for Sampled {
    fn card(&self) -> &Card {
        self.model.card()
    }

    fn shape(&self) -> Shape {
        self.model.shape()
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        self.model.observe(context)
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let sampling = self.chosen(sampling);
        self.model.imagine(latent, actions, sampling, cancel)
    }

    fn cost(&self, sampling: Sampling) -> Cost {
        self.model.cost(self.chosen(sampling))
    }

    fn nfe(&self, sampling: Sampling) -> Option<usize> {
        self.model.nfe(self.chosen(sampling))
    }

    fn facets(&self) -> Facets<'_> {
        self.model.facets()
    }
}
