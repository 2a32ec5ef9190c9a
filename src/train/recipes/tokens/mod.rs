//! How a [`TokenDiffusion`](crate::model::hybrid::TokenDiffusion) is trained: the JEPA's encoder is taken as
//! it is and its tokens are narrowed and standardised; then come the two phases of a latent diffusion
//! (`recipes/latent/phases.rs`). Decoder and dynamics learn from the same fixed tokens and neither from the
//! other, so their order changes nothing; the decoder comes first, so that what is measured while the
//! dynamics learns can be seen.

mod recipe;

pub use recipe::TokenRecipe;

use crate::episode::Dataset;
use crate::model::generative::{Eye, Imagination};
use crate::model::hybrid::{TokenDiffusionConfig, TokenEye};
use crate::model::jepa::vjepa::VjepaConfig;
use crate::model::nn::Params;
use crate::model::{Camp, Card, folder};
use crate::train::bounds::Fault;
use crate::train::data::fit as suits;
use crate::train::data::measure::hue_motion;
use crate::train::data::sampling::{bytes_of, frames_of};
use crate::train::error::TrainError;
use crate::train::export::Made;
use crate::train::recipe::Recipe;
use crate::train::recipes::latent::{Course, suited, train};
use crate::train::run::{Given, Session};
use candle_core::Tensor;
use std::path::Path;

/// Frames that the projection is fitted to: some 64 tokens each.
const SAMPLES: usize = 1500;

impl TokenRecipe {
    /// The network, with the JEPA that lies in the folder.
    fn network(&self) -> Result<TokenDiffusionConfig, TrainError> {
        let found = Card::load(&self.jepa)?.architecture;
        if found != "vjepa_ac" {
            return Err(TrainError::Config {
                path: self.jepa.join("card.ron"),
                field: "architecture".into(),
                message: format!("found {found}, expected vjepa_ac, whose tokens have places"),
            });
        }
        let config = TokenDiffusionConfig {
            jepa: folder::network::<VjepaConfig>(&self.jepa)?,
            diffusion: self.diffusion.clone(),
        };
        let checked = config.check();
        checked.map_err(|(field, message)| TrainError::misfit(field, message))?;
        Ok(config)
    }
}

impl Recipe for TokenRecipe {
    fn check(&self) -> Result<(), Fault> {
        TokenRecipe::check(self)
    }

    fn action_dim(&self) -> usize {
        self.diffusion.action_dim
    }

    fn start(&self) -> Option<&Path> {
        Some(&self.jepa)
    }

    fn check_fit(&self, given: &Given) -> Result<(), TrainError> {
        let config = self.network()?;
        suited(given, "diffusion", &config.diffusion)?;
        suits::file_size(|params| {
            TokenEye::of(&config, params)?;
            Imagination::new(&config.diffusion, params.pp("dynamics"))?;
            Ok(())
        })
    }

    fn train(&self, session: &mut Session) -> Result<Made, TrainError> {
        let mut config = self.network()?;
        config.diffusion.hue_motion = hue_motion(session.data);
        if session.is_fresh() {
            let path = self.jepa.join(folder::WEIGHTS);
            let (seed, device) = (session.given.seed, session.device());
            session.params = Params::load(&path, device)?.drawing_missing(seed);
            let eye = TokenEye::of(&config, &session.params)?;
            let share = fit_projection(session.data, &session.train_episodes, &eye)?;
            tracing::info!("the projection keeps {:.1} % of the variance", 100. * share);
        }
        let differs = format!(
            "Over {} principal components of the {} channels of a frozen V-JEPA 2-AC's tokens (arXiv \
             2506.09985), where GAIA-2 (arXiv 2503.20523) has an autoencoder's latents; decoder trained \
             afterwards on the same tokens; one camera",
            config.diffusion.channels(),
            config.jepa.width,
        );
        let course = Course {
            config: &config,
            first: &self.decoder,
            first_name: "decoder",
            dynamics: &self.dynamics,
            camp: Camp::Hybrid,
            differs: &differs,
        };
        train::<TokenEye>(session, &course, |_| Ok(()))
    }
}

/// Fits the projection to frames of some episodes, evenly spread; says what share of the tokens' variance it
/// keeps.
///
/// # Errors
/// [`TrainError::Tensor`].
pub fn fit_projection(
    data: &Dataset,
    episodes: &[usize],
    eye: &TokenEye,
) -> candle_core::Result<f64> {
    let frames = frames_of(data, episodes);
    let stride = frames.len().div_ceil(SAMPLES).max(1);
    let picked: Vec<usize> = frames.into_iter().step_by(stride).collect();
    let mut all = Vec::new();
    for chunk in picked.chunks(64) {
        all.push(eye.tokens(&bytes_of(data, chunk))?);
    }
    eye.projection().fit(&Tensor::cat(&all, 0)?.detach())
}
