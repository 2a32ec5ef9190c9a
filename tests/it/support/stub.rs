//! World models that are known in advance, for tests of what is done with any model.

use parallax::model::facets::{Latents, Surprise};
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Cost, Facets, Frame, Latent, ModelError, Rollouts,
    Sampling, Shape, WorldModel,
};

/// A card for a model that was never trained.
pub fn card(name: &str) -> Card {
    Card {
        summary: "made by a test".into(),
        scenes: vec!["push".into()],
        ..Card::untrained(name, Camp::Reference, "lewm")
    }
}

/// The shape of a model of two action components.
pub fn shape(context_frames: usize, frameskip: usize) -> Shape {
    Shape {
        context_frames,
        frameskip,
        action_dim: 2,
    }
}

/// What a [`Stub`] says of the last observation.
pub type Features = fn(&Context) -> Vec<f32>;
/// How surprised a [`Stub`] is.
pub type Surprised = fn(&Context, &Actions, &Frame) -> f32;

/// A model that imagines nothing.
pub struct Stub {
    card: Card,
    shape: Shape,
    features: Option<Features>,
    surprise: Option<Surprised>,
}

impl Stub {
    /// A model with a representation.
    pub fn with_features(name: &str, shape: Shape, features: Features) -> Self {
        Self {
            card: card(name),
            shape,
            features: Some(features),
            surprise: None,
        }
    }

    /// A model with expectations.
    pub fn with_surprise(name: &str, shape: Shape, surprise: Surprised) -> Self {
        Self {
            card: card(name),
            shape,
            features: None,
            surprise: Some(surprise),
        }
    }
}

impl WorldModel for Stub {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        self.shape
    }
    fn observe(&self, _: &Context) -> Result<Latent, ModelError> {
        Ok(Latent::new(()))
    }
    fn imagine(
        &self,
        _: &Latent,
        _: &Actions,
        _: Sampling,
        _: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        Ok(Rollouts::new(()))
    }
    fn cost(&self, _: Sampling) -> Cost {
        Cost::default()
    }
    fn facets(&self) -> Facets<'_> {
        Facets {
            latents: self.features.is_some().then_some(self),
            surprise: self.surprise.is_some().then_some(self),
            ..Facets::default()
        }
    }
}

impl Latents for Stub {
    fn features(&self, context: &Context) -> Result<Vec<f32>, ModelError> {
        Ok(self.features.unwrap()(context))
    }
}

impl Surprise for Stub {
    fn surprise(&self, seen: &Context, taken: &Actions, next: &Frame) -> Result<f32, ModelError> {
        Ok(self.surprise.unwrap()(seen, taken, next))
    }
}
