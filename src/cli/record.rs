//! `parallax record`: reality beside what the models imagine, as a GIF.

use std::path::PathBuf;

use anyhow::Result;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, Rgba, RgbaImage};

use super::output::{self, Form};
use crate::camera::Eye;
use crate::eval::rollout::{CONTEXT, Clip, STEPS};
use crate::judge::{Judge, Violation};
use crate::model::{Cancel, Frames, ModelError, ProbedStates, Sampling, registry};
use crate::scene::{Scene, models_dir};

/// Record reality (left) beside each model's imagination of it as a GIF; violations are outlined.
#[derive(clap::Args, Debug)]
pub struct RecordArgs {
    #[command(flatten)]
    world: super::world::WorldArgs,
    /// Scene: a name from `parallax scenes`
    #[arg(long, value_name = "S")]
    scene: String,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = super::seed())]
    seed: u64,
    /// Model: a folder of models/ or models/baselines/, in the order of the panes (repeatable) [default:
    /// all that know the scene]
    #[arg(long, value_name = "M")]
    model: Vec<String>,
    /// File to write (.gif)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Pixels of the picture to a pixel of the eye
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    scale: u32,
}

enum Imagined {
    Film(Frames, Vec<Violation>),
    Ghosts(ProbedStates, usize),
}

pub fn run(args: &RecordArgs) -> Result<()> {
    output::test("--out", &args.out, Form::Gif)?;
    let scene = args.world.scene(&args.scene)?;
    let eye = Eye::standard(&scene)?;
    let clip = Clip::new(&scene, &eye, args.seed)?;
    let judge = Judge::new(&scene);
    let mut panes = Vec::new();
    let known = |e: &registry::Entry| matches!(&e.card, Ok(c) if c.scenes.contains(&scene.name));
    let shown: Vec<(String, PathBuf)> = match args.model.is_empty() {
        true => {
            let all = registry::scan(&models_dir()).into_iter().filter(known);
            all.map(|e| (e.name, e.dir)).collect()
        }
        false => {
            let dirs = args.model.iter();
            let named = dirs.map(|m| Ok((m.clone(), registry::find(&models_dir(), m)?)));
            named.collect::<Result<_>>()?
        }
    };
    for (name, dir) in shown {
        let model = registry::load(&dir, &candle_core::Device::Cpu)?;
        let latent = match model.observe(&clip.context(model.shape().context_frames)) {
            Ok(latent) => latent,
            // A model of another picture size; reality can be recorded all the same.
            Err(error @ ModelError::Input { .. }) => {
                eprintln!("left out: {error}");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let (sampling, cancel) = (Sampling::default(), Cancel::new());
        let rollouts = model.imagine(&latent, &clip.actions(), sampling, &cancel)?;
        let can = model.facets();
        if let Some(frames) = can.frames(&rollouts)? {
            let mut all: Vec<&[u8]> = (0..CONTEXT).map(|t| clip.frame(t)).collect();
            all.extend((0..frames.steps).map(|t| frames.at(0, t)));
            let violations = judge.frames(eye.size(), CONTEXT, &all, None).violations;
            panes.push((name, Imagined::Film(frames, violations)));
        } else if scene.is_seen_from_above()
            && let Some(states) = can.states(&rollouts)?
        {
            panes.push((name, Imagined::Ghosts(states, model.shape().frameskip)));
        }
    }
    let mut film = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut film, 10);
    encoder.set_repeat(Repeat::Infinite)?;
    for t in 0..CONTEXT + STEPS {
        let mut pictures = vec![upscale(clip.frame(t), args.scale)];
        for (_, imagined) in &panes {
            pictures.push(pane(&scene, &eye, &clip, imagined, t, args.scale));
        }
        let delay = Delay::from_numer_denom_ms(if t + 1 == CONTEXT + STEPS { 900 } else { 120 }, 1);
        encoder.encode_frame(Frame::from_parts(
            beside(&pictures, t >= CONTEXT),
            0,
            0,
            delay,
        ))?;
    }
    drop(encoder);
    output::write(&args.out, &film)?;
    let names: Vec<&str> = panes.iter().map(|(n, _)| n.as_str()).collect();
    println!("{}: reality | {}", args.out.display(), names.join(" | "));
    Ok(())
}

fn pane(
    scene: &Scene,
    eye: &Eye,
    clip: &Clip,
    imagined: &Imagined,
    t: usize,
    scale: u32,
) -> RgbaImage {
    let Some(step) = t.checked_sub(CONTEXT) else {
        return upscale(clip.frame(t), scale);
    };
    match imagined {
        Imagined::Film(frames, violations) => {
            let mut picture = upscale(frames.at(0, step), scale);
            for v in violations
                .iter()
                .filter(|v| (v.first_frame..=v.last_frame).contains(&step))
            {
                if let Some(b) = v.boxes.get(step - v.first_frame) {
                    outline(
                        &mut picture,
                        b.map(|c| u32::from(c) * scale),
                        Rgba([213, 94, 0, 255]),
                    );
                }
            }
            picture
        }
        Imagined::Ghosts(states, frameskip) => {
            // What a model without pixels has: the last real frame, dimmed, and where its probes see the
            // bodies.
            let dim: Vec<u8> = clip
                .frame(CONTEXT - 1)
                .iter()
                .map(|&c| c / 2 + 60)
                .collect();
            let mut picture = upscale(&dim, scale);
            let at = ((step + 1) / frameskip).min(states.steps);
            if let Some(row) = at.checked_sub(1) {
                for (pose, name) in states.at(0, row).iter().zip(&states.bodies) {
                    let Some(body) = scene.body_index(name) else {
                        continue;
                    };
                    let [r, g, b] = scene.bodies[body].colour.rgb();
                    let point = [pose[0], scene.bodies[body].position[1], pose[1]];
                    let radius = 0.5 * scene.bodies[body].shape.size()
                        / eye.metres_per_pixel(point)
                        * scale as f32;
                    if let Some(p) = eye.project(point) {
                        let c = p.map(|c| c * scale as f32);
                        let square = [c[0] - radius, c[1] - radius, c[0] + radius, c[1] + radius];
                        outline(
                            &mut picture,
                            square.map(|v| v.max(0.0) as u32),
                            Rgba([r, g, b, 255]),
                        );
                    }
                }
            }
            picture
        }
    }
}

/// A frame, each of its pixels `scale` pixels wide.
pub(super) fn upscale(frame: &[u8], scale: u32) -> RgbaImage {
    let size = (frame.len() / 3).isqrt();
    RgbaImage::from_fn(size as u32 * scale, size as u32 * scale, |x, y| {
        let i = ((y / scale) as usize * size + (x / scale) as usize) * 3;
        Rgba([frame[i], frame[i + 1], frame[i + 2], 255])
    })
}

/// Draws a box.
pub(super) fn outline(picture: &mut RgbaImage, [x0, y0, x1, y1]: [u32; 4], colour: Rgba<u8>) {
    let (w, h) = picture.dimensions();
    let (x1, y1) = (x1.min(w - 1), y1.min(h - 1));
    for width in 0..2 {
        for x in x0..=x1 {
            for y in [y0 + width, y1.saturating_sub(width)] {
                if x < w && y < h {
                    picture.put_pixel(x, y, colour);
                }
            }
        }
        for y in y0..=y1 {
            for x in [x0 + width, x1.saturating_sub(width)] {
                if x < w && y < h {
                    picture.put_pixel(x, y, colour);
                }
            }
        }
    }
}

/// Pictures side by side; a bar on top says whether the models are imagining (orange) or still seeing
/// (green).
fn beside(pictures: &[RgbaImage], imagining: bool) -> RgbaImage {
    const GAP: u32 = 6;
    const BAR: u32 = 6;
    let (w, h) = pictures.first().map_or((1, 1), RgbaImage::dimensions);
    let total = pictures.len() as u32 * (w + GAP) - GAP;
    let mut out = RgbaImage::from_pixel(total, h + BAR, Rgba([24, 24, 27, 255]));
    for (i, picture) in pictures.iter().enumerate() {
        let left = i as u32 * (w + GAP);
        let colour = if i > 0 && imagining {
            Rgba([230, 159, 0, 255])
        } else {
            Rgba([0, 158, 115, 255])
        };
        for x in left..left + w {
            for y in 0..BAR - 2 {
                out.put_pixel(x, y, colour);
            }
        }
        image::imageops::replace(&mut out, picture, i64::from(left), i64::from(BAR));
    }
    out
}
