//! V-JEPA 2-AC (arXiv 2506.09985) at 64 pixels: a world model in two stages.
//!
//! First, without actions: an encoder sees a few tubelets (8×8 pixels, 2 frames) of a clip, and from their
//! embeddings a predictor says what the embeddings of the hidden ones are (`masked.rs`). What it is
//! compared with comes from the target encoder, a slow average of the context encoder that sees the whole
//! clip: so nothing is ever drawn, and what cannot be foreseen need not be encoded. `masks.rs` hides blocks
//! of space, as deep as the clip, so that nothing can be copied from the frame before.
//!
//! Then the target encoder stays as it is (`maps.rs`), and a predictor of its *maps* of patch tokens learns
//! what actions do (`predictor.rs`). Planning compares imagined maps with the goal's (`planning.rs`).
//! `summary.rs` makes a few numbers of a map, for probes.

mod config;
mod encoder;
mod maps;
mod masked;
mod masks;
mod planning;
mod predictor;
mod summary;

pub use config::{TUBELET, VjepaConfig};
pub use encoder::{TubeletEncoder, positions, tubelets};
pub use maps::FrameMaps;
pub use masked::{ClipBatch, MaskedJepa};
pub use masks::{Blocks, LONG, Mask, SHORT};
pub use planning::{VjepaModel, VjepaPredictor};
pub use predictor::{ActionJepa, MapError};
pub use summary::{Summary, principal};
