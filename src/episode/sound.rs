//! Whether the numbers of an episode can be what was recorded.

use super::Episode;
use crate::scene::Scene;
use crate::sim::BodyState;

/// Farther from the origin than any body gets in an episode that is recorded, metres.
const FARTHEST: f32 = 1e6;
/// Faster than any body gets, m/s and rad/s.
const FASTEST: f32 = 1e5;
/// How far the length of a rotation's quaternion may be from 1.
const SLACK: f32 = 0.05;

/// The first number of an episode that makes no sense: episode, step, field, what was found and what was
/// expected.
pub(super) fn fault_in(episode: &Episode, scene: &Scene) -> Option<String> {
    let at = |step: usize, field: String, found: String, expected: String| {
        Some(format!(
            "episode of seed {}, step {step}, {field}: found {found}, expected {expected}",
            episode.seed
        ))
    };
    let dim = scene.actions.dim().max(1);
    if let Some(i) = episode
        .actions
        .iter()
        .position(|a| !(-1.0..=1.0).contains(a))
    {
        let (found, field) = (episode.actions[i], format!("action[{}]", i % dim));
        return at(i / dim, field, found.to_string(), "-1 to 1".into());
    }
    let bodies = scene.bodies.len().max(1);
    for (i, state) in episode.states.iter().enumerate() {
        if let Some((field, found, expected)) = fault_of(state) {
            let name = scene.bodies.get(i % bodies).map_or("", |b| b.name.as_str());
            return at(i / bodies, format!("{name}.{field}"), found, expected);
        }
    }
    let pixels = episode.ids.len() / (episode.states.len() / bodies).max(1);
    let highest = scene.bodies.len();
    if let Some(i) = episode.ids.iter().position(|id| usize::from(*id) > highest) {
        let (step, found) = (i / pixels.max(1), episode.ids[i].to_string());
        return at(
            step,
            format!("ids[{}]", i % pixels.max(1)),
            found,
            format!("0 to {highest}"),
        );
    }
    None
}

/// Field, found, expected.
fn fault_of(state: &BodyState) -> Option<(&'static str, String, String)> {
    let fields = [
        ("position", state.position, FARTHEST),
        ("velocity", state.velocity, FASTEST),
        ("spin", state.spin, FASTEST),
    ];
    for (field, values, limit) in fields {
        if let Some(found) = values.iter().find(|v| !(-limit..=limit).contains(*v)) {
            return Some((field, found.to_string(), format!("-{limit} to {limit}")));
        }
    }
    let length = state.rotation.iter().map(|q| q * q).sum::<f32>().sqrt();
    let is_rotation = (length - 1.0).abs() <= SLACK;
    (!is_rotation).then(|| {
        let found = format!("{:?} of length {length}", state.rotation);
        ("rotation", found, "a quaternion of length 1".into())
    })
}
