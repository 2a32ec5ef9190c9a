//! A trained LeWM as the predictor of a world model.

use super::world::{ImaginedLatents, JepaWorld, Predictor, Sizes, step_by_step, whitening_of};
use super::{
    ActionBlock, Decoder, Jumps, Keyframes, Lewm, LewmConfig, ProbeSpec, Proposal, Temporal,
};
use crate::model::facets::{Decodes, Facets, FilmCost, Jumping, Proposals, Station, Stations};
use crate::model::nn::{Params, ResidualRollout};
use crate::model::{Actions, Cancel, Frame, Frames, Goal, Latent, ModelError, Rollouts};
use candle_core::{Device, Result, Tensor};

/// LeWM (arXiv 2603.19312) behind the trait.
pub type LewmModel = JepaWorld<LewmPredictor>;

/// The networks of a LeWM, as planning runs them.
pub struct LewmPredictor {
    model: Lewm,
    /// Its predictor as planning runs it, on a processor.
    rollout: Option<ResidualRollout>,
    /// `[D, D]`, transposed for a product from the right.
    whitening: Option<Tensor>,
    decoder: Option<Decoder>,
    proposal: Option<Proposal>,
    keyframes: Option<Keyframes>,
    jumps: Option<Jumps>,
    temporal: Option<Temporal>,
}

impl LewmPredictor {
    /// The networks.
    pub fn lewm(&self) -> &Lewm {
        &self.model
    }

    /// The diagnostic decoder, where there is one.
    pub(super) fn decoder(&self) -> Option<&Decoder> {
        self.decoder.as_ref()
    }
}

impl Predictor for LewmPredictor {
    type Config = LewmConfig;
    const PARTS: &'static [&'static str] = &["encoder", "predictor"];

    fn new(config: &LewmConfig, params: &Params, spec: Option<&ProbeSpec>) -> Result<Self> {
        let model = Lewm::new(config, params)?;
        let d = config.latent_dim;
        let by_rows = params.device().is_cpu() && config.action_block == ActionBlock::Concat;
        let decoder = |sizes| Decoder::new(sizes, d, config.image_size, params);
        Ok(Self {
            rollout: by_rows.then(|| model.rollout()).transpose()?,
            whitening: whitening_of(config.cost, d, params)?,
            proposal: Proposal::is_in(params)
                .then(|| Proposal::new(d, config.history, config.action_dim, params))
                .transpose()?,
            keyframes: Keyframes::is_in(params)
                .then(|| Keyframes::new(d, config.history, params))
                .transpose()?,
            jumps: Jumps::is_in(params)
                .then(|| Jumps::new(config, params))
                .transpose()?,
            temporal: Temporal::is_in(params)
                .then(|| Temporal::new(d, params))
                .transpose()?,
            decoder: spec.and_then(|s| s.decoder).map(decoder).transpose()?,
            model,
        })
    }

    fn sizes(&self) -> Sizes {
        let c = self.model.config();
        Sizes {
            image: c.image_size,
            latent: c.latent_dim,
            summary: c.latent_dim,
            action_dim: c.action_dim,
            frameskip: c.frameskip,
            history: c.history,
            context: (c.history - 1) * c.frameskip + 1,
        }
    }

    fn device(&self) -> &Device {
        self.model.device()
    }

    fn encode(&self, frame: &Frame) -> Result<Tensor> {
        self.model.encode_frames(&frame.data)
    }

    fn predict(&self, last: &Tensor, block: &Tensor) -> Result<Tensor> {
        self.model.predict(last, block, None)
    }

    fn roll_out(
        &self,
        start: &Tensor,
        blocks: &Tensor,
        cancel: &Cancel,
    ) -> std::result::Result<Tensor, ModelError> {
        let Some(rollout) = &self.rollout else {
            return step_by_step(self, start, blocks, cancel);
        };
        cancel.check()?;
        let (n, steps, _) = blocks.dims3()?;
        let start: Vec<f32> = start.flatten_all()?.to_vec1()?;
        let blocks: Vec<f32> = blocks.flatten_all()?.to_vec1()?;
        let z = rollout.run(&start, &blocks, steps);
        let shape = (n, steps, self.model.config().latent_dim);
        Ok(Tensor::from_vec(z, shape, self.device())?)
    }

    fn distance(&self, latents: &Tensor, goal: &Tensor) -> Result<Tensor> {
        let delta = latents.broadcast_sub(goal)?;
        let delta = match &self.whitening {
            Some(w) => delta.matmul(w)?,
            None => delta,
        };
        delta.sqr()?.sum(1)
    }

    fn temporal(&self) -> Option<&Temporal> {
        self.temporal.as_ref()
    }

    fn unit_of_surprise(&self) -> f32 {
        self.model.config().latent_dim as f32
    }

    fn summary(&self, latents: &Tensor) -> Result<Tensor> {
        Ok(latents.clone())
    }

    fn flops(&self) -> (f64, f64) {
        self.model.flops()
    }

    fn is_small(&self) -> bool {
        true
    }

    fn add_facets<'a>(world: &'a LewmModel, facets: Facets<'a>) -> Facets<'a> {
        let networks = &world.predictor;
        Facets {
            decoder: networks.decoder.is_some().then_some(world),
            proposals: networks.proposal.is_some().then_some(world),
            stations: networks.keyframes.is_some().then_some(world),
            jumps: networks.jumps.is_some().then_some(world),
            ..facets
        }
    }
}

impl Decodes for LewmModel {
    fn decoded(&self, rollouts: &Rollouts) -> std::result::Result<Frames, ModelError> {
        let (z, rows) = self.imagined(rollouts)?;
        let (n, steps, _) = z.dims3()?;
        let networks = &self.predictor;
        let decoder = networks.decoder.as_ref();
        let decoder = decoder.ok_or_else(|| self.inputs().fault("has no decoder".into()))?;
        Ok(Frames {
            n,
            steps,
            size: networks.model.config().image_size,
            data: decoder.draw(&rows, networks.model.mean_image())?,
        })
    }
}

impl Proposals for LewmModel {
    fn propose(
        &self,
        latent: &Latent,
        goal: &Goal,
        n: usize,
        steps: usize,
        dim: usize,
        seed: u64,
    ) -> std::result::Result<Actions, ModelError> {
        let start: &Tensor = latent.get(&self.card.name)?;
        let networks = &self.predictor;
        let prior = networks.proposal.as_ref();
        let none = || self.inputs().fault("learned no prior over actions".into());
        let goal = self.encode_goal(goal)?;
        let shape = (n, steps, dim);
        Ok(prior
            .ok_or_else(none)?
            .draw(&networks.model, start, &goal, shape, seed)?)
    }
}

impl LewmModel {
    fn keyframes(&self) -> std::result::Result<&Keyframes, ModelError> {
        let head = self.predictor.keyframes.as_ref();
        head.ok_or_else(|| self.inputs().fault("learned no keyframes".into()))
    }

    /// The station with the bodies' places that probes read there.
    fn placed(&self, station: Station) -> std::result::Result<Station, ModelError> {
        let row = self.row(&station.latent, "station")?;
        let places = match &self.read_outs {
            Some(probes) => Some(probes.states(&self.predictor.summary(&row)?, 1)?),
            None => None,
        };
        Ok(Station { places, ..station })
    }
}

impl Stations for LewmModel {
    fn next(&self, latent: &Latent, goal: &Goal) -> std::result::Result<Vec<Station>, ModelError> {
        let now: &Tensor = latent.get(&self.card.name)?;
        let found = self.keyframes()?.propose(now, &self.encode_goal(goal)?)?;
        found.into_iter().map(|s| self.placed(s)).collect()
    }

    fn last(&self, goal: &Goal) -> std::result::Result<Station, ModelError> {
        self.placed(Station {
            latent: self.encode_goal(goal)?.flatten_all()?.to_vec1()?,
            probability: 1.0,
            is_goal: true,
            ..Station::default()
        })
    }

    fn arrived(&self, station: &Station) -> std::result::Result<Latent, ModelError> {
        let row = self.row(&station.latent, "station")?;
        let rows = vec![row; self.predictor.sizes().history];
        Ok(Latent::new(Tensor::cat(&rows, 1)?))
    }

    fn distance(
        &self,
        latent: &Latent,
        station: &Station,
        hand: bool,
    ) -> std::result::Result<f32, ModelError> {
        let now: &Tensor = latent.get(&self.card.name)?;
        let d = self.predictor.sizes().latent;
        let mut now = now.narrow(1, now.dim(1)? - d, d)?.contiguous()?;
        let mut then = self.row(&station.latent, "station")?;
        if !hand {
            let head = self.keyframes()?;
            (now, then) = (head.without_hand(&now)?, head.without_hand(&then)?);
        }
        let found: Vec<f32> = self.predictor.distance(&now, &then)?.to_vec1()?;
        Ok(found.first().copied().unwrap_or(f32::NAN))
    }
}

impl Jumping for LewmModel {
    fn imagine_by_jumps(
        &self,
        latent: &Latent,
        actions: &Actions,
        cancel: &Cancel,
    ) -> std::result::Result<Rollouts, ModelError> {
        let start: &Tensor = latent.get(&self.card.name)?;
        let blocks = self.inputs().blocks(actions, self.predictor.device())?;
        let z = self.jumps()?.film(start, &blocks, cancel)?;
        Ok(Rollouts::new(ImaginedLatents { z }))
    }

    fn film_cost(&self, steps: usize) -> std::result::Result<FilmCost, ModelError> {
        Ok(self.jumps()?.cost(steps))
    }
}

impl LewmModel {
    fn jumps(&self) -> std::result::Result<&Jumps, ModelError> {
        let jumps = self.predictor.jumps.as_ref();
        jumps.ok_or_else(|| self.inputs().fault("learned no jumps".into()))
    }
}
