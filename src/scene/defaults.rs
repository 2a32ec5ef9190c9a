//! What a scene file that does not say otherwise means.

pub(super) fn default_sun() -> [f32; 3] {
    [-0.45, -1.0, -0.3]
}
pub(super) fn default_gravity() -> f32 {
    -9.81
}
pub(super) fn default_friction() -> f32 {
    0.5
}
pub(super) fn default_mass() -> f32 {
    1.0
}
pub(super) fn default_steps() -> u32 {
    60
}
pub(super) fn default_size() -> usize {
    64
}
pub(super) fn default_samples() -> usize {
    2
}
pub(super) fn is_default_size(v: &usize) -> bool {
    *v == default_size()
}
pub(super) fn is_default_samples(v: &usize) -> bool {
    *v == default_samples()
}
pub(super) fn default_scale() -> f32 {
    1.0
}
pub(super) fn unit_size() -> f32 {
    1.0
}
pub(super) fn default_damping_ratio() -> f32 {
    0.3
}
pub(super) fn default_cells() -> u32 {
    3
}
pub(super) fn is_zero(v: &f32) -> bool {
    *v == 0.0
}
pub(super) fn is_one(v: &f32) -> bool {
    *v == 1.0
}
