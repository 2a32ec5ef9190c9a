//! Dreaming and previews work with any world model, and show what the model really imagines.

use std::sync::Arc;

use parallax::model::facets::{Latents, Pixels, Plans};
use parallax::model::{
    Actions, Cancel, Card, Context, Cost, Device, Effort, Facets, Frame, Frames, Goal, Latent,
    LatentRows, Metric, ModelError, Rollouts, Sampling, Shape, WorldModel, registry,
};
use parallax::planner::{Budget, Cem, Mpc, Pilot, Sight};
use parallax::scene::models_dir;
use parallax::worker::{
    DreamStep, ENERGY_SIDE, MaskClip, PlanRequest, dreaming, masking, planning, principal,
};

use crate::support::stub::{card, shape};

/// A point in the plane whose place is the first two bytes of a frame; an action moves it by tens of it. It
/// has either pixels or latents to show.
struct Dot {
    card: Card,
    frameskip: usize,
    has_pixels: bool,
}

impl Dot {
    fn new(frameskip: usize, has_pixels: bool) -> Self {
        Dot {
            card: card("dot"),
            frameskip,
            has_pixels,
        }
    }

    fn place(frame: &Frame) -> [f32; 2] {
        [f32::from(frame.data[0]), f32::from(frame.data[1])]
    }
}

/// Places `[N, T]`.
struct Places(usize, Vec<[f32; 2]>);

impl WorldModel for Dot {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        shape(3, self.frameskip)
    }
    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        assert_eq!(context.actions.len() + 1, context.frames.len());
        Ok(Latent::new(Dot::place(context.frames.last().unwrap())))
    }
    fn imagine(
        &self,
        latent: &Latent,
        a: &Actions,
        _: Sampling,
        _: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let start: &[f32; 2] = latent.get("dot")?;
        let mut places = Vec::new();
        for n in 0..a.n {
            let mut at = *start;
            for t in 0..a.steps {
                (0..2).for_each(|i| at[i] = (at[i] + 10.0 * a.at(n, t)[i]).clamp(0.0, 255.0));
                if (t + 1) % self.frameskip == 0 {
                    places.push(at);
                }
            }
        }
        Ok(Rollouts::new(Places(a.n, places)))
    }
    fn cost(&self, _: Sampling) -> Cost {
        Cost::default()
    }
    fn facets(&self) -> Facets<'_> {
        Facets {
            plans: Some(self),
            pixels: self.has_pixels.then_some(self),
            latents: Some(self),
            ..Facets::default()
        }
    }
}

impl Plans for Dot {
    fn distance(&self, r: &Rollouts, goal: &Goal, _: &Metric) -> Result<Vec<f32>, ModelError> {
        let goal = Dot::place(&goal.frame);
        let Places(_, places) = r.get("dot")?;
        let far = |p: &[f32; 2]| (p[0] - goal[0]).hypot(p[1] - goal[1]);
        Ok(places.iter().map(far).collect())
    }
    fn effort(&self) -> Effort {
        Effort::CHEAP
    }
}

impl Pixels for Dot {
    fn frames(&self, rollouts: &Rollouts) -> Result<Frames, ModelError> {
        let Places(n, places) = rollouts.get("dot")?;
        let pixel = |p: &[f32; 2]| [p[0] as u8, p[1] as u8, 7];
        Ok(Frames {
            n: *n,
            steps: places.len() / n,
            size: 1,
            data: places.iter().flat_map(pixel).collect(),
        })
    }
}

impl Latents for Dot {
    fn rows(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Option<LatentRows>, ModelError> {
        let Places(n, places) = rollouts.get("dot")?;
        Ok(Some(LatentRows {
            n: *n,
            steps: places.len() / n,
            dim: 2,
            data: places.concat(),
            goal: Dot::place(&goal.frame).to_vec(),
        }))
    }
    fn features(&self, context: &Context) -> Result<Vec<f32>, ModelError> {
        Ok(Dot::place(context.frames.last().unwrap()).to_vec())
    }
}

fn context() -> Context {
    Context::one(Frame::new(1, vec![100, 100, 7]))
}

#[test]
fn a_dream_goes_on_from_its_own_frames_and_remembers_no_more_than_the_model_can_use() {
    for frameskip in [1, 4] {
        let model: Arc<dyn WorldModel> = Arc::new(Dot::new(frameskip, true));
        let mut memory = context();
        for step in 1..=5 {
            let dreamt = dreaming(
                DreamStep {
                    model: model.clone(),
                    context: memory,
                    action: vec![0.5, -0.5],
                    sampling: Sampling::nfe(1),
                },
                &Cancel::new(),
            );
            memory = dreamt.unwrap().context;
            let moved = (5 * step * frameskip).min(100) as u8;
            let frame = memory.frames.last().unwrap();
            assert_eq!(
                frame.data[..2],
                [100 + moved, 100 - moved],
                "frameskip {frameskip}"
            );
            assert!(memory.frames.len() <= 3);
            assert_eq!(memory.actions.len() + 1, memory.frames.len());
        }
    }
}

#[test]
fn nobody_dreams_without_pixels_and_a_cancelled_dream_stops() {
    let dream = |has_pixels, cancel: &Cancel| {
        dreaming(
            DreamStep {
                model: Arc::new(Dot::new(1, has_pixels)),
                context: context(),
                action: vec![0.0, 0.0],
                sampling: Sampling::nfe(1),
            },
            cancel,
        )
        .unwrap_err()
    };
    let error = dream(false, &Cancel::new());
    assert!(
        error.contains("dot") && error.contains("no pixels"),
        "{error}"
    );
    let raised = Cancel::new();
    raised.cancel();
    assert_eq!(dream(true, &raised), "cancelled");
}

#[test]
fn only_models_that_were_trained_by_masking_are_shown_masked_clips_and_short_ones_are_filled_up() {
    let mask = |model: Arc<dyn WorldModel>, frames: usize| {
        let order = MaskClip {
            model,
            frames: (0..frames)
                .map(|i| Frame::new(64, vec![40 + i as u8; 64 * 64 * 3]))
                .collect(),
            seed: 4,
        };
        masking(order, &Cancel::new())
    };
    let error = mask(Arc::new(Dot::new(1, true)), 3).unwrap_err();
    assert!(
        error.contains("dot") && error.contains("masking"),
        "{error}"
    );
    let vjepa = registry::load_named(&models_dir(), "vjepa-ac", &Device::Cpu).unwrap();
    let length = vjepa.facets().masking.unwrap().clip_frames();
    let clip = mask(vjepa.clone(), 3).unwrap();
    assert_eq!(clip.frames.len(), length);
    assert_eq!(
        clip.frames[0],
        clip.frames[length - 3],
        "the first stands in"
    );
    assert_ne!(clip.frames[length - 2], clip.frames[length - 1]);
    assert!(mask(vjepa, 0).unwrap_err().contains("no frame"));
}

fn decide(has_pixels: bool) -> parallax::worker::Decision {
    let model: Arc<dyn WorldModel> = Arc::new(Dot::new(1, has_pixels));
    let budget = Budget {
        candidates: 64,
        iterations: 5,
        horizon: 3,
        hold: 2,
        milliseconds: None,
    };
    let mpc = Mpc::new(model.clone(), Cem::default(), budget, 2);
    let order = PlanRequest {
        controller: Arc::new(std::sync::Mutex::new(Pilot::Sighted(Box::new(mpc)))),
        preview: Some(model),
        sight: Sight {
            context: context(),
            goal: Goal::new(1, vec![150, 60, 7]),
            dim: 2,
        },
        truth: None,
    };
    planning(order, &Cancel::new()).unwrap()
}

#[test]
fn the_energy_is_lowest_where_the_goal_is_and_latents_lead_there() {
    let decision = decide(false);
    let energy = decision.preview.energy.unwrap();
    assert_eq!(energy.costs.len(), ENERGY_SIDE * ENERGY_SIDE);
    let best = (0..energy.costs.len()).min_by(|&a, &b| energy.costs[a].total_cmp(&energy.costs[b]));
    let (row, column) = (best.unwrap() / ENERGY_SIDE, best.unwrap() % ENERGY_SIDE);
    assert!(
        column > ENERGY_SIDE / 2 && row < ENERGY_SIDE / 2,
        "row {row}, column {column}"
    );
    let path = decision.preview.latents.unwrap();
    assert!(path.share > 0.999, "two numbers have two components");
    let plan = decision.plan.unwrap();
    assert_eq!(path.paths.len(), 1 + plan.elites.last().unwrap().len());
    assert!(path.paths.iter().all(|p| p.len() == 6));
    let far = |p: [f32; 2]| (p[0] - path.goal[0]).hypot(p[1] - path.goal[1]);
    let end = *path.paths[0].last().unwrap();
    assert!(far(end) < 0.3 * far(path.start), "{path:?}");
    assert!(
        (far(path.start) - 50f32.hypot(40.0)).abs() < 0.1,
        "projection keeps distances"
    );
    assert!(decision.preview.film.is_none());
}

#[test]
fn the_film_of_a_plan_is_what_its_model_imagines() {
    let decision = decide(true);
    let (plan, film) = (decision.plan.unwrap(), decision.preview.film.unwrap());
    assert_eq!((film.n, film.steps), (1, plan.actions.len()));
    let sum = |i: usize| plan.actions.iter().map(|a| 10.0 * a[i]).sum::<f32>();
    let last = film.at(0, film.steps - 1);
    assert!(
        (f32::from(last[0]) - 100.0 - sum(0)).abs() <= 1.0,
        "{last:?}"
    );
    assert!(
        (f32::from(last[1]) - 100.0 - sum(1)).abs() <= 1.0,
        "{last:?}"
    );
    assert!(
        decision.preview.energy.is_none(),
        "pixels are too dear for a map"
    );
}

#[test]
fn principal_components_hold_what_varies_most() {
    // Along one diagonal of ten numbers, and a tenth as much along another.
    let row = |a: f32, b: f32| -> Vec<f32> {
        (0..10)
            .map(|i| 3.0 + a + if i % 2 == 0 { b } else { -b })
            .collect()
    };
    let rows: Vec<Vec<f32>> = (0..8)
        .map(|i| row(i as f32, 0.1 * ((i * 3) % 8) as f32))
        .collect();
    let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let (flat, share) = principal(&rows);
    assert!(share > 0.999, "{share}");
    let spread = |c: usize| {
        let values = flat.iter().map(|p| p[c]);
        values.clone().fold(f32::MIN, f32::max) - values.fold(f32::MAX, f32::min)
    };
    assert!((spread(0) - 7.0 * 10f32.sqrt()).abs() < 0.5, "{flat:?}");
    assert!(spread(1) < 0.2 * spread(0));
    let (alike, none) = principal(&[&[1.0, 2.0], &[1.0, 2.0]]);
    assert_eq!((alike, none), (vec![[0.0; 2]; 2], 0.0));
}
