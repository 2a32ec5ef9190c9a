//! What a scene is: a described world that both camps must imagine.
//!
//! A scene is data (RON, `scenes/*.ron`), never code: bodies, camera, light, action space, randomisation,
//! task, behaviour for collecting, and the laws that the judge may apply. Because scenes are shared between
//! people, everything is bounded and checked before anything is built: see [`Scene::parse`] and
//! [`SceneError`]. Lengths are metres, angles degrees, masses kilograms; the world is right-handed with y
//! up and the floor at y = 0.

mod defaults;
mod error;
mod field;
mod format;
mod identity;
mod library;
mod palette;
mod parts;
mod shape;
mod task;
mod text;
mod validate;

pub use error::SceneError;
pub use field::{Departure, FieldError, MOST_HEAVY, bounds, help};
pub use format::{
    BODY_FIELDS, Body, CameraSpec, Combine, Edit, EditKind, Floor, Joint, JointKind, Kind,
    Randomise, Scene, Sensor, Slider, Softness, WORLD_FIELDS,
};
pub use library::{home, is_home, is_stray, library_dir, list, load, load_named, models_dir};
pub use palette::{Colour, hue_of};
pub use shape::{Part, Shape};
pub use task::{ActionSpace, Behaviour, GoalSampler, Law, Task};
pub use text::without_mark;
