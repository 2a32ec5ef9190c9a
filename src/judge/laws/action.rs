//! **The hand goes where the action says.**
//!
//! Score: distance of the hand's step from the action's velocity times the time, within the hand's bounds,
//! metres. Where the hand moves in space, the camera leaves its distance open, and each component of the step
//! may have been stopped by a bound. Occasion: the hand is seen whole in both frames, and nothing that could
//! stop it is near.

use super::{Case, Rule, Score};
use crate::judge::motion::{length, minus};
use crate::judge::world::World;
use crate::scene::{ActionSpace, Kind, Law};

pub(super) const RULE: Rule = Rule {
    law: Law::Action,
    unit: "m",
    least: 0.012,
    strong: 0.06,
    readouts: true,
    absent,
    scores,
    says: |name, score| {
        format!(
            "`{name}` is {:.0} cm from where its action takes it",
            100.0 * score
        )
    },
};

fn absent(world: &World) -> Option<String> {
    if world.scene.actions.dim() == 0 {
        return Some("nobody acts in this scene".to_string());
    }
    let set = &world.scene.interventions;
    let vague = set
        .iter()
        .find(|(t, v)| t.starts_with("action.") && *v != 0.0);
    vague.map(|(target, value)| format!("{target} = {value}: the hand need not follow its action"))
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    let Some(actions) = case.tracks.actions else {
        return;
    };
    let hand = (0..case.count()).find(|&n| case.world.bodies[case.body(n)].kind == Kind::Hand);
    let Some(n) = hand else {
        return;
    };
    for t in case.imagined().filter(|&t| t >= 1) {
        let Some(action) = actions.get(t - 1) else {
            continue;
        };
        if !case.whole(n, t) || !case.whole(n, t - 1) || stopped(case, n, t) {
            continue;
        }
        if let Some(off) = off(case, n, t, action) {
            out.push(case.score(Law::Action, n, t, off));
        }
    }
}

/// Whether something that could stop the hand may be near: fixed bodies, and for a hand in space any.
fn stopped(case: &Case, n: usize, t: usize) -> bool {
    let spatial = matches!(case.world.scene.actions, ActionSpace::Spatial { .. });
    let reach = if spatial {
        0.0
    } else {
        case.world.hand_speed * 1.5 * case.tracks.dt
    };
    if spatial {
        return (t - 1..=t).any(|k| case.motion[n][k].near);
    }
    (t - 1..=t).any(|k| case.wall_within(n, k, reach))
}

fn off(case: &Case, n: usize, t: usize, action: &[f32]) -> Option<f32> {
    let (from, to) = (case.at(n, t - 1), case.at(n, t));
    let went = minus(to.at, from.at);
    let dt = case.tracks.dt;
    let a = |i: usize| action.get(i).copied().unwrap_or(0.0).clamp(-1.0, 1.0);
    match &case.world.scene.actions {
        ActionSpace::None => None,
        ActionSpace::Planar { max_speed, .. } => {
            let (low, high) = case.world.scene.actions.planar_bounds()?;
            let wish: [f32; 2] = std::array::from_fn(|i| {
                let at = from.at[i].clamp(low[i], high[i]);
                (at + a(i) * max_speed * dt).clamp(low[i], high[i]) - at
            });
            Some(length(minus(went, wish)))
        }
        ActionSpace::Spatial { max_speed, .. } => {
            let (world, body) = (case.world, case.body(n));
            let p = from.place?;
            let mut least = f32::MAX;
            for code in 0..27 {
                let share = |i: u32| (code / 3usize.pow(i) % 3) as f32 * 0.5;
                let q: [f32; 3] =
                    std::array::from_fn(|i| p[i] + share(i as u32) * a(i) * max_speed * dt);
                let shown = world.place(body, world.eye.project(q)?)?.1;
                least = least.min(length(minus(went, minus(shown, from.at))));
            }
            Some(least)
        }
    }
}
