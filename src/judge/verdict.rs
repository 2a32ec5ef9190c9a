//! What a judge says of a film or a read-out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scene::Law;

/// A law that an imagined clip breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Which law.
    pub law: Law,
    /// Index of the body in the scene; `None` where the film as a whole or its background is at fault.
    pub body: Option<usize>,
    /// First frame, counted from the first imagined one.
    pub first_frame: usize,
    /// Last frame (inclusive).
    pub last_frame: usize,
    /// In (0, 1]: how far above the threshold.
    pub severity: f32,
    /// The pixels that show it, x0, y0, x1, y1 (exclusive), one box a frame; empty for clips without pixels.
    pub boxes: Vec<[u16; 4]>,
    /// What is to be seen, in words.
    pub sentence: String,
}

/// Everything that was looked for and found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The laws that were checked.
    pub checked: Vec<Law>,
    /// The laws that were not, and why.
    pub absent: BTreeMap<Law, String>,
    /// What was found, in the order of its first frame.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// A verdict that says nothing, for one reason.
    pub fn nothing(reason: &str) -> Self {
        Self {
            absent: Law::ALL.map(|law| (law, reason.to_string())).into(),
            ..Self::default()
        }
    }

    /// The laws that are broken, each once.
    pub fn broken(&self) -> Vec<Law> {
        let mut laws: Vec<Law> = self.violations.iter().map(|v| v.law).collect();
        laws.sort();
        laws.dedup();
        laws
    }

    /// What a person reads: how many laws were broken, of how many that were checked. Never *lawful*.
    pub fn line(&self) -> String {
        let laws = |n: usize| if n == 1 { "law" } else { "laws" };
        match (self.checked.len(), self.broken().len()) {
            (0, _) => "no law could be checked".to_string(),
            (n, 0) => format!("no violation of {n} {} checked", laws(n)),
            (n, k) => format!("{k} of {n} {} broken", laws(n)),
        }
    }
}
