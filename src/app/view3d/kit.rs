//! Making the meshes of a scene: floor, bodies, goal, ghosts.

use bevy::asset::RenderAssetUsages;
use bevy::light::NotShadowCaster;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::*;

use super::stands::{OfScene, PATH_MARKS, SoftSurface, Stands};
use crate::app::convert;
use crate::scene::{Body, Colour, Floor, Part, Shape};

/// What is needed to make things.
pub(super) struct Kit<'a, 'w, 's> {
    pub commands: &'a mut Commands<'w, 's>,
    pub meshes: &'a mut Assets<Mesh>,
    pub materials: &'a mut Assets<StandardMaterial>,
}

impl Kit<'_, '_, '_> {
    pub fn floor(&mut self, light: bool, look: Floor) {
        const HALF: f32 = 1.0;
        let ground = if light {
            Color::srgb_u8(214, 216, 220)
        } else {
            Color::srgb_u8(196, 196, 194)
        };
        let material = self.materials.add(StandardMaterial {
            base_color: ground,
            perceptual_roughness: 0.95,
            reflectance: 0.1,
            ..default()
        });
        let slab = self.meshes.add(Cuboid::new(2.0 * HALF, 0.03, 2.0 * HALF));
        self.commands.spawn((
            OfScene,
            Mesh3d(slab),
            MeshMaterial3d(material),
            Transform::from_xyz(0.0, -0.0155, 0.0),
        ));
        let lines = self.materials.add(StandardMaterial {
            base_color: Color::srgba_u8(60, 66, 78, 46),
            alpha_mode: AlphaMode::Blend,
            unlit: true,
            ..default()
        });
        let mesh = self.meshes.add(match look {
            Floor::Plain => grid_mesh(HALF, 0.1),
            Floor::Checker { tile_m } => checker_mesh(HALF, tile_m.max(0.02)),
        });
        self.commands.spawn((
            OfScene,
            Mesh3d(mesh),
            MeshMaterial3d(lines),
            NotShadowCaster,
            Transform::from_xyz(0.0, 0.001, 0.0),
        ));
    }

    /// A body at its present size and colour; a soft one gets the surface that is rewritten with each moment.
    pub fn body(&mut self, index: usize, body: &Body, size: f32, colour: Colour, soft: bool) {
        let root = (
            OfScene,
            Stands::Body(index),
            Transform::default(),
            Visibility::default(),
        );
        let root = self.commands.spawn(root).id();
        if soft {
            let material = self.opaque(colour, 1.0);
            let mesh = self.meshes.add(surface_mesh(vec![[0.0; 3]; 3]));
            self.commands.entity(root).insert((
                SoftSurface(index),
                Mesh3d(mesh),
                MeshMaterial3d(material),
                bevy::camera::visibility::NoFrustumCulling,
            ));
            return;
        }
        let shape = body.shape.scaled(size);
        for part in shape.parts() {
            let material = self.opaque(part.colour.unwrap_or(colour), 1.0);
            let mesh = self.meshes.add(mesh_of(&part.shape));
            let part = (
                Mesh3d(mesh),
                MeshMaterial3d(material),
                part_transform(&part),
            );
            self.commands.entity(root).with_child(part);
        }
        if body.marked
            && let Shape::Cuboid { half: [x, y, z] } = shape
        {
            // The eye darkens what lies beyond 0.4 of the extent; a slab a hair larger does the same here.
            let dark = self.opaque(colour, 0.5);
            let slab = self.meshes.add(Cuboid::new(0.6 * x, 2.002 * y, 2.002 * z));
            self.commands.entity(root).with_child((
                Mesh3d(slab),
                MeshMaterial3d(dark),
                Transform::from_xyz(0.702 * x, 0.0, 0.0),
            ));
        }
    }

    fn opaque(&mut self, colour: Colour, light: f32) -> Handle<StandardMaterial> {
        let [r, g, b] = colour.rgb().map(|v| (f32::from(v) * light) as u8);
        self.materials.add(StandardMaterial {
            base_color: Color::srgb_u8(r, g, b),
            perceptual_roughness: 0.55,
            reflectance: 0.3,
            ..default()
        })
    }

    pub fn goal(&mut self, target: usize, body: &Body) {
        self.pale(
            Stands::Goal(target),
            body,
            Color::srgba_u8(255, 196, 70, 90),
        );
    }

    pub fn ghost(&mut self, stands: Stands, body: &Body, alpha: f32) {
        let [r, g, b] = body.colour.rgb().map(|v| v / 2 + 127);
        self.pale(stands, body, Color::srgb_u8(r, g, b).with_alpha(alpha));
    }

    fn pale(&mut self, stands: Stands, body: &Body, colour: Color) {
        let material = self.materials.add(StandardMaterial {
            base_color: colour,
            alpha_mode: AlphaMode::Blend,
            unlit: true,
            ..default()
        });
        let root = (OfScene, stands, Transform::default(), Visibility::Hidden);
        let root = self.commands.spawn(root).id();
        for part in body.shape.parts() {
            let mesh = self.meshes.add(mesh_of(&part.shape));
            self.commands.entity(root).with_child((
                Mesh3d(mesh),
                MeshMaterial3d(material.clone()),
                NotShadowCaster,
                part_transform(&part),
            ));
        }
    }

    pub fn path(&mut self, index: usize, body: &Body) {
        let [r, g, b] = body.colour.rgb().map(|v| v / 2 + 127);
        let material = self.materials.add(StandardMaterial {
            base_color: Color::srgb_u8(r, g, b).with_alpha(0.9),
            alpha_mode: AlphaMode::Blend,
            unlit: true,
            ..default()
        });
        let mesh = self.meshes.add(
            Sphere::new(0.012)
                .mesh()
                .ico(2)
                .unwrap_or_else(|_| Sphere::new(0.012).mesh().build()),
        );
        for step in 0..PATH_MARKS {
            self.commands.spawn((
                OfScene,
                Stands::Path(index, step),
                Mesh3d(mesh.clone()),
                MeshMaterial3d(material.clone()),
                NotShadowCaster,
                Transform::default(),
                Visibility::Hidden,
            ));
        }
    }

    pub fn ring(&mut self, target: usize, radius: f32) {
        let material = self.materials.add(StandardMaterial {
            base_color: Color::srgb_u8(240, 150, 0),
            unlit: true,
            ..default()
        });
        let mesh = self.meshes.add(Torus {
            minor_radius: 0.005,
            major_radius: radius,
        });
        self.commands.spawn((
            OfScene,
            Stands::Ring(target),
            Mesh3d(mesh),
            MeshMaterial3d(material),
            NotShadowCaster,
            Transform::default(),
            Visibility::Hidden,
        ));
    }
}

fn part_transform(part: &Part) -> Transform {
    Transform::from_translation(convert::vec3(part.position))
        .with_rotation(convert::part_rotation(part.rotation))
}

/// The mesh of one part; compounds are made of parts and have none of their own.
fn mesh_of(shape: &Shape) -> Mesh {
    match shape {
        Shape::Ball { radius } => Sphere::new(*radius).mesh().uv(32, 20),
        Shape::Cuboid { half: [x, y, z] } => Cuboid::new(2.0 * x, 2.0 * y, 2.0 * z).into(),
        Shape::Cylinder {
            half_height,
            radius,
        } => Cylinder::new(*radius, 2.0 * half_height).into(),
        Shape::Capsule {
            half_height,
            radius,
        } => Capsule3d::new(*radius, 2.0 * half_height).into(),
        Shape::Convex { points } => surface_mesh(convert::hull(points)),
        Shape::Compound { .. } => surface_mesh(Vec::new()),
    }
}

/// A mesh of flat triangles, three corners each.
pub(super) fn surface_mesh(corners: Vec<[f32; 3]>) -> Mesh {
    let uvs = vec![[0.0, 0.0]; corners.len()];
    Mesh::new(
        PrimitiveTopology::TriangleList,
        RenderAssetUsages::default(),
    )
    .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, corners)
    .with_inserted_attribute(Mesh::ATTRIBUTE_UV_0, uvs)
    .with_computed_flat_normals()
}

/// The dark squares of a checker in the floor plane, where the eye has them, metres.
fn checker_mesh(half: f32, tile: f32) -> Mesh {
    let mut corners = Vec::new();
    let count = (half / tile).ceil() as i32;
    for i in -count..count {
        for k in -count..count {
            if (i + k).rem_euclid(2) == 0 {
                continue;
            }
            let side = |n: i32| {
                let from = n as f32 * tile;
                (from.clamp(-half, half), (from + tile).clamp(-half, half))
            };
            let ((x0, x1), (z0, z1)) = (side(i), side(k));
            let square = [(x0, z0), (x1, z1), (x1, z0), (x0, z0), (x0, z1), (x1, z1)];
            corners.extend(square.map(|(x, z)| [x, 0.0, z]));
        }
    }
    surface_mesh(corners)
}

/// Lines of a grid in the floor plane as thin rectangles, metres.
fn grid_mesh(half: f32, every: f32) -> Mesh {
    let (mut positions, mut indices) = (Vec::<[f32; 3]>::new(), Vec::<u32>::new());
    let count = (half / every).round() as i32;
    for i in -count..=count {
        let at = i as f32 * every;
        let w = if i % 5 == 0 { 0.0035 } else { 0.0014 };
        for along_x in [true, false] {
            let corners = [
                (-half, at - w),
                (half, at - w),
                (half, at + w),
                (-half, at + w),
            ];
            let first = positions.len() as u32;
            for (u, v) in corners {
                positions.push(if along_x { [u, 0.0, v] } else { [v, 0.0, u] });
            }
            let face = if along_x {
                [0, 2, 1, 0, 3, 2]
            } else {
                [0, 1, 2, 0, 2, 3]
            };
            indices.extend(face.map(|k: u32| first + k));
        }
    }
    let normals = vec![[0.0, 1.0, 0.0]; positions.len()];
    let uvs = vec![[0.0, 0.0]; positions.len()];
    Mesh::new(
        PrimitiveTopology::TriangleList,
        RenderAssetUsages::default(),
    )
    .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, positions)
    .with_inserted_attribute(Mesh::ATTRIBUTE_NORMAL, normals)
    .with_inserted_attribute(Mesh::ATTRIBUTE_UV_0, uvs)
    .with_inserted_indices(Indices::U32(indices))
}
