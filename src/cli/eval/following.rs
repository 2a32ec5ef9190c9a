//! `parallax eval following`.

use anyhow::Result;

use super::Measured;
use super::subject::{ClipArgs, Writes, interval};
use crate::eval::following;
use crate::eval::result::Evaluation;

pub fn evaluate(args: &ClipArgs, writes: &Writes) -> Result<Measured> {
    let subject = &args.subject;
    let (scene, model) = args.load()?;
    let result = following::run(&scene, model.as_ref(), subject.seed, args.episodes)?;
    println!(
        "{} in {}: {} clips of {} steps",
        subject.model, scene.name, args.episodes, result.steps
    );
    println!(
        "loss under another clip's actions over loss under its own: {}",
        interval(result.shuffled_ratio, 1.0, 2)
    );
    for (who, h) in [("imagined", &result.hand), ("real", &result.reality)] {
        println!(
            "{who} hand: r of motion with action {} across, {} down; lost in {:.1} % of steps",
            h.r.map_or("-".into(), |r| format!("{:.3}", r[0])),
            h.r.map_or("-".into(), |r| format!("{:.3}", r[1])),
            100.0 * h.lost
        );
    }
    let head = subject
        .head("following", &scene, args.episodes, writes)
        .of(model.as_ref());
    Measured::result(&Evaluation { head, result })
}
