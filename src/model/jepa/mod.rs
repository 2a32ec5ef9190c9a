//! The JEPA camp, sized for 64-pixel frames and two CPU cores: LeWM (arXiv 2603.19312), and V-JEPA 2-AC
//! (arXiv 2506.09985) in `vjepa/`.
//!
//! `config.rs` names every choice of LeWM, `lewm.rs` holds the networks, `losses.rs` what they are trained
//! on, `whiten.rs` the distance to a goal, `probe.rs` and `decoder.rs` the read-outs that no planner sees,
//! `proposal.rs` the action prior that a search may take candidates from, `keyframes.rs` the structured
//! moments that a planner may go by, `jumps.rs` films that go far first, `temporal.rs` a distance in
//! steps, learned from time; `measure.rs` says by which distance is measured. `world.rs` is the
//! [`WorldModel`](crate::model::WorldModel) around any predictor of latents, `abilities.rs` what it can do
//! besides, `planning.rs` LeWM as such a predictor, `belief.rs` a state that is carried beside its latents, and
//! `shared.rs` what folders and inputs have in common.

mod abilities;
mod belief;
mod config;
mod decoder;
mod jumps;
mod keyframes;
mod lewm;
mod losses;
mod measure;
mod planning;
mod probe;
mod proposal;
mod shared;
mod temporal;
pub mod vjepa;
mod whiten;
mod world;

pub use belief::{Belief, BeliefConfig, BeliefModel, BeliefPredictor};
pub use config::{ActionBlock, GoalCost, LewmConfig};
pub use decoder::{Decoder, DecoderSizes};
pub use jumps::{JUMPS, Jumps, STRETCH, calls, jump_to};
pub use keyframes::{Keyframes, MODES};
pub use lewm::Lewm;
pub use losses::{JointLoss, JointWeights, joint_loss, open_loop_loss};
pub use planning::{LewmModel, LewmPredictor};
pub use probe::{FittedProbe, HISTORY, POSE, ProbeSpec, Probes, QUANTITIES};
pub use proposal::Proposal;
pub use temporal::Temporal;
pub use whiten::{difference_covariance, whitening};
pub use world::{JepaWorld, Predictor, Sizes};
