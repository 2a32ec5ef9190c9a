//! Draws solids over the empty scene, touching only what they and their shadows can reach.

use rapier3d::prelude::Vector;

use super::View;
use super::cast::Caster;
use super::rig::{Rig, lit};
use super::solid::Solid;
use crate::scene::Scene;

/// The mark on the +x end of a body: the same hue, darker.
const MARK: f32 = 0.55;
/// A body that can shade itself starts its shadow ray so far above its surface, metres.
const LIFT: f32 = 1e-3;

/// Nothing was drawn at a sample, or a shadow on the floor; other marks are indices into the hits.
const EMPTY: u32 = u32::MAX;
const SHADE: u32 = u32::MAX - 1;

struct Hit {
    solid: u16,
    marked: bool,
    normal: Vector,
}

/// The scene's camera, moved by `shift`, with its picture of the empty scene.
pub(super) fn rig(scene: &Scene, size: usize, samples: usize, shift: [f32; 3]) -> Rig {
    let mut rig = Rig::new(scene, size, samples, shift);
    rig.backdrop = Canvas::new(&rig).whole();
    rig
}

/// A picture in the making.
pub(super) struct Canvas<'a> {
    rig: &'a Rig,
    /// Distance of the nearest thing at each sample.
    nearest: Vec<f32>,
    marks: Vec<u32>,
    hits: Vec<Hit>,
    /// Whether a pixel differs from the empty scene.
    touched: Vec<bool>,
}

impl<'a> Canvas<'a> {
    pub fn new(rig: &'a Rig) -> Self {
        Self {
            rig,
            nearest: rig.floor.clone(),
            marks: vec![EMPTY; rig.floor.len()],
            hits: Vec::with_capacity(1024),
            touched: vec![false; rig.size * rig.size],
        }
    }

    /// The empty scene, every pixel of it made.
    pub fn whole(mut self) -> View {
        self.touched.fill(true);
        let pixels = self.rig.size * self.rig.size;
        let mut view = View {
            size: self.rig.size,
            rgb: vec![0; pixels * 3],
            depth: vec![0.0; pixels],
            ids: vec![0; pixels],
            moving: vec![false; pixels],
        };
        self.resolve(&[], &[], &mut view);
        view
    }

    /// The scene with these solids in it.
    pub fn draw(mut self, solids: &[Solid]) -> View {
        let casters: Vec<Caster> = solids.iter().map(Caster::new).collect();
        let corners: Vec<[Vector; 8]> = solids.iter().map(Solid::corners).collect();
        for (i, caster) in casters.iter().enumerate() {
            self.cover(i, &solids[i], caster, &corners[i]);
        }
        for (i, caster) in casters.iter().enumerate() {
            self.shade_floor(&solids[i], caster, &corners[i]);
        }
        let mut view = self.rig.backdrop.clone();
        self.resolve(solids, &casters, &mut view);
        view
    }

    /// Casts the samples that the solid can cover.
    fn cover(&mut self, index: usize, solid: &Solid, caster: &Caster, corners: &[Vector; 8]) {
        let rig = self.rig;
        let Some(area) = rig.cover(solid, corners) else {
            return;
        };
        let origin = caster.local(rig.origin);
        let d = solid.centre - rig.origin;
        let (radius2, to_centre2) = (solid.radius * solid.radius, d.dot(d));
        for row in area.rows[0]..area.rows[1] {
            let pixels = row / rig.samples * rig.size;
            for column in area.columns[0]..area.columns[1] {
                let at = row * rig.side() + column;
                let ray = rig.rays[at];
                let along = d.dot(ray);
                if to_centre2 - along * along > radius2 {
                    continue;
                }
                let Some(meeting) = caster.meet(origin, ray, self.nearest[at]) else {
                    continue;
                };
                self.nearest[at] = meeting.distance;
                self.marks[at] = self.hits.len() as u32;
                self.touched[pixels + column / rig.samples] = true;
                self.hits.push(Hit {
                    solid: index as u16,
                    marked: solid
                        .part
                        .map_or(meeting.local, |p| p.transform_point(meeting.local))
                        .x
                        > solid.mark_beyond,
                    normal: meeting.normal,
                });
            }
        }
    }

    /// Marks the samples where the floor lies in the solid's shadow.
    fn shade_floor(&mut self, solid: &Solid, caster: &Caster, corners: &[Vector; 8]) {
        let rig = self.rig;
        let Some(area) = rig.shadow(corners) else {
            return;
        };
        for row in area.rows[0]..area.rows[1] {
            let pixels = row / rig.samples * rig.size;
            for column in area.columns[0]..area.columns[1] {
                let at = row * rig.side() + column;
                if self.marks[at] != EMPTY || !rig.floor[at].is_finite() {
                    continue;
                }
                let point = rig.origin + rig.rays[at] * rig.floor[at];
                if is_near(solid, point, rig.to_sun) && caster.shades(point, rig.to_sun) {
                    self.marks[at] = SHADE;
                    self.touched[pixels + column / rig.samples] = true;
                }
            }
        }
    }

    /// Makes the touched pixels of `view` from their samples.
    fn resolve(&self, solids: &[Solid], casters: &[Caster], view: &mut View) {
        let (rig, k) = (self.rig, self.rig.samples);
        let share = 1.0 / (k * k) as f32;
        for pixel in (0..self.touched.len()).filter(|&p| self.touched[p]) {
            let first = pixel / rig.size * k * rig.side() + pixel % rig.size * k;
            let mut sum = [0.0f32; 3];
            let mut depth = f32::INFINITY;
            let mut ids = [0u8; 16];
            for (s, vote) in ids.iter_mut().enumerate().take(k * k) {
                let at = first + s / k * rig.side() + s % k;
                let rgb = match self.marks[at] {
                    EMPTY => rig.empty(at, false),
                    SHADE => rig.empty(at, true),
                    hit => {
                        let hit = &self.hits[hit as usize];
                        *vote = solids[hit.solid as usize].id;
                        self.shade(at, hit, solids, casters)
                    }
                };
                for c in 0..3 {
                    sum[c] += rgb[c];
                }
                depth = depth.min(self.nearest[at]);
            }
            let id = winner(&ids[..k * k]);
            for (byte, c) in view.rgb[3 * pixel..].iter_mut().zip(sum) {
                *byte = (c * share + 0.5) as u8;
            }
            view.depth[pixel] = depth;
            view.ids[pixel] = id;
            view.moving[pixel] = solids.iter().any(|s| s.id == id && s.moves);
        }
    }

    /// The colour of a body at a sample.
    fn shade(&self, at: usize, hit: &Hit, solids: &[Solid], casters: &[Caster]) -> [f32; 3] {
        let (rig, own) = (self.rig, hit.solid as usize);
        let rgb = if hit.marked {
            solids[own].rgb.map(|c| c * MARK)
        } else {
            solids[own].rgb
        };
        let facing = hit.normal.dot(rig.to_sun);
        if facing <= 0.0 {
            return lit(rgb, 0.0);
        }
        let point = rig.origin + rig.rays[at] * self.nearest[at];
        let shaded = solids.iter().zip(casters).enumerate().any(|(i, (s, c))| {
            // A convex solid cannot shade its own lit side; the rest of its body begins where it ends.
            if i == own && s.convex {
                return false;
            }
            let point = if s.id == solids[own].id {
                point + hit.normal * LIFT
            } else {
                point
            };
            is_near(s, point, rig.to_sun) && c.shades(point, rig.to_sun)
        });
        lit(rgb, if shaded { 0.0 } else { facing })
    }
}

/// Whether the line from a point to the sun passes the solid's bounding sphere.
fn is_near(solid: &Solid, point: Vector, to_sun: Vector) -> bool {
    let d = solid.centre - point;
    let along = d.dot(to_sun);
    along >= -solid.radius && d.dot(d) - along * along <= solid.radius * solid.radius
}

/// The id that most samples show; of equally many, the highest.
fn winner(ids: &[u8]) -> u8 {
    if ids.iter().all(|&id| id == ids[0]) {
        return ids[0];
    }
    let (mut best_id, mut best_votes) = (0u8, 0usize);
    for &id in ids {
        let votes = ids.iter().filter(|&&other| other == id).count();
        if votes > best_votes || (votes == best_votes && id > best_id) {
            (best_id, best_votes) = (id, votes);
        }
    }
    best_id
}
