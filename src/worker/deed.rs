//! What is done to reality besides acting: pulls, strikes, changes, and moves of the goal.

use serde::{Deserialize, Serialize};

use crate::sim::{Drag, Reality};

/// Something that was done to reality besides the hand's action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Deed {
    /// A field of the scene was set, such as `cube.mass`.
    Set(String, f32),
    /// A body is pulled like this from now on, or no longer.
    Pull(Option<Drag>),
    /// A body was struck: body index, impulse at its centre, N·s.
    Strike(usize, [f32; 3]),
    /// The goal was moved. That changes no body; the moment was looked at again.
    Goal,
}

impl Deed {
    /// Whether the moment was looked at again after it.
    pub(super) fn is_seen_at_once(&self) -> bool {
        matches!(self, Deed::Set(..) | Deed::Goal)
    }

    /// Does it again.
    ///
    /// # Errors
    /// In a sentence: there is no such field or body, or a number is not finite.
    pub(super) fn redo(&self, reality: &mut Reality) -> Result<(), String> {
        let bodies = reality.scene().bodies.len();
        let check = |body: usize, numbers: &[f32]| match body < bodies {
            _ if numbers.iter().any(|v| !v.is_finite()) => Err("a number is not finite".into()),
            true => Ok(()),
            false => Err(format!("there is no body {body}; the scene has {bodies}")),
        };
        match self {
            Deed::Set(target, value) => reality.set(target, *value).map_err(|e| e.to_string())?,
            Deed::Pull(drag) => {
                if let Some(d) = drag {
                    check(d.body, &[d.target, d.point_in_body].concat())?;
                }
                reality.drag(*drag);
            }
            Deed::Strike(body, impulse) => {
                check(*body, impulse)?;
                reality.impulse(*body, *impulse);
            }
            Deed::Goal => {}
        }
        Ok(())
    }
}

/// Adds a deed at a moment. A pull that is led on within a moment counts as its last place.
pub fn add_deed(deeds: &mut Vec<(usize, Deed)>, at: usize, deed: Deed) {
    if let Some((moment, last)) = deeds.last_mut()
        && *moment == at
        && matches!((&*last, &deed), (Deed::Pull(_), Deed::Pull(_)))
    {
        *last = deed;
        return;
    }
    deeds.push((at, deed));
}
