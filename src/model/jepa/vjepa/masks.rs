//! Which tubelets are hidden: blocks of space, as deep as the clip (V-JEPA, arXiv 2404.08471, §3.2; the
//! same in V-JEPA 2).

use crate::model::nn::Rng;
use serde::{Deserialize, Serialize};

/// Blocks to hide.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// How many; they may overlap.
    pub count: usize,
    /// Share of the frame that each covers.
    pub share: f64,
}

/// The paper's short range: 8 blocks of 15 %.
pub const SHORT: Blocks = Blocks {
    count: 8,
    share: 0.15,
};
/// The paper's long range: 2 blocks of 70 %.
pub const LONG: Blocks = Blocks {
    count: 2,
    share: 0.7,
};

/// Widest and tallest block: ratio of height to width between 3/4 and 3/2, as in the paper.
const ASPECT: (f32, f32) = (0.75, 1.5);
/// Draws of blocks before too large or too small a mask is mended cell by cell.
const TRIES: usize = 50;

/// Cells of one clip's frame: those that the context encoder sees and those to be predicted, in ascending
/// order. Cells may be in neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Seen.
    pub visible: Vec<u32>,
    /// To be predicted.
    pub hidden: Vec<u32>,
}

impl Mask {
    /// Blocks drawn on a `grid × grid` frame; everything outside them is visible, and at least one cell is
    /// on either side.
    pub fn draw(blocks: Blocks, grid: usize, rng: &mut Rng) -> Self {
        let mut mask = Self::default();
        for _ in 0..TRIES {
            let mut covered = vec![false; grid * grid];
            (0..blocks.count).for_each(|_| cover(&mut covered, blocks.share, grid, rng));
            let of = |hidden: bool| {
                (0..covered.len())
                    .filter(|&cell| covered[cell] == hidden)
                    .map(|cell| cell as u32)
                    .collect()
            };
            mask = Self {
                visible: of(false),
                hidden: of(true),
            };
            if !mask.visible.is_empty() && !mask.hidden.is_empty() {
                return mask;
            }
        }
        mask.mended(1, 1, rng)
    }

    /// As [`Mask::draw`], with exactly so many cells on either side, so that clips make a batch: blocks are
    /// drawn until there are enough, and of more some are left out by chance.
    pub fn draw_sized(
        blocks: Blocks,
        grid: usize,
        (visible, hidden): (usize, usize),
        rng: &mut Rng,
    ) -> Self {
        let mut mask = Self::draw(blocks, grid, rng);
        for _ in 0..TRIES {
            if mask.visible.len() >= visible && mask.hidden.len() >= hidden {
                break;
            }
            mask = Self::draw(blocks, grid, rng);
        }
        let mut mask = mask.mended(visible, hidden, rng);
        keep(&mut mask.visible, visible, rng);
        keep(&mut mask.hidden, hidden, rng);
        mask
    }

    /// Moves cells across, by chance, until both sides have enough (or the other has none to spare).
    fn mended(mut self, visible: usize, hidden: usize, rng: &mut Rng) -> Self {
        while self.visible.len() < visible && self.hidden.len() > hidden {
            let cell = self.hidden.swap_remove(rng.below(self.hidden.len()));
            self.visible.push(cell);
        }
        while self.hidden.len() < hidden && self.visible.len() > visible {
            let cell = self.visible.swap_remove(rng.below(self.visible.len()));
            self.hidden.push(cell);
        }
        self.visible.sort_unstable();
        self.hidden.sort_unstable();
        self
    }
}

fn keep(cells: &mut Vec<u32>, count: usize, rng: &mut Rng) {
    while cells.len() > count {
        cells.swap_remove(rng.below(cells.len()));
    }
    cells.sort_unstable();
}

/// Covers one block of `share` of the frame somewhere inside it.
fn cover(covered: &mut [bool], share: f64, grid: usize, rng: &mut Rng) {
    let area = share as f32 * (grid * grid) as f32;
    let aspect = ASPECT.0 * libm::powf(ASPECT.1 / ASPECT.0, rng.f32());
    let side = |x: f32| (libm::sqrtf(x).round() as usize).clamp(1, grid);
    let (high, wide) = (side(area * aspect), side(area / aspect));
    let (top, left) = (rng.below(grid - high + 1), rng.below(grid - wide + 1));
    for row in top..top + high {
        covered[row * grid + left..row * grid + left + wide].fill(true);
    }
}
