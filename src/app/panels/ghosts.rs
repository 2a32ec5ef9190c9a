//! What a JEPA imagines, as far as it can be drawn: the bodies that probes read out of its latents.

use bevy_egui::egui::{self, Align2, Color32, FontId, Painter, Stroke, vec2};

use super::super::theme;
use super::paint::{Picture, WHOLE, corner_label, inset, inset_rect, stamp};
use super::pictures::{Pictures, frame_image, square_image};
use crate::scene::Shape;

/// Pictures are not what a JEPA imagines: its probed bodies are drawn over the dimmed view of the same
/// moment.
pub(super) fn ghosts_ui(picture: &Picture, pictures: &mut Pictures) {
    let Picture {
        painter, ui, state, ..
    } = *picture;
    let (pane, rollout, at, rect) = picture.subject();
    if let Some(moment) = state.record.moments.get(at.moment()) {
        let key = stamp(&(state.record.episode, at.moment()));
        let texture = pictures.show(ui.ctx(), &pane.name, key, || square_image(&moment.rgb));
        if let Some(texture) = texture {
            painter.image(texture, rect, WHOLE, Color32::from_gray(120));
        }
    }
    let (Some(states), Some(scene)) = (&rollout.imagined.states, &state.scene) else {
        corner_label(painter, rect, "no probes: its latents have no picture");
        return;
    };
    let Some(eye) = &state.eye else {
        return;
    };
    let scale = rect.width() / eye.size() as f32;
    if at.k == 0 {
        corner_label(painter, rect, "branch: still real");
        return;
    }
    let broken: Vec<_> = rollout.violations_at(at.k).collect();
    decoded_ui(picture, pictures);
    for (column, body_name) in states.bodies.iter().enumerate() {
        let Some(pose) = state.probed(rollout, column, at.k) else {
            continue;
        };
        let Some(body) = scene.body_index(body_name).map(|i| &scene.bodies[i]) else {
            continue;
        };
        let world = [pose[0], body.position[1], pose[1]];
        let Some(pixel) = eye.project(world) else {
            continue;
        };
        let centre = rect.min + vec2(pixel[0], pixel[1]) * scale;
        let metre = scale / eye.metres_per_pixel(world).max(1e-6);
        let solid = scene
            .body_index(body_name)
            .and_then(|i| state.solids.get(i));
        let hue = solid.map_or(body.colour, |s| s.colour);
        let yaw = if pose[2].is_finite() { pose[2] } else { 0.0 };
        let stroke = Stroke::new(2.0, Color32::WHITE);
        // A turn about y takes +x towards -z, which is up in the picture.
        let (sin, cos) = yaw.sin_cos();
        let seen = |x: f32, z: f32| {
            let (px, pz) = (x * metre, z * metre);
            centre + vec2(px * cos + pz * sin, -px * sin + pz * cos)
        };
        for part in body.shape.parts() {
            let fill = theme::body_colour(part.colour.unwrap_or(hue)).gamma_multiply(0.75);
            let [x, _, z] = part.position;
            match part.shape {
                Shape::Cuboid { half: [a, _, b] } => {
                    let (sin, cos) = part.rotation[1].to_radians().sin_cos();
                    let corners = [(-a, -b), (a, -b), (a, b), (-a, b)];
                    let points = corners
                        .map(|(dx, dz)| seen(x + dx * cos + dz * sin, z - dx * sin + dz * cos));
                    painter.add(egui::Shape::convex_polygon(points.into(), fill, stroke));
                }
                shape => {
                    painter.circle(seen(x, z), 0.5 * shape.size() * metre, fill, stroke);
                }
            }
        }
        let below = centre + vec2(0.0, 0.5 * body.shape.size() * metre + 4.0);
        outlined_text(painter, below, &super::legible(painter.ctx(), body_name));
    }
    for (row, v) in broken.iter().enumerate() {
        let at = rect.left_top() + vec2(12.0, 14.0 + 18.0 * row as f32);
        theme::law_mark(painter, v.law, at, 5.0);
        painter.text(
            at + vec2(10.0, 0.0),
            Align2::LEFT_CENTER,
            v.law.id(),
            FontId::proportional(12.0),
            Color32::WHITE,
        );
    }
}

/// What the diagnostic decoder draws of the same moment, in the corner where generative panes show the truth.
fn decoded_ui(picture: &Picture, pictures: &mut Pictures) {
    let Picture {
        painter, ui, state, ..
    } = *picture;
    let (pane, rollout, at, rect) = picture.subject();
    let (Some(decoded), Some(index)) = (&rollout.imagined.decoded, rollout.index(at.k)) else {
        return;
    };
    let key = picture.stamp(index);
    let place = format!("{} decoded", pane.name);
    let texture = pictures.show(ui.ctx(), &place, key, || {
        frame_image(decoded.size, decoded.at(0, index))
    });
    if let Some(texture) = texture {
        let corner = inset_rect(rect, state);
        inset(painter, corner, texture, "diagnostic", Color32::WHITE);
    }
}

fn outlined_text(painter: &Painter, top: egui::Pos2, text: &str) {
    let font = FontId::proportional(11.5);
    for (dx, dy) in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)] {
        let at = top + vec2(dx, dy);
        painter.text(
            at,
            Align2::CENTER_TOP,
            text,
            font.clone(),
            Color32::from_black_alpha(170),
        );
    }
    painter.text(top, Align2::CENTER_TOP, text, font, Color32::WHITE);
}
