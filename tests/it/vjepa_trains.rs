//! V-JEPA 2-AC learns: what is hidden stays hidden, the target encoder only follows, gradients reach every
//! variable of a stage, and a training repeats to the bit.

use candle_core::{Device, Tensor};
use parallax::episode::Dataset;
use parallax::model::facets::{Latents, Masking, Plans, Surprise};
use parallax::model::jepa::GoalCost;
use parallax::model::jepa::vjepa::{
    ActionJepa, Blocks, ClipBatch, LONG, MapError, Mask, MaskedJepa, SHORT, Summary, VjepaConfig,
    VjepaModel,
};
use parallax::model::nn::{AdamW, AdamWConfig, Params, Rng};
use parallax::model::{Actions, Cancel, Card, Context, Frame, Goal, Metric, Sampling, WorldModel};
use parallax::train::{
    ActionPhase, Architecture, Length, MaskedPhase, Outcome, ReadoutPhase, TrainConfig,
    TrainOptions, VjepaRecipe, run_on,
};
use std::path::Path;
use std::sync::OnceLock;

use crate::support::{recorded, shortened};

pub fn experience() -> &'static Dataset {
    static DATA: OnceLock<Dataset> = OnceLock::new();
    DATA.get_or_init(|| recorded(&shortened("push", 24), 0..12))
}

pub fn small() -> VjepaConfig {
    VjepaConfig {
        clip_frames: 4,
        width: 24,
        layers: 2,
        heads: 2,
        mlp_width: 32,
        masked_width: 16,
        masked_layers: 1,
        predictor_width: 24,
        predictor_layers: 2,
        predictor_heads: 2,
        predictor_mlp_width: 32,
        summary: 12,
        search: (8, 2),
        ..Default::default()
    }
}

/// Clips that begin at these frames, under masks of the given blocks.
fn clips(config: &VjepaConfig, starts: &[usize], blocks: Blocks, rng: &mut Rng) -> ClipBatch {
    let data = experience();
    let clips: Vec<Vec<&[u8]>> = starts
        .iter()
        .map(|s| (0..config.clip_frames).map(|t| data.frame(s + t)).collect())
        .collect();
    let masks: Vec<Mask> = starts
        .iter()
        .map(|_| Mask::draw_sized(blocks, config.grid(), (8, 24), rng))
        .collect();
    ClipBatch::new(config, &clips, &masks, &Device::Cpu).unwrap()
}

fn values(params: &Params) -> Vec<(String, Vec<f32>)> {
    let read = |v: &Tensor| v.flatten_all().unwrap().to_vec1().unwrap();
    params
        .vars()
        .iter()
        .map(|(n, v)| (n.clone(), read(v.as_tensor())))
        .collect()
}

fn bits(t: &Tensor) -> Vec<u32> {
    let values: Vec<f32> = t.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn masks_lie_in_the_frame_and_repeat_for_a_seed() {
    for seed in 0..200 {
        for (blocks, sizes) in [(SHORT, (16, 32)), (LONG, (8, 40))] {
            let mask = Mask::draw(blocks, 8, &mut Rng::seed(seed));
            assert_eq!(mask, Mask::draw(blocks, 8, &mut Rng::seed(seed)));
            assert!(!mask.visible.is_empty() && !mask.hidden.is_empty());
            let mut all = [mask.visible.clone(), mask.hidden.clone()].concat();
            all.sort_unstable();
            assert_eq!(all, (0..64).collect::<Vec<u32>>());
            let sized = Mask::draw_sized(blocks, 8, sizes, &mut Rng::seed(seed));
            assert_eq!((sized.visible.len(), sized.hidden.len()), sizes);
            assert!(
                sized
                    .visible
                    .iter()
                    .all(|c| *c < 64 && !sized.hidden.contains(c))
            );
        }
    }
    // Two blocks of 70 % hide more than eight of 15 %.
    let share = |blocks| -> usize {
        (0..300)
            .map(|s| Mask::draw(blocks, 8, &mut Rng::seed(s)).hidden.len())
            .sum()
    };
    assert!(share(LONG) > share(SHORT));
}

#[test]
fn a_hidden_tubelet_is_never_seen() {
    let config = small();
    let networks = MaskedJepa::new(&config, &Params::fresh(1, &Device::Cpu)).unwrap();
    let mask = Mask::draw(SHORT, config.grid(), &mut Rng::seed(5));
    let see = |frames: &[Vec<u8>]| {
        let clip = vec![frames.iter().map(Vec::as_slice).collect()];
        let batch =
            ClipBatch::new(&config, &clip, std::slice::from_ref(&mask), &Device::Cpu).unwrap();
        bits(&networks.see(&batch).unwrap())
    };
    let frames: Vec<Vec<u8>> = (0..config.clip_frames)
        .map(|t| experience().frame(t).to_vec())
        .collect();
    let before = see(&frames);
    let changed = |cells: &[u32]| {
        let mut frames = frames.clone();
        for frame in &mut frames {
            for (i, pixel) in frame.chunks_exact_mut(3).enumerate() {
                let cell = (i / 64 / 8 * 8 + i % 64 / 8) as u32;
                if cells.contains(&cell) {
                    pixel.iter_mut().for_each(|v| *v = !*v);
                }
            }
        }
        frames
    };
    assert!(
        before == see(&changed(&mask.hidden)),
        "hidden pixels reach the context encoder"
    );
    assert!(
        before != see(&changed(&mask.visible[..1])),
        "visible pixels do not"
    );
}

#[test]
fn in_the_masked_stage_everything_learns_and_the_target_only_follows() {
    let config = small();
    let params = Params::fresh(3, &Device::Cpu);
    let networks = MaskedJepa::new(&config, &params).unwrap();
    MaskedJepa::follow(&params, 0.).unwrap();
    for ((_, context), (_, target)) in values(&params.pp("context"))
        .iter()
        .zip(values(&params.pp("target")))
    {
        let apart = context.iter().zip(&target).map(|(c, t)| (c - t).abs());
        assert!(apart.fold(0., f32::max) < 1e-6, "they start alike");
    }
    let learned = || [params.pp("context").vars(), params.pp("masked").vars()].concat();
    let mut optimiser = AdamW::new(learned(), AdamWConfig::default()).unwrap();
    let mut rng = Rng::seed(4);
    let batch = clips(&config, &[0, 24, 50, 75], SHORT, &mut rng);
    let before = values(&params);
    let grads = networks.loss(&batch).unwrap().backward().unwrap();
    for (name, var) in params.pp("target").vars() {
        assert!(
            grads.get(var.as_tensor()).is_none(),
            "a gradient reaches {name}"
        );
    }
    for (name, var) in learned() {
        let grad = grads
            .get(var.as_tensor())
            .unwrap_or_else(|| panic!("no gradient reaches {name}"));
        let size = grad.sqr().unwrap().sum_all().unwrap();
        let size = size.to_scalar::<f32>().unwrap();
        assert!(size.is_finite() && size > 1e-16, "{name}: {size}");
    }
    optimiser.step(&grads, 1e-3, Some(1.)).unwrap();
    for ((name, after), (_, before)) in values(&params).iter().zip(&before) {
        let moved = after != before;
        assert_eq!(moved, !name.starts_with("target"), "{name}");
    }
    let old = values(&params.pp("target"));
    MaskedJepa::follow(&params, 0.9).unwrap();
    let (new, context) = (values(&params.pp("target")), values(&params.pp("context")));
    for (((name, new), (_, old)), (_, context)) in new.iter().zip(&old).zip(&context) {
        for ((new, old), context) in new.iter().zip(old).zip(context) {
            let expected = 0.9 * old + 0.1 * context;
            assert!(
                (new - expected).abs() < 1e-6,
                "{name}: {new}, expected {expected}"
            );
        }
    }
}

#[test]
fn masked_clips_are_learned() {
    let config = small();
    let params = Params::fresh(6, &Device::Cpu);
    let networks = MaskedJepa::new(&config, &params).unwrap();
    MaskedJepa::follow(&params, 0.).unwrap();
    let vars = [params.pp("context").vars(), params.pp("masked").vars()].concat();
    let mut optimiser = AdamW::new(vars, AdamWConfig::default()).unwrap();
    let mut rng = Rng::seed(7);
    let batch = clips(&config, &[0, 24, 50, 75], LONG, &mut rng);
    let loss = || networks.loss(&batch).unwrap();
    let first = loss().to_scalar::<f32>().unwrap();
    for _ in 0..60 {
        optimiser
            .step(&loss().backward().unwrap(), 2e-3, Some(1.))
            .unwrap();
    }
    let last = loss().to_scalar::<f32>().unwrap();
    assert!(last < 0.7 * first, "loss went from {first} to {last}");
}

/// Maps of 6 frames of each of some episodes, 5 control steps apart, and the actions between.
fn sequences(model: &ActionJepa, tokens: usize) -> (Tensor, Tensor) {
    let data = experience();
    let (mut frames, mut actions) = (Vec::new(), Vec::new());
    for episode in &data.episodes {
        for t in 0..tokens {
            frames.extend_from_slice(data.frame(episode.start + 5 * t));
        }
        for t in 0..5 * (tokens - 1) {
            actions.extend_from_slice(data.action(episode.start + t));
        }
    }
    let n = data.episodes.len();
    let z = model.encode_frames(&frames).unwrap();
    (
        z.reshape((n, tokens, ())).unwrap(),
        Tensor::from_vec(actions, (n, tokens - 1, 10), &Device::Cpu).unwrap(),
    )
}

#[test]
fn in_the_second_stage_the_predictor_learns_and_the_encoder_stays() {
    for history in [1, 2] {
        let config = VjepaConfig { history, ..small() };
        let params = Params::fresh(8, &Device::Cpu);
        let model = ActionJepa::new(&config, &params).unwrap();
        let (z, actions) = sequences(&model, history + 2);
        let mut optimiser =
            AdamW::new(params.pp("predictor").vars(), AdamWConfig::default()).unwrap();
        let frozen = values(&params.pp("target"));
        let mut first = f32::NAN;
        let mut best = f32::INFINITY;
        // The predictor's last layer starts at zero, so what lies before it hears nothing in the first step.
        for step in 0..80 {
            let (teacher, rollout) = model
                .losses(&z, &actions, &MapError::default(), None)
                .unwrap();
            let total = (teacher + rollout).unwrap();
            let loss = total.to_scalar::<f32>().unwrap();
            best = best.min(loss);
            let grads = total.backward().unwrap();
            let before = values(&params.pp("predictor"));
            optimiser.step(&grads, 2e-3, Some(1.)).unwrap();
            if step == 0 {
                first = loss;
            }
            if step != 1 {
                continue;
            }
            for ((name, var), (_, before)) in params.pp("predictor").vars().iter().zip(before) {
                let grad = grads
                    .get(var.as_tensor())
                    .unwrap_or_else(|| panic!("no gradient reaches {name}"));
                let size = grad.sqr().unwrap().sum_all().unwrap();
                let size = size.to_scalar::<f32>().unwrap();
                assert!(size.is_finite() && size > 1e-16, "{name}: {size}");
                let after: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
                assert_ne!(before, after, "{name} did not move");
            }
        }
        // Little, since most of a map stays as it is and the absolute error holds on to that.
        assert!(best < 0.995 * first, "loss went from {first} to {best}");
        assert!(
            frozen == values(&params.pp("target")),
            "the encoder moved in the second stage"
        );
    }
}

#[test]
fn a_smooth_error_is_absolute_for_large_ones_and_square_for_small_ones() {
    let config = small();
    let (_, model) = lively(&config, 5);
    let (z, actions) = sequences(&model, 3);
    let loss = |smooth: f64| -> [f32; 2] {
        let measure = MapError {
            smooth,
            ..MapError::default()
        };
        let (teacher, rollout) = model.losses(&z, &actions, &measure, None).unwrap();
        [teacher, rollout].map(|l| l.to_scalar::<f32>().unwrap())
    };
    let (plain, sharp) = (loss(0.), loss(1e-3));
    let (wide, wider) = (loss(1e3), loss(2e3));
    for i in 0..2 {
        // Huber's error of all that is larger than the bound is half the bound less than the absolute one.
        assert!(
            (plain[i] - sharp[i] - 5e-4).abs() < 1e-4,
            "{plain:?} {sharp:?}"
        );
        assert!((wide[i] / wider[i] - 2.).abs() < 1e-3, "{wide:?} {wider:?}");
    }
}

#[test]
fn a_residual_begins_as_copying() {
    for residual in [true, false] {
        let config = VjepaConfig {
            residual,
            ..small()
        };
        let model = ActionJepa::new(&config, &Params::fresh(8, &Device::Cpu)).unwrap();
        let (z, actions) = sequences(&model, 2);
        let first = |t: &Tensor, at: usize| t.narrow(1, at, 1).unwrap().squeeze(1).unwrap();
        let last = first(&z, 0).contiguous().unwrap();
        let block = first(&actions, 0).contiguous().unwrap();
        let next = model.predict(&last, &block).unwrap();
        match residual {
            true => assert!(bits(&next) == bits(&last), "to the bit"),
            false => {
                let off = (&next - &last).unwrap().abs().unwrap().max_all().unwrap();
                assert!(off.to_scalar::<f32>().unwrap() < 1e-3);
            }
        }
        // It learns from there: the last layer, which says nothing yet, has a gradient.
        let params = Params::fresh(8, &Device::Cpu);
        let model = ActionJepa::new(&config, &params).unwrap();
        let measure = MapError {
            smooth: 0.1,
            by_change: 0.9,
            planned: None,
        };
        let (teacher, _) = model.losses(&z, &actions, &measure, None).unwrap();
        let grads = teacher.backward().unwrap();
        let (_, out) = params.pp("predictor.out").vars().swap_remove(0);
        let slope = grads.get(out.as_tensor()).expect("a gradient");
        let size = slope.abs().unwrap().max_all().unwrap();
        assert!(size.to_scalar::<f32>().unwrap() > 1e-6);
    }
    // And what it says is added as it is: the two kinds of network part on the same weights.
    let config = VjepaConfig {
        residual: true,
        ..small()
    };
    let (params, model) = lively(&config, 5);
    let (z, actions) = sequences(&model, 2);
    let last = z.narrow(1, 0, 1).unwrap().squeeze(1).unwrap();
    let last = last.contiguous().unwrap();
    let block = actions.narrow(1, 0, 1).unwrap().squeeze(1).unwrap();
    let block = block.contiguous().unwrap();
    let normed = ActionJepa::new(&small(), &params).unwrap();
    let (plain, normed) = (
        model.predict(&last, &block).unwrap(),
        normed.predict(&last, &block).unwrap(),
    );
    let tokens = |t: &Tensor| t.reshape(((), small().width)).unwrap();
    let variance = |t: &Tensor| -> f32 {
        let t = tokens(t);
        let mean = t.mean_keepdim(1).unwrap();
        let square = t.broadcast_sub(&mean).unwrap().sqr().unwrap();
        square.mean_all().unwrap().to_scalar().unwrap()
    };
    assert!(
        (variance(&normed) - 1.).abs() < 0.01,
        "{}",
        variance(&normed)
    );
    assert!((variance(&plain) - 1.).abs() > 0.02, "{}", variance(&plain));
}

#[test]
fn a_loss_weighed_by_change_ignores_tokens_that_stay_as_they_are() {
    // Three tokens of two values: the first moves by 1, the second by 3, the third not at all.
    let row = |values: [f32; 6]| Tensor::from_slice(&values, (1, 6), &Device::Cpu).unwrap();
    let (last, truth) = (row([0., 0., 1., 1., 5., 5.]), row([1., 1., 4., 4., 5., 5.]));
    let error = |by_change: f64, found: [f32; 6]| -> f32 {
        let measure = MapError {
            by_change,
            ..MapError::default()
        };
        let mean = measure.mean(&row(found), &truth, &last, 2).unwrap();
        mean.to_scalar().unwrap()
    };
    let wrong_still = [1., 1., 4., 4., 9., 7.];
    let wrong_moving = [1., 1., 4., 3., 5., 5.];
    assert_eq!(error(1., wrong_still), 0.);
    assert!(
        (error(0., wrong_still) - 1.).abs() < 1e-6,
        "6 over 6 values"
    );
    assert!((error(0.5, wrong_still) - 0.5).abs() < 1e-6);
    // Weights are 3/4, 9/4 and 0: of a mean error of 1/2 in one of three tokens 9/4 · 1/2 / 3 is left.
    assert!((error(1., wrong_moving) - 0.375).abs() < 1e-6);
    // Copying costs more by change than alike, and nothing where nothing changes.
    let copied = [0., 0., 1., 1., 5., 5.];
    assert!(error(1., copied) > 1.5 * error(0., copied));
    let still = MapError {
        smooth: 0.1,
        by_change: 1.,
        planned: None,
    };
    let none = still.mean(&row(copied), &last, &last, 2).unwrap();
    assert_eq!(none.to_scalar::<f32>().unwrap(), 0.);
}

#[test]
fn an_error_as_the_planner_measures_it_is_added_and_fewer_steps_may_be_forced() {
    let config = small();
    let (_, model) = lively(&config, 5);
    let (z, actions) = sequences(&model, 3);
    let measure = |weight: f64| MapError {
        // Of a difference of maps this distance sees nothing but the first value.
        planned: (weight > 0.).then(|| {
            let mut metric = vec![0_f32; config.map_len()];
            metric[0] = 2.;
            let metric = Tensor::from_vec(metric, (config.map_len(), 1), &Device::Cpu);
            (weight, metric.unwrap())
        }),
        ..MapError::default()
    };
    let losses = |weight: f64, forced: Option<usize>| -> [f32; 2] {
        let found = model.losses(&z, &actions, &measure(weight), forced);
        let (teacher, rollout) = found.unwrap();
        [teacher, rollout].map(|l| l.to_scalar::<f32>().unwrap())
    };
    // Only the first of three steps is forced: its error is that of a sequence of one step.
    let one = z.narrow(1, 0, config.history + 1).unwrap();
    let (alone, _) = model.losses(&one, &actions, &measure(0.), None).unwrap();
    let first = losses(0., Some(1));
    assert!((first[0] - alone.to_scalar::<f32>().unwrap()).abs() < 1e-6);
    assert_eq!(first[1], losses(0., None)[1], "the rollout stays");
    // The first step's mean square of the first value, times 2² and the weight, is added.
    let maps = model.roll_out(
        &one.narrow(1, 0, config.history)
            .unwrap()
            .flatten_from(1)
            .unwrap(),
        &actions.narrow(1, config.history - 1, 1).unwrap(),
    );
    let truth = one
        .narrow(1, config.history, 1)
        .unwrap()
        .squeeze(1)
        .unwrap();
    let off = (&maps.unwrap()[0] - truth)
        .unwrap()
        .narrow(1, 0, 1)
        .unwrap();
    let square: f32 = off.sqr().unwrap().mean_all().unwrap().to_scalar().unwrap();
    let more = losses(0.5, Some(1))[0] - first[0];
    assert!(
        (more - 0.5 * 4. * square).abs() < 1e-5 && more > 0.,
        "{more} {square}"
    );
}

#[test]
fn a_training_that_starts_from_a_finished_model_keeps_its_encoder() {
    let (of, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = config(GoalCost::Whitened);
    let done = run_on(&first, experience(), &options(of.path())).unwrap();
    assert_eq!(done, Outcome::Finished);
    let mut second = first.clone();
    let Architecture::VjepaAc(recipe) = &mut second.architecture else {
        unreachable!("the small recipe is a V-JEPA's");
    };
    recipe.start = Some(of.path().into());
    recipe.actions.by_change = 0.9;
    recipe.actions.smooth = 0.1;
    recipe.actions.planned = 0.1;
    recipe.actions.forced = Some(1);
    recipe.actions.rollout = 3;
    let done = run_on(&second, experience(), &options(out.path())).unwrap();
    assert_eq!(done, Outcome::Finished);
    let weights = |dir: &Path| {
        let params = Params::load(&dir.join("model.safetensors"), &Device::Cpu).unwrap();
        MaskedJepa::new(&small(), &params).unwrap();
        ActionJepa::new(&small(), &params).unwrap();
        ["target", "context", "masked", "predictor"].map(|part| values(&params.pp(part)))
    };
    let (before, after) = (weights(of.path()), weights(out.path()));
    assert_eq!(before[..3], after[..3], "the first stage stays as it is");
    assert_ne!(before[3], after[3], "the predictor learns");
    let curve = std::fs::read_to_string(out.path().join("curve.jsonl")).unwrap();
    assert!(
        curve.contains("\"actions\"") && !curve.contains("\"masked\""),
        "{curve}"
    );
    let card = Card::load(out.path()).unwrap();
    assert_eq!(card.stages.len(), 1, "{:?}", card.stages);
    assert_eq!(card.steps, 5, "of its own training");
}

#[test]
fn an_imagined_map_strays_by_what_no_component_holds() {
    let config = small();
    let params = Params::fresh(4, &Device::Cpu);
    let len = config.map_len();
    let mut rng = Rng::seed(6);
    let maps = rng.normal((40, 3), &Device::Cpu).unwrap();
    let directions = rng.normal((3, len), &Device::Cpu).unwrap();
    let maps = maps.matmul(&directions).unwrap();
    let (summary, _) = Summary::of(&maps, config.summary).unwrap();
    summary.store(&config, &params).unwrap();
    let read = |maps: &Tensor| -> Vec<f32> { summary.outside(maps).unwrap().to_vec1().unwrap() };
    // Maps of three directions lie within them, and what is added across them is found again.
    assert!(read(&maps).iter().all(|s| *s < 1e-3));
    let noise = rng.normal((40, len), &Device::Cpu).unwrap();
    let strayed = read(&(&maps + (&noise * 2.).unwrap()).unwrap());
    assert!(strayed.iter().all(|s| (*s - 4.).abs() < 1.), "{strayed:?}");
    // The model behind the trait tells the same of every imagined step.
    let world = VjepaModel::from_params(crate::support::stub::card("maps"), &config, &params, None);
    let world = world.unwrap();
    let frame = Frame::new(64, experience().frame(0).to_vec());
    let latent = world.observe(&Context::one(frame)).unwrap();
    let actions = Actions::one(&vec![vec![0.3, -0.2]; 10], 2);
    let imagined = world
        .imagine(&latent, &actions, Sampling::default(), &Cancel::new())
        .unwrap();
    let told = world.facets().strays.expect("a V-JEPA tells");
    let strays = told.strays(&imagined).unwrap();
    assert_eq!(strays.len(), 2);
    assert!(
        strays.iter().all(|s| s.is_finite() && *s > 0.),
        "{strays:?}"
    );
}

/// A predictor whose last layer says something.
fn lively(config: &VjepaConfig, seed: u64) -> (Params, ActionJepa) {
    let params = Params::fresh(seed, &Device::Cpu);
    let model = ActionJepa::new(config, &params).unwrap();
    let mut rng = Rng::seed(seed + 1);
    for (_, var) in params.pp("predictor").vars() {
        let noise = rng.uniform(-0.2, 0.2, var.dims().to_vec(), &Device::Cpu);
        var.set(&noise.unwrap()).unwrap();
    }
    (params, model)
}

#[test]
fn two_steps_of_a_rollout_are_two_single_steps() {
    for history in [1, 2] {
        let config = VjepaConfig { history, ..small() };
        let (_, model) = lively(&config, 9);
        let (z, actions) = sequences(&model, history + 2);
        let n = z.dim(0).unwrap();
        let start = z
            .narrow(1, 0, history)
            .unwrap()
            .contiguous()
            .unwrap()
            .reshape((n, ()))
            .unwrap();
        let after = actions.narrow(1, history - 1, 2).unwrap();
        let both = model.roll_out(&start, &after).unwrap();
        let block = |t: usize| {
            let block = after.narrow(1, t, 1).unwrap().squeeze(1).unwrap();
            block.contiguous().unwrap()
        };
        let first = model.predict(&start, &block(0)).unwrap();
        let shifted = model.shift(&start, &first).unwrap();
        let second = model.predict(&shifted, &block(1)).unwrap();
        assert!(bits(&both[0]) == bits(&first) && bits(&both[1]) == bits(&second));
        assert!(bits(&first) != bits(&second));
        // And the rollout loss is the second step's error.
        let (_, rollout) = model
            .losses(&z, &actions, &MapError::default(), None)
            .unwrap();
        let truth = z.narrow(1, history + 1, 1).unwrap().squeeze(1).unwrap();
        let error = (second - truth).unwrap().abs().unwrap().mean_all().unwrap();
        let (found, expected) = (
            rollout.to_scalar::<f32>().unwrap(),
            error.to_scalar::<f32>().unwrap(),
        );
        assert!(
            (found - expected).abs() < 1e-6 * expected,
            "{found} {expected}"
        );
    }
}

pub fn config(cost: GoalCost) -> TrainConfig {
    TrainConfig {
        name: "test".into(),
        summary: "A test".into(),
        seed: 11,
        data: Vec::new(),
        episodes: None,
        validation_share: 0.2,
        architecture: Architecture::VjepaAc(VjepaRecipe {
            model: VjepaConfig { cost, ..small() },
            start: None,
            masked: MaskedPhase {
                length: Length::Steps(5),
                clips: 2,
                stills: 2,
                judge_every: 3,
                ..Default::default()
            },
            actions: ActionPhase {
                length: Length::Steps(5),
                batch: 4,
                summary_frames: 60,
                ..Default::default()
            },
            readouts: ReadoutPhase {
                steps: 20,
                ..Default::default()
            },
        }),
    }
}

pub fn options(out: &Path) -> TrainOptions {
    TrainOptions {
        device: Device::Cpu,
        minutes: None,
        resume: false,
        out: out.into(),
        ..Default::default()
    }
}

#[test]
fn an_interrupted_training_of_both_stages_ends_in_the_same_bits() {
    let config = config(GoalCost::Plain);
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(
        run_on(&config, experience(), &options(whole.path())).unwrap(),
        Outcome::Finished
    );
    // No time at all: every run takes one step and stops.
    let go_on = |resume| TrainOptions {
        resume,
        minutes: Some(0.),
        ..options(parts.path())
    };
    let mut outcome = run_on(&config, experience(), &go_on(false)).unwrap();
    let mut runs = 1;
    while outcome == Outcome::Paused {
        outcome = run_on(&config, experience(), &go_on(true)).unwrap();
        runs += 1;
        assert!(runs < 20, "the training does not end");
    }
    assert!(
        runs > 8,
        "the training was cut {runs} times, expected after every step"
    );
    for file in [
        "model.safetensors",
        "readouts.safetensors",
        "readouts.json",
        "train.ron",
        "model.ron",
    ] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(read(whole.path()) == read(parts.path()), "{file} differs");
    }
}

#[test]
fn a_trained_folder_of_two_stages_loads_and_imagines_the_same() {
    for cost in [GoalCost::Plain, GoalCost::Whitened] {
        let dir = tempfile::tempdir().unwrap();
        run_on(&config(cost), experience(), &options(dir.path())).unwrap();
        let read = TrainConfig::load(&dir.path().join("train.ron")).unwrap();
        assert_eq!(read, config(cost));
        let Architecture::VjepaAc(recipe) = &read.architecture else {
            panic!("another architecture was read")
        };
        let load = || {
            let card = Card::load(dir.path()).unwrap();
            VjepaModel::load(dir.path(), card, &recipe.model, &Device::Cpu).unwrap()
        };
        let (model, again) = (load(), load());
        let at = |t: usize| Frame::new(64, experience().frame(t).to_vec());
        let (context, later) = (Context::one(at(0)), at(15));
        let sampling = Sampling::default();
        let mut rng = Rng::seed(3);
        // More candidates than are imagined together.
        let actions = Actions {
            n: 70,
            steps: 10,
            dim: 2,
            data: (0..70 * 20).map(|_| 2. * rng.f32() - 1.).collect(),
        };
        let goal = Goal {
            latent: None,
            frame: later.clone(),
        };
        let imagine = |model: &VjepaModel| {
            let latent = model.observe(&context).unwrap();
            let rollouts = model
                .imagine(&latent, &actions, sampling, &Cancel::new())
                .unwrap();
            let distances = model.distance(&rollouts, &goal, &Metric::Own).unwrap();
            (rollouts, distances)
        };
        let (rollouts, distances) = imagine(&model);
        assert_eq!(distances.len(), 140);
        assert!(distances.iter().all(|d| d.is_finite() && *d > 0.));
        assert!(distances == imagine(&again).1);
        let probes = model.facets().readouts.expect("read-outs were trained");
        let states = probes.states(&rollouts).unwrap();
        assert_eq!(states.bodies, ["hand", "cube"]);
        assert_eq!(states.poses.len(), 70 * 2 * 2);
        assert_eq!(probes.now(&context).unwrap().poses.len(), 2);
        let features = model.features(&context).unwrap();
        assert_eq!(features.len(), recipe.model.summary);
        let one = Actions {
            n: 1,
            steps: 5,
            dim: 2,
            data: vec![0.1; 10],
        };
        assert!(model.surprise(&context, &one, &later).unwrap() > 0.);
        let short = Actions {
            n: 1,
            steps: 7,
            dim: 2,
            data: vec![0.; 14],
        };
        let latent = model.observe(&context).unwrap();
        assert!(
            model
                .imagine(&latent, &short, sampling, &Cancel::new())
                .is_err()
        );
        let stop = Cancel::new();
        stop.cancel();
        assert!(model.imagine(&latent, &actions, sampling, &stop).is_err());
    }
}

#[test]
fn a_masked_clip_shows_what_was_hidden_and_missed() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(GoalCost::Plain);
    run_on(&config, experience(), &options(dir.path())).unwrap();
    let card = Card::load(dir.path()).unwrap();
    let model = VjepaModel::load(dir.path(), card, &small(), &Device::Cpu).unwrap();
    assert_eq!(model.clip_frames(), 4);
    let frames: Vec<Frame> = (0..4)
        .map(|t| Frame::new(64, experience().frame(t).to_vec()))
        .collect();
    let clip = model.masked(&frames, 8).unwrap();
    assert_eq!((clip.visible.len(), clip.error.len()), (2 * 64, 2 * 64));
    for (visible, error) in clip.visible.iter().zip(&clip.error) {
        assert_eq!(*visible, error.is_nan());
        assert!(*visible || *error > 0.);
    }
    // As deep as the clip.
    assert_eq!(clip.visible[..64], clip.visible[64..]);
    assert_eq!(clip.tubelet(3, 63 * 64 + 63), 127);
    assert_eq!(clip.tubelet(1, 8), 1);
    let hidden = |seed| {
        let clip = model.masked(&frames, seed).unwrap();
        clip.visible.iter().filter(|v| !**v).count()
    };
    assert!(
        (0..40).map(|s| hidden(2 * s)).sum::<usize>() < (0..40).map(|s| hidden(2 * s + 1)).sum()
    );
    assert!(model.masked(&frames[..3], 8).is_err());
}
