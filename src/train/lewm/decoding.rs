//! The diagnostic decoder: pictures from frozen latents.

use super::Session;
use super::predictor::Latents;
use super::sampler::frames_of;
use crate::model::jepa::{Decoder, DecoderSizes, Lewm};
use crate::model::nn::{AdamW, AdamWConfig, Params, Rng, cosine_lr};
use crate::scene::Kind;
use crate::train::TrainError;
use crate::train::curve::short;
use candle_core::Tensor;
use serde_json::json;

const BATCH: usize = 48;
const RATE: f64 = 1.5e-3;
/// Weight of pixels where a body is that can move; all others weigh 1.
const BODY_WEIGHT: f32 = 8.;
/// Validation frames that the finished decoder is measured on.
const CHECKED: usize = 384;

/// Trains the decoder on stored latents; PSNR on validation frames goes to the curve.
pub fn run(
    session: &mut Session,
    model: &Lewm,
    params: &Params,
    latents: &Latents,
    held_out: &Latents,
    sizes: DecoderSizes,
) -> Result<(), TrainError> {
    let (data, phase) = (session.data, &session.recipe.readouts);
    let d = session.recipe.model.latent_dim;
    let decoder = Decoder::new(sizes, d, data.size, params)?;
    let (places, mean) = (decoder.places(), model.mean_image());
    let frames = frames_of(data, &latents.episodes);
    let shape = (data.size / sizes.patch).pow(2);
    let tensors = |latents: &Latents, of: &[usize]| -> candle_core::Result<[Tensor; 3]> {
        let (mut z, mut wanted, mut weight) = (Vec::new(), Vec::new(), Vec::new());
        for &i in of {
            z.extend_from_slice(latents.get(i));
            let (frame, ids) = (data.frame(i), data.frame_ids(i));
            let span = data.episodes.partition_point(|e| e.start <= i).max(1) - 1;
            let scene = &data.scenes[data.episodes[span].scene];
            let moves: Vec<bool> = scene.bodies.iter().map(|b| b.kind != Kind::Fixed).collect();
            for &at in &places {
                wanted.push(f32::from(frame[at]) / 255. - mean[at]);
                let body = (ids[at / 3] as usize).checked_sub(1);
                let heavy = body.is_some_and(|b| moves.get(b).copied().unwrap_or(false));
                weight.push(if heavy { BODY_WEIGHT } else { 1. });
            }
        }
        let pixels = (of.len(), shape, 3 * sizes.patch * sizes.patch);
        Ok([
            Tensor::from_vec(z, (of.len(), d), params.device())?,
            Tensor::from_vec(wanted, pixels, params.device())?,
            Tensor::from_vec(weight, pixels, params.device())?,
        ])
    };
    let config = AdamWConfig {
        lr: RATE,
        weight_decay: 1e-3,
        ..Default::default()
    };
    let mut optimiser = AdamW::new(params.pp("decoder").vars(), config)?;
    let mut rng = Rng::stream(session.config.seed, 0xDEC0);
    for step in 0..phase.decoder_steps {
        session.clock.check()?;
        let chosen: Vec<usize> = (0..BATCH)
            .map(|_| frames[rng.below(frames.len())])
            .collect();
        let [z, wanted, weight] = tensors(latents, &chosen)?;
        let loss = ((decoder.forward(&z)? - wanted)?.sqr()? * weight)?.mean_all()?;
        let rate = cosine_lr(step, phase.decoder_steps, 50, RATE);
        let norm = optimiser.step(&loss.backward()?, rate, Some(1.))?;
        if step.is_multiple_of(100) {
            session.curve.write(&json!({
                "phase": "decoder", "step": step, "grad_norm": short(norm),
                "loss": short(f64::from(loss.to_scalar::<f32>()?)),
            }))?;
        }
    }
    let all = frames_of(data, &held_out.episodes);
    let stride = (all.len() / CHECKED).max(1);
    let checked: Vec<usize> = all.into_iter().step_by(stride).take(CHECKED).collect();
    let (mut error, mut count) = (0f64, 0f64);
    for some in checked.chunks(BATCH) {
        let [z, wanted, weight] = tensors(held_out, some)?;
        let wrong = (decoder.forward(&z)?.detach() - wanted)?.sqr()?;
        let body = weight.gt(1.)?.to_dtype(wrong.dtype())?;
        error += f64::from((wrong * &body)?.sum_all()?.to_scalar::<f32>()?);
        count += f64::from(body.sum_all()?.to_scalar::<f32>()?);
    }
    let psnr = -10. * (error / count.max(1.)).max(1e-12).log10();
    session.curve.write(&json!({
        "phase": "decoder", "step": phase.decoder_steps, "validation_foreground_psnr_db": short(psnr),
    }))
}
