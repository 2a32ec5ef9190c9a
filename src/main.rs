//! The `parallax` binary: parse, dispatch, report the error.
use parallax::planner::*;
use std::sync::Arc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let scene = Arc::new(parallax::scene::load(&a[1]).unwrap());
    let eye = parallax::camera::Eye::standard(&scene).unwrap();
    let n: u64 = a[2].parse().unwrap();
    let mut r = Random::new(0);
    let res = parallax::eval::control::run(&scene, &eye, &mut r, 900_000, n, |_| {}).unwrap();
    println!("random {:?} {}", res.success, res.excluded_solved_at_start);
    let mut o = OracleMpc::new(
        Arc::new(parallax::model::oracle::Oracle::new(&scene)),
        Budget {
            candidates: a[3].parse().unwrap(),
            iterations: a[4].parse().unwrap(),
            ..Budget::ORACLE
        },
        a[5].parse().unwrap(),
    );
    let t = std::time::Instant::now();
    let res = parallax::eval::control::run(&scene, &eye, &mut o, 900_000, n, |e| {
        eprint!("{}", if e.success { "+" } else { "-" })
    })
    .unwrap();
    println!(
        "oracle {:?} {} {:?} {:.1}s",
        res.success,
        res.excluded_solved_at_start,
        res.decision_ms,
        t.elapsed().as_secs_f64()
    );
}
