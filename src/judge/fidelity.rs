//! Accuracy against reality: foreground PSNR and object position error, with copy-last beside them.

use super::Tracker;

/// PSNR (dB) over the pixels where `mask` is true; `None` if there are none. Frames are `[H, W, 3]` bytes,
/// peak 255. Capped at 60 dB, where two 8-bit frames are equal for any purpose.
pub fn psnr_db(a: &[u8], b: &[u8], mask: Option<&[bool]>) -> Option<f64> {
    let (mut sum, mut count) = (0.0f64, 0usize);
    for (i, (p, q)) in a.chunks_exact(3).zip(b.chunks_exact(3)).enumerate() {
        if mask.is_none_or(|m| m.get(i).copied().unwrap_or(false)) {
            for c in 0..3 {
                let d = f64::from(p[c]) - f64::from(q[c]);
                sum += d * d;
            }
            count += 3;
        }
    }
    let mse = sum / count.max(1) as f64;
    (count > 0).then(|| (10.0 * (255.0 * 255.0 / mse.max(1e-12)).log10()).min(60.0))
}

/// Foreground: pixels of moving bodies in the true frame or in the last real one (so that both a body's
/// place and the place that it left count). `moving[id]` tells whether the instance id moves.
pub fn foreground_mask(truth_ids: &[u8], last_real_ids: &[u8], moving: &[bool]) -> Vec<bool> {
    let moves = |id: &u8| moving.get(usize::from(*id)).copied().unwrap_or(false);
    truth_ids
        .iter()
        .zip(last_real_ids)
        .map(|(a, b)| moves(a) || moves(b))
        .collect()
}

/// Foreground PSNR in dB, see [`foreground_mask`].
pub fn foreground_psnr_db(
    imagined: &[u8],
    truth: &[u8],
    truth_ids: &[u8],
    last_real_ids: &[u8],
    moving: &[bool],
) -> Option<f64> {
    psnr_db(
        imagined,
        truth,
        Some(&foreground_mask(truth_ids, last_real_ids, moving)),
    )
}

/// Position error in pixels of each tracked body that the truth shows (area over 4 px), `None` where the
/// imagined frame has lost it.
pub fn object_error(
    tracker: &Tracker,
    size: usize,
    imagined: &[u8],
    truth: &[u8],
) -> Vec<Option<f64>> {
    let (found, real) = (tracker.blobs(size, imagined), tracker.blobs(size, truth));
    found
        .iter()
        .zip(&real)
        .filter(|(_, r)| r.area > 4.0)
        .map(|(f, r)| {
            let d = [f.centroid[0] - r.centroid[0], f.centroid[1] - r.centroid[1]];
            (f.area > 0.25 * r.area).then(|| f64::from((d[0] * d[0] + d[1] * d[1]).sqrt()))
        })
        .collect()
}
