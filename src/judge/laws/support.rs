//! **What rests is supported.**
//!
//! Score: how much free space is under a body that rests, metres: up to the floor, to another body or to a
//! fixed one. Occasion: it is seen whole and stays where it is over three frames, and neither hand nor joint
//! holds it. Support as in Baillargeon (1992).

use super::{Case, Rule, Score};
use crate::judge::see::STRANGER;
use crate::judge::world::World;
use crate::scene::{Kind, Law};

pub(super) const RULE: Rule = Rule {
    law: Law::Support,
    unit: "m",
    least: 0.04,
    strong: 0.25,
    readouts: false,
    absent,
    scores,
    says: |name, score| {
        format!(
            "`{name}` rests {:.0} cm above anything that could hold it",
            100.0 * score
        )
    },
};

/// What moves less than this in a frame rests, 64ths of the picture.
const REST: f32 = 0.3;

fn absent(world: &World) -> Option<String> {
    if world.down {
        return Some("the camera looks down, so it does not see what is under a body".to_string());
    }
    let free =
        |b: &crate::judge::world::Known| matches!(b.kind, Kind::Dynamic | Kind::Soft) && !b.jointed;
    let none = !world.bodies.iter().any(free);
    none.then(|| "a joint holds every body that moves".to_string())
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        let known = &case.world.bodies[case.body(n)];
        if known.jointed || known.kind == Kind::Hand {
            continue;
        }
        for t in case.imagined().filter(|&t| t >= 2) {
            let rest = |k: usize| {
                let (a, b) = (case.at(n, k).centroid, case.at(n, k - 1).centroid);
                (a[0] - b[0]).hypot(a[1] - b[1]) < REST * case.fine()
            };
            let seen = (t - 2..=t).all(|k| case.at(n, k).is_seen() && !case.at(n, k).at_border);
            if seen
                && rest(t)
                && rest(t - 1)
                && !hand_near(case, n, t)
                && let Some(gap) = free_below(case, n, t)
            {
                out.push(case.score(Law::Support, n, t, gap));
            }
        }
    }
}

/// Whether a hand may hold it: its box is near, or it is not seen.
fn hand_near(case: &Case, n: usize, t: usize) -> bool {
    let hand = (0..case.count()).find(|&m| case.world.bodies[case.body(m)].kind == Kind::Hand);
    let Some(hand) = hand else {
        return case.world.scene.hand().is_some();
    };
    let (a, b) = (case.at(n, t), case.at(hand, t));
    let reach = (3.0 * case.fine()) as u16;
    let near = |axis: usize| {
        a.bounds[axis] < b.bounds[axis + 2] + reach && b.bounds[axis] < a.bounds[axis + 2] + reach
    };
    !b.is_seen() || (near(0) && near(1))
}

/// Free space under the body, metres.
fn free_below(case: &Case, n: usize, t: usize) -> Option<f32> {
    let film = case.tracks.film.as_ref()?;
    let s = case.at(n, t);
    let size = film.size;
    let scale = case.world.metres_per_pixel(s.place?);
    let foot = [s.centroid[0], f32::from(s.bounds[3])];
    let height = case.world.place(case.body(n), foot)?.1[1].max(0.0);
    let mut lowest = vec![None::<usize>; size];
    for &i in &s.pixels {
        let (x, y) = (i as usize % size, i as usize / size);
        lowest[x] = Some(lowest[x].map_or(y, |l| l.max(y)));
    }
    let mut least = height;
    for (x, y) in lowest
        .iter()
        .enumerate()
        .filter_map(|(x, y)| Some((x, (*y)?)))
    {
        let below = (y + 1..size).find(|&r| {
            let label = film.labels[t][r * size + x];
            let other = label != 0 && label != n as u8 + 1 && label != STRANGER;
            other || film.fixed[r * size + x].is_finite()
        });
        if let Some(r) = below {
            least = least.min((r - y - 1) as f32 * scale);
        }
    }
    Some(least)
}
