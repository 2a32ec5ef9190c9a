//! The one table of architectures: what can be trained, loaded and measured. A new one is a folder of its
//! own and a row.

use std::path::Path;
use std::sync::Arc;

use candle_core::Device;
use serde::de::DeserializeOwned;

use super::cloning::ClonedPolicy;
use super::generative::{LatentDiffusion, PixelDiffusion};
use super::hybrid::{DrawnLewm, TokenDiffusion};
use super::jepa::vjepa::VjepaModel;
use super::jepa::{BeliefModel, LewmModel};
use super::steps_to_go::StepsToGo;
use super::{Card, FrameDistance, ModelError, Policy, WorldModel, folder};

/// What a model folder holds.
pub enum Trained {
    /// Something that imagines.
    World(Arc<dyn WorldModel>),
    /// Something that only acts.
    Policy(Arc<dyn Policy>),
    /// Something that only says how far it is to a goal.
    Distance(Arc<dyn FrameDistance>),
}

/// One row of the table.
pub struct Architecture {
    /// The word on cards.
    pub id: &'static str,
    /// Whether it imagines pictures.
    pub has_pixels: bool,
    /// What its baselines are called among the floors of `parallax eval control`, if they are any.
    pub control_floor: Option<&'static str>,
    /// Reads a model folder.
    load: fn(&Folder) -> Result<Trained, ModelError>,
}

/// Every architecture there is.
pub const ARCHITECTURES: [Architecture; 9] = [
    Architecture {
        id: "lewm",
        has_pixels: false,
        control_floor: Some("random_encoder"),
        load: |f| world(LewmModel::load(f.dir, f.card(), &f.network()?, f.device)),
    },
    Architecture {
        id: "belief_lewm",
        has_pixels: false,
        control_floor: None,
        load: |f| world(BeliefModel::load(f.dir, f.card(), &f.network()?, f.device)),
    },
    Architecture {
        id: "vjepa_ac",
        has_pixels: false,
        control_floor: None,
        load: |f| world(VjepaModel::load(f.dir, f.card(), &f.network()?, f.device)),
    },
    Architecture {
        id: "pixel_diffusion",
        has_pixels: true,
        control_floor: None,
        load: |f| {
            world(PixelDiffusion::load(
                f.dir,
                f.card(),
                &f.network()?,
                f.device,
            ))
        },
    },
    Architecture {
        id: "latent_diffusion",
        has_pixels: true,
        control_floor: None,
        load: |f| {
            world(LatentDiffusion::load(
                f.dir,
                f.card(),
                &f.network()?,
                f.device,
            ))
        },
    },
    Architecture {
        id: "drawn_lewm",
        has_pixels: true,
        control_floor: None,
        load: |f| world(DrawnLewm::load(f.dir, f.card(), &f.network()?, f.device)),
    },
    Architecture {
        id: "token_diffusion",
        has_pixels: true,
        control_floor: None,
        load: |f| {
            world(TokenDiffusion::load(
                f.dir,
                f.card(),
                &f.network()?,
                f.device,
            ))
        },
    },
    Architecture {
        id: "cloning",
        has_pixels: false,
        control_floor: Some("behaviour_cloning"),
        load: |f| {
            let policy = ClonedPolicy::load(f.dir, f.card(), &f.network()?, f.device)?;
            Ok(Trained::Policy(Arc::new(policy)))
        },
    },
    Architecture {
        id: "steps_to_go",
        has_pixels: false,
        control_floor: None,
        load: |f| {
            let distance = StepsToGo::load(f.dir, f.card(), &f.network()?, f.device)?;
            Ok(Trained::Distance(Arc::new(distance)))
        },
    },
];

/// The row of a card, unless a later program wrote it.
pub fn of(card: &Card) -> Option<&'static Architecture> {
    ARCHITECTURES.iter().find(|a| a.id == card.architecture)
}

/// Whether the model of a card imagines pictures, as far as can be said without loading it.
pub fn has_pixels(card: &Card) -> bool {
    of(card).is_some_and(|a| a.has_pixels)
}

/// Loads the model of a folder, of which the card was read.
///
/// # Errors
/// [`ModelError`] naming the file and the field or tensor at fault.
pub fn load(dir: &Path, card: Card, device: &Device) -> Result<Trained, ModelError> {
    let row = of(&card).ok_or_else(|| {
        let known: Vec<&str> = ARCHITECTURES.iter().map(|a| a.id).collect();
        ModelError::Invalid {
            path: dir.join("card.ron"),
            what: "architecture".into(),
            message: format!(
                "found {}, this program knows {}",
                card.architecture,
                known.join(", ")
            ),
        }
    })?;
    (row.load)(&Folder { dir, card, device })
}

fn world<M: WorldModel + 'static>(model: Result<M, ModelError>) -> Result<Trained, ModelError> {
    Ok(Trained::World(Arc::new(model?)))
}

/// A model folder that is being loaded.
struct Folder<'a> {
    dir: &'a Path,
    card: Card,
    device: &'a Device,
}

impl Folder<'_> {
    fn card(&self) -> Card {
        self.card.clone()
    }

    /// What `model.ron` says.
    fn network<T: DeserializeOwned>(&self) -> Result<T, ModelError> {
        folder::network(self.dir)
    }
}
