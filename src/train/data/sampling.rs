//! Which frames of some episodes are looked at.

use crate::episode::Dataset;

/// Mean of the frames of the given episodes (a few thousand of them), `[H·W·3]` in [0, 1].
pub fn mean_image(data: &Dataset, episodes: &[usize]) -> Vec<f32> {
    const AT_MOST: usize = 4000;
    let frames = frames_of(data, episodes);
    let step = (frames.len() / AT_MOST).max(1);
    let mut sums = vec![0u64; data.size * data.size * 3];
    let mut count = 0u64;
    for &i in frames.iter().step_by(step) {
        sums.iter_mut()
            .zip(data.frame(i))
            .for_each(|(s, b)| *s += u64::from(*b));
        count += 1;
    }
    sums.into_iter()
        .map(|s| s as f32 / (255. * count.max(1) as f32))
        .collect()
}

/// Indices of all frames of the given episodes.
pub fn frames_of(data: &Dataset, episodes: &[usize]) -> Vec<usize> {
    episodes
        .iter()
        .flat_map(|&e| data.episodes[e].start..data.episodes[e].start + data.episodes[e].len)
        .collect()
}

/// At most about `n` of the frames, evenly spread.
pub fn spread(frames: &[usize], n: usize) -> Vec<usize> {
    let step = (frames.len() / n.max(1)).max(1);
    frames.iter().copied().step_by(step).take(n).collect()
}

/// The bytes of some frames, one after the other.
pub fn bytes_of(data: &Dataset, frames: &[usize]) -> Vec<u8> {
    let all = frames.iter().flat_map(|&i| data.frame(i));
    all.copied().collect()
}

/// First frames of all windows of `tokens` frames, `frameskip` apart, within the given episodes.
pub fn windows(data: &Dataset, episodes: &[usize], tokens: usize, frameskip: usize) -> Vec<usize> {
    let span = (tokens - 1) * frameskip;
    let starts = |&e: &usize| {
        let e = data.episodes[e];
        e.start..e.start + e.len.saturating_sub(span)
    };
    episodes.iter().flat_map(starts).collect()
}

/// Of some episodes so many, evenly spread, that about `max_frames` frames are left: where not all fit, of
/// each scene its share, not the first scene alone.
pub fn thinned(data: &Dataset, episodes: &[usize], max_frames: usize) -> Vec<usize> {
    let frames: usize = episodes.iter().map(|&e| data.episodes[e].len).sum();
    let share = (max_frames as f64 / frames.max(1) as f64).min(1.);
    let keeps = |i: usize| ((i + 1) as f64 * share).floor() > (i as f64 * share).floor();
    (0..episodes.len())
        .filter(|&i| keeps(i))
        .map(|i| episodes[i])
        .collect()
}
