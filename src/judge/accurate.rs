//! How accurate an imagined clip is: how far each body is from where reality has it, step by step, and from
//! when on it is further off than it is large. This says nothing of lawfulness: a body may obey every law on
//! its way to another place.

use serde::{Deserialize, Serialize};

use super::track::Tracks;
use super::world::World;

/// One body's way beside its real one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The body's name.
    pub body: String,
    /// The radius of a ball that holds it, cm: further off it is somewhere else.
    pub radius_cm: f32,
    /// By imagined step: distance from the real place along the body's plane of motion, cm; null where one of
    /// both is not seen.
    pub off_cm: Vec<Option<f32>>,
    /// By imagined step: angle to the real orientation, degrees; null where it cannot be seen.
    pub off_degrees: Vec<Option<f32>>,
    /// The first step, from 1, from which on it is further off than `radius_cm`, or lost while reality shows
    /// it, up to the last step that can be compared; null where it is not.
    pub lost_from_step: Option<usize>,
}

/// Where a body is at a step, along its plane's axes, metres, and its turn with the turn's period, radians.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// `None` where it is not seen.
    pub at: Option<[f32; 2]>,
    /// `None` where it cannot be told.
    pub angle: Option<[f32; 2]>,
}

/// Compares one body's imagined places with its real ones, one a step.
pub fn compare(body: &str, radius_m: f32, imagined: &[Place], real: &[Place]) -> Accuracy {
    let pairs = || imagined.iter().zip(real);
    let off = |(i, r): (&Place, &Place)| {
        let (a, b) = (i.at?, r.at?);
        Some((a[0] - b[0]).hypot(a[1] - b[1]))
    };
    let turned = |(i, r): (&Place, &Place)| {
        let ([a, _], [b, period]) = (i.angle?, r.angle?);
        let d = (a - b).rem_euclid(period);
        Some(d.min(period - d).to_degrees())
    };
    // A body that reality does not show can be anywhere.
    let away = |pair: (&Place, &Place)| match pair {
        (_, Place { at: None, .. }) => None,
        (Place { at: None, .. }, _) => Some(true),
        pair => off(pair).map(|d| d > radius_m),
    };
    let away: Vec<Option<bool>> = pairs().map(away).collect();
    let last_near = away
        .iter()
        .rposition(|a| *a == Some(false))
        .map_or(0, |t| t + 1);
    let lost = away[last_near..].iter().position(|a| *a == Some(true));
    Accuracy {
        body: body.into(),
        radius_cm: 100.0 * radius_m,
        off_cm: pairs().map(|p| off(p).map(|d| 100.0 * d)).collect(),
        off_degrees: pairs().map(turned).collect(),
        lost_from_step: lost.map(|t| last_near + t + 1),
    }
}

/// Compares an imagined film with the real one, both through the same camera: the steps after `reference`.
pub fn of_films(world: &World, imagined: &Tracks, real: &Tracks) -> Vec<Accuracy> {
    let places = |tracks: &Tracks, n: usize| -> Vec<Place> {
        let seen = tracks.tracks[n].sightings.iter().skip(tracks.reference);
        seen.map(|s| Place {
            at: s.place.map(|_| s.at),
            angle: s.angle,
        })
        .collect()
    };
    let both = imagined.tracks.iter().zip(&real.tracks).enumerate();
    both.map(|(n, (track, _))| {
        let body = &world.scene.bodies[track.body];
        let radius = world.bodies[track.body].bounding;
        compare(&body.name, radius, &places(imagined, n), &places(real, n))
    })
    .collect()
}
