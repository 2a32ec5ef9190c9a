//! What can be measured of reality; models never see it.

use serde::{Deserialize, Serialize};

/// One body's state in the world frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BodyState {
    /// Centre, metres.
    pub position: [f32; 3],
    /// Unit quaternion, x y z w.
    pub rotation: [f32; 4],
    /// Linear velocity, m/s.
    pub velocity: [f32; 3],
    /// Angular velocity, rad/s.
    pub spin: [f32; 3],
}

impl BodyState {
    /// The 13 numbers of the episode format: position, quaternion, velocities.
    pub fn to_array(self) -> [f32; 13] {
        let mut out = [0.0; 13];
        out[..3].copy_from_slice(&self.position);
        out[3..7].copy_from_slice(&self.rotation);
        out[7..10].copy_from_slice(&self.velocity);
        out[10..].copy_from_slice(&self.spin);
        out
    }

    /// Rotation about the vertical, radians.
    pub fn yaw(&self) -> f32 {
        let [x, y, z, w] = self.rotation;
        libm::atan2f(2.0 * (w * y + x * z), 1.0 - 2.0 * (y * y + z * z))
    }

    /// Distance of centres in the floor plane, metres.
    pub fn planar_distance(&self, place: [f32; 2]) -> f32 {
        let (dx, dz) = (self.position[0] - place[0], self.position[2] - place[1]);
        (dx * dx + dz * dz).sqrt()
    }
}

/// The state of all bodies, in the scene's order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Control steps since the start.
    pub step: u64,
    /// One entry a body of the scene.
    pub bodies: Vec<BodyState>,
    /// Pairs of body indices (lower first) that touch; the floor does not count.
    pub contacts: Vec<(usize, usize)>,
    /// Pairs of a sensor's index and the index of a body in it.
    #[serde(default)]
    pub inside: Vec<(usize, usize)>,
    /// Bodies that have left the world: over 10 m away, or fallen through the floor.
    #[serde(default)]
    pub left: Vec<usize>,
    /// The body that the hand's suction holds.
    #[serde(default)]
    pub held: Option<usize>,
}
