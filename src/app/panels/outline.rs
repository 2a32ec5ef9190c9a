//! Edges of bodies as they are seen: through the models' eye, or through the camera of the 3-D view.

use std::f32::consts::TAU;

use bevy::math::{Quat, Vec3};
use bevy_egui::egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, vec2};

use super::super::state::State;
use crate::camera::Eye;
use crate::scene::Scene;
use crate::sim::BodyState;
use crate::worker::{Moment, Solid};

/// Directions in which the edge of a body is looked for.
const EDGE_POINTS: usize = 40;

/// From the world into a rectangle of the window.
pub struct Gaze<'a> {
    /// Where a point is seen; `None` behind the camera.
    pub project: &'a dyn Fn(Vec3) -> Option<Pos2>,
    /// Across the line of sight, to the right and up.
    pub across: (Vec3, Vec3),
}

impl Gaze<'_> {
    /// The edges of a body's convex parts, in points of the window.
    pub fn edges(&self, solid: &Solid, pose: &BodyState) -> Vec<Vec<Pos2>> {
        let mut parts: Vec<Vec<Pos2>> = Vec::new();
        let mut points = Vec::new();
        for i in 0..EDGE_POINTS {
            let angle = i as f32 / EDGE_POINTS as f32 * TAU;
            let along = self.across.0 * angle.cos() + self.across.1 * angle.sin();
            points.clear();
            solid.extremes(pose, along.to_array(), &mut points);
            parts.resize(points.len().max(parts.len()), Vec::new());
            for (part, point) in parts.iter_mut().zip(&points) {
                part.extend((self.project)(Vec3::from(*point)));
            }
        }
        parts.into_iter().map(convex_hull).collect()
    }

    /// The edges of a body in a moment of reality; a soft one has its own surface there. Nothing where it is
    /// hidden.
    pub fn edges_in(&self, state: &State, moment: &Moment, body: usize) -> Vec<Vec<Pos2>> {
        if moment.hidden.contains(&body) {
            return Vec::new();
        }
        if let Some((_, vertices)) = moment.surfaces.iter().find(|(i, _)| *i == body) {
            let seen = vertices
                .iter()
                .filter_map(|v| (self.project)(Vec3::from(*v)));
            return vec![convex_hull(seen.collect())];
        }
        match (state.solids.get(body), moment.state.bodies.get(body)) {
            (Some(solid), Some(pose)) => self.edges(solid, pose),
            _ => Vec::new(),
        }
    }
}

/// Where the eye sees a point of the world, in the rectangle of its picture.
pub fn through_eye(eye: &Eye, rect: Rect, point: Vec3) -> Option<Pos2> {
    let [x, y] = eye.project(point.to_array())?;
    let side = eye.size().max(1) as f32;
    Some(rect.lerp_inside(vec2(x / side, y / side)))
}

/// To the right and up, as the scene's eye has it.
pub fn across_eye(scene: &Scene) -> (Vec3, Vec3) {
    let camera = &scene.camera;
    let away = Vec3::from(camera.target) - Vec3::from(scene.camera_position());
    let forward = away.normalize_or(Vec3::NEG_Y);
    let world_up = match forward.y.abs() > 0.999 {
        true => Vec3::NEG_Z,
        false => Vec3::Y,
    };
    let right = forward.cross(world_up).normalize_or(Vec3::X);
    (right, right.cross(forward))
}

/// A body that probes read out of latents, as it would stand there: pose (x, z, yaw), at the height that it
/// has in the scene.
pub fn probed_pose(height: f32, [x, z, yaw]: [f32; 3]) -> Option<BodyState> {
    (x.is_finite() && z.is_finite()).then(|| {
        let yaw = if yaw.is_finite() { yaw } else { 0.0 };
        BodyState {
            position: [x, height, z],
            rotation: Quat::from_rotation_y(yaw).to_array(),
            ..BodyState::default()
        }
    })
}

/// A dashed line around what is true, legible on light and dark ground.
pub fn dashed(painter: &Painter, edge: &[Pos2], colour: Color32) {
    if edge.len() < 2 {
        return;
    }
    let closed: Vec<Pos2> = edge.iter().chain(edge.first()).copied().collect();
    let under = Stroke::new(3.2, Color32::from_black_alpha(120));
    painter.extend(Shape::dashed_line(&closed, under, 5.0, 4.0));
    painter.extend(Shape::dashed_line(
        &closed,
        Stroke::new(1.6, colour),
        5.0,
        4.0,
    ));
}

/// A solid line around what is imagined.
pub(super) fn solid_line(painter: &Painter, edge: &[Pos2], colour: Color32) {
    if edge.len() < 2 {
        return;
    }
    for (width, colour) in [(4.0, Color32::from_black_alpha(110)), (2.0, colour)] {
        painter.add(Shape::closed_line(
            edge.to_vec(),
            Stroke::new(width, colour),
        ));
    }
}

/// The hull of points in the plane, in order around it (Andrew's monotone chain).
pub(super) fn convex_hull(mut points: Vec<Pos2>) -> Vec<Pos2> {
    points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let half = |points: &mut dyn Iterator<Item = Pos2>| {
        let mut chain: Vec<Pos2> = Vec::new();
        for p in points {
            while let [.., a, b] = chain[..] {
                if (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x) > 0.0 {
                    break;
                }
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut hull = half(&mut points.iter().copied());
    hull.extend(half(&mut points.iter().rev().copied()));
    hull
}
