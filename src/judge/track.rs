//! Tracks: where each body is from frame to frame, in metres, and how it looks. Laws are written over
//! tracks, whatever they come from.

/// What a track was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Pictures, through the scene's camera.
    Frames {
        /// Side of the picture, pixels.
        size: usize,
    },
    /// Latents, through probes: places and turns only.
    Readouts,
}

/// How a body looks in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// How pure its colour is inside its outline, over its paint's: 1 when opaque, less when the background
    /// shines through.
    pub opacity: f32,
    /// Pixels that are neither body nor background, over pixels of the outline: it grows with blur.
    pub softness: f32,
    /// Share of the body's area in pixels that show little else: less when it is blurred away.
    pub core: f32,
    /// Brightness inside over that of the fully lit paint.
    pub light: f32,
    /// Pixels inside the outline that `opacity` and `light` are means of.
    pub inside: f32,
}

/// The outline's moments about its centroid, px² and without unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// Mean of x², px².
    pub xx: f32,
    /// Mean of xy, px².
    pub xy: f32,
    /// Mean of y², px².
    pub yy: f32,
    /// Mean of r⁴ over the square of the mean of r²: 4/3 for a disc, 7/5 for a square.
    pub r4: f32,
}

/// One body in one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sighting {
    /// Centre on the body's plane of motion, metres in the world; `None` where it was not seen.
    pub place: Option<[f32; 3]>,
    /// The same along the plane's two axes, metres: x and z where the camera looks down, else x and y.
    pub at: [f32; 2],
    /// Standard deviation of `at`, metres.
    pub sigma_m: f32,
    /// Turn about the vertical (or, from the side, about the line of sight), radians, and its period.
    pub angle: Option<[f32; 2]>,
    /// Sum of the soft mask, pixels; 0 when it is not seen.
    pub area: f32,
    /// Centroid of the soft mask, pixels (centres at .5).
    pub centroid: [f32; 2],
    /// x0, y0, x1, y1 (exclusive) of the mask above one half; zeros when there is none.
    pub bounds: [u16; 4],
    /// Areas of connected components (8-neighbours) of the mask above one half, largest first.
    pub components: Vec<f32>,
    /// The mask's pixels above one half.
    pub pixels: Vec<u32>,
    /// Its outline.
    pub moments: Moments,
    /// Its look.
    pub look: Look,
    /// Whether the mask reaches the picture's border.
    pub at_border: bool,
    /// Whether something that may hide a part of it is next to it: another body, or a fixed one in front.
    pub beside: bool,
}

impl Sighting {
    /// Whether anything of it was seen.
    pub fn is_seen(&self) -> bool {
        self.place.is_some()
    }
}

/// One body through a clip, one sighting a frame, reference frames included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// Index of the body in the scene.
    pub body: usize,
    /// `[T]`.
    pub sightings: Vec<Sighting>,
}

/// What the pixels say beside the bodies.
#[derive(Clone, Debug)]
pub struct Film<'a> {
    /// Side of the picture, pixels.
    pub size: usize,
    /// `[T]`, `[H, W, 3]` bytes each.
    pub frames: &'a [&'a [u8]],
    /// `[T]`, `[H, W]`: 0 for nobody, n + 1 for the n-th track, 254 for a body that is not tracked, 255 for a
    /// colour that no body has.
    pub labels: Vec<Vec<u8>>,
    /// `[H, W]`: distance of the fixed body that is seen there, metres; infinite where there is none.
    pub fixed: Vec<f32>,
    /// How far the fixed bodies that are drawn for each seed are from where the scene's file has them, metres
    /// on the floor (x, z).
    pub shifted: [f32; 2],
}

/// All bodies through a clip.
#[derive(Clone, Debug)]
pub struct Tracks<'a> {
    /// What they were read from.
    pub source: Source,
    /// Seconds between frames.
    pub dt: f32,
    /// How many of the first frames are real.
    pub reference: usize,
    /// One a tracked body.
    pub tracks: Vec<Track>,
    /// The pictures, where there are any.
    pub film: Option<Film<'a>>,
    /// `[T][A]`: `actions[t]` leads from frame t to t + 1.
    pub actions: Option<&'a [Vec<f32>]>,
}

impl Tracks<'_> {
    /// How many frames.
    pub fn len(&self) -> usize {
        self.tracks.first().map_or(0, |t| t.sightings.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
