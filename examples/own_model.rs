//! A world model of your own: it knows one thing, that the hand goes where the action says, and imagines
//! that nothing else moves. Planner, evaluation and window would take it like any other.
//!
//! `cargo run --release --no-default-features --example own_model`

use std::sync::Arc;

use parallax::camera::Eye;
use parallax::eval::control;
use parallax::model::facets::Plans;
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Cost, Effort, Facets, Frame, Goal, Latent, Metric,
    ModelError, Rollouts, Sampling, Shape, WorldModel,
};
use parallax::planner::{Budget, Cem, Mpc, Pilot};
use parallax::scene;
use parallax::sim::HELD_OUT_SEED;
use parallax::task::GoalKind;

/// How far the hand's colour goes in a picture in one control step at full speed, pixels.
const PIXELS_A_STEP: f32 = 2.0;

struct HandOnly {
    card: Card,
    /// The hand's colour, red, green and blue.
    colour: [u8; 3],
}

/// Where the hand is in the picture.
type Place = [f32; 2];

impl HandOnly {
    /// The middle of all pixels whose colour points the same way as the hand's, darker or brighter.
    fn hand(&self, frame: &Frame) -> Place {
        let dot = |a: [u8; 3], b: [u8; 3]| {
            (0..3)
                .map(|i| f32::from(a[i]) * f32::from(b[i]))
                .sum::<f32>()
        };
        let alike = |p: [u8; 3]| {
            dot(p, self.colour).powi(2) > 0.98 * dot(p, p) * dot(self.colour, self.colour)
        };
        let (mut sum, mut count) = ([0.0, 0.0], 0.0);
        for (i, pixel) in frame.data.chunks_exact(3).enumerate() {
            let pixel = [pixel[0], pixel[1], pixel[2]];
            if pixel != [0; 3] && alike(pixel) {
                sum = [
                    sum[0] + (i % frame.size) as f32,
                    sum[1] + (i / frame.size) as f32,
                ];
                count += 1.0;
            }
        }
        match count > 0.0 {
            true => sum.map(|s| s / count),
            false => [frame.size as f32 / 2.0; 2],
        }
    }
}

impl WorldModel for HandOnly {
    fn card(&self) -> &Card {
        &self.card
    }

    fn shape(&self) -> Shape {
        Shape {
            context_frames: 1,
            frameskip: 1,
            action_dim: 2,
        }
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        let frame = context.frames.last();
        let frame = frame.ok_or_else(|| ModelError::input(&self.card.name, "an empty context"))?;
        Ok(Latent::new(self.hand(frame)))
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        _sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        cancel.check()?;
        let start = *latent.get::<Place>(&self.card.name)?;
        let mut places = Vec::with_capacity(actions.n * actions.steps);
        for n in 0..actions.n {
            let mut place = start;
            for t in 0..actions.steps {
                let action = actions.at(n, t);
                place = [
                    place[0] + PIXELS_A_STEP * action[0],
                    place[1] + PIXELS_A_STEP * action[1],
                ];
                places.push(place);
            }
        }
        Ok(Rollouts::new(places))
    }

    fn cost(&self, _sampling: Sampling) -> Cost {
        Cost::default()
    }

    fn facets(&self) -> Facets<'_> {
        Facets {
            plans: Some(self),
            ..Facets::default()
        }
    }
}

impl Plans for HandOnly {
    fn distance(
        &self,
        rollouts: &Rollouts,
        goal: &Goal,
        _metric: &Metric,
    ) -> Result<Vec<f32>, ModelError> {
        let places = rollouts.get::<Vec<Place>>(&self.card.name)?;
        let wanted = self.hand(&goal.frame);
        let away = |p: &Place| (p[0] - wanted[0]).hypot(p[1] - wanted[1]);
        Ok(places.iter().map(away).collect())
    }

    fn effort(&self) -> Effort {
        Effort::CHEAP
    }
}

fn main() -> anyhow::Result<()> {
    println!("{}", run(20)?);
    Ok(())
}

/// Says how often the model reaches the goals of `reach` on held-out seeds.
pub fn run(episodes: u64) -> anyhow::Result<String> {
    let scene = Arc::new(scene::load("reach")?);
    let eye = Eye::standard(&scene)?;
    let card = Card::untrained("hand-only", Camp::Reference, "hand_only");
    let hand = scene.bodies.iter().find(|b| b.name == "hand");
    let colour = hand.map_or([0; 3], |b| b.colour.rgb());
    let mpc = Mpc::new(
        Arc::new(HandOnly { card, colour }),
        Cem::default(),
        Budget::PAPER,
        Budget::REPLAN,
    );
    let mut pilot = Pilot::Sighted(Box::new(mpc));
    let seeds = HELD_OUT_SEED..HELD_OUT_SEED + episodes;
    let result = control::run(&scene, &eye, &mut pilot, seeds, GoalKind::Scene, |_| {})?;
    let rate = result.success.map_or(f64::NAN, |r| r.rate);
    Ok(format!(
        "it reaches {:.0} % of {} goals",
        100.0 * rate,
        result.episodes
    ))
}
