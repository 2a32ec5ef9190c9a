//! What trainings make of recorded experience: whether it is enough, what is drawn of it, what is stored and
//! measured of it, and what is true of it.

pub mod ahead;
pub mod experience;
pub mod fit;
pub mod measure;
pub mod rolled;
pub mod sampling;
pub mod sequences;
pub mod sheet;
pub mod stored;
pub mod targets;
pub mod validate;
