//! What is done to pictures after the eye drew them. Frames are `[H, W, 3]` bytes.

/// `share` of `a` and the rest of `b`.
pub(super) fn mix(a: &[u8], b: &[u8], share: f32) -> Vec<u8> {
    let one = |(&a, &b): (&u8, &u8)| byte(share * f32::from(a) + (1.0 - share) * f32::from(b));
    a.iter().zip(b).map(one).collect()
}

/// What sets `with` apart from `without`, blurred by a Gaussian of `sigma` pixels, over `without`.
pub(super) fn blurred(size: usize, with: &[u8], without: &[u8], sigma: f32) -> Vec<u8> {
    let layer: Vec<f32> = with
        .iter()
        .zip(without)
        .map(|(&a, &b)| f32::from(a) - f32::from(b))
        .collect();
    let reach = (3.0 * sigma).ceil() as isize;
    let weights: Vec<f32> = (-reach..=reach)
        .map(|i| libm::expf(-0.5 * (i as f32 / sigma).powi(2)))
        .collect();
    let sum: f32 = weights.iter().sum();
    let along = |from: &[f32], dx: isize, dy: isize| -> Vec<f32> {
        let side = size as isize;
        let mut out = vec![0.0; from.len()];
        for y in 0..side {
            for x in 0..side {
                for (k, w) in weights.iter().enumerate() {
                    let by = k as isize - reach;
                    let (nx, ny) = (
                        (x + by * dx).clamp(0, side - 1),
                        (y + by * dy).clamp(0, side - 1),
                    );
                    let (to, at) = ((y * side + x) as usize, (ny * side + nx) as usize);
                    for c in 0..3 {
                        out[to * 3 + c] += w / sum * from[at * 3 + c];
                    }
                }
            }
        }
        out
    };
    let soft = along(&along(&layer, 1, 0), 0, 1);
    let one = |(&b, &d): (&u8, &f32)| byte(f32::from(b) + d);
    without.iter().zip(&soft).map(one).collect()
}

/// The pixels of `ids` that show `id`, longer along the picture's axis `axis` (0: x) by √`ratio` and narrower
/// along the other, about their centre, over `without`.
pub(super) fn squashed(
    size: usize,
    with: &[u8],
    without: &[u8],
    ids: &[u8],
    id: u8,
    ratio: f32,
    axis: usize,
) -> Vec<u8> {
    let own: Vec<usize> = (0..ids.len()).filter(|&i| ids[i] == id).collect();
    let count = own.len().max(1) as f32;
    let centre = [
        own.iter().map(|i| (i % size) as f32).sum::<f32>() / count,
        own.iter().map(|i| (i / size) as f32).sum::<f32>() / count,
    ];
    let stretch = [ratio.sqrt(), 1.0 / ratio.sqrt()];
    let by = [stretch[axis], stretch[1 - axis]];
    let last = size as isize - 1;
    let mut out = without.to_vec();
    for i in 0..ids.len() {
        let at = [(i % size) as f32, (i / size) as f32];
        let from: [f32; 2] = std::array::from_fn(|k| centre[k] + (at[k] - centre[k]) / by[k]);
        let (x, y) = (from[0].floor(), from[1].floor());
        let (fx, fy) = (from[0] - x, from[1] - y);
        let (mut shown, mut colour) = (0.0f32, [0.0f32; 3]);
        for (dx, dy, w) in [
            (0, 0, (1.0 - fx) * (1.0 - fy)),
            (1, 0, fx * (1.0 - fy)),
            (0, 1, (1.0 - fx) * fy),
            (1, 1, fx * fy),
        ] {
            let (nx, ny) = (x as isize + dx, y as isize + dy);
            let n = (ny.clamp(0, last) * size as isize + nx.clamp(0, last)) as usize;
            let inside = (0..=last).contains(&nx) && (0..=last).contains(&ny) && ids[n] == id;
            if inside {
                shown += w;
                (0..3).for_each(|c| colour[c] += w * f32::from(with[n * 3 + c]));
            }
        }
        for c in 0..3 {
            let behind = f32::from(without[i * 3 + c]);
            out[i * 3 + c] = byte(colour[c] + (1.0 - shown) * behind);
        }
    }
    out
}

/// A patch in another brightness: lighter where the picture is dark, darker where it is light.
pub(super) fn dissolved(size: usize, frame: &[u8], [x0, y0, x1, y1]: [u16; 4]) -> Vec<u8> {
    let mut out = frame.to_vec();
    for y in usize::from(y0)..usize::from(y1) {
        for x in usize::from(x0)..usize::from(x1) {
            for c in 0..3 {
                let p = &mut out[(y * size + x) * 3 + c];
                let to = if *p > 110 { 40.0 } else { 215.0 };
                *p = byte(0.4 * f32::from(*p) + 0.6 * to);
            }
        }
    }
    out
}

/// The box around the pixels in which two frames differ visibly.
pub(super) fn difference(size: usize, a: &[u8], b: &[u8]) -> Option<[u16; 4]> {
    let mut found: Option<[u16; 4]> = None;
    for i in 0..size * size {
        if (0..3).all(|c| a[i * 3 + c].abs_diff(b[i * 3 + c]) <= 8) {
            continue;
        }
        let (x, y) = ((i % size) as u16, (i / size) as u16);
        let [x0, y0, x1, y1] = found.unwrap_or([x, y, x + 1, y + 1]);
        found = Some([x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)]);
    }
    found
}

fn byte(v: f32) -> u8 {
    (v + 0.5).clamp(0.0, 255.0) as u8
}
