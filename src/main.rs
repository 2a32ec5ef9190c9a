//! The `parallax` binary: parse, dispatch, report the error.
use std::sync::Arc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut t = parallax::judge::Thresholds { seed: 500000, clips: a[1].parse().unwrap(), ..Default::default() };
    for s in ["push","reach","fall","collide"] {
        let scene = Arc::new(parallax::scene::load(s).unwrap());
        if a[2] == "cal" { t.scenes.insert(s.into(), parallax::eval::judge::calibrate(&scene, t.clips).unwrap()); }
        else { let r = parallax::eval::judge::evaluate(&scene, 900_000, t.clips).unwrap(); println!("{s} {:?}\n {:?}", r.false_positive_clips, r.false_positive_object_frames); for (k,v) in r.detection_rate { println!("   {k} {v:?}"); } }
    }
    if a[2] == "cal" { std::fs::write("assets/judge.ron", ron::ser::to_string_pretty(&t, Default::default()).unwrap()).unwrap(); }
}
