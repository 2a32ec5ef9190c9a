//! Recorded experience: behave, record, store, read, sample.
//!
//! `behaviour.rs` holds the policies that explore, `script.rs` and `pushing.rs` those that pursue tasks,
//! `record.rs` runs one episode, `store.rs` is the file format (sharded, checksummed, resumable),
//! `collect.rs` fills a folder on all cores, `dataset.rs` reads folders into memory for training and
//! refuses seeds that are not for training; `sound.rs` says which numbers cannot be; `survey.rs` counts
//! what a folder shows and `sheet.rs` pictures it.

mod behaviour;
mod collect;
mod dataset;
mod error;
mod pushing;
mod record;
mod script;
mod sheet;
mod sound;
mod store;
mod survey;
mod view;

pub use behaviour::{Policy, PolicyKind};
pub use collect::{CollectOptions, CollectReport, check_collect, collect, collect_until};
pub use dataset::{Dataset, EpisodeSpan};
pub use error::{EpisodeError, Missing};
pub use record::{Episode, record, record_states};
pub use sheet::Sheet;
pub use store::{Index, SHARD, Store};
pub use survey::Survey;
