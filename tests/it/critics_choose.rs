//! A critic that knows what can happen lifts what it chooses up to the best film; one that prefers what
//! cannot lowers it; and who cannot choose is refused.

use std::collections::HashMap;
use std::sync::Arc;

use parallax::camera::Eye;
use parallax::eval::choose;
use parallax::eval::rollout::{CONTEXT, Clip, STEPS};
use parallax::model::facets::{Facets, Pixels, Surprise};
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Cost, Frame, Frames, Latent, ModelError, Rollouts,
    Sampling, Shape, WorldModel,
};
use parallax::scene;

/// First seed and number of the clips.
const SEEDS: (u64, u64) = (950_000, 6);
/// Pixels that the second draw is off.
const OFF: usize = 9;
const SHAPE: Shape = Shape {
    context_frames: 1,
    frameskip: 1,
    action_dim: 4,
};

/// What really followed, by the last observation before it.
type Known = Arc<HashMap<Vec<u8>, Vec<Vec<u8>>>>;

fn known(scene: &Arc<scene::Scene>) -> Known {
    let eye = Eye::standard(scene).unwrap();
    let of = |seed: u64| {
        let clip = Clip::new(scene, &eye, seed).unwrap();
        let future = (CONTEXT..CONTEXT + STEPS).map(|t| clip.frame(t).to_vec());
        (clip.frame(CONTEXT - 1).to_vec(), future.collect())
    };
    Arc::new((SEEDS.0..SEEDS.0 + SEEDS.1).map(of).collect())
}

/// A model for this test alone, which knows the future: its first draw is what really follows, its second
/// the same moved to the right.
struct Slides {
    card: Card,
    known: Known,
}

struct Film {
    frames: Vec<Vec<u8>>,
    size: usize,
    by: usize,
}

impl WorldModel for Slides {
    fn card(&self) -> &Card {
        &self.card
    }

    fn shape(&self) -> Shape {
        SHAPE
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        let last = context.frames.last().cloned();
        Ok(Latent::new(last.unwrap_or_default()))
    }

    fn imagine(
        &self,
        latent: &Latent,
        _: &Actions,
        sampling: Sampling,
        _: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let last: &Frame = latent.get("slides")?;
        Ok(Rollouts::new(Film {
            frames: self.known[&last.data].clone(),
            size: last.size,
            by: OFF * sampling.draw as usize,
        }))
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

impl Pixels for Slides {
    fn frames(&self, rollouts: &Rollouts) -> Result<Frames, ModelError> {
        let film: &Film = rollouts.get("slides")?;
        let side = film.size;
        let mut data = Vec::new();
        for frame in &film.frames {
            for i in 0..side * side {
                let from = (i / side) * side + (i % side).saturating_sub(film.by);
                data.extend_from_slice(&frame[3 * from..3 * from + 3]);
            }
        }
        Ok(Frames {
            n: 1,
            steps: film.frames.len(),
            size: side,
            data,
        })
    }
}

/// Is surprised by whatever is unlike all that ever happened, or (of the other sign) by what did.
struct Critic {
    card: Card,
    known: Known,
    sign: f32,
}

impl WorldModel for Critic {
    fn card(&self) -> &Card {
        &self.card
    }

    fn shape(&self) -> Shape {
        SHAPE
    }

    fn observe(&self, _: &Context) -> Result<Latent, ModelError> {
        panic!("a critic imagines nothing")
    }

    fn imagine(
        &self,
        _: &Latent,
        _: &Actions,
        _: Sampling,
        _: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        panic!("a critic imagines nothing")
    }

    fn cost(&self, _: Sampling) -> Cost {
        Cost::default()
    }

    fn facets(&self) -> Facets<'_> {
        Facets {
            surprise: Some(self),
            ..Facets::default()
        }
    }
}

impl Surprise for Critic {
    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &Frame,
    ) -> Result<f32, ModelError> {
        assert_eq!((actions.n, actions.steps), (1, 1));
        assert!(!context.frames.is_empty());
        let unlike = |frame: &Vec<u8>| -> f32 {
            let pairs = frame.iter().zip(&next.data);
            pairs.map(|(a, b)| f32::from(a.abs_diff(*b))).sum()
        };
        let all = self.known.values().flatten();
        Ok(self.sign * all.map(unlike).fold(f32::INFINITY, f32::min))
    }
}

fn slides(known: Known) -> Slides {
    let card = Card::untrained("slides", Camp::Generative, "slides");
    Slides { card, known }
}

fn chosen_by(sign: f32) -> choose::ChoiceResult {
    let scene = Arc::new(scene::load("push").unwrap());
    let known = known(&scene);
    let critic = Critic {
        card: Card::untrained("critic", Camp::Jepa, "critic"),
        known: known.clone(),
        sign,
    };
    choose::run(&scene, &slides(known), &critic, SEEDS, 2, || ()).unwrap()
}

#[test]
fn a_critic_that_is_right_lifts_and_one_that_is_wrong_lowers() {
    let (right, wrong) = (chosen_by(1.0), chosen_by(-1.0));
    for found in [&right, &wrong] {
        let counts: Vec<usize> = found.choices.iter().map(|c| c.samples).collect();
        assert_eq!(counts, [1, 2]);
        let lift = found.choices[0].lift_px.unwrap().mean;
        assert_eq!(lift, 0.0, "there is nothing to choose from one future");
        let nearest = found.choices[1].nearest.object_error_px.unwrap().mean;
        assert!(nearest < 1e-6, "the first draw is what really followed");
        assert_eq!(
            found.agreement, None,
            "two futures have no rank correlation"
        );
    }
    // Of two films that are 0 and 9 pixels off the mean is 4.5 off; what the picture's edge cuts is less.
    let lift = |found: &choose::ChoiceResult| found.choices[1].lift_px.unwrap().mean;
    let half = OFF as f64 / 2.0;
    let about = half - 1.5..half + 0.1;
    assert!(about.contains(&lift(&right)), "{}", lift(&right));
    assert!(about.contains(&-lift(&wrong)), "{}", lift(&wrong));
    assert_eq!(right.choices[1].chosen, right.choices[1].first);
    assert_ne!(wrong.choices[1].chosen, wrong.choices[1].first);
}

#[test]
fn who_cannot_choose_is_refused_by_name() {
    let scene = Arc::new(scene::load("push").unwrap());
    let model = slides(known(&scene));
    let error = choose::run(&scene, &model, &model, SEEDS, 4, || ()).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("slides") && said.contains("surprised"),
        "{said}"
    );
}

#[test]
fn a_critic_that_is_not_there_is_named_before_anything_is_drawn() {
    let mut command = assert_cmd::Command::cargo_bin("parallax").unwrap();
    let asked =
        "eval choose --scene push --model diffusion --critic nobody --futures 2 --episodes 1";
    let said = command.args(asked.split(' ')).assert().failure();
    let said = String::from_utf8_lossy(&said.get_output().stderr).to_string();
    assert!(said.contains("nobody"), "{said}");
}
