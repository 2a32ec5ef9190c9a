//! The window: bevy draws reality in 3-D, egui everything else; neither knows physics or models.
//!
//! `session.rs` conducts workers and keeps `state.rs` (and `pane.rs`, one model's part of it), plain data
//! that `panels/` draw and `command.rs` changes. Bevy systems only move data between the two. Read
//! `state.rs` first, then `layout.rs`.
//!
//! `display.rs` and `graphics.rs` try what the window needs before it opens, `guard.rs` says in a sentence
//! what fails later, `keys.rs` hands keys over with their modifiers, `fonts.rs` finds writing that the own
//! font lacks.

pub mod command;
pub mod convert;
pub mod display;
pub mod fonts;
pub mod graphics;
mod guard;
pub mod keys;
pub mod layout;
pub mod pane;
pub mod panels;
pub mod session;
pub mod shot;
pub mod state;
pub mod theme;
pub mod timing;
pub mod view3d;

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use bevy::asset::AssetEventSystems;
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::window::{
    Monitor, PresentMode, PrimaryMonitor, PrimaryWindow, WindowResizeConstraints, WindowResolution,
};
use bevy::winit::{UpdateMode, WinitSettings};
use bevy_egui::{
    EguiContextSettings, EguiContexts, EguiGlobalSettings, EguiInputSet, EguiPlugin,
    EguiPostUpdateSet, EguiPrimaryContextPass, PrimaryEguiContext,
};

use command::Command;
use display::LEAST;
use fonts::Fallback;
use panels::pictures::Pictures;
use session::{Session, Start};
use shot::Errand;
use view3d::View3d;

/// How the window opens.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Scene, controller, seed.
    pub start: Start,
    /// What it does by itself.
    pub errand: Errand,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Prints the timers when the window closes.
    pub timings: bool,
    /// Light theme.
    pub light: bool,
}

/// The session and the commands that wait for the next frame.
pub struct AppSession {
    session: Session,
    /// Given by scripts, carried out with the next frame.
    pub pending: Vec<Command>,
    pictures: Pictures,
    themed: Option<(bool, f32)>,
    fallback: Fallback,
}

impl Deref for AppSession {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for AppSession {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

#[derive(Resource)]
struct PrintTimings(bool);

/// Whether the window is still to be fitted into a screen whose size was not known before it opened.
#[derive(Resource)]
struct ToBeFitted(bool);

/// Opens the window and runs until it is closed.
///
/// # Errors
/// In a sentence: no display or driver, threads that cannot be started, or an errand that failed.
pub fn run(options: Options) -> Result<(), String> {
    guard::install();
    graphics::keep_layers_quiet();
    let display = display::find()?;
    let adapter = graphics::find()?;
    let (width, height) = size(&options, &display, adapter.max_side)?;
    let mut session = Session::start(&options.start)
        .map_err(|e| format!("worker threads cannot be started: {e}"))?;
    session.state.light = options.light;
    let problem = options.errand.problem.clone();
    let as_asked = options.size.is_some() && options.errand.shot.is_some();
    let to_be_fitted = display.room().is_none() && !as_asked;
    let least = display::fitting(LEAST, display.room());
    let window = Window {
        title: "Parallax".into(),
        name: Some("parallax".into()),
        resolution: WindowResolution::new(width, height),
        present_mode: PresentMode::AutoVsync,
        resize_constraints: WindowResizeConstraints {
            min_width: least.0.min(width) as f32,
            min_height: least.1.min(height) as f32,
            ..default()
        },
        ..default()
    };
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(WindowPlugin {
                primary_window: Some(window),
                ..default()
            })
            .disable::<LogPlugin>(),
    )
    .add_plugins(EguiPlugin::default())
    .insert_non_send(AppSession {
        session,
        pending: Vec::new(),
        pictures: Pictures::default(),
        themed: None,
        fallback: Fallback::default(),
    })
    .insert_resource(options.errand)
    .insert_resource(PrintTimings(options.timings))
    .insert_resource(ToBeFitted(to_be_fitted))
    .insert_resource(ClearColor(Color::srgb_u8(18, 20, 24)))
    .add_systems(PreStartup, own_context)
    .add_systems(Startup, (window_camera, view3d::setup))
    .add_systems(PostStartup, pace)
    .add_systems(
        Update,
        (
            fit_into_screen,
            hear_workers,
            shot::run_errand,
            view3d::build_scene,
            view3d::place,
            view3d::form,
            view3d::look,
        )
            .chain(),
    )
    // Else a glyph that is new to the font's texture is drawn before the texture has it, and is missing for a
    // frame.
    .configure_sets(
        PostUpdate,
        AssetEventSystems.after(EguiPostUpdateSet::PostProcessOutput),
    )
    .add_systems(
        PreUpdate,
        keys::hand_over.in_set(EguiInputSet::ReadBevyMessages),
    )
    .add_systems(EguiPrimaryContextPass, draw)
    .add_systems(Last, print_timings);
    match app.run() {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => Err(shot::said(&problem).unwrap_or_else(|| {
            format!(
                "the window ended with code {code}: its display is gone; `parallax doctor` says \
                     what is there"
            )
        })),
    }
}

/// How large the window opens: no larger than the screen, unless a picture of a certain size is asked for.
fn size(options: &Options, display: &display::Display, most: u32) -> Result<(u32, u32), String> {
    let wanted = options.size.unwrap_or(display::USUAL);
    if wanted.0.max(wanted.1) > most {
        let (w, h) = wanted;
        return Err(format!(
            "--size {w}x{h}: the graphics driver draws pictures of at most {most} pixels a side"
        ));
    }
    if options.size.is_some() && options.errand.shot.is_some() {
        return Ok(wanted);
    }
    let fitting = display::fitting(wanted, display.room());
    if options.size.is_some() && fitting != wanted {
        tracing::warn!(
            "--size {}x{} is more than the screen has room for: the window opens at {}x{}",
            wanted.0,
            wanted.1,
            fitting.0,
            fitting.1
        );
    }
    Ok(fitting)
}

/// Only X11 tells beforehand how large the screen is.
fn fit_into_screen(
    mut to_be_fitted: ResMut<ToBeFitted>,
    monitors: Query<(&Monitor, Has<PrimaryMonitor>)>,
    mut window: Query<&mut Window, With<PrimaryWindow>>,
) {
    /// What the window's title takes, points.
    const TITLE: f64 = 40.0;
    if !to_be_fitted.0 {
        return;
    }
    let first = monitors.iter().max_by_key(|(_, is_primary)| *is_primary);
    let (Some((monitor, _)), Ok(mut window)) = (first, window.single_mut()) else {
        return;
    };
    to_be_fitted.0 = false;
    let title = (TITLE * monitor.scale_factor) as u32;
    let room = (
        monitor.physical_width,
        monitor.physical_height.saturating_sub(title),
    );
    let size = (window.physical_width(), window.physical_height());
    let fitting = display::fitting(size, Some(room).filter(|(w, h)| *w > 0 && *h > 0));
    if fitting != size {
        window
            .resolution
            .set_physical_resolution(fitting.0, fitting.1);
    }
}

fn own_context(mut settings: ResMut<EguiGlobalSettings>) {
    settings.auto_create_primary_context = false;
}

fn window_camera(mut commands: Commands) {
    let mut settings = EguiContextSettings::default();
    // `keys.rs` does that.
    let input = &mut settings.input_system_settings;
    input.run_write_keyboard_input_messages_system = false;
    commands.spawn((PrimaryEguiContext, settings, Camera2d, Msaa::Off));
}

/// Without a graphics card every frame takes a core away from the models: fewer of them.
fn pace(view: Res<View3d>, mut winit: ResMut<WinitSettings>) {
    let period = if view.is_software() {
        Duration::from_millis(66)
    } else {
        Duration::from_millis(16)
    };
    let mode = UpdateMode::Reactive {
        wait: period,
        react_to_device_events: false,
        react_to_user_events: true,
        react_to_window_events: true,
    };
    winit.focused_mode = mode;
    winit.unfocused_mode = mode;
}

/// The one place where the main thread meets the workers; its time is what the 1 ms budget is about.
fn hear_workers(mut session: NonSendMut<AppSession>, time: Res<Time<Real>>) {
    let session = &mut *session;
    for command in std::mem::take(&mut session.pending) {
        session.session.apply(command);
    }
    let start = Instant::now();
    session.session.poll();
    let spent = start.elapsed().as_secs_f32() * 1e3;
    let frame = time.delta_secs() * 1e3;
    let timers = &mut session.session.state.timers;
    timers.workers.add(spent);
    if frame > 0.0 {
        timers.frame.add(frame);
    }
}

fn draw(
    mut contexts: EguiContexts,
    mut session: NonSendMut<AppSession>,
    mut view: ResMut<View3d>,
    window: Query<&Window, With<PrimaryWindow>>,
) -> Result {
    let ctx = contexts.ctx_mut()?.clone();
    let app = &mut *session;
    let state = &app.session.state;
    let points = window.single().map(|w| (w.width(), w.height()));
    let zoom = points.map_or(state.zoom, |p| display::fitting_zoom(state.zoom, p));
    let wanted = (state.light, zoom);
    let fonts_came = app.fallback.go_on(&ctx);
    if app.themed != Some(wanted) || fonts_came {
        theme::apply(&ctx, state.light);
        ctx.set_zoom_factor(zoom);
        theme::warm_fonts(&ctx);
        app.themed = Some(wanted);
    }
    let mut commands = Vec::new();
    let was_typing = ctx.egui_wants_keyboard_input();
    let laid = layout::window_ui(
        &ctx,
        state,
        Some(&view.scenery()),
        &mut app.pictures,
        &mut commands,
    );
    view.want(laid.view_size * ctx.pixels_per_point());
    let mut held = [0.0; 4];
    if !ctx.egui_wants_keyboard_input() {
        let drives = state.driver == state::DriverChoice::Keyboard || state.dream.is_some();
        let driving = drives && state.has_actions();
        let shown = state.shown();
        ctx.input(|i| {
            let events = match was_typing {
                true => command::after_typing(&i.events),
                false => &i.events,
            };
            command::from_keys(events, driving, shown, &mut commands);
            if driving {
                held = command::held_action(i);
            }
        });
    }
    app.session.hold(held);
    for command in commands {
        view.apply(&command, app.session.state.scene.as_deref());
        app.pending.push(command);
    }
    Ok(())
}

fn print_timings(
    mut exits: MessageReader<AppExit>,
    wanted: Res<PrintTimings>,
    session: NonSend<AppSession>,
) {
    if exits.read().next().is_some() && wanted.0 {
        print!("{}", session.state.timers.report());
    }
}
