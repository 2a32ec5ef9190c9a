//! Contact sheets: some episodes at a glance, one a row.

use std::path::Path;

use image::{Rgb, RgbImage};

use super::EpisodeError;
use crate::system::files;

/// Pixels between rows.
const GAP: usize = 4;
/// Pictures in a row.
const COLUMNS: usize = 10;

/// Pictures of several episodes in the making: rows of frames of one size.
pub struct Sheet {
    rows: Vec<(usize, Vec<Vec<u8>>)>,
}

impl Default for Sheet {
    fn default() -> Self {
        Self::new()
    }
}

impl Sheet {
    /// No rows yet.
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row with frames spread over an episode: `frames` is `[T, size, size, 3]` bytes.
    pub fn add(&mut self, size: usize, frames: &[u8]) {
        let all: Vec<&[u8]> = frames.chunks_exact((size * size * 3).max(1)).collect();
        let shown = COLUMNS.min(all.len());
        let at = |i: usize| i * (all.len() - 1) / (shown - 1).max(1);
        let row = (0..shown).map(|i| all[at(i)].to_vec()).collect();
        self.rows.push((size, row));
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the sheet as a PNG.
    ///
    /// # Errors
    /// [`EpisodeError::Io`] naming the file.
    pub fn save(&self, path: &Path) -> Result<(), EpisodeError> {
        let width = self.rows.iter().map(|(size, row)| size * row.len()).max();
        let height: usize = self.rows.iter().map(|(size, _)| size + GAP).sum();
        let mut sheet = RgbImage::from_pixel(
            width.unwrap_or(1).max(1) as u32,
            height.max(1) as u32,
            Rgb([255; 3]),
        );
        let mut top = 0;
        for (size, row) in &self.rows {
            for (column, frame) in row.iter().enumerate() {
                for (pixel, rgb) in frame.chunks_exact(3).enumerate() {
                    let (x, y) = (column * size + pixel % size, top + pixel / size);
                    sheet.put_pixel(x as u32, y as u32, Rgb([rgb[0], rgb[1], rgb[2]]));
                }
            }
            top += size + GAP;
        }
        let mut bytes = std::io::Cursor::new(Vec::new());
        sheet
            .write_to(&mut bytes, image::ImageFormat::Png)
            .map_err(std::io::Error::other)
            .and_then(|()| files::replace(path, bytes.get_ref()))
            .map_err(|source| EpisodeError::Io {
                path: path.into(),
                source,
            })
    }
}
