//! Reality in 3-D: a second description of nothing. Bodies, goal and ghosts are placed from the state shown; the picture is
//! rendered into a texture that the layout shows, at a lower resolution and rate where there is no graphics card.

use bevy::asset::RenderAssetUsages;
use bevy::camera::RenderTarget;
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::image::Image;
use bevy::light::{CascadeShadowConfigBuilder, DirectionalLightShadowMap, NotShadowCaster};
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::*;
use bevy::render::render_resource::TextureFormat;
use bevy::render::renderer::RenderAdapterInfo;
use bevy_egui::{EguiTextureHandle, EguiUserTextures, egui};

use super::command::Command;
use super::convert;
use super::state::{Cursor, State};
use crate::scene::{Body, Scene, Shape};
use crate::sim::CONTROL_HZ;

/// Frames a second of the 3-D view without a graphics card.
const SOFTWARE_HZ: f32 = 12.0;
/// Pixels drawn for each pixel shown, without a graphics card.
const SOFTWARE_SCALE: f32 = 0.62;
/// Markers on the way of a plan.
const PATH_MARKS: usize = 32;

/// The picture and how it is looked at.
#[derive(Resource)]
pub struct View3d {
    image: Handle<Image>,
    /// The texture in egui.
    pub texture: egui::TextureId,
    size_px: UVec2,
    wanted_px: UVec2,
    software: bool,
    yaw: f32,
    pitch: f32,
    distance: f32,
    target: Vec3,
    built_for: Option<(String, u64)>,
    last_drawn: f32,
    dirty: bool,
    light: bool,
    newest: usize,
    newest_at: f32,
}

/// The camera of the picture.
#[derive(Component)]
pub struct ViewCamera;

/// The sun.
#[derive(Component)]
pub struct Sun;

/// Whatever belongs to the scene shown and goes with it.
#[derive(Component)]
pub struct OfScene;

/// What an entity stands for.
#[derive(Component, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stands {
    /// The body with this index.
    Body(usize),
    /// The task's body at its goal.
    Goal(usize),
    /// The ring of tolerance around the goal.
    Ring,
    /// A probed body: model slot, body.
    Ghost(usize, usize),
    /// A mark on the way of the plan: body, step.
    Path(usize, usize),
}

/// Models whose ghosts can be shown at once.
const GHOST_SLOTS: usize = 2;

/// Makes the picture, its camera and the light.
pub fn setup(
    mut commands: Commands,
    mut images: ResMut<Assets<Image>>,
    mut textures: ResMut<EguiUserTextures>,
    adapter: Option<Res<RenderAdapterInfo>>,
) {
    let software = adapter.is_none_or(|a| format!("{:?}", a.device_type) == "Cpu");
    let size_px = UVec2::new(640, 400);
    let image = images.add(target_image(size_px));
    let texture = textures.add_image(EguiTextureHandle::Strong(image.clone()));
    commands.spawn((
        ViewCamera,
        Camera3d::default(),
        Camera {
            order: -1,
            clear_color: ClearColorConfig::Custom(Color::srgb_u8(24, 27, 33)),
            ..default()
        },
        RenderTarget::Image(image.clone().into()),
        Tonemapping::None,
        Msaa::Sample4,
        Transform::default(),
    ));
    commands.spawn((
        Sun,
        DirectionalLight {
            illuminance: 2_300.0,
            shadow_maps_enabled: true,
            ..default()
        },
        CascadeShadowConfigBuilder {
            num_cascades: 1,
            minimum_distance: 0.1,
            maximum_distance: 6.0,
            ..default()
        }
        .build(),
        Transform::default(),
    ));
    commands.insert_resource(DirectionalLightShadowMap {
        size: if software { 1024 } else { 2048 },
    });
    commands.insert_resource(GlobalAmbientLight {
        brightness: 360.0,
        ..default()
    });
    commands.insert_resource(View3d {
        image,
        texture,
        size_px,
        wanted_px: size_px,
        software,
        yaw: 0.6,
        pitch: 0.7,
        distance: 2.0,
        target: Vec3::ZERO,
        built_for: None,
        last_drawn: -1.0,
        dirty: true,
        light: false,
        newest: 0,
        newest_at: 0.0,
    });
}

fn target_image(size: UVec2) -> Image {
    Image::new_target_texture(size.x, size.y, TextureFormat::Rgba8UnormSrgb, None)
}

impl View3d {
    /// Whether there is no graphics card.
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// Asks for a picture that fills a rectangle of this size (physical pixels).
    pub fn want(&mut self, size: egui::Vec2) {
        let scale = if self.software { SOFTWARE_SCALE } else { 1.0 };
        // Steps of 16 pixels: dragging a border must not make a texture for every pixel.
        let side = |v: f32| ((v * scale / 16.0).round() as u32 * 16).clamp(64, 4096);
        self.wanted_px = UVec2::new(side(size.x), side(size.y));
    }

    /// Does what concerns the camera.
    pub fn apply(&mut self, command: &Command, scene: Option<&Scene>) {
        match command {
            Command::Orbit(yaw, pitch, zoom) => {
                self.yaw += yaw;
                self.pitch = (self.pitch + pitch).clamp(0.05, 1.54);
                self.distance = (self.distance * zoom).clamp(0.4, 8.0);
                self.dirty = true;
            }
            Command::ResetCamera => {
                if let Some(scene) = scene {
                    self.frame(scene);
                }
            }
            _ => {}
        }
    }

    /// Looks at a scene from beside its eye.
    fn frame(&mut self, scene: &Scene) {
        let eye = convert::vec3(scene.camera.position);
        self.target = convert::vec3(scene.camera.target) * Vec3::new(1.0, 0.55, 1.0);
        let away = eye - self.target;
        self.distance = (away.length() * 1.12).clamp(1.0, 6.0);
        self.yaw = 0.45;
        let eye_pitch = (away.y / away.length()).asin();
        self.pitch = (eye_pitch * 0.72).clamp(0.25, 1.2);
        self.dirty = true;
    }

    fn camera_transform(&self) -> Transform {
        let turn = Quat::from_euler(EulerRot::YXZ, self.yaw, -self.pitch, 0.0);
        let at = self.target + turn * Vec3::new(0.0, 0.0, self.distance);
        Transform::from_translation(at).looking_at(self.target, Vec3::Y)
    }
}

/// Builds the meshes of a scene when another one is shown, or the goal moved.
pub fn build_scene(
    session: NonSend<super::AppSession>,
    mut view: ResMut<View3d>,
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<StandardMaterial>>,
    old: Query<Entity, With<OfScene>>,
    mut sun: Query<&mut Transform, With<Sun>>,
) {
    let state = &session.state;
    let Some(scene) = &state.scene else {
        return;
    };
    let key = (scene.name.clone(), u64::from(state.light));
    if view.built_for.as_ref() == Some(&key) {
        return;
    }
    if view
        .built_for
        .as_ref()
        .is_none_or(|(name, _)| *name != key.0)
    {
        view.frame(scene);
    }
    view.built_for = Some(key);
    view.light = state.light;
    view.dirty = true;
    for entity in &old {
        commands.entity(entity).despawn();
    }
    for mut transform in &mut sun {
        *transform = Transform::default().looking_to(convert::vec3(scene.sun), Vec3::Y);
    }
    let mut kit = Kit {
        commands: &mut commands,
        meshes: &mut meshes,
        materials: &mut materials,
    };
    kit.floor(state.light);
    for (i, body) in scene.bodies.iter().enumerate() {
        kit.body(i, body);
        for slot in 0..GHOST_SLOTS {
            kit.ghost(Stands::Ghost(slot, i), body, 0.45);
        }
        kit.path(i, body);
    }
    if let Some(task) = &scene.task
        && let Some(i) = scene.body_index(&task.body)
    {
        kit.goal(i, &scene.bodies[i]);
        kit.ring(task.tolerance_m);
    }
}

struct Kit<'a, 'w, 's> {
    commands: &'a mut Commands<'w, 's>,
    meshes: &'a mut Assets<Mesh>,
    materials: &'a mut Assets<StandardMaterial>,
}

impl Kit<'_, '_, '_> {
    fn floor(&mut self, light: bool) {
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
        let mesh = self.meshes.add(grid_mesh(HALF, 0.1));
        self.commands.spawn((
            OfScene,
            Mesh3d(mesh),
            MeshMaterial3d(lines),
            NotShadowCaster,
            Transform::from_xyz(0.0, 0.001, 0.0),
        ));
    }

    fn body(&mut self, index: usize, body: &Body) {
        let [r, g, b] = body.colour.rgb();
        let colour = Color::srgb_u8(r, g, b);
        let material = self.materials.add(StandardMaterial {
            base_color: colour,
            perceptual_roughness: 0.55,
            reflectance: 0.3,
            ..default()
        });
        let mesh = self.meshes.add(mesh_of(&body.shape));
        let mut entity = self.commands.spawn((
            OfScene,
            Stands::Body(index),
            Mesh3d(mesh),
            MeshMaterial3d(material),
            Transform::default(),
        ));
        if body.marked
            && let Shape::Cuboid { half: [x, y, z] } = body.shape
        {
            // The eye darkens what lies beyond 0.4 of the extent; a slab a hair larger does the same here.
            let dark = self.materials.add(StandardMaterial {
                base_color: Color::srgb_u8(r / 2, g / 2, b / 2),
                perceptual_roughness: 0.6,
                ..default()
            });
            let slab = self.meshes.add(Cuboid::new(0.6 * x, 2.002 * y, 2.002 * z));
            entity.with_child((
                Mesh3d(slab),
                MeshMaterial3d(dark),
                Transform::from_xyz(0.702 * x, 0.0, 0.0),
            ));
        }
    }

    fn goal(&mut self, index: usize, body: &Body) {
        self.pale(Stands::Goal(index), body, Color::srgba_u8(255, 196, 70, 90));
    }

    fn ghost(&mut self, stands: Stands, body: &Body, alpha: f32) {
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
        let mesh = self.meshes.add(mesh_of(&body.shape));
        self.commands.spawn((
            OfScene,
            stands,
            Mesh3d(mesh),
            MeshMaterial3d(material),
            NotShadowCaster,
            Transform::default(),
            Visibility::Hidden,
        ));
    }

    fn path(&mut self, index: usize, body: &Body) {
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

    fn ring(&mut self, radius: f32) {
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
            Stands::Ring,
            Mesh3d(mesh),
            MeshMaterial3d(material),
            NotShadowCaster,
            Transform::default(),
            Visibility::Hidden,
        ));
    }
}

fn mesh_of(shape: &Shape) -> Mesh {
    match *shape {
        Shape::Ball { radius } => Sphere::new(radius).mesh().uv(32, 20),
        Shape::Cuboid { half: [x, y, z] } => Cuboid::new(2.0 * x, 2.0 * y, 2.0 * z).into(),
        Shape::Cylinder {
            half_height,
            radius,
        } => Cylinder::new(radius, 2.0 * half_height).into(),
        Shape::Capsule {
            half_height,
            radius,
        } => Capsule3d::new(radius, 2.0 * half_height).into(),
    }
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

/// Puts everything where the moment shown has it.
pub fn place(
    session: NonSend<super::AppSession>,
    time: Res<Time>,
    mut view: ResMut<View3d>,
    mut things: Query<(&Stands, &mut Transform, &mut Visibility)>,
) {
    let state = &session.state;
    let now = time.elapsed_secs();
    if state.newest() != view.newest {
        view.newest = state.newest();
        view.newest_at = now;
    }
    let Some(poses) = poses(state, now - view.newest_at) else {
        return;
    };
    let mut moved = false;
    for (stands, mut transform, mut visibility) in &mut things {
        let wanted = where_is(*stands, state, &poses);
        let shown = match wanted {
            Some(t) => {
                if *transform != t {
                    *transform = t;
                    moved = true;
                }
                Visibility::Inherited
            }
            None => Visibility::Hidden,
        };
        if *visibility != shown {
            *visibility = shown;
            moved = true;
        }
    }
    if moved {
        view.dirty = true;
    }
}

/// Poses of all bodies; live, they glide from the moment before to the newest one.
fn poses(state: &State, since: f32) -> Option<Vec<(Vec3, Quat)>> {
    let shown = state.shown();
    let to = state.record.moments.get(shown)?;
    let glides = state.playing && matches!(state.cursor, Cursor::Live) && shown > 0;
    let from = if glides {
        state.record.moments.get(shown - 1)?
    } else {
        to
    };
    let share = if glides {
        (since * CONTROL_HZ as f32 * state.speed).clamp(0.0, 1.0)
    } else {
        1.0
    };
    let pairs = from.state.bodies.iter().zip(&to.state.bodies);
    Some(pairs.map(|(a, b)| convert::between(a, b, share)).collect())
}

fn where_is(stands: Stands, state: &State, poses: &[(Vec3, Quat)]) -> Option<Transform> {
    let scene = state.scene.as_ref()?;
    match stands {
        Stands::Body(i) => poses
            .get(i)
            .map(|(at, turn)| Transform::from_translation(*at).with_rotation(*turn)),
        Stands::Goal(i) => {
            let goal = state.record.goal.as_ref()?;
            let y = scene.bodies.get(i)?.position[1];
            Some(Transform::from_xyz(goal.place[0], y, goal.place[1]))
        }
        Stands::Ring => {
            let goal = state.record.goal.as_ref()?;
            Some(Transform::from_xyz(goal.place[0], 0.006, goal.place[1]))
        }
        Stands::Ghost(slot, body) => ghost(state, scene, slot, body),
        Stands::Path(body, step) => path_mark(state, scene, body, step),
    }
}

fn pose_transform(body: &Body, pose: [f32; 3]) -> Option<Transform> {
    let [x, z, yaw] = pose;
    (x.is_finite() && z.is_finite()).then(|| {
        let yaw = if yaw.is_finite() { yaw } else { 0.0 };
        Transform::from_xyz(x, body.position[1], z).with_rotation(Quat::from_rotation_y(yaw))
    })
}

/// A probed body of the rollout that shows this very moment; where reality has run ahead of imagination there is none.
fn ghost(state: &State, scene: &Scene, slot: usize, body: usize) -> Option<Transform> {
    if !state.show_ghosts {
        return None;
    }
    let mut probed = state.scene_panes().filter_map(|(_, p)| {
        let (at, rollout) = state.imagined(p)?;
        Some((at, rollout, rollout.imagined.states.as_ref()?))
    });
    let (at, rollout, states) = probed.nth(slot)?;
    if at.moment() != state.shown() {
        return None;
    }
    let index = rollout.index(at.k)?;
    let body = scene.bodies.get(body)?;
    let column = states.bodies.iter().position(|n| *n == body.name)?;
    pose_transform(body, *states.at(0, index).get(column)?)
}

/// Where the plan being followed leads, as the planner's model imagines it.
fn path_mark(state: &State, scene: &Scene, body: usize, step: usize) -> Option<Transform> {
    if !state.show_ghosts || !matches!(state.cursor, Cursor::Live) {
        return None;
    }
    let path = state.decision.as_ref()?.path.as_ref()?;
    let body = scene.bodies.get(body)?;
    let column = path.bodies.iter().position(|n| *n == body.name)?;
    if step >= path.steps {
        return None;
    }
    pose_transform(body, *path.at(0, step).get(column)?)
}

/// Moves the camera, makes the picture fit, and decides whether it is drawn in this frame.
pub fn look(
    time: Res<Time>,
    mut view: ResMut<View3d>,
    mut images: ResMut<Assets<Image>>,
    mut textures: ResMut<EguiUserTextures>,
    mut camera: Query<(&mut Camera, &mut Transform, &mut RenderTarget), With<ViewCamera>>,
) {
    let Ok((mut camera, mut transform, mut target)) = camera.single_mut() else {
        return;
    };
    if view.wanted_px != view.size_px {
        view.size_px = view.wanted_px;
        let old = view.image.clone();
        view.image = images.add(target_image(view.size_px));
        *target = RenderTarget::Image(view.image.clone().into());
        view.texture = textures.add_image(EguiTextureHandle::Strong(view.image.clone()));
        textures.remove_image(&old);
        view.dirty = true;
    }
    *transform = view.camera_transform();
    let background = if view.light {
        Color::srgb_u8(226, 229, 234)
    } else {
        Color::srgb_u8(24, 27, 33)
    };
    camera.clear_color = ClearColorConfig::Custom(background);
    let now = time.elapsed_secs();
    let due = !view.software || now - view.last_drawn >= 1.0 / SOFTWARE_HZ;
    // For two seconds after the start everything is drawn: pipelines compile in the background meanwhile.
    let draw = (view.dirty || now < 2.0) && due;
    camera.is_active = draw;
    if draw {
        view.dirty = false;
        view.last_drawn = now;
    }
}
