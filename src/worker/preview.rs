//! What a plan looks like in the imagination that made it: where it leads, what its first action might have
//! been, its latents or its film.

use crate::model::{
    Actions, Cancel, Context, Frames, Goal, Metric, ModelError, ProbedStates, Sampling, WorldModel,
};
use crate::planner::Plan;

/// First actions along each side of the energy map.
pub const ENERGY_SIDE: usize = 13;

/// Cost of the plan with another first action in its place, over a grid of first actions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Energy {
    /// Actions along each side.
    pub side: usize,
    /// `[side, side]`: rows by the action's second component, columns by its first, both from -1 to 1.
    pub costs: Vec<f32>,
}

/// Latents of a plan in their first two principal components.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatentPath {
    /// Where it starts.
    pub start: [f32; 2],
    /// Where it should lead.
    pub goal: [f32; 2],
    /// The plan's own path first, then those of the last elites, each `[T]`.
    pub paths: Vec<Vec<[f32; 2]>>,
    /// Share of the variance that the two components hold.
    pub share: f32,
}

/// A plan, made visible.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// Where probes see it lead.
    pub path: Option<ProbedStates>,
    /// Its imagined frames.
    pub film: Option<Frames>,
    /// The energy over first actions, for models whose steps are cheap.
    pub energy: Option<Energy>,
    /// Its latents.
    pub latents: Option<LatentPath>,
}

/// What a plan is looked at with.
pub(super) struct Look<'a> {
    /// The model that imagined it.
    pub model: &'a dyn WorldModel,
    /// What was seen.
    pub context: &'a Context,
    /// What is wanted.
    pub goal: &'a Goal,
    /// Components of an action.
    pub dim: usize,
}

/// Looks at a plan through its own model; the plan itself is not affected by a failure here.
pub(super) fn preview(look: &Look, plan: &Plan, cancel: &Cancel) -> Preview {
    try_to_look(look, plan, cancel).unwrap_or_else(|e| {
        tracing::debug!("no preview of the plan: {e}");
        Preview::default()
    })
}

fn try_to_look(look: &Look, plan: &Plan, cancel: &Cancel) -> Result<Preview, ModelError> {
    let Look {
        model,
        context,
        goal,
        dim,
    } = *look;
    let frameskip = model.shape().frameskip.max(1);
    let steps = plan.actions.len() / frameskip * frameskip;
    if steps == 0 || dim == 0 {
        return Ok(Preview::default());
    }
    let latent = model.observe(context)?;
    let own = Actions::one(&plan.actions[..steps], dim);
    let sampling = Sampling::default();
    let rollouts = model.imagine(&latent, &own, sampling, cancel)?;
    let can = model.facets();
    let mut seen = Preview {
        path: can.states(&rollouts)?,
        film: can.frames(&rollouts)?,
        ..Preview::default()
    };
    // Frames are a hundred times dearer than latents: the film has to do.
    if seen.film.is_some() {
        return Ok(seen);
    }
    let elites = plan.elites.last().map_or(&[][..], Vec::as_slice);
    let mut data = own.data.clone();
    let fits = |a: &&[f32]| a.len() >= steps * dim;
    let elites = elites.iter().map(|e| e.actions.as_slice()).filter(fits);
    elites.for_each(|a| data.extend_from_slice(&a[..steps * dim]));
    let drawn = data.len() / (steps * dim);
    if dim >= 2 {
        grid_of(&own, &mut data);
    }
    let all = Actions {
        n: data.len() / (steps * dim),
        steps,
        dim,
        data,
    };
    let rollouts = model.imagine(&latent, &all, sampling, cancel)?;
    let Some(plans) = can.plans else {
        return Ok(seen);
    };
    let distances = plans.distance(&rollouts, goal, &Metric::Own)?;
    let each = (distances.len() / all.n).max(1);
    let mean = |d: &[f32]| d.iter().sum::<f32>() / each as f32;
    let costs: Vec<f32> = distances.chunks_exact(each).skip(drawn).map(mean).collect();
    seen.energy = (costs.len() == ENERGY_SIDE * ENERGY_SIDE).then_some(Energy {
        side: ENERGY_SIDE,
        costs,
    });
    let Some(latents) = can.latents else {
        return Ok(seen);
    };
    let start = latents.features(context)?;
    if let Some(rows) = latents.rows(&rollouts, goal)?
        && start.len() == rows.dim
    {
        let path = |n: usize| (0..rows.steps).map(move |t| (n, t));
        let mut points: Vec<&[f32]> = vec![&start, &rows.goal];
        points.extend((0..drawn).flat_map(path).map(|(n, t)| rows.at(n, t)));
        let (flat, share) = principal(&points);
        seen.latents = Some(LatentPath {
            start: flat[0],
            goal: flat[1],
            paths: flat[2..]
                .chunks(rows.steps.max(1))
                .map(<[_]>::to_vec)
                .collect(),
            share,
        });
    }
    Ok(seen)
}

/// Appends the plan with each first action of the grid in place of its own, for as long as that was held.
fn grid_of(plan: &Actions, out: &mut Vec<f32>) {
    let (first, dim) = (plan.at(0, 0), plan.dim);
    let held = (0..plan.steps)
        .take_while(|&t| plan.at(0, t) == first)
        .count();
    let share = |i: usize| 2.0 * i as f32 / (ENERGY_SIDE - 1) as f32 - 1.0;
    for row in 0..ENERGY_SIDE {
        for column in 0..ENERGY_SIDE {
            let from = out.len();
            out.extend_from_slice(&plan.data);
            for t in 0..held {
                out[from + t * dim] = share(column);
                out[from + t * dim + 1] = share(row);
            }
        }
    }
}

/// Rows in their first two principal components, and the share of the variance that these hold. Rows are
/// few and long, so the components come from their products with each other (Gram matrix) by power
/// iteration.
pub fn principal(rows: &[&[f32]]) -> (Vec<[f32; 2]>, f32) {
    let (n, dim) = (rows.len(), rows.first().map_or(0, |r| r.len()));
    let mut mean = vec![0.0f32; dim];
    for row in rows {
        mean.iter_mut()
            .zip(*row)
            .for_each(|(m, v)| *m += v / n as f32);
    }
    let centred: Vec<Vec<f32>> = rows
        .iter()
        .map(|r| r.iter().zip(&mean).map(|(v, m)| v - m).collect())
        .collect();
    let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let mut gram: Vec<Vec<f32>> = centred
        .iter()
        .map(|a| centred.iter().map(|b| dot(a, b)).collect())
        .collect();
    let total: f32 = (0..n).map(|i| gram[i][i]).sum();
    let mut out = vec![[0.0; 2]; n];
    let mut held = 0.0;
    for component in 0..2 {
        // No start is orthogonal to what it looks for but by bad luck; this one is no symmetry of any plan.
        let mut v: Vec<f32> = (0..n).map(|i| 1.0 + (i * i % 7) as f32).collect();
        let mut value = 0.0;
        for _ in 0..200 {
            let next: Vec<f32> = gram.iter().map(|row| dot(row, &v)).collect();
            value = dot(&next, &next).sqrt();
            if value <= 1e-12 * total.max(1e-12) {
                value = 0.0;
                break;
            }
            v = next.iter().map(|x| x / value).collect();
        }
        if value > 0.0 {
            for (i, place) in out.iter_mut().enumerate() {
                place[component] = v[i] * value.sqrt();
            }
            for (row, a) in gram.iter_mut().zip(&v) {
                row.iter_mut()
                    .zip(&v)
                    .for_each(|(g, b)| *g -= value * a * b);
            }
            held += value;
        }
    }
    (
        out,
        if total > 0.0 {
            (held / total).min(1.0)
        } else {
            0.0
        },
    )
}
