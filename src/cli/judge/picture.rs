//! A film with what it breaks drawn in, as a GIF.

use std::path::Path;

use anyhow::Result;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, Rgba, RgbaImage};

use super::film::Film;
use crate::cli::output;
use crate::cli::record::{outline, upscale};
use crate::judge::Verdict;
use crate::scene::Scene;

/// Pixels of the picture to a pixel of the film.
const SCALE: u32 = 4;
/// Height of the bar on top that says what is real, and of the rows below that say when a law is broken.
const BAR: u32 = 6;
const ROW: u32 = 4;
const REAL: Rgba<u8> = Rgba([0, 158, 115, 255]);
const IMAGINED: Rgba<u8> = Rgba([230, 159, 0, 255]);
const BROKEN: Rgba<u8> = Rgba([213, 94, 0, 255]);
const GROUND: Rgba<u8> = Rgba([24, 24, 27, 255]);
const FAINT: Rgba<u8> = Rgba([82, 82, 91, 255]);

/// Draws the film: boxes where a law is broken; below it a row for each broken law with the frames in which it
/// is, and the moment that is shown.
pub(super) fn draw(
    path: &Path,
    scene: &Scene,
    film: &Film,
    reference: usize,
    verdict: &Verdict,
) -> Result<()> {
    let broken = verdict.broken();
    let (side, count) = (film.size as u32 * SCALE, film.frames.len());
    let height = BAR + side + ROW * (broken.len() as u32 + 1);
    let x = |t: usize| (t as u32 * side) / count.max(1) as u32;
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
    encoder.set_repeat(Repeat::Infinite)?;
    for (t, frame) in film.frames.iter().enumerate() {
        let mut picture = upscale(frame, SCALE);
        let shown = t.checked_sub(reference);
        let now = |v: &&crate::judge::Violation| {
            shown.is_some_and(|t| (v.first_frame..=v.last_frame).contains(&t))
        };
        for v in verdict.violations.iter().filter(now) {
            let at = t - reference - v.first_frame;
            if let Some(b) = v.boxes.get(at).filter(|b| b[2] > b[0] && b[3] > b[1]) {
                outline(&mut picture, b.map(|c| u32::from(c) * SCALE), BROKEN);
            }
        }
        let mut out = RgbaImage::from_pixel(side, height, GROUND);
        let bar = if shown.is_some() { IMAGINED } else { REAL };
        fill(&mut out, [0, 0, side, BAR - 2], bar);
        image::imageops::replace(&mut out, &picture, 0, i64::from(BAR));
        let below = BAR + side;
        for (row, law) in broken.iter().enumerate() {
            let top = below + ROW * row as u32 + 1;
            fill(&mut out, [0, top + 1, side, top + 2], FAINT);
            for v in verdict.violations.iter().filter(|v| v.law == *law) {
                let ends = [
                    x(reference + v.first_frame),
                    x(reference + v.last_frame + 1),
                ];
                fill(
                    &mut out,
                    [ends[0], top, ends[1].max(ends[0] + 1), top + ROW - 1],
                    BROKEN,
                );
            }
        }
        let foot = below + ROW * broken.len() as u32;
        fill(
            &mut out,
            [0, foot + 1, x(t + 1).max(1), foot + ROW - 1],
            bar,
        );
        let last = if t + 1 == count { 900 } else { 120 };
        let delay = Delay::from_numer_denom_ms(last, 1);
        encoder.encode_frame(Frame::from_parts(out, 0, 0, delay))?;
    }
    drop(encoder);
    output::write(path, &bytes)?;
    let laws: Vec<&str> = broken.iter().map(|l| l.id()).collect();
    if !laws.is_empty() {
        println!(
            "{}: rows below the film, from above: {}",
            scene.name,
            laws.join(", ")
        );
    }
    Ok(())
}

fn fill(picture: &mut RgbaImage, [x0, y0, x1, y1]: [u32; 4], colour: Rgba<u8>) {
    let (w, h) = picture.dimensions();
    for y in y0..y1.min(h) {
        for x in x0..x1.min(w) {
            picture.put_pixel(x, y, colour);
        }
    }
}
