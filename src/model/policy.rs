//! A policy: from what is seen and what is wanted straight to an action, without imagining anything. What
//! planners with a world model are measured against.

use super::{Card, Context, Cost, Goal, ModelError};

/// Acts without a model of the world.
pub trait Policy: Send + Sync {
    /// Name, architecture, training, scenes.
    fn card(&self) -> &Card;

    /// The next action `[dim]`, components in [-1, 1].
    ///
    /// # Errors
    /// [`ModelError::Input`] where an observation does not fit.
    fn act(&self, context: &Context, goal: &Goal, dim: usize) -> Result<Vec<f32>, ModelError>;

    /// What a decision costs: all of it is encoding.
    fn cost(&self) -> Cost;
}
