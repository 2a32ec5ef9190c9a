//! The eye's face: a camera for one scene, and where it stands for which seed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::View;
use super::canvas::{self, Canvas};
use super::rig::Rig;
use super::solid::gather;
use crate::scene::Scene;
use crate::sim::Reality;

/// Why an eye could not be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "an eye of {size} px with {supersampling}x{supersampling} samples: expected 16 to 512 px and 1 to 4 \
     samples a side"
)]
pub struct EyeError {
    size: usize,
    supersampling: usize,
}

/// Places of a jittering camera that are kept: as many worlds are commonly looked at in turn.
const KEPT: usize = 32;

/// A camera for one scene; cheap to keep, `look` may be called from any thread.
///
/// Where the scene's camera jitters, each look is from the place of reality's seed; [`Eye::project`] and
/// its like speak of the place that the eye was made for: the scene's own, or that of a seed
/// ([`Eye::for_seed`]).
pub struct Eye {
    scene: Arc<Scene>,
    rig: Arc<Rig>,
    moved: Mutex<VecDeque<(u64, Arc<Rig>)>>,
}

impl Eye {
    /// An eye with `size`×`size` pixels and `supersampling`² samples a pixel.
    ///
    /// # Errors
    /// [`EyeError`] outside 16..=512 pixels or 1..=4 samples.
    pub fn new(scene: &Arc<Scene>, size: usize, supersampling: usize) -> Result<Self, EyeError> {
        if !(16..=512).contains(&size) || !(1..=4).contains(&supersampling) {
            return Err(EyeError {
                size,
                supersampling,
            });
        }
        Ok(Self {
            scene: scene.clone(),
            rig: Arc::new(canvas::rig(scene, size, supersampling, [0.0; 3])),
            moved: Mutex::new(VecDeque::new()),
        })
    }

    /// The scene's own eye, with the size and samples that it asks for.
    ///
    /// # Errors
    /// None for a scene that was checked; the signature is that of [`Eye::new`].
    pub fn standard(scene: &Arc<Scene>) -> Result<Self, EyeError> {
        Self::new(scene, scene.camera.size, scene.camera.samples)
    }

    /// This eye where it stands for a seed, so that an episode's pictures can be measured.
    #[must_use]
    pub fn for_seed(&self, seed: u64) -> Self {
        Self {
            scene: self.scene.clone(),
            rig: self.rig(seed),
            moved: Mutex::new(VecDeque::new()),
        }
    }

    /// How far the camera is moved from the scene's place for a seed, metres along x, y and z.
    pub fn shift(scene: &Scene, seed: u64) -> [f32; 3] {
        let jitter = scene.camera.jitter_m;
        if jitter <= 0.0 {
            return [0.0; 3];
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xD1B5_4A32_D192_ED03);
        std::array::from_fn(|_| rng.random_range(-jitter..=jitter))
    }

    /// Side of the picture in pixels.
    pub fn size(&self) -> usize {
        self.rig.size
    }

    /// Samples a pixel along each axis.
    pub fn samples(&self) -> usize {
        self.rig.samples
    }

    /// Looks at reality.
    pub fn look(&self, reality: &Reality) -> View {
        Canvas::new(&self.rig(reality.seed())).draw(&gather(reality))
    }

    /// Pixel coordinates (x right, y down, pixel centres at .5) of a point of the world, if it is in front.
    pub fn project(&self, world: [f32; 3]) -> Option<[f32; 2]> {
        self.rig.project(world)
    }

    /// The point at `height` metres that a pixel shows, if its ray meets that plane in front of the eye.
    pub fn unproject(&self, pixel: [f32; 2], height: f32) -> Option<[f32; 3]> {
        self.rig.unproject(pixel, height)
    }

    /// Metres that one pixel spans at a point of the world.
    pub fn metres_per_pixel(&self, world: [f32; 3]) -> f32 {
        self.rig.metres_per_pixel(world)
    }

    fn rig(&self, seed: u64) -> Arc<Rig> {
        if self.scene.camera.jitter_m <= 0.0 {
            return self.rig.clone();
        }
        let kept = || self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, rig)) = kept().iter().find(|(s, _)| *s == seed) {
            return rig.clone();
        }
        let shift = Self::shift(&self.scene, seed);
        let rig = Arc::new(canvas::rig(&self.scene, self.size(), self.samples(), shift));
        let mut kept = kept();
        kept.truncate(KEPT - 1);
        kept.push_front((seed, rig.clone()));
        rig
    }
}
