//! `parallax eval probe`.

use anyhow::Result;
use serde::Serialize;

use super::Measured;
use super::subject::{SubjectArgs, Writes, episodes};
use crate::eval::probe::{self, ProbeResult};
use crate::eval::result::Evaluation;
use crate::model::Sampling;

/// What a representation holds: place, orientation, velocity, contact.
#[derive(clap::Args, Debug)]
pub struct ProbeArgs {
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Held-out episodes that test the probes
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = episodes())]
    episodes: u64,
}

/// What a representation holds, and what it costs to have it.
#[derive(Serialize)]
struct Found {
    parameters: u64,
    encode_flops: f64,
    #[serde(flatten)]
    probe: ProbeResult,
}

pub fn evaluate(args: &ProbeArgs, writes: &Writes) -> Result<Measured> {
    let subject = &args.subject;
    let scene = subject.scene()?;
    let model = subject.model()?;
    let probe = probe::run(&scene, model.as_ref(), subject.seed, args.episodes)?;
    println!(
        "{} in {}: r of linear and MLP probes on {} held-out rows, and on an 8x8 picture",
        subject.model, scene.name, probe.rows_test
    );
    for (quantity, own) in &probe.model.r {
        let floor = probe.pixels.r.get(quantity).copied().unwrap_or_default();
        println!(
            "{quantity:<18} {:6.3} {:6.3}    {:6.3} {:6.3}",
            own.linear, own.mlp, floor.linear, floor.mlp
        );
    }
    for (group, lowest) in &probe.lowest_r {
        println!(
            "lowest {group:<11} {:6.3} {:6.3}",
            lowest.linear, lowest.mlp
        );
    }
    let cost = model.cost(Sampling::default());
    let head = subject
        .head("probe", &scene, args.episodes, writes)
        .of(model.as_ref());
    let (parameters, encode_flops) = (cost.parameters, cost.encode_flops);
    let result = Found {
        parameters,
        encode_flops,
        probe,
    };
    Measured::result(&Evaluation { head, result })
}
