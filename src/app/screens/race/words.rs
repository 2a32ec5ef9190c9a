//! The words of the race: what a lane does, and why it lost.

use super::{Lamp, Lane};
use crate::eval::why::{Cause, Failure};
use crate::worker::{Doing, Explained, Finish, Looked};

/// A lamp in words.
pub fn lamp(lamp: &Lamp) -> &'static str {
    match lamp {
        Lamp::Ready => "Ready",
        Lamp::Running => "Running",
        Lamp::Reached => "Reached",
        Lamp::BeganSolved => "Began at the goal",
        Lamp::TimedOut => "Timed out",
        Lamp::Failed(_) => "Failed",
        Lamp::Stopped => "Stopped",
    }
}

/// What a lane does while its lamp says that it runs.
pub fn doing(lane: &Lane, is_counted: bool) -> String {
    let is_behind = lane.shown() + 1 < lane.film.len();
    match &lane.doing {
        _ if is_behind => match lane.step() {
            Some(step) if step.is_late => "thinks; the world goes on".into(),
            _ => "acts".into(),
        },
        Some(Doing::Preparing) => "is made ready".into(),
        Some(Doing::Waiting) => "waits for its turn to think".into(),
        Some(Doing::Thinking(since)) => match since.elapsed().as_secs_f32() {
            s if s < 0.3 => "thinks".into(),
            s => format!("thinks, {s:.1} s"),
        },
        Some(_) if is_counted && lane.step().is_some_and(|s| s.is_late) => {
            "thinks; the world goes on".into()
        }
        _ => "acts".into(),
    }
}

/// Seconds or milliseconds of a decision.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms >= 1000.0 => format!("{:.1} s", ms / 1000.0),
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms if ms >= 0.1 => format!("{ms:.1} ms"),
        _ => "under 0.1 ms".into(),
    }
}

/// Floating-point operations, in the units that people use.
pub fn flops(flops: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let found = units.iter().find(|(size, _)| flops >= *size);
    match found {
        Some((size, unit)) if flops / size >= 100.0 => format!("{:.0} {unit}", flops / size),
        Some((size, unit)) => format!("{:.1} {unit}", flops / size),
        None => format!("{flops:.0}"),
    }
}

/// How far the search for a cause is.
pub fn looked(looked: Looked) -> String {
    match looked {
        Looked::NotYet => "It begins in a moment…".into(),
        Looked::Acts(step, most) => format!("It acts again: step {step} of {most}"),
        Looked::Examines(which, of) => {
            format!("Its ideas are tried out in forks of reality: decision {which} of {of}")
        }
        Looked::Searches(step, most) => {
            format!("A search that knows the true cost tries it: step {step} of {most}")
        }
    }
}

/// Why a lane lost, in a sentence, and the figures behind it.
pub fn why(found: &Explained, lost: &Finish) -> (String, String) {
    let late = lost.late_steps;
    match found.why.per_failure.first() {
        Some(failure) => (cause(failure), figures(failure)),
        None if found.again.success && late > 0 => {
            let steps = found.again.steps;
            let all = lost.result.steps;
            (
                format!(
                    "Too slow: with a world that waits for it, it reaches this goal in {steps} steps. Here {late} \
                     of {all} steps passed while it was thinking."
                ),
                "It was run again on the same seed without counting the time that it thinks."
                    .into(),
            )
        }
        None => (
            "It reached the goal when it was run again: its loss was chance.".into(),
            "Its decisions depend on the clock.".into(),
        ),
    }
}

fn cause(failure: &Failure) -> String {
    let Failure {
        covered, decisions, ..
    } = *failure;
    match failure.cause {
        Cause::Reach => {
            "Reach: plans of this length do not get there. Even a search that knows the true cost \
                         fails, and none of the candidates meets the goal."
                .into()
        }
        Cause::Coverage => {
            let without = decisions - covered.min(decisions);
            format!(
                "Coverage: in {without} of {decisions} decisions, no candidate met the goal or came notably \
                 nearer than the plan. The search never offered a good one."
            )
        }
        Cause::Exploitation => {
            "Exploitation: it ranks candidates well at first, then searches on to ones that look \
                                better to the model and are worse in truth."
                .into()
        }
        Cause::Ranking => format!(
            "Ranking: a better candidate was there in {covered} of {decisions} decisions, and the model preferred \
             another."
        ),
    }
}

fn figures(failure: &Failure) -> String {
    let mut all = vec![format!(
        "It ended {:.1} cm from the goal.",
        failure.final_distance_m * 100.0
    )];
    if let Some(regret) = failure.regret_m {
        let cm = regret * 100.0;
        all.push(format!(
            "The model's favourite costs {cm:.1} cm more than the best candidate."
        ));
    }
    if let Some(rank) = failure.spearman {
        all.push(format!("Predicted and true cost correlate by {rank:.2}."));
    }
    all.push(match failure.perfect_ranking {
        true => "A search with the true cost reaches the goal.".into(),
        false => "A search with the true cost does not reach it either.".into(),
    });
    if failure.dreamed == Some(true) {
        all.push("It imagined a success that was none.".into());
    }
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::control::EpisodeResult;
    use crate::eval::why::WhyResult;

    fn result(success: bool, steps: u32) -> EpisodeResult {
        EpisodeResult {
            seed: 1,
            success,
            steps,
            final_distance_m: 0.2,
            solved_at_start: false,
            decision_ms: vec![],
            model_steps: vec![],
        }
    }

    #[test]
    fn who_loses_only_where_thinking_counts_is_too_slow() {
        let found = Explained {
            again: result(true, 14),
            why: WhyResult::default(),
        };
        let lost = Finish {
            result: result(false, 60),
            late_steps: 48,
        };
        let (sentence, _) = why(&found, &lost);
        assert!(
            sentence.contains("Too slow") && sentence.contains("48 of 60"),
            "{sentence}"
        );
        let in_time = Finish {
            late_steps: 0,
            ..lost
        };
        assert!(!why(&found, &in_time).0.contains("Too slow"));
    }

    #[test]
    fn every_cause_has_a_sentence_of_its_own_that_names_it() {
        for of in Cause::ALL {
            let failure = Failure {
                seed: 1,
                cause: of,
                final_distance_m: 0.2,
                perfect_ranking: true,
                decisions: 5,
                covered: 1,
                regret_m: Some(0.03),
                spearman: None,
                dreamed: None,
            };
            assert!(cause(&failure).to_lowercase().starts_with(of.id()));
        }
    }

    #[test]
    fn operations_are_told_in_units() {
        assert_eq!(flops(8_954_987_520.0), "9.0 G");
        assert_eq!(flops(120_000_000.0), "120 M");
        assert_eq!(milliseconds(1310.0), "1.3 s");
    }
}
