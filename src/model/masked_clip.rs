//! What a masked pretraining sees, hides and misses, as pictures.

/// Error that is drawn in full colour, in deviations of a layer-normalised embedding: what guessing the
/// mean would miss by.
const FULL: f32 = 0.8;

/// A clip of which a model saw some tubelets and predicted the embeddings of the others: what a masked
/// pretraining does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MaskedClip {
    /// Side of a frame in pixels.
    pub size: usize,
    /// The clip, T frames of `[H, W, 3]` bytes.
    pub frames: Vec<Vec<u8>>,
    /// Tubelets on a side of a frame, G; each is two frames deep.
    pub grid: usize,
    /// `[T/2, G, G]`: whether the context encoder saw the tubelet.
    pub visible: Vec<bool>,
    /// `[T/2, G, G]`: mean absolute error of the predicted embedding; NaN where there was nothing to predict.
    pub error: Vec<f32>,
}

impl MaskedClip {
    /// Index into [`visible`](Self::visible) and [`error`](Self::error) of pixel `pixel` (row by row) of
    /// frame `t`.
    pub fn tubelet(&self, t: usize, pixel: usize) -> usize {
        let side = (self.size / self.grid.max(1)).max(1);
        let (y, x) = (pixel / self.size / side, pixel % self.size / side);
        (t / 2 * self.grid + y) * self.grid + x
    }

    /// Frame `t`, `[H, W, 3]`, with what the context encoder does not see in grey.
    pub fn seen(&self, t: usize) -> Vec<u8> {
        let pixels = self.frames[t].chunks_exact(3).enumerate();
        pixels
            .flat_map(|(i, p)| match self.visible[self.tubelet(t, i)] {
                true => [p[0], p[1], p[2]],
                false => [70; 3],
            })
            .collect()
    }

    /// Frame `t`, `[H, W, 3]`, dimmed, under the error of every hidden tubelet: from black by red and
    /// yellow to white.
    pub fn heat(&self, t: usize) -> Vec<u8> {
        let pixels = self.frames[t].chunks_exact(3).enumerate();
        pixels
            .flat_map(|(i, p)| {
                let error = self.error[self.tubelet(t, i)];
                if error.is_nan() {
                    return [p[0] / 3, p[1] / 3, p[2] / 3];
                }
                let level = (error / FULL).clamp(0., 1.) * 3.;
                [0., 1., 2.].map(|from| (255. * (level - from).clamp(0., 1.)) as u8)
            })
            .collect()
    }

    /// Tubelets that were hidden and predicted, and the mean error of their embeddings (NaN where there are
    /// none).
    pub fn hidden(&self) -> (usize, f32) {
        let known = self.error.iter().copied().filter(|e| !e.is_nan());
        let (count, sum) = known.fold((0, 0.), |(n, s), e| (n + 1, s + e));
        (count, sum / count as f32)
    }
}
