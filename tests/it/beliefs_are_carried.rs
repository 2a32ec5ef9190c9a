//! What a model has seen goes on counting once it is hidden, and ends with the episode; how long hidden
//! bodies survive is counted as it says.

use std::sync::Arc;

use candle_core::Device;
use parallax::camera::Eye;
use parallax::episode::{Episode, record};
use parallax::eval::rollout::{CONTEXT, Clip};
use parallax::eval::survival::{self, Hidden, LONGEST, Point};
use parallax::model::belief::BeliefSizes;
use parallax::model::facets::Pixels;
use parallax::model::jepa::{BeliefConfig, BeliefModel, GoalCost, LewmConfig, LewmModel};
use parallax::model::nn::Params;
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Cost, Facets, Frame, Frames, Goal, Latent, Metric,
    ModelError, Rollouts, Sampling, Shape, WorldModel,
};
use parallax::sim::TUNING_SEED;
use parallax::train::TrainConfig;

use crate::diffusion_learns::moving_squares;
use crate::latent_diffusion_learns::{
    actions as film_actions, imagined as imagined_film, with_and_without_belief,
};
use crate::lewm_trains::{experience, small};
use crate::support::scene;
use crate::support::stub::{card, shape};

fn config() -> BeliefConfig {
    BeliefConfig {
        lewm: LewmConfig {
            frameskip: 1,
            history: 2,
            // The whitening of a model that was never trained is zero.
            cost: GoalCost::Plain,
            ..small()
        },
        belief: BeliefSizes {
            width: 12,
            hidden: 16,
            context: 8,
        },
    }
}

/// A model whose every variable is drawn, and the LeWM in it.
fn models() -> (BeliefModel, LewmModel, Params) {
    let params = Params::fresh(5, &Device::Cpu);
    let card = || Card::untrained("believer", Camp::Jepa, "belief_lewm");
    BeliefModel::from_params(card(), &config(), &params, None).unwrap();
    LewmModel::from_params(card(), &config().lewm, &params, None).unwrap();
    crate::diffusion_imagines::wake(&params);
    let lewm = LewmModel::from_params(card(), &config().lewm, &params, None).unwrap();
    let believer = BeliefModel::from_params(card(), &config(), &params, None).unwrap();
    (believer, lewm, params)
}

/// Observations of the experience, and actions between them.
fn context(frames: &[usize]) -> Context {
    let data = experience();
    Context {
        frames: frames
            .iter()
            .map(|&i| Frame::new(data.size, data.frame(i).to_vec()))
            .collect(),
        actions: vec![vec![0.3, -0.2]; frames.len() - 1],
    }
}

/// Distances of what is imagined after a context.
fn imagined(model: &dyn WorldModel, context: &Context) -> Vec<f32> {
    let actions = Actions {
        n: 2,
        steps: 5,
        dim: 2,
        data: (0..20).map(|i| (i as f32 * 0.7).sin()).collect(),
    };
    let latent = model.observe(context).unwrap();
    let rollouts = model
        .imagine(&latent, &actions, Sampling::default(), &Cancel::new())
        .unwrap();
    let data = experience();
    let goal = Goal {
        latent: None,
        frame: Frame::new(data.size, data.frame(30).to_vec()),
    };
    let plans = model.facets().plans.unwrap();
    plans.distance(&rollouts, &goal, &Metric::Own).unwrap()
}

fn differ(a: &[f32], b: &[f32]) -> f32 {
    let pairs = a.iter().zip(b);
    pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn what_was_seen_before_counts_for_a_belief_and_for_nobody_else() {
    let (believer, lewm, _) = models();
    let (one, other) = (context(&[0, 1, 2, 10, 11]), context(&[20, 25, 29, 10, 11]));
    let (long, short) = (believer.shape(), lewm.shape());
    assert_eq!((long.context_frames, short.context_frames), (8, 2));
    assert_eq!(imagined(&lewm, &one), imagined(&lewm, &other));
    assert_ne!(imagined(&believer, &one), imagined(&believer, &other));
}

#[test]
fn a_belief_ends_with_its_episode_and_looks_no_further_back_than_it_says() {
    let (believer, _, _) = models();
    let fresh = imagined(&believer, &context(&[10, 11]));
    // Another episode comes between: nothing of it is left.
    imagined(&believer, &context(&[20, 21, 22, 23, 24]));
    assert_eq!(fresh, imagined(&believer, &context(&[10, 11])));
    let eight = [3, 4, 5, 6, 7, 8, 10, 11];
    let ten: Vec<usize> = [20, 29].into_iter().chain(eight).collect();
    let mut longer = context(&ten);
    let all = imagined(&believer, &longer);
    longer.keep(8);
    assert_eq!(all, imagined(&believer, &longer));
}

#[test]
fn a_belief_that_corrects_nothing_leaves_the_lewm_as_it_is() {
    let (_, lewm, params) = models();
    for (_, var) in params.pp("belief.correct.second").vars() {
        var.set(&var.zeros_like().unwrap()).unwrap();
    }
    let card = Card::untrained("believer", Camp::Jepa, "belief_lewm");
    let believer = BeliefModel::from_params(card, &config(), &params, None).unwrap();
    let seen = context(&[3, 4, 5, 6]);
    let (own, its) = (imagined(&believer, &seen), imagined(&lewm, &seen));
    let largest = its.iter().fold(0f32, |m, x| m.max(x.abs()));
    assert!(differ(&own, &its) < 1e-4 * largest.max(1.0));
    let (own, its) = (
        believer.cost(Sampling::default()),
        lewm.cost(Sampling::default()),
    );
    assert!(own.parameters > its.parameters && own.dynamics_flops > its.dynamics_flops);
}

/// A film of which some observations are shown, and the actions between them, which are the same for all.
fn film(frames: &[usize]) -> Context {
    let data = moving_squares(1, 12);
    let shown = frames.iter().map(|&t| data.frame(t).to_vec());
    let actions = vec![vec![0.3, -0.2]; frames.len() - 1];
    Context::new(data.size, shown, actions)
}

#[test]
fn a_diffusion_with_a_belief_remembers_what_its_context_no_longer_shows() {
    let sizes = BeliefSizes {
        width: 12,
        hidden: 16,
        context: 6,
    };
    let (plain, believer, params) = with_and_without_belief(sizes);
    let actions = film_actions(2, 4, 2);
    let of = |model, frames: &[usize]| imagined_film(model, &film(frames), &actions).data;
    let (one, other) = ([0, 1, 2, 7, 8, 9], [5, 4, 2, 7, 8, 9]);
    assert_eq!(plain.shape().context_frames, 3);
    assert_eq!(believer.shape().context_frames, 6);
    assert_eq!(of(&plain, &one), of(&plain, &other));
    assert_ne!(of(&believer, &one), of(&believer, &other));
    // It looks no further back than it says.
    let older = [11, 10, 0, 1, 2, 7, 8, 9];
    assert_eq!(of(&believer, &one), of(&believer, &older));
    // One candidate among many is imagined as it is alone.
    let alone = film_actions(1, 4, 2);
    let first = imagined_film(&believer, &film(&one), &alone).data;
    assert_eq!(of(&believer, &one)[..first.len()], first[..]);
    // Carrying it on costs something, for every imagined frame.
    let cost = |m: &dyn WorldModel| m.cost(Sampling::default());
    assert!(cost(&believer).dynamics_flops > cost(&plain).dynamics_flops);
    // A belief that says nothing leaves the diffusion as it is.
    for (_, var) in params.pp("dynamics.belief").vars() {
        var.set(&var.zeros_like().unwrap()).unwrap();
    }
    assert_eq!(of(&believer, &one), of(&plain, &one));
}

/// Draws what comes, or the last picture again and again.
struct Draws {
    card: Card,
    episodes: Vec<Episode>,
    knows: bool,
}

impl WorldModel for Draws {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        shape(1000, 1)
    }
    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        let first = &context.frames[0].data;
        let own = |e: &Episode| e.frames.starts_with(first);
        let episode = self.episodes.iter().position(own).unwrap();
        Ok(Latent::new((episode, context.frames.len() - 1)))
    }
    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        _: Sampling,
        _: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let (episode, last) = *latent.get::<(usize, usize)>("draws")?;
        Ok(Rollouts::new((episode, last, actions.steps)))
    }
    fn cost(&self, _: Sampling) -> Cost {
        Cost::default()
    }
    fn facets(&self) -> Facets<'_> {
        Facets {
            pixels: Some(self),
            ..Facets::default()
        }
    }
}

impl Pixels for Draws {
    fn frames(&self, rollouts: &Rollouts) -> Result<Frames, ModelError> {
        let (episode, last, steps) = *rollouts.get::<(usize, usize, usize)>("draws")?;
        let frame = 3 * 64 * 64;
        let shown = (1..=steps).flat_map(|t| {
            let t = last + if self.knows { t } else { 0 };
            self.episodes[episode].frames[t * frame..(t + 1) * frame].to_vec()
        });
        Ok(Frames::sequence(64, shown.collect()))
    }
}

#[test]
fn whoever_draws_is_looked_at_where_half_of_the_body_shows_again() {
    let scene = scene("occluder");
    let eye = Eye::standard(&scene).unwrap();
    let seeds = TUNING_SEED..TUNING_SEED + 4;
    let survived = |knows| {
        let model = Draws {
            card: card("draws"),
            episodes: (seeds.clone())
                .map(|s| record(&scene, &eye, s).unwrap())
                .collect(),
            knows,
        };
        survival::run(&scene, &model, (seeds.start, 4), &[1.0], || ()).unwrap()
    };
    let (knows, repeats) = (survived(true), survived(false));
    assert!(knows.all.bodies >= 2, "{} bodies", knows.all.bodies);
    assert_eq!(knows.all.survival.unwrap().rate, 1.0);
    assert!(knows.all.off_cm.unwrap().median < 1e-3);
    assert_eq!(repeats.all.bodies, knows.all.bodies);
    assert_eq!(repeats.all.survival.unwrap().rate, 0.0);
}

#[test]
fn as_many_observations_are_handed_over_as_there_are() {
    let scene = scene("occluder");
    let eye = Eye::standard(&scene).unwrap();
    let clip = (TUNING_SEED..)
        .map(|seed| Clip::new(&scene, &eye, seed).unwrap())
        .find(|clip| clip.start >= 3)
        .unwrap();
    let (few, all) = (clip.context(1), clip.context(1000));
    assert_eq!(few.frames.len(), CONTEXT);
    assert_eq!(all.frames.len(), CONTEXT + clip.start);
    assert_eq!(all.actions.len() + 1, all.frames.len());
    assert!(all.frames.ends_with(&few.frames));
    assert_eq!(clip.context(CONTEXT + 2).frames.len(), CONTEXT + 2);
}

#[test]
fn hidden_bodies_are_counted_within_their_radius() {
    let body = |frames, model_m, stays_m| Hidden {
        frames,
        radius_m: 0.1,
        model_m,
        stays_m,
        coasts_m: 0.0,
    };
    let bodies = [
        body(3, Some(0.05), 0.4),
        body(3, Some(0.1), 0.09),
        body(3, Some(0.11), 0.4),
        body(4, None, 0.4),
    ];
    let point = Point::of([1, 4], &bodies);
    assert_eq!(point.bodies, 4);
    assert_eq!(
        point.survival.unwrap().rate,
        0.5,
        "a body that no picture shows is lost"
    );
    assert_eq!(point.stays.unwrap().rate, 0.25);
    assert_eq!(point.coasts.unwrap().rate, 1.0);
    assert!(Point::of([5, 8], &[]).survival.is_none());
}

#[test]
fn slower_bodies_are_hidden_for_longer_and_no_pixel_of_them_is_seen() {
    let scene = scene("occluder");
    let eye = Eye::standard(&scene).unwrap();
    let pixels = eye.size() * eye.size();
    let longest = |pace: f32| {
        let slow = Arc::new(survival::paced(&scene, pace));
        let mut most = 0;
        for seed in TUNING_SEED..TUNING_SEED + 3 {
            let episode = record(&slow, &eye, seed).unwrap();
            for (body, last, back) in survival::spans(&slow, &episode, pixels) {
                let seen = |t: usize| {
                    episode.ids[t * pixels..(t + 1) * pixels].contains(&(body as u8 + 1))
                };
                assert!(seen(last) && seen(back) && (last + 1..back).all(|t| !seen(t)));
                assert!((0..=last).filter(|&t| seen(t)).count() >= CONTEXT);
                assert!(back - last - 1 <= LONGEST);
                most = most.max(back - last - 1);
            }
        }
        most
    };
    let (own, slow) = (longest(1.0), longest(0.5));
    assert!(
        own >= 4 && slow > own,
        "{own} at its own pace, {slow} at half"
    );
}

#[test]
fn the_program_reads_a_recipe_of_a_belief_and_says_who_trains_it() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("training/recipes/lewm-belief.ron");
    let recipe = TrainConfig::load(&path).unwrap();
    assert_eq!(recipe.architecture.id(), "belief_lewm");
    let text = std::fs::read_to_string(&path).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("train.ron");
    let (before, after) = text.split_once("ahead: ").unwrap();
    let (_, after) = after.split_once(',').unwrap();
    std::fs::write(&broken, format!("{before}ahead: 0,{after}")).unwrap();
    let said = TrainConfig::load(&broken).unwrap_err().to_string();
    assert!(said.contains("training.ahead"), "{said}");
}

#[test]
fn kinds_of_surprise_are_asked_for_by_name() {
    use parallax::eval::surprise::Break;
    assert_eq!(Break::named("vanish_hidden"), Ok(Break::VanishHidden));
    let said = Break::named("vanished").unwrap_err();
    assert!(
        said.contains("vanished") && said.contains("pass_through"),
        "{said}"
    );
}
