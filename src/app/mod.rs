//! The window: bevy draws reality in 3-D, egui everything else; neither knows physics or models.
//!
//! `session/` conducts workers and keeps `state.rs` (`pane.rs` is one model's part of it, `show.rs` what is
//! on the screen, `slots.rs` which models), plain data that `panels/` draw and `command.rs` changes;
//! `keymap.rs` is the one table of commands that have a name. `verdict.rs` says what is wrong with an
//! imagination, `figures.rs` what was measured. Bevy systems only move data between the two. Read `state.rs`
//! first, then `layout.rs`.
//!
//! `screens/` are the screens beside the first, each a module of its own.
//!
//! `window.rs` is what the window does besides drawing: how often, what it remembers, what is dropped on it.
//! `export.rs` writes pictures and GIFs of the window, `settings.rs` remembers theme, scale and scene.
//!
//! `display.rs` and `graphics.rs` try what the window needs before it opens, `guard.rs` says in a sentence
//! what fails later, `keys.rs` hands keys over with their modifiers, `fonts.rs` finds writing that the own
//! font lacks.

pub mod command;
pub mod convert;
pub mod data;
pub mod display;
pub mod docking;
pub mod driver;
pub mod export;
pub mod figures;
mod film_file;
mod first_frame;
pub mod fonts;
pub mod graphics;
mod guard;
pub mod keymap;
pub mod keys;
pub mod layout;
pub mod pane;
mod panel_shader;
pub mod panels;
pub mod score;
pub mod screen;
pub mod screens;
pub mod session;
pub mod settings;
pub mod shot;
pub mod show;
pub mod slots;
pub mod state;
pub mod theme;
pub mod timing;
pub mod verdict;
pub mod view3d;
mod window;

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use bevy::asset::AssetEventSystems;
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::window::{
    MonitorSelection, PresentMode, PrimaryWindow, WindowMode, WindowResizeConstraints,
    WindowResolution,
};
use bevy_egui::{
    EguiContextSettings, EguiContexts, EguiGlobalSettings, EguiInputSet, EguiPlugin,
    EguiPostUpdateSet, EguiPreUpdateSet, EguiPrimaryContextPass, PrimaryEguiContext,
};

use command::Command;
use display::LEAST;
use docking::Docking;
use export::{Export, Wish, save_table};
use fonts::Fallback;
use panels::{films, pictures::Pictures};
use session::{Session, Start};
use settings::Settings;
use shot::Errand;
use state::Look;
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
    /// Light theme, also where another one is remembered.
    pub light: bool,
    /// Whether theme, scale and scene are those of the last time, and are remembered for the next.
    pub remembers: bool,
}

/// The session and the commands that wait for the next frame.
pub struct AppSession {
    session: Session,
    /// Given by scripts, carried out with the next frame.
    pub pending: Vec<Command>,
    docking: Docking,
    pictures: Pictures,
    themed: Option<(Look, f32)>,
    fallback: Fallback,
    export: Export,
    /// The room of the films, pixels of the window: x, y, width, height.
    film_room: [u32; 4],
    /// What was remembered, and where it lies.
    remembered: Option<(std::path::PathBuf, Settings)>,
    /// Keeps what was copied, for as long as the window is there.
    clipboard: Option<arboard::Clipboard>,
    /// Frames in the second that runs, since when, and the seconds of the world shown by then.
    counted: (u32, f32, f32),
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

/// Opens the window on a display that was found and runs until it is closed.
///
/// # Errors
/// In a sentence: no driver, threads that cannot be started, or an errand that failed.
pub fn run(display: &display::Display, options: Options) -> Result<(), String> {
    guard::install();
    graphics::keep_layers_quiet();
    let adapter = graphics::find()?;
    let (width, height) = size(&options, display, adapter.max_side)?;
    let remembered = settings::place().filter(|_| options.remembers);
    let remembered = remembered.map(|path| (Settings::read(&path), path));
    let mut start = options.start.clone();
    if let Some((settings, _)) = &remembered {
        let known = |name: &String| crate::scene::load(name).is_ok();
        let last = settings.scene.clone().filter(known);
        // Whoever has been here before goes on where they were; the opening is for newcomers.
        if start.opening && last.is_some() {
            (start.scene, start.opening) = (last, false);
        }
    }
    let mut session =
        Session::start(&start).map_err(|e| format!("worker threads cannot be started: {e}"))?;
    if options.light {
        session.state.look = Look::Light;
    }
    if let Some((settings, _)) = &remembered {
        if !options.light {
            session.state.look = settings.look();
        }
        session.state.zoom = settings.zoom.unwrap_or(1.0);
    }
    let layout = remembered.as_ref().and_then(|(s, _)| s.layout.as_deref());
    let docking = layout.map(Docking::from_text).unwrap_or_default();
    let remembered = remembered.map(|(settings, path)| (path, settings));
    let problem = options.errand.problem.clone();
    let as_asked = options.size.is_some() && options.errand.shot.is_some();
    let to_be_fitted = display.room().is_none() && !as_asked;
    let least = display::fitting(LEAST, display.room());
    let window = Window {
        title: "Parallax".into(),
        name: Some("parallax".into()),
        resolution: WindowResolution::new(width, height),
        present_mode: PresentMode::AutoVsync,
        visible: false,
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
    .add_plugins((EguiPlugin::default(), panel_shader::PanelShader))
    .add_plugins(first_frame::FirstFrame)
    .insert_non_send(AppSession {
        session,
        pending: Vec::new(),
        docking,
        pictures: Pictures::default(),
        themed: None,
        fallback: Fallback::default(),
        export: Export::default(),
        film_room: [0, 0, 64, 64],
        remembered,
        clipboard: None,
        counted: (0, 0.0, 0.0),
    })
    .insert_resource(options.errand)
    .insert_resource(PrintTimings(options.timings))
    .insert_resource(ToBeFitted(to_be_fitted))
    .insert_resource(ClearColor(Color::srgb_u8(18, 20, 24)))
    .add_systems(PreStartup, own_context)
    .add_systems(
        Startup,
        (window_camera, view3d::setup, window::let_workers_wake),
    )
    .add_systems(
        Update,
        (
            window::fit_into_screen,
            window::take_dropped,
            hear_workers,
            shot::run_errand,
            window::go_on_exporting,
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
        (
            keys::hand_over.in_set(EguiInputSet::ReadBevyMessages),
            (window::let_rest, window::let_pointer_rest)
                .after(EguiInputSet::WriteEguiEvents)
                .before(EguiPreUpdateSet::BeginPass),
        ),
    )
    .add_systems(EguiPrimaryContextPass, draw)
    .add_systems(Last, (window::pace, window::remember, print_timings));
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

/// The one place where the main thread meets the workers; its time is what the 1 ms budget is about.
fn hear_workers(mut session: NonSendMut<AppSession>, time: Res<Time<Real>>) {
    let session = &mut *session;
    for command in std::mem::take(&mut session.pending) {
        match command {
            Command::ExportPicture => {
                session
                    .export
                    .begin(Wish::Picture, &mut session.session.state);
            }
            Command::ExportGif => session.export.begin(Wish::Gif, &mut session.session.state),
            Command::ExportData => save_table(&mut session.session.state),
            Command::ExportSession => {
                session
                    .export
                    .begin(Wish::Session, &mut session.session.state);
            }
            Command::ResetLayout => session.docking = Docking::default(),
            Command::ExportMovie => session
                .export
                .begin(Wish::Movie, &mut session.session.state),
            command => session.session.apply(command),
        }
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
    window::count_pace(session, time.elapsed_secs());
}

fn draw(
    mut contexts: EguiContexts,
    mut session: NonSendMut<AppSession>,
    mut view: ResMut<View3d>,
    mut window: Query<&mut Window, With<PrimaryWindow>>,
) -> Result {
    let ctx = contexts.ctx_mut()?.clone();
    let app = &mut *session;
    let state = &app.session.state;
    let points = window.single().map(|w| (w.width(), w.height()));
    let zoom = state.zoom * state.look.zoom();
    let zoom = points.map_or(zoom, |p| display::fitting_zoom(zoom, p));
    let wanted = (state.look, zoom);
    let fonts_came = app.fallback.go_on(&ctx);
    if app.themed.is_none() {
        fonts::install(&ctx);
    }
    if app.themed != Some(wanted) || fonts_came {
        theme::apply(&ctx, state.look);
        ctx.set_zoom_factor(zoom);
        theme::make_room_for_fonts(&ctx);
        app.themed = Some(wanted);
    }
    let mut commands = Vec::new();
    let was_typing = ctx.egui_wants_keyboard_input();
    let laid = layout::window_ui(
        &ctx,
        state,
        Some(&view.scenery()),
        &mut app.docking,
        &mut app.pictures,
        &mut commands,
    );
    let scale = ctx.pixels_per_point();
    view.want(
        laid.view_size * scale,
        state.playing || state.dream.is_some(),
    );
    let room = laid.films.expand(films::GAP);
    app.film_room =
        [room.left(), room.top(), room.width(), room.height()].map(|v| (v * scale).max(0.0) as u32);
    let mut held = [0.0; 4];
    if !ctx.egui_wants_keyboard_input() {
        let drives = state.driver == state::DriverChoice::Keyboard || state.dream.is_some();
        let on_films = state.screen == screen::Screen::Explore;
        let driving = drives && state.has_actions() && on_films;
        let shown = state.shown();
        ctx.input(|i| {
            let events = match was_typing {
                true => command::after_typing(&i.events),
                false => &i.events,
            };
            let mut meant = Vec::new();
            command::from_keys(events, driving, shown, &mut meant);
            let screen = state.screen;
            commands.extend(meant.into_iter().filter_map(|c| screens::of_key(screen, c)));
            if driving {
                held = command::held_action(i);
            }
        });
    }
    if ctx.input(|i| i.events.iter().any(window::is_deed)) {
        app.session.interrupt();
    }
    app.session.hold(held);
    app.session.was_drawn();
    for command in commands {
        view.apply(&command, app.session.state.scene.as_deref());
        match &command {
            Command::ToggleFullscreen => {
                if let Ok(mut window) = window.single_mut() {
                    window.mode = match window.mode {
                        WindowMode::Windowed => {
                            WindowMode::BorderlessFullscreen(MonitorSelection::Current)
                        }
                        _ => WindowMode::Windowed,
                    };
                }
            }
            _ => app.pending.push(command),
        }
    }
    if let Some(line) = app.session.take_copied() {
        window::copy(app, line);
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
