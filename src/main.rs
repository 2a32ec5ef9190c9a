//! The `parallax` binary: parse, dispatch, report the error.
use std::sync::Arc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let scene = Arc::new(parallax::scene::load(&a[1]).unwrap());
    let n: u64 = a[2].parse().unwrap();
    let o = parallax::episode::CollectOptions {
        out: a[3].clone().into(),
        episodes: n,
        seed: 0,
        progress: false,
    };
    println!("{:?}", parallax::episode::collect(&scene, &o));
    let ds = parallax::episode::Dataset::load(&[a[3].clone().into()], 2, Some(8)).unwrap();
    let mut img = image::RgbImage::new(64 * 12, 64 * 8);
    for e in 0..8 {
        for t in 0..12 {
            let f = ds.frame(ds.episodes[e].start + t * 3);
            for y in 0..64 {
                for x in 0..64 {
                    let i = (y * 64 + x) * 3;
                    img.put_pixel(
                        (t * 64 + x) as u32,
                        (e * 64 + y) as u32,
                        image::Rgb([f[i], f[i + 1], f[i + 2]]),
                    );
                }
            }
        }
    }
    img.save(format!("/tmp/{}.png", a[1])).unwrap();
}
