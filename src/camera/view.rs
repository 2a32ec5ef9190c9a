//! One look: what the eye returns.

/// One frame with its ground-truth depth and ids; models get `rgb` only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Side in pixels (frames are square).
    pub size: usize,
    /// `[H, W, 3]`, sRGB bytes.
    pub rgb: Vec<u8>,
    /// `[H, W]`, metres along the ray; infinite where nothing was hit.
    pub depth: Vec<f32>,
    /// `[H, W]`: 0 for floor and background, else body index + 1.
    pub ids: Vec<u8>,
    /// `[H, W]`: whether the pixel shows a body that can move (the union of their masks).
    pub moving: Vec<bool>,
}
