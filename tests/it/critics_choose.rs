//! A critic that knows which film is nearest to reality lifts what it chooses up to the best one; one that knows
//! nothing lifts nothing on average; and it never sees reality.

use std::sync::Arc;

use parallax::eval::choose;
use parallax::model::facets::{Facets, Pixels, Surprise};
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Cost, Frame, Frames, Latent, ModelError, Rollouts,
    Sampling, Shape, WorldModel,
};
use parallax::scene;

/// Shows the last observation, moved to the right by as many pixels as the number of the draw says.
struct Slides {
    card: Card,
}

struct Film {
    last: Frame,
    steps: usize,
    by: usize,
}

impl WorldModel for Slides {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        Shape {
            context_frames: 1,
            frameskip: 1,
            action_dim: 4,
        }
    }
    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        Ok(Latent::new(
            context.frames.last().cloned().unwrap_or_default(),
        ))
    }
    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        sampling: Sampling,
        _: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let last: &Frame = latent.get("slides")?;
        let by = 3 * sampling.draw as usize;
        Ok(Rollouts::new(Film {
            last: last.clone(),
            steps: actions.steps,
            by,
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
        let side = film.last.size;
        let mut moved = film.last.data.clone();
        for (i, pixel) in moved.chunks_exact_mut(3).enumerate() {
            let from = (i / side) * side + (i % side).saturating_sub(film.by);
            pixel.copy_from_slice(&film.last.data[3 * from..3 * from + 3]);
        }
        Ok(Frames {
            n: 1,
            steps: film.steps,
            size: side,
            data: moved.repeat(film.steps),
        })
    }
}

/// Is surprised by change, or by none: what it says is a function of the pictures alone.
struct Critic {
    card: Card,
    sign: f32,
}

impl WorldModel for Critic {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        Shape {
            context_frames: 1,
            frameskip: 1,
            action_dim: 4,
        }
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
        let last = context.frames.last().unwrap();
        let change = last
            .data
            .iter()
            .zip(&next.data)
            .map(|(a, b)| f32::from(a.abs_diff(*b)));
        Ok(self.sign * change.sum::<f32>())
    }
}

fn critic(sign: f32) -> Critic {
    let card = Card::untrained("critic", Camp::Jepa, "critic");
    Critic { card, sign }
}

fn chosen_by(sign: f32) -> choose::ChoiceResult {
    let scene = Arc::new(scene::load("push").unwrap());
    let model = Slides {
        card: Card::untrained("slides", Camp::Generative, "slides"),
    };
    choose::run(&scene, &model, &critic(sign), (950_000, 6), 4, || ()).unwrap()
}

#[test]
fn a_critic_that_is_right_lifts_and_one_that_is_wrong_lowers() {
    let (right, wrong) = (chosen_by(1.0), chosen_by(-1.0));
    let counts: Vec<usize> = right.choices.iter().map(|c| c.samples).collect();
    assert_eq!(counts, [1, 2, 4]);
    let px = |films: &choose::Films| films.object_error_px.unwrap().mean;
    let lift = |found: &choose::ChoiceResult, i: usize| found.choices[i].lift_px.unwrap().mean;
    assert_eq!(
        lift(&right, 0),
        0.0,
        "there is nothing to choose from one future"
    );
    // The still film is draw 0; the others slide away from the bodies' places, ever further.
    assert_eq!(right.choices[2].chosen, right.choices[2].first);
    assert!(
        lift(&right, 2) > 1.0 && lift(&wrong, 2) < -1.0,
        "{right:?} {wrong:?}"
    );
    for found in [&right, &wrong] {
        for choice in &found.choices {
            assert!(px(&choice.nearest) <= px(&choice.chosen) + 1e-9);
        }
    }
    let agreement = |found: &choose::ChoiceResult| found.agreement.unwrap().mean;
    assert!(agreement(&right) > 0.5 && agreement(&wrong) < -0.5);
}

#[test]
fn who_cannot_choose_is_refused_by_name() {
    let scene = Arc::new(scene::load("push").unwrap());
    let model = Slides {
        card: Card::untrained("slides", Camp::Generative, "slides"),
    };
    let error = choose::run(&scene, &model, &model, (950_000, 1), 4, || ()).unwrap_err();
    assert!(
        error.to_string().contains("slides") && error.to_string().contains("surprised"),
        "{error}"
    );
}
