//! The shader of the panels. Where a processor draws the window, it takes less than half the time of the
//! one that bevy_egui brings.

use bevy::asset::load_internal_asset;
use bevy::prelude::*;
use bevy::shader::Shader;
use bevy_egui::render::EGUI_SHADER_HANDLE;

/// Takes the place of bevy_egui's shader; to be added after its plugin.
pub(super) struct PanelShader;

impl Plugin for PanelShader {
    fn build(&self, app: &mut App) {
        load_internal_asset!(app, EGUI_SHADER_HANDLE, "panels.wgsl", Shader::from_wgsl);
    }
}

#[cfg(test)]
mod tests {
    /// The numbers between two words of the shader.
    fn numbers(after: &str, before: &str) -> Vec<f64> {
        let text = include_str!("panels.wgsl");
        let from = text.find(after).unwrap() + after.len();
        let text = &text[from..from + text[from..].find(before).unwrap()];
        let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
        let parts = text.split(|c| !is_part(c)).filter(|t| t.len() > 2);
        parts.map(|t| t.parse().unwrap()).collect()
    }

    /// IEC 61966-2-1, section 4.2.
    fn encoded(linear: f64) -> f64 {
        match linear <= 0.003_130_8 {
            true => 12.92 * linear,
            false => 1.055 * linear.powf(1.0 / 2.4) - 0.055,
        }
    }

    #[test]
    fn colours_stay_what_they_are_to_the_byte() {
        let rest = numbers("let rest = ", ";");
        assert_eq!(rest.len(), 5);
        for byte in 0..=255_u32 {
            let gamma = f64::from(byte) / 255.0;
            let x = (gamma + 0.055) / 1.055;
            let rest = rest.iter().rev().fold(0.0, |sum, c| sum * x + c);
            let linear = match gamma < 0.04045 {
                true => gamma / 12.92,
                false => x * x * x.sqrt() * rest,
            };
            let found = (255.0 * encoded(linear.min(1.0))).round();
            assert_eq!(found as u32, byte);
        }
    }
}
