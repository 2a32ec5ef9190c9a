//! Making the meshes of a scene: ground, bodies, the goal's ring.

use bevy::asset::RenderAssetUsages;
use bevy::light::NotShadowCaster;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::*;

use super::stands::{OfScene, SoftSurface, Stands};
use crate::app::convert;
use crate::scene::{Body, Colour, Floor, Part, Shape};

/// From where on the ground fades, and where it ends, metres.
const GROUND: (f32, f32) = (1.1, 2.6);
/// Half the side of the pattern on it, metres.
const PATTERN: f32 = 1.2;

/// What is needed to make things.
pub(super) struct Kit<'a, 'w, 's> {
    pub commands: &'a mut Commands<'w, 's>,
    pub meshes: &'a mut Assets<Mesh>,
    pub materials: &'a mut Assets<StandardMaterial>,
}

impl Kit<'_, '_, '_> {
    /// Soft ground that fades out, with the floor's pattern.
    pub fn floor(&mut self, light: bool, look: Floor) {
        let ground = if light {
            [0.70, 0.71, 0.73]
        } else {
            [0.57, 0.57, 0.56]
        };
        let material = self.materials.add(StandardMaterial {
            perceptual_roughness: 0.95,
            reflectance: 0.1,
            alpha_mode: AlphaMode::Blend,
            ..default()
        });
        let fade = |r: f32| 1.0 - ((r - GROUND.0) / (GROUND.1 - GROUND.0)).clamp(0.0, 1.0);
        let disc = disc_mesh(GROUND.1, 24, |r| {
            let fade = fade(r);
            [ground[0], ground[1], ground[2], fade * fade]
        });
        let disc = self.meshes.add(disc);
        self.commands.spawn((
            OfScene,
            Mesh3d(disc),
            MeshMaterial3d(material),
            NotShadowCaster,
            Transform::from_xyz(0.0, -0.001, 0.0),
        ));
        let lines = self.materials.add(StandardMaterial {
            base_color: Color::srgba_u8(60, 66, 78, 40),
            alpha_mode: AlphaMode::Blend,
            unlit: true,
            ..default()
        });
        let mesh = self.meshes.add(match look {
            Floor::Plain => grid_mesh(PATTERN, 0.1),
            Floor::Checker { tile_m } => checker_mesh(PATTERN, tile_m.max(0.02)),
        });
        self.commands.spawn((
            OfScene,
            Mesh3d(mesh),
            MeshMaterial3d(lines),
            NotShadowCaster,
            Transform::from_xyz(0.0, 0.001, 0.0),
        ));
    }

    /// The dark spots under bodies that move.
    pub fn contact_shadow(&mut self, index: usize) {
        let material = self.materials.add(StandardMaterial {
            alpha_mode: AlphaMode::Blend,
            unlit: true,
            ..default()
        });
        let spot = disc_mesh(1.0, 8, |r| [0.0, 0.0, 0.0, 0.34 * (1.0 - r) * (1.0 - r)]);
        let spot = self.meshes.add(spot);
        self.commands.spawn((
            OfScene,
            Stands::Shadow(index),
            Mesh3d(spot),
            MeshMaterial3d(material),
            NotShadowCaster,
            Transform::default(),
            Visibility::Hidden,
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
        Shape::Cuboid { half } => bevelled_mesh(*half),
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

/// A cuboid with edges that are a little rounded, so that light catches them.
fn bevelled_mesh(half: [f32; 3]) -> Mesh {
    let half = Vec3::from(half);
    let bevel = 0.07 * half.min_element();
    // Each corner of the cuboid is three corners here, one a face, each with the face's normal.
    let signs = |c: usize| {
        let sign = |bit: usize| if c >> bit & 1 == 1 { 1.0 } else { -1.0 };
        Vec3::new(sign(0), sign(1), sign(2))
    };
    let (mut positions, mut normals) = (Vec::new(), Vec::new());
    for corner in 0..8 {
        for axis in 0..3 {
            let out = Vec3::AXES[axis] * signs(corner);
            let inner = (half - Vec3::splat(bevel)) * signs(corner);
            positions.push((inner + out * bevel).to_array());
            normals.push(out.to_array());
        }
    }
    let mut faces: Vec<Vec<usize>> = Vec::new();
    let at = |corner: usize, axis: usize| 3 * corner + axis;
    for axis in 0..3 {
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        for side in 0..2 {
            let corner = |a: usize, b: usize| side << axis | a << u | b << v;
            let around = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)];
            faces.push(around.iter().map(|&c| at(c, axis)).collect());
            // The edges along this axis, between the two faces that meet there.
            for b in 0..2 {
                let edge = |along: usize| along << axis | side << u | b << v;
                let (from, to) = (edge(0), edge(1));
                faces.push(vec![at(from, u), at(to, u), at(to, v), at(from, v)]);
            }
        }
    }
    for corner in 0..8 {
        faces.push((0..3).map(|axis| at(corner, axis)).collect());
    }
    let mut indices = Vec::new();
    for face in faces {
        let point = |i: usize| Vec3::from(positions[face[i]]);
        let turn = (point(1) - point(0)).cross(point(2) - point(0));
        let middle: Vec3 = (0..face.len()).map(point).sum();
        for i in 1..face.len() - 1 {
            let mut triangle = [face[0], face[i], face[i + 1]];
            // Seen from outside, corners go around against the clock.
            if turn.dot(middle) < 0.0 {
                triangle.swap(1, 2);
            }
            indices.extend(triangle.map(|i| i as u32));
        }
    }
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

/// A disc in the floor plane with a colour (linear, with alpha) by distance from its middle.
fn disc_mesh(radius: f32, rings: u32, colour: impl Fn(f32) -> [f32; 4]) -> Mesh {
    const AROUND: u32 = 48;
    let (mut positions, mut colours) = (Vec::new(), Vec::new());
    for ring in 0..=rings {
        let r = radius * ring as f32 / rings as f32;
        for i in 0..AROUND {
            let angle = i as f32 / AROUND as f32 * std::f32::consts::TAU;
            positions.push([r * angle.cos(), 0.0, r * angle.sin()]);
            colours.push(colour(r));
        }
    }
    let mut indices = Vec::new();
    for ring in 0..rings {
        for i in 0..AROUND {
            let (a, b) = (ring * AROUND + i, ring * AROUND + (i + 1) % AROUND);
            let (c, d) = (a + AROUND, b + AROUND);
            indices.extend([a, b, d, a, d, c]);
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
    .with_inserted_attribute(Mesh::ATTRIBUTE_COLOR, colours)
    .with_inserted_indices(Indices::U32(indices))
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
