//! One episode: behave in reality and write down what the eye saw.

use std::sync::Arc;

use super::Policy;
use crate::camera::Eye;
use crate::scene::{Edit, Scene};
use crate::sim::{BodyState, Reality, SimError, State};

/// One recorded episode of T frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episode {
    /// Seed of reality and behaviour.
    pub seed: u64,
    /// `[T, H, W, 3]` bytes.
    pub frames: Vec<u8>,
    /// `[T, H, W]`: 0 for floor and background, else body index + 1.
    pub ids: Vec<u8>,
    /// `[T, A]`: `actions[t]` leads from frame t to t + 1; the last is zero.
    pub actions: Vec<f32>,
    /// `[T, N]`.
    pub states: Vec<BodyState>,
    /// Frames in which the hand touches a dynamic body (or, without a hand, any two bodies touch).
    pub contact_frames: u32,
    /// Breaks of physics that happened in it, with their steps: what sets an impossible episode apart from
    /// a possible one.
    pub edits: Vec<Edit>,
}

/// Records the scene's behaviour for a seed: T = `episode_steps` frames.
///
/// # Errors
/// [`SimError`] if the world cannot be built.
pub fn record(scene: &Arc<Scene>, eye: &Eye, seed: u64) -> Result<Episode, SimError> {
    let mut episode = Episode {
        seed,
        edits: scene.edits.clone(),
        ..Default::default()
    };
    run(scene, seed, |reality, state, action| {
        let view = eye.look(reality);
        episode.frames.extend_from_slice(&view.rgb);
        episode.ids.extend_from_slice(&view.ids);
        episode.actions.extend_from_slice(action);
        episode.states.extend_from_slice(&state.bodies);
        episode.contact_frames += u32::from(!state.contacts.is_empty());
    })?;
    Ok(episode)
}

/// The same episode without pictures: states `[T]` and actions `[T][A]`.
///
/// # Errors
/// [`SimError`] if the world cannot be built.
pub fn record_states(
    scene: &Arc<Scene>,
    seed: u64,
) -> Result<(Vec<State>, Vec<Vec<f32>>), SimError> {
    let (mut states, mut actions) = (Vec::new(), Vec::new());
    run(scene, seed, |_, state, action| {
        states.push(state.clone());
        actions.push(action.to_vec());
    })?;
    Ok((states, actions))
}

fn run(
    scene: &Arc<Scene>,
    seed: u64,
    mut keep: impl FnMut(&Reality, &State, &[f32]),
) -> Result<(), SimError> {
    let mut reality = Reality::new(scene, seed)?;
    let mut policy = Policy::for_seed(scene, seed);
    let dim = scene.actions.dim();
    for t in 0..scene.episode_steps {
        let state = reality.measure();
        let last = t + 1 == scene.episode_steps;
        let action = if last {
            vec![0.0; dim]
        } else {
            policy.act(scene, &state)
        };
        keep(&reality, &state, &action);
        reality.act(&action);
        if !last {
            reality.step();
        }
    }
    Ok(())
}
