//! The model folder of a training: what stands in it, who works in it, and how the new takes the place of the
//! old.
//!
//! Where no finished model stands in the folder, the training works in the folder itself. Where one does, it
//! works in a folder of its own inside, and nothing of the finished model is touched before the new one is
//! complete. `training.json` says which configuration and which experience a training began with: another one
//! does not go on from its checkpoint.

use super::checkpoint::Checkpoint;
use super::config::{Architecture, TrainConfig};
use super::error::{TrainError, io};
use super::identity::{Identity, differs};
use super::options::TrainOptions;
use super::readouts::fit::ReadoutPhase;
use crate::model::folder;
use crate::model::registry::FINISHED;
use crate::system::{FolderLock, files};
use std::path::{Path, PathBuf};

/// Files that make up a model folder; what else lies there is left alone.
const FILES: [&str; 14] = [
    RECIPE,
    folder::NETWORK,
    "curve.jsonl",
    folder::READOUTS_TABLE,
    "rollouts.png",
    folder::READOUTS,
    folder::KEYFRAMES,
    folder::KEYFRAMES_RECIPE,
    folder::JUMPS,
    folder::JUMPS_RECIPE,
    folder::DISTANCE,
    folder::DISTANCE_RECIPE,
    folder::WEIGHTS,
    "card.ron",
];
/// What somebody asked for.
const RECIPE: &str = "train.ron";
/// Where a training works whose folder holds a finished model.
const STAGED: &str = "unfinished";
/// Where read-outs are fitted anew.
const STAGED_READOUTS: &str = "unfinished-readouts";
/// What a training began with.
const IDENTITY: &str = "training.json";

/// A model folder that is being worked on.
pub(super) struct Folder {
    out: PathBuf,
    /// Where the training works.
    pub work: PathBuf,
    /// Held until the training ends.
    _held: FolderLock,
}

impl Folder {
    /// Takes the folder, and refuses what would lose somebody's work.
    ///
    /// # Errors
    /// [`TrainError::Stands`] if a finished model or an unfinished training is there and nobody said what to
    /// do with it;
    /// [`TrainError::Config`] if the training there is another; [`TrainError::Io`] if the folder cannot be
    /// written to.
    pub fn open(
        (config, words): (&TrainConfig, Option<&str>),
        identity: &Identity,
        options: &TrainOptions,
    ) -> Result<Self, TrainError> {
        let out = &options.out;
        make(out)?;
        let held = FolderLock::take(out)?;
        files::tidy(out);
        put_in_place(out)?;
        let is_finished = has_model(out) && !Checkpoint::is_in(out);
        if options.readouts_only {
            let work = out.join(STAGED_READOUTS);
            if !is_finished {
                return Err(stands(
                    out,
                    "holds no finished model whose read-outs could be fitted anew",
                ));
            }
            remove(&work)?;
            make(&work)?;
            for name in FILES.iter().filter(|n| out.join(n).exists()) {
                let to = work.join(name);
                std::fs::copy(out.join(name), &to).map_err(io(&to))?;
            }
            keep_training(config, &work)?;
            let folder = Self {
                out: out.clone(),
                work,
                _held: held,
            };
            folder.save_recipe(config, words)?;
            return Ok(folder);
        }
        let staged = out.join(STAGED);
        let work = match is_finished {
            true => staged,
            false => out.clone(),
        };
        for dir in [out, &work] {
            let checkpoint = dir.join("checkpoint");
            files::recover_folder(&checkpoint).map_err(io(&checkpoint))?;
        }
        let goes_on = Checkpoint::is_in(&work);
        match (is_finished, goes_on, options.resume, options.overwrite) {
            (_, true, true, _) => identity.check(&work.join(IDENTITY))?,
            (true, false, true, _) => {
                return Err(stands(
                    out,
                    "holds a finished model, and there is nothing to go on with; \
                     without --resume and with --overwrite it is trained anew",
                ));
            }
            (_, _, _, true) => {
                remove(&work.join("checkpoint"))?;
                if is_finished {
                    remove(&work)?;
                }
            }
            (true, false, ..) => {
                return Err(stands(
                    out,
                    "holds a finished model; choose another folder with --out, or let --overwrite put \
                     the new model in its place \
                     once it is finished",
                ));
            }
            (_, true, ..) => {
                return Err(stands(
                    out,
                    "holds an unfinished training; --resume goes on with it, --overwrite begins anew",
                ));
            }
            (false, false, resume, false) => {
                if resume {
                    tracing::warn!(
                        "{}: there is no checkpoint yet; training begins anew",
                        out.display()
                    );
                }
                keep_other_recipe(config, out)?;
            }
        }
        make(&work)?;
        files::tidy(&work);
        files::tidy(&work.join("checkpoint"));
        remove(&work.join("checkpoint.partial"))?;
        let folder = Self {
            out: out.clone(),
            work,
            _held: held,
        };
        if !goes_on || options.overwrite && !options.resume {
            identity.save(&folder.work.join(IDENTITY))?;
        }
        folder.save_recipe(config, words)?;
        Ok(folder)
    }

    /// Writes `train.ron` in the words that it was given in, or (where it was given in none) in those of the
    /// model that is to be replaced. Words that say the same and are there already stay.
    fn save_recipe(&self, config: &TrainConfig, words: Option<&str>) -> Result<(), TrainError> {
        let (path, before) = (self.work.join(RECIPE), self.out.join(RECIPE));
        let says_so = |path: &Path| TrainConfig::load(path).is_ok_and(|c| c == *config);
        if says_so(&path) {
            return Ok(());
        }
        let text = match words {
            Some(words) => words.into(),
            None if says_so(&before) => files::text(&before).map_err(io(&before))?,
            None => config.text(&path)?,
        };
        files::replace(&path, text.as_bytes()).map_err(io(&path))
    }

    /// The training is finished: what it made takes its place, and what it no longer needs is removed.
    ///
    /// # Errors
    /// [`TrainError::Io`] naming the file.
    pub fn finish(&self) -> Result<(), TrainError> {
        if self.work != self.out {
            let whole = self.out.join(FINISHED);
            std::fs::rename(&self.work, &whole).map_err(io(&whole))?;
            return put_in_place(&self.out);
        }
        for name in [
            "checkpoint.partial",
            "checkpoint.before",
            "checkpoint",
            IDENTITY,
        ] {
            remove(&self.out.join(name))?;
        }
        Ok(())
    }

    /// The training failed: a folder of its own in which there is nothing to go on with is removed.
    pub fn abandon(&self) {
        if self.work != self.out && !Checkpoint::is_in(&self.work) {
            let _ = remove(&self.work);
        }
    }
}

/// Gives the files of a finished model their places, one after the other; whoever is cut off here goes on at
/// the next start, and until then the model is read from where it is complete.
fn put_in_place(out: &Path) -> Result<(), TrainError> {
    let whole = out.join(FINISHED);
    if !whole.join("card.ron").is_file() {
        return remove(&whole);
    }
    for name in FILES {
        let (from, to) = (whole.join(name), out.join(name));
        if from.exists() {
            let bytes = std::fs::read(&from).map_err(io(&from))?;
            files::replace(&to, &bytes).map_err(io(&to))?;
        } else {
            remove(&to)?;
        }
    }
    let done = out.join(".done");
    remove(&done)?;
    std::fs::rename(&whole, &done).map_err(io(&done))?;
    remove(&done)
}

fn has_model(dir: &Path) -> bool {
    dir.join("card.ron").is_file() && dir.join("model.safetensors").is_file()
}

/// Whether there is a checkpoint in a model folder, or in that of the model that is to replace it.
pub fn has_checkpoint(out: &Path) -> bool {
    Checkpoint::is_in(out) || Checkpoint::is_in(&out.join(STAGED))
}

/// A recipe that somebody wrote, and that is not the one of a training that came to nothing, is no file to
/// write over.
fn keep_other_recipe(config: &TrainConfig, out: &Path) -> Result<(), TrainError> {
    let path = out.join(RECIPE);
    if !path.exists() || out.join(IDENTITY).exists() {
        return Ok(());
    }
    let Some(d) = differs(&TrainConfig::load(&path)?, config) else {
        return Ok(());
    };
    Err(TrainError::Config {
        path,
        field: d.field,
        message: format!(
            "found {} there, the configuration to train says {}; choose another folder with --out, or write \
             over it with --overwrite",
            d.first, d.second
        ),
    })
}

/// Read-outs may be fitted anew in another way and on other experience; what the other weights were trained
/// by stays as it is.
fn keep_training(config: &TrainConfig, dir: &Path) -> Result<(), TrainError> {
    let path = dir.join(RECIPE);
    let (mut there, mut wanted) = (TrainConfig::load(&path)?, config.clone());
    for config in [&mut there, &mut wanted] {
        config.data = Vec::new();
        (config.name, config.summary) = (String::new(), String::new());
        (config.episodes, config.validation_share) = (None, 0.);
        if let Architecture::Lewm(recipe) = &mut config.architecture {
            (recipe.readouts, recipe.proposal) = (ReadoutPhase::default(), None);
        }
    }
    match differs(&there, &wanted) {
        None => Ok(()),
        Some(d) => Err(TrainError::Config {
            path,
            field: d.field,
            message: format!(
                "the finished model was trained with {}, found {}; --readouts fits only read-outs and action \
                 prior",
                d.first, d.second
            ),
        }),
    }
}

fn stands(dir: &Path, what: &'static str) -> TrainError {
    TrainError::Stands {
        dir: dir.into(),
        what,
    }
}

fn make(dir: &Path) -> Result<(), TrainError> {
    std::fs::create_dir_all(dir).map_err(io(dir))
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> Result<(), TrainError> {
    let removed = match path.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io(path)(e)),
        _ => Ok(()),
    }
}
