//! The diagnostic decoder: pictures from frozen latents.

use super::mlp::lock;
use crate::episode::Dataset;
use crate::model::jepa::{Decoder, DecoderSizes};
use crate::model::nn::{Params, Rng};
use crate::train::curve::short;
use crate::train::data::sampling::{frames_of, spread};
use crate::train::data::stored::Stored;
use crate::train::data::targets::{episode_of, moving_ids};
use crate::train::error::TrainError;
use crate::train::phase::{At, Loss, Phase, Plan};
use crate::train::run::Session;
use candle_core::{Tensor, Var};
use serde_json::json;
use std::sync::Mutex;

const BATCH: usize = 48;
/// Weight of pixels where a body is that can move; all others weigh 1.
const BODY_WEIGHT: f32 = 8.;
/// Validation frames that the finished decoder is measured on.
const CHECKED: usize = 384;

/// Pictures of stored latents.
struct Decoding<'a> {
    decoder: Decoder,
    sizes: DecoderSizes,
    params: Params,
    data: &'a Dataset,
    latents: &'a Stored<f32>,
    frames: Vec<usize>,
    /// Where in a frame the decoder's values lie, and the encoder's mean image.
    places: Vec<usize>,
    mean: &'a [f32],
    moving: Vec<[bool; 256]>,
    steps: usize,
    rng: Mutex<Rng>,
}

impl Decoding<'_> {
    /// Latents of frames, the pixels that they should become, and the weight of each.
    fn tensors(&self, latents: &Stored<f32>, of: &[usize]) -> candle_core::Result<[Tensor; 3]> {
        let (mut wanted, mut weight) = (Vec::new(), Vec::new());
        for &i in of {
            let (frame, ids) = (self.data.frame(i), self.data.frame_ids(i));
            let moving = &self.moving[episode_of(self.data, i).scene];
            for &at in &self.places {
                wanted.push(f32::from(frame[at]) / 255. - self.mean[at]);
                let heavy = moving[ids[at / 3] as usize];
                weight.push(if heavy { BODY_WEIGHT } else { 1. });
            }
        }
        let (patch, device) = (self.sizes.patch, self.params.device());
        let patches = (self.data.size / patch).pow(2);
        let pixels = (of.len(), patches, 3 * patch * patch);
        Ok([
            Tensor::from_vec(latents.gather(of), (of.len(), latents.dim()), device)?,
            Tensor::from_vec(wanted, pixels, device)?,
            Tensor::from_vec(weight, pixels, device)?,
        ])
    }
}

impl Phase for Decoding<'_> {
    type Batch = [Tensor; 3];

    fn plan(&self) -> Plan {
        Plan {
            log_every: Some(100),
            ..Plan::fit("decoder", self.steps, 50, 1.5e-3)
        }
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.pp("decoder").vars()
    }

    fn draw(&self, _: At) -> Result<Self::Batch, TrainError> {
        let mut rng = lock(&self.rng);
        let mut one = || self.frames[rng.below(self.frames.len())];
        let chosen: Vec<usize> = (0..BATCH).map(|_| one()).collect();
        Ok(self.tensors(self.latents, &chosen)?)
    }

    fn loss(&self, [z, wanted, weight]: Self::Batch, _: At) -> Result<Loss, TrainError> {
        let error = (self.decoder.forward(&z)? - wanted)?.sqr()?;
        Ok(Loss::new((error * weight)?.mean_all()?, BATCH))
    }
}

/// Trains the decoder on stored latents; PSNR on validation frames goes to the curve.
///
/// # Errors
/// [`TrainError`] of the loop or the tensor library.
pub fn run(
    session: &mut Session,
    mean: &[f32],
    (latents, held_out): (&Stored<f32>, &Stored<f32>),
    sizes: DecoderSizes,
    steps: usize,
) -> Result<(), TrainError> {
    let (data, params) = (session.data, session.params.clone());
    let decoder = Decoder::new(sizes, latents.dim(), data.size, &params)?;
    let phase = Decoding {
        places: decoder.places(),
        decoder,
        sizes,
        params,
        data,
        latents,
        frames: frames_of(data, &latents.episodes),
        mean,
        moving: moving_ids(data),
        steps,
        rng: Rng::stream(session.given.seed, 0xDEC0).into(),
    };
    session.fit(&phase)?;
    let (mut error, mut count) = (0f64, 0f64);
    for some in spread(&frames_of(data, &held_out.episodes), CHECKED).chunks(BATCH) {
        let [z, wanted, weight] = phase.tensors(held_out, some)?;
        let wrong = (phase.decoder.forward(&z)?.detach() - wanted)?.sqr()?;
        let body = weight.gt(1.)?.to_dtype(wrong.dtype())?;
        error += f64::from((wrong * &body)?.sum_all()?.to_scalar::<f32>()?);
        count += f64::from(body.sum_all()?.to_scalar::<f32>()?);
    }
    let psnr = -10. * (error / count.max(1.)).max(1e-12).log10();
    session.curve.write(&json!({
        "phase": "decoder", "step": steps, "validation_foreground_psnr_db": short(psnr),
    }))
}
