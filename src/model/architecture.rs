//! The one table of architectures: what can be trained, loaded and measured. A new one is a folder of its own and a row.

use std::path::Path;
use std::sync::Arc;

use candle_core::Device;
use serde::de::{EnumAccess, IgnoredAny, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::cloning::ClonedPolicy;
use super::generative::{LatentDiffusion, PixelDiffusion};
use super::jepa::LewmModel;
use super::jepa::vjepa::VjepaModel;
use super::steps_to_go::StepsToGo;
use super::{Card, FrameDistance, ModelError, Policy, WorldModel};

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
    /// The word in `train.ron`.
    pub recipe: &'static str,
    /// Whether it imagines pictures.
    pub has_pixels: bool,
    /// What its baselines are called among the floors of `parallax eval control`, if they are any.
    pub control_floor: Option<&'static str>,
    /// Reads a model folder.
    load: fn(&Folder) -> Result<Trained, ModelError>,
}

/// Every architecture there is.
pub const ARCHITECTURES: [Architecture; 6] = [
    Architecture {
        id: "lewm",
        recipe: "Lewm",
        has_pixels: false,
        control_floor: Some("random_encoder"),
        load: |f| world(LewmModel::load(f.dir, f.card(), &f.network()?, f.device)),
    },
    Architecture {
        id: "vjepa_ac",
        recipe: "VjepaAc",
        has_pixels: false,
        control_floor: None,
        load: |f| world(VjepaModel::load(f.dir, f.card(), &f.network()?, f.device)),
    },
    Architecture {
        id: "pixel_diffusion",
        recipe: "PixelDiffusion",
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
        recipe: "LatentDiffusion",
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
        id: "cloning",
        recipe: "Cloning",
        has_pixels: false,
        control_floor: Some("behaviour_cloning"),
        load: |f| {
            let policy = ClonedPolicy::load(f.dir, f.card(), &f.network()?, f.device)?;
            Ok(Trained::Policy(Arc::new(policy)))
        },
    },
    Architecture {
        id: "steps_to_go",
        recipe: "StepsToGo",
        has_pixels: false,
        control_floor: None,
        load: |f| {
            let distance = StepsToGo::load(f.dir, f.card(), &f.network()?, f.device)?;
            Ok(Trained::Distance(Arc::new(distance)))
        },
    },
];

/// The words in `train.ron`, in the table's order.
const RECIPES: [&str; ARCHITECTURES.len()] = {
    let mut words = [""; ARCHITECTURES.len()];
    let mut i = 0;
    while i < words.len() {
        words[i] = ARCHITECTURES[i].recipe;
        i += 1;
    }
    words
};

/// The row of a card, unless a later program wrote it.
pub fn of(card: &Card) -> Option<&'static Architecture> {
    ARCHITECTURES.iter().find(|a| a.id == card.architecture)
}

/// Whether the model of a card imagines pictures, as far as can be said without loading it.
pub fn has_pixels(card: &Card) -> bool {
    of(card).is_some_and(|a| a.has_pixels)
}

/// Loads the model of a folder, of which card and `train.ron` (at `path`, with `text`) were read.
///
/// # Errors
/// [`ModelError`] naming the file and the field or tensor at fault.
pub fn load(
    dir: &Path,
    card: Card,
    (path, text): (&Path, &str),
    device: &Device,
) -> Result<Trained, ModelError> {
    let folder = Folder {
        dir,
        card,
        path,
        text,
        device,
    };
    let recipe = folder.parse::<IgnoredAny>()?.recipe;
    let row = ARCHITECTURES.iter().find(|a| a.recipe == recipe);
    // The parser has refused every other word.
    let row = row.ok_or_else(|| ModelError::input(&folder.card.name, "unknown architecture"))?;
    (row.load)(&folder)
}

fn world<M: WorldModel + 'static>(model: Result<M, ModelError>) -> Result<Trained, ModelError> {
    Ok(Trained::World(Arc::new(model?)))
}

/// A model folder that is being loaded.
struct Folder<'a> {
    dir: &'a Path,
    card: Card,
    path: &'a Path,
    text: &'a str,
    device: &'a Device,
}

impl Folder<'_> {
    fn card(&self) -> Card {
        self.card.clone()
    }

    /// The part of `train.ron` that describes the network; the training room reads the rest.
    fn network<T: for<'de> Deserialize<'de>>(&self) -> Result<T, ModelError> {
        Ok(self.parse()?.part.model)
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self) -> Result<Recipe<T>, ModelError> {
        let file: File<T> = ron::from_str(self.text).map_err(|e| ModelError::Invalid {
            path: self.path.into(),
            what: format!("line {}, column {}", e.span.start.line, e.span.start.col),
            message: e.code.to_string(),
        })?;
        Ok(file.architecture)
    }
}

#[derive(Deserialize)]
struct File<T> {
    architecture: Recipe<T>,
}

/// Any recipe, of which only the network is of interest.
struct Recipe<T> {
    recipe: &'static str,
    part: Part<T>,
}

#[derive(Deserialize)]
struct Part<T> {
    model: T,
}

/// A word in the place of an enum's variant.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Word;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("the name of an architecture")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Word, E> {
                Ok(Word(word.into()))
            }
        }
        deserializer.deserialize_identifier(Any)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Recipe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Variant<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Variant<T> {
            type Value = Recipe<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an architecture")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Recipe<T>, A::Error> {
                let (Word(word), variant) = data.variant()?;
                let recipe = RECIPES.iter().find(|r| **r == word);
                let unknown = || serde::de::Error::unknown_variant(&word, &RECIPES);
                let recipe = recipe.copied().ok_or_else(unknown)?;
                let part = variant.newtype_variant()?;
                Ok(Recipe { recipe, part })
            }
        }
        let any = Variant(std::marker::PhantomData);
        deserializer.deserialize_enum("Architecture", &RECIPES, any)
    }
}
