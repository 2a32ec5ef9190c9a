//! Pictures: one frame, and batches of frames.

/// A picture: rows of pixels, three bytes (red, green, blue) a pixel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// Side in pixels.
    pub size: usize,
    /// `[H, W, 3]` bytes.
    pub data: Vec<u8>,
}

impl Frame {
    /// A frame of side `size`.
    pub fn new(size: usize, data: Vec<u8>) -> Self {
        Self { size, data }
    }
}

/// Frames of several imagined futures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// Candidates, N.
    pub n: usize,
    /// Imagined steps, T (the first is one step after the branch).
    pub steps: usize,
    /// Side in pixels.
    pub size: usize,
    /// `[N, T, H, W, 3]` bytes.
    pub data: Vec<u8>,
}

impl Frames {
    /// Frame `t` of candidate `n`, `[H, W, 3]`.
    pub fn at(&self, n: usize, t: usize) -> &[u8] {
        let len = self.size * self.size * 3;
        let start = (n * self.steps + t) * len;
        &self.data[start..start + len]
    }

    /// One sequence of frames of side `size`, `[T, H, W, 3]` bytes.
    pub fn sequence(size: usize, data: Vec<u8>) -> Self {
        Self {
            n: 1,
            steps: data.len() / (size * size * 3).max(1),
            size,
            data,
        }
    }
}
