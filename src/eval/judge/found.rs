//! What a validation of the judge finds, and what scenes come to together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::Strength;
use crate::scene::Law;
use crate::stats::Rate;

/// How many clips of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// First seed.
    pub seed: u64,
    /// Of reality, a scene.
    pub reality: u64,
    /// Of reality away from training, a scene and change.
    pub away: u64,
    /// Tried for each fault and strength, a scene; those without an occasion are passed over.
    pub faults: u64,
}

/// Clips of reality in which anything is reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// Share of them; null where there is none.
    pub flagged: Option<Rate>,
    /// Clips.
    pub clips: usize,
    /// In how many a law was reported.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_law: BTreeMap<String, usize>,
    /// Why nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Clips with a fault of one strength.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Caught {
    /// The fault's number, see the catalogue for its unit.
    pub amount: f32,
    /// Clips that gave an occasion.
    pub clips: usize,
    /// Share that a law which should catch it reports, with the body.
    pub caught: Option<Rate>,
    /// Share in which anything is reported from its first frame on.
    pub reported: Option<Rate>,
    /// Share of the caught that are localised.
    pub localised: Option<Rate>,
    /// Median frames from its first frame to the report.
    pub frames_late: Option<f64>,
    /// In how many each law that should catch it did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_law: BTreeMap<String, usize>,
    /// Why nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SceneFound {
    /// The laws that were checked.
    pub checked: Vec<String>,
    /// Those that were not, and why.
    pub absent: BTreeMap<String, String>,
    /// Bodies that the judge cannot track, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, String>,
    /// Reality as in training.
    pub reality: Left,
    /// Reality away from training, by what was set.
    pub away: BTreeMap<String, Left>,
    /// Faults, by name and strength.
    pub faults: BTreeMap<String, BTreeMap<String, Caught>>,
    /// Edits of the simulator, by name.
    pub edits: BTreeMap<String, Caught>,
    /// A film that stands still from its first imagined frame on.
    pub frozen: Caught,
    /// Frames that the judge takes a second on one core, all laws together.
    pub frames_per_s: Option<f64>,
}

/// All scenes, and what they come to together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// What all scenes come to.
    pub summary: Summary,
    /// By scene.
    pub scenes: BTreeMap<String, SceneFound>,
}

/// What all scenes come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Clips of reality in which anything is reported.
    pub reality: Left,
    /// The same away from training.
    pub away: Left,
    /// Faults of the catalogue, by strength.
    pub faults: BTreeMap<String, Caught>,
    /// Edits of the simulator.
    pub edits: Caught,
    /// Films that stand still.
    pub frozen: Caught,
    /// Slowest scene, frames a second on one core.
    pub frames_per_s: Option<f64>,
    /// Scenes with fewer than six laws, or none of motion.
    pub short_of_laws: Vec<String>,
}

/// What scenes come to together.
pub fn summary(scenes: &BTreeMap<String, SceneFound>) -> Summary {
    let faults = |strength: Strength| {
        let all = scenes.values().flat_map(|s| s.faults.values());
        together(all.filter_map(move |f| f.get(strength.id())))
    };
    let short = |s: &SceneFound| {
        let motion = Law::ALL.iter().filter(|l| l.is_of_motion());
        let moves = motion
            .clone()
            .any(|l| s.checked.iter().any(|c| c == l.id()));
        s.checked.len() < 6 || !moves
    };
    Summary {
        reality: left_together(scenes.values().map(|s| &s.reality)),
        away: left_together(scenes.values().flat_map(|s| s.away.values())),
        faults: Strength::ALL
            .map(|s| (s.id().to_string(), faults(s)))
            .into(),
        edits: together(scenes.values().flat_map(|s| s.edits.values())),
        frozen: together(scenes.values().map(|s| &s.frozen)),
        frames_per_s: scenes
            .values()
            .filter_map(|s| s.frames_per_s)
            .reduce(f64::min),
        short_of_laws: scenes
            .iter()
            .filter(|(_, s)| short(s))
            .map(|(n, _)| n.clone())
            .collect(),
    }
}

/// How many of `clips` a rate speaks of.
fn count(rate: Option<Rate>, clips: usize) -> usize {
    rate.map_or(0, |r| (r.rate * clips as f64).round() as usize)
}

fn left_together<'a>(all: impl Iterator<Item = &'a Left>) -> Left {
    let (mut left, mut flagged) = (Left::default(), 0);
    for one in all {
        left.clips += one.clips;
        flagged += count(one.flagged, one.clips);
        for (law, n) in &one.by_law {
            *left.by_law.entry(law.clone()).or_default() += n;
        }
    }
    left.flagged = Rate::wilson(flagged, left.clips);
    left
}

fn together<'a>(all: impl Iterator<Item = &'a Caught>) -> Caught {
    let (mut sum, mut caught, mut reported, mut localised) = (Caught::default(), 0, 0, 0);
    for one in all {
        let found = count(one.caught, one.clips);
        sum.clips += one.clips;
        caught += found;
        reported += count(one.reported, one.clips);
        localised += count(one.localised, found);
        for (law, n) in &one.by_law {
            *sum.by_law.entry(law.clone()).or_default() += n;
        }
    }
    sum.caught = Rate::wilson(caught, sum.clips);
    sum.reported = Rate::wilson(reported, sum.clips);
    sum.localised = Rate::wilson(localised, caught);
    sum
}
