//! `parallax eval attributes`.

use anyhow::Result;

use super::Measured;
use super::subject::{ClipArgs, Writes, interval};
use crate::eval::attributes::{self, Attribute};
use crate::eval::result::Evaluation;

pub fn evaluate(args: &ClipArgs, writes: &Writes) -> Result<Measured> {
    let subject = &args.subject;
    let (scene, model) = args.load()?;
    let result = attributes::run(&scene, model.as_ref(), subject.seed, args.episodes)?;
    println!(
        "{} in {}: how much is kept of what training never showed (1 as given, 0 as in training)",
        subject.model, scene.name
    );
    for (attribute, k) in &result.attributes {
        println!(
            "{:<9} {}  median {}  of {} bodies after {} steps, {:.0} % lost",
            format!("{attribute:?}").to_lowercase(),
            interval(k.kept, 1.0, 2),
            k.median.map_or("-".into(), |m| format!("{m:.2}")),
            k.clips,
            attribute.steps(),
            100.0 * k.lost
        );
    }
    let words = |order: &[Attribute]| {
        let words: Vec<String> = order
            .iter()
            .map(|a| format!("{a:?}").to_lowercase())
            .collect();
        words.join(" > ")
    };
    println!(
        "here {}; published {}",
        words(&result.order),
        words(&result.published_order)
    );
    let head = subject
        .head("attributes", &scene, args.episodes, writes)
        .of(model.as_ref());
    Measured::result(&Evaluation { head, result })
}
