//! The Okabe-Ito palette (Okabe & Ito 2008): hues that colour-blind viewers and the tracker can tell apart.

use serde::{Deserialize, Serialize};

/// One saturated hue for each moving body, greys for what stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are the palette's own names")]
pub enum Colour {
    Orange,
    SkyBlue,
    Green,
    Yellow,
    Blue,
    Vermillion,
    Purple,
    Grey,
    Dark,
}

impl Colour {
    /// The hues that can carry an identity.
    pub const PALETTE: [Colour; 7] = [
        Colour::Orange,
        Colour::SkyBlue,
        Colour::Green,
        Colour::Yellow,
        Colour::Blue,
        Colour::Vermillion,
        Colour::Purple,
    ];

    /// sRGB bytes.
    pub const fn rgb(self) -> [u8; 3] {
        match self {
            Colour::Orange => [230, 159, 0],
            Colour::SkyBlue => [86, 180, 233],
            Colour::Green => [0, 158, 115],
            Colour::Yellow => [240, 228, 66],
            Colour::Blue => [0, 90, 200],
            Colour::Vermillion => [223, 72, 0],
            Colour::Purple => [204, 80, 180],
            Colour::Grey => [128, 128, 128],
            Colour::Dark => [70, 70, 74],
        }
    }

    /// Where it lies on the circle of hues, degrees.
    pub fn hue_degrees(self) -> f32 {
        let [r, g, b] = self.rgb().map(f32::from);
        libm::atan2f(3f32.sqrt() * (g - b), 2.0 * r - g - b).to_degrees()
    }

    /// Whether the tracker may use the hue as an identity (greys carry none).
    pub const fn is_saturated(self) -> bool {
        !matches!(self, Colour::Grey | Colour::Dark)
    }
}

/// The hue of an sRGB colour: the direction in which it differs from grey, of length 1, and how far it does.
pub fn hue_of(rgb: [u8; 3]) -> ([f32; 3], f32) {
    let rgb = rgb.map(f32::from);
    let grey = (rgb[0] + rgb[1] + rgb[2]) / 3.0;
    let away = rgb.map(|v| v - grey);
    let length = (away[0] * away[0] + away[1] * away[1] + away[2] * away[2]).sqrt();
    (away.map(|v| v / length.max(1e-6)), length)
}
