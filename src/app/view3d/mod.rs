//! Reality in 3-D: a second description of nothing. Bodies are placed from the state shown; the picture is
//! rendered into a texture that the layout shows, less often where there is no graphics card. It begins with
//! the very place from which the models' eye looks, so that all films show the same view.

mod kit;
mod lens;
mod poses;
mod stands;

use bevy::camera::RenderTarget;
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::image::Image;
use bevy::light::{CascadeShadowConfigBuilder, DirectionalLightShadowMap, ShadowFilteringMethod};
use bevy::prelude::*;
use bevy::render::render_resource::TextureFormat;
use bevy::render::renderer::RenderAdapterInfo;
use bevy::window::PrimaryWindow;
use bevy_egui::{EguiTextureHandle, EguiUserTextures, egui};

use self::kit::Kit;
pub use self::lens::Lens;
pub use self::stands::{OfScene, SoftSurface, Stands};
use super::command::Command;
use super::convert;
use crate::scene::{Colour, Kind, Scene};
use crate::sim::BodyState;

/// Frames a second of the 3-D view without a graphics card.
const SOFTWARE_HZ: f32 = 12.0;
/// Without a graphics card, so many of the pixels' rows and columns are drawn while things move; a picture
/// that stands is drawn in full.
const SOFTWARE_SHARE: f32 = 0.6;
/// So long after a scene was built its pipelines may still be compiling, seconds.
const LATE_S: f32 = 20.0;
/// What the meshes were built for: the scene's version, the theme, and size (bits) and colour of each body.
type Built = (u64, bool, Vec<(u32, Colour)>);

/// The picture and how it is looked at.
#[derive(Resource)]
pub struct View3d {
    image: Handle<Image>,
    texture: egui::TextureId,
    size_px: UVec2,
    wanted_px: UVec2,
    software: bool,
    yaw: f32,
    pitch: f32,
    distance: f32,
    /// Vertical field of view, radians.
    fov: f32,
    target: Vec3,
    built_for: Option<Built>,
    surfaces_of: (u64, usize),
    framed_for: Option<String>,
    poses: Vec<BodyState>,
    last_drawn: f32,
    built_at: Option<f32>,
    dirty: bool,
    light: bool,
    newest: usize,
    newest_at: f32,
    /// Whether everything in the picture can be drawn.
    is_there: bool,
    /// Whether the models' first films come before it.
    films_first: bool,
}

/// The camera of the picture.
#[derive(Component)]
pub struct ViewCamera;

/// The sun.
#[derive(Component)]
pub struct Sun;

/// The picture, how the camera looks, and where the bodies are in it: what panels need to point into it.
#[derive(Clone, Debug)]
pub struct Scenery {
    /// The picture.
    pub texture: egui::TextureId,
    /// The camera.
    pub lens: Lens,
    /// The bodies as they are drawn, in the scene's order.
    pub poses: Vec<BodyState>,
    /// Whether the picture has come: at the start its pipelines are still being compiled.
    pub is_there: bool,
}

/// How far from the middle of the world the camera may be led, metres.
const FARTHEST: f32 = 4.0;
/// Vertical field of view before there is a scene, radians.
const FOV: f32 = std::f32::consts::FRAC_PI_4;

/// Makes the picture, its camera and the light.
pub fn setup(
    mut commands: Commands,
    mut images: ResMut<Assets<Image>>,
    mut textures: ResMut<EguiUserTextures>,
    adapter: Option<Res<RenderAdapterInfo>>,
) {
    let software = adapter.is_none_or(|a| format!("{:?}", a.device_type) == "Cpu");
    let size_px = UVec2::new(400, 400);
    let image = images.add(target_image(size_px));
    let texture = textures.add_image(EguiTextureHandle::Strong(image.clone()));
    commands.spawn((
        ViewCamera,
        Camera3d::default(),
        Projection::Perspective(PerspectiveProjection {
            fov: FOV,
            ..default()
        }),
        Camera {
            order: -1,
            clear_color: ClearColorConfig::Custom(Color::srgb_u8(24, 27, 33)),
            ..default()
        },
        RenderTarget::Image(image.clone().into()),
        Tonemapping::None,
        // Several samples a pixel cost a processor more than the whole rest of the window.
        match software {
            true => Msaa::Off,
            false => Msaa::Sample4,
        },
        // What a processor draws can do without soft edges of shadows, which cost time.
        match software {
            true => ShadowFilteringMethod::Hardware2x2,
            false => ShadowFilteringMethod::Gaussian,
        },
        Transform::default(),
    ));
    commands.spawn((
        Sun,
        DirectionalLight {
            color: Color::srgb(1.0, 0.97, 0.90),
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
    // A cool light from the other side fills what the sun leaves dark.
    commands.spawn((
        DirectionalLight {
            color: Color::srgb(0.78, 0.86, 1.0),
            illuminance: 520.0,
            shadow_maps_enabled: false,
            ..default()
        },
        Transform::from_xyz(-2.0, 1.6, 2.4).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    commands.insert_resource(DirectionalLightShadowMap {
        size: if software { 512 } else { 2048 },
    });
    commands.insert_resource(GlobalAmbientLight {
        brightness: 300.0,
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
        fov: FOV,
        target: Vec3::ZERO,
        built_for: None,
        surfaces_of: (0, usize::MAX),
        framed_for: None,
        poses: Vec::new(),
        last_drawn: -1.0,
        built_at: None,
        dirty: true,
        light: false,
        newest: 0,
        newest_at: 0.0,
        is_there: false,
        films_first: true,
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

    /// Whether the picture has been asked for: a scene stands, and the window is shown.
    pub fn is_asked_for(&self) -> bool {
        self.built_for.is_some() && self.last_drawn >= 0.0
    }

    /// Whether everything in the picture can be drawn.
    pub fn is_there(&self) -> bool {
        self.is_there
    }

    /// Everything in the picture can be drawn from now on.
    pub fn has_come(&mut self) {
        self.is_there = true;
    }

    /// Whether the picture is to wait for the models' first films.
    pub fn let_films_first(&mut self, wait: bool) {
        self.films_first = wait;
    }

    /// Whether something has moved that is not drawn yet.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Asks for a picture that fills a rectangle of this size (physical pixels), while things move in it or
    /// not.
    pub fn want(&mut self, size: egui::Vec2, moves: bool) {
        let size = match (self.software, moves) {
            (true, true) => size * SOFTWARE_SHARE,
            _ => size,
        };
        // Steps of 16 pixels: dragging a border must not make a texture for every pixel.
        let side = |v: f32| ((v / 16.0).round() as u32 * 16).clamp(64, 4096);
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
            Command::Pan(right, down) => {
                let camera = self.camera_transform();
                let height = 2.0 * self.distance * (0.5 * self.fov).tan();
                let by = camera.up() * (down * height) - camera.right() * (right * height);
                self.target = (self.target + by).clamp_length_max(FARTHEST);
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

    /// Looks at a scene from where its eye does.
    fn frame(&mut self, scene: &Scene) {
        self.target = convert::vec3(scene.camera.target);
        let away = convert::vec3(scene.camera_position()) - self.target;
        self.distance = away.length().clamp(0.4, 8.0);
        self.yaw = away.x.atan2(away.z);
        self.pitch = (away.y / away.length().max(1e-6)).asin().clamp(0.05, 1.54);
        self.fov = scene.camera.fov_degrees.to_radians();
        self.dirty = true;
    }

    /// What panels need to point into the picture.
    pub fn scenery(&self) -> Scenery {
        let aspect = self.size_px.x as f32 / self.size_px.y.max(1) as f32;
        Scenery {
            texture: self.texture,
            lens: Lens::new(&self.camera_transform(), self.fov, aspect),
            poses: self.poses.clone(),
            is_there: self.is_there,
        }
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
    let looks = state.solids.iter().map(|s| (s.size.to_bits(), s.colour));
    let key = (state.scene_version, state.look.is_light(), looks.collect());
    if view.built_for.as_ref() == Some(&key) {
        return;
    }
    // A scene that was loaded anew is looked at as before.
    if view.framed_for.as_ref() != Some(&scene.name) {
        view.framed_for = Some(scene.name.clone());
        view.frame(scene);
    }
    view.built_for = Some(key);
    view.light = state.look.is_light();
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
    kit.floor(state.look.is_light(), scene.floor);
    for (i, body) in scene.bodies.iter().enumerate() {
        let solid = state.solids.get(i);
        let (size, colour) = solid.map_or((body.size, body.colour), |s| (s.size, s.colour));
        kit.body(i, body, size, colour, body.kind == Kind::Soft);
        if body.kind != Kind::Fixed {
            kit.contact_shadow(i);
        }
    }
    view.surfaces_of = (0, usize::MAX);
    view.built_at = None;
    if let Some(task) = &scene.task {
        let bodies = std::iter::once(&task.body).chain(&task.also);
        for (target, name) in bodies.enumerate() {
            if scene.body_index(name).is_some() {
                kit.ring(target, task.tolerance_m);
            }
        }
    }
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
    if state.shown() != view.newest {
        view.newest = state.shown();
        view.newest_at = now;
    }
    let Some(poses) = poses::poses(state, now - view.newest_at) else {
        view.poses.clear();
        return;
    };
    view.poses = poses.iter().map(convert::body_state).collect();
    if let Some((at, _)) = state.follow.and_then(|body| poses.get(body))
        && view.target != *at
    {
        view.target = *at;
        view.dirty = true;
    }
    let mut moved = false;
    for (stands, mut transform, mut visibility) in &mut things {
        let wanted = poses::where_is(*stands, state, &poses);
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

/// Gives soft bodies the form that they have in the moment shown.
pub fn form(
    session: NonSend<super::AppSession>,
    mut view: ResMut<View3d>,
    mut meshes: ResMut<Assets<Mesh>>,
    soft: Query<(&SoftSurface, &Mesh3d)>,
) {
    let state = &session.state;
    let now = (state.record.episode, state.shown());
    // A mesh that is new in this frame must reach the renderer before it is replaced.
    if view.surfaces_of == now || soft.is_empty() || view.built_at.is_none() {
        return;
    }
    let Some(moment) = state.shown_moment() else {
        return;
    };
    for (SoftSurface(body), mesh) in &soft {
        let surface = moment.surfaces.iter().find(|(i, _)| i == body);
        let triangles = state.solids.get(*body).and_then(|s| s.surface.as_ref());
        let (Some((_, vertices)), Some(triangles)) = (surface, triangles) else {
            return;
        };
        let corners = triangles.iter().flatten();
        let corners = corners.filter_map(|&i| vertices.get(i as usize).copied());
        if let Err(e) = meshes.insert(mesh.id(), kit::surface_mesh(corners.collect())) {
            tracing::debug!("a soft body keeps its form: {e}");
        }
    }
    view.surfaces_of = now;
    view.dirty = true;
}

/// Moves the camera, makes the picture fit, and decides whether it is drawn in this frame.
pub fn look(
    time: Res<Time>,
    window: Query<&Window, With<PrimaryWindow>>,
    mut view: ResMut<View3d>,
    mut images: ResMut<Assets<Image>>,
    mut textures: ResMut<EguiUserTextures>,
    mut camera: Query<
        (
            &mut Camera,
            &mut Transform,
            &mut RenderTarget,
            &mut Projection,
        ),
        With<ViewCamera>,
    >,
) {
    let Ok((mut camera, mut transform, mut target, mut projection)) = camera.single_mut() else {
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
    if let Projection::Perspective(lens) = &mut *projection {
        lens.fov = view.fov;
    }
    let background = if view.light {
        Color::srgb_u8(226, 229, 234)
    } else {
        Color::srgb_u8(24, 27, 33)
    };
    camera.clear_color = ClearColorConfig::Custom(background);
    // The panels come first, and then the films: this picture's pipelines are compiled once they are there.
    let now = time.elapsed_secs();
    let shown = window.single().map_or(true, |window| window.visible);
    if view.last_drawn < 0.0 && (!shown || view.films_first) {
        camera.is_active = false;
        return;
    }
    let due = !view.software || now - view.last_drawn >= 1.0 / SOFTWARE_HZ;
    // Pipelines of a new scene compile in the background meanwhile: it is drawn again until they must be
    // there.
    let since_built = now - *view.built_at.get_or_insert(now);
    let late = since_built < LATE_S && now - view.last_drawn > 0.5;
    let draw = (view.dirty || late || since_built < 2.0) && due;
    camera.is_active = draw;
    if draw {
        view.dirty = false;
        view.last_drawn = now;
    }
}
