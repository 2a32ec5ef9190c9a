//! Loading the shipped models in the background.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::desk::panic_message;
use crate::model::registry::{self, Entry, baselines, load, scan};
use crate::model::{Camp, Card, Device, WorldModel, architecture};

/// News from the loading thread.
pub enum Loaded {
    /// A model's folder was found.
    Found {
        /// Folder name.
        name: String,
        /// Its card, or why it cannot be read.
        card: Result<Box<Card>, String>,
        /// Whether it is a regression twin: a baseline that imagines pixels.
        twin: bool,
    },
    /// A model is ready, or cannot be.
    Ready {
        /// Folder name.
        name: String,
        /// The model, or the error in words.
        model: Result<Arc<dyn WorldModel>, String>,
        /// Time that loading took.
        took: Duration,
    },
}

/// The models of a folder, and the regression twins among its baselines, each with whether it is one: what
/// the window offers.
pub fn offered_models(dir: &Path) -> Vec<(Entry, bool)> {
    let is_twin = |e: &Entry| matches!(&e.card, Ok(card) if architecture::has_pixels(card));
    let twins = scan(&baselines(dir)).into_iter().filter(is_twin);
    let models = scan(dir).into_iter().map(|e| (e, false));
    models.chain(twins.map(|e| (e, true))).collect()
}

/// Which models are loaded first.
#[derive(Default)]
pub struct LoadFirst {
    /// The scene that is shown: the models that know it come before others, and among them those of one camp,
    /// then those that know the fewest others, then the smallest.
    pub scene: String,
    /// Models that are looked at from the beginning. Without them, one of each camp is.
    pub named: Vec<String>,
    /// With it, the rest waits until this channel is closed, for a few seconds at most: what is looked at
    /// needs the processor.
    pub rest: Option<Receiver<()>>,
}

/// Loads every model of a folder, and the regression twins among its baselines, on a thread of its own. The
/// channel closes when all are done.
///
/// # Errors
/// The system's error if no thread can be started.
pub fn load_models(dir: &Path, order: LoadFirst) -> std::io::Result<Receiver<Loaded>> {
    let (outbox, news) = bounded(8);
    let dir: PathBuf = dir.into();
    std::thread::Builder::new()
        .name("loading".into())
        .spawn(move || load_entries(offered_models(&dir), &order, &outbox))?;
    Ok(news)
}

/// Loads the model of one folder on a thread of its own.
///
/// # Errors
/// The system's error if no thread can be started.
pub fn load_model(dir: &Path) -> std::io::Result<Receiver<Loaded>> {
    let (outbox, news) = bounded(8);
    let entry = registry::entry(dir);
    std::thread::Builder::new()
        .name("loading".into())
        .spawn(move || load_entries(vec![(entry, false)], &LoadFirst::default(), &outbox))?;
    Ok(news)
}

/// Tells of every model and loads it, until nobody listens.
fn load_entries(entries: Vec<(Entry, bool)>, order: &LoadFirst, outbox: &Sender<Loaded>) {
    /// So long the rest waits at most.
    const PATIENCE: Duration = Duration::from_secs(3);
    super::stand_back();
    let mut dirs = Vec::new();
    for (entry, twin) in entries {
        let card = entry.card.map(Box::new).map_err(|e| e.to_string());
        if let Ok(card) = &card {
            let knows = card.scenes.contains(&order.scene);
            let is_hybrid = card.camp == Camp::Hybrid;
            let rank = (!knows, twin, is_hybrid, card.scenes.len(), card.parameters);
            let pictures = architecture::has_pixels(card);
            dirs.push((rank, pictures, entry.name.clone(), entry.dir));
        }
        let name = entry.name;
        if outbox.send(Loaded::Found { name, card, twin }).is_err() {
            return;
        }
    }
    dirs.sort_by_key(|(rank, ..)| *rank);
    // One that imagines pictures, and one that does not.
    let pick = |pictures: bool| {
        let mut camp = (0..dirs.len()).filter(|i| dirs[*i].1 == pictures);
        let is_named = |i: &usize| order.named.contains(&dirs[*i].2);
        camp.clone().find(is_named).or_else(|| camp.next())
    };
    let first: Vec<usize> = [true, false].into_iter().filter_map(pick).collect();
    let rest: Vec<usize> = (0..dirs.len()).filter(|i| !first.contains(i)).collect();
    for (at, index) in first.iter().chain(&rest).enumerate() {
        let (_, _, name, dir) = &dirs[*index];
        let name = name.clone();
        if at == first.len()
            && let Some(rest) = &order.rest
        {
            // Nothing is ever sent: it closes, or the time is over.
            let _ended = rest.recv_timeout(PATIENCE);
        }
        let start = Instant::now();
        let model = catch_unwind(AssertUnwindSafe(|| load(dir, &Device::Cpu)))
            .map_err(|panic| panic_message(&*panic))
            .and_then(|model| model.map_err(|e| e.to_string()));
        let took = start.elapsed();
        if outbox.send(Loaded::Ready { name, model, took }).is_err() {
            return;
        }
    }
}
