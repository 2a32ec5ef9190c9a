//! What the window does besides drawing: how large it is, how often it draws, what it remembers, and files
//! that are dropped on it.

use std::time::Duration;

use bevy::ecs::entity::EntityHashMap;
use bevy::prelude::*;
use bevy::window::{FileDragAndDrop, Monitor, PrimaryMonitor, PrimaryWindow};
use bevy::winit::{EventLoopProxyWrapper, UpdateMode, WinitSettings, WinitUserEvent};
use bevy_egui::{EguiInput, egui};

use super::settings::Settings;
use super::shot::Errand;
use super::view3d::View3d;
use super::{AppSession, ToBeFitted, display, state};

/// Only X11 tells beforehand how large the screen is.
pub(super) fn fit_into_screen(
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

/// A pointer that happens to lie where the window opens points at nothing: no hint is shown over the films
/// until somebody moves it.
pub(super) fn let_pointer_rest(
    window: Query<&Window, With<PrimaryWindow>>,
    mut inputs: Query<&mut EguiInput>,
    mut frames: Local<u32>,
) {
    /// Frames within which an X server tells of a pointer that lies where the window has opened.
    const OPENING: u32 = 12;
    if *frames > OPENING {
        return;
    }
    // It is told when the window is shown, which may be long after it was opened.
    let is_shown = window.single().map_or(true, |window| window.visible);
    *frames += u32::from(is_shown);
    for mut input in &mut inputs {
        let events = &mut input.0.events;
        if !events.iter().any(is_of_a_hand) {
            events.retain(|event| !matches!(event, egui::Event::PointerMoved(_)));
        }
    }
}

/// Whether an event tells that somebody uses the pointer.
fn is_of_a_hand(event: &egui::Event) -> bool {
    use egui::Event;
    matches!(
        event,
        Event::PointerButton { .. } | Event::MouseWheel { .. }
    )
}

/// Leaves out what is no news: `bevy_egui` says in every frame which of Shift, Ctrl and Alt are held, and to
/// egui every event is a reason to draw the next frame at once, so that the window would never rest.
pub(super) fn let_rest(
    mut inputs: Query<(Entity, &mut EguiInput)>,
    mut held: Local<EntityHashMap<egui::Modifiers>>,
) {
    for (context, mut input) in &mut inputs {
        input.0.events.retain(|event| match event {
            egui::Event::ModifiersChanged(now) => held.insert(context, *now) != Some(*now),
            _ => true,
        });
    }
}

/// What workers find out while the window sleeps, such as a file that was saved, is shown at once.
pub(super) fn let_workers_wake(events: Option<Res<EventLoopProxyWrapper>>) {
    let Some(events) = events else { return };
    let events = (**events).clone();
    crate::worker::on_news(Box::new(move || {
        // A window that is being closed needs no waking.
        let _gone = events.send_event(WinitUserEvent::WakeUp);
    }));
}

/// Frames are drawn while something moves; while nothing changes, only now and then.
/// Without a graphics card every frame takes a core away from the models: fewer of them.
pub(super) fn pace(
    mut view: ResMut<View3d>,
    session: NonSend<AppSession>,
    time: Res<Time<Real>>,
    errand: Res<Errand>,
    mut winit: ResMut<WinitSettings>,
) {
    /// Seconds after the start during which pipelines are compiled and fonts looked for.
    const WARM_S: f32 = 4.0;
    /// A frame takes a software renderer up to a tenth of a second of two cores.
    const REST: Duration = Duration::from_secs(8);
    /// So long after the start the first films may take the processor from what draws, and come before
    /// reality in 3-D.
    const FILMS_S: f32 = 5.0;
    let moves = session.is_busy() || errand.is_under_way() || view.is_dirty();
    let first = !session.session.state.has_first_films() && time.elapsed_secs() < FILMS_S;
    view.let_films_first(first);
    let period = match (moves || time.elapsed_secs() < WARM_S, view.is_software()) {
        (true, true) if first => Duration::from_millis(100),
        (true, true) => Duration::from_millis(50),
        (true, false) => Duration::from_millis(16),
        (false, _) => REST,
    };
    let mode = UpdateMode::Reactive {
        wait: period,
        react_to_device_events: false,
        react_to_user_events: true,
        react_to_window_events: true,
    };
    if winit.focused_mode != mode {
        winit.focused_mode = mode;
        winit.unfocused_mode = mode;
    }
}

/// Writes down what is to be remembered when it has changed and nothing else is going on.
pub(super) fn remember(
    mut session: NonSendMut<AppSession>,
    time: Res<Time<Real>>,
    mut next: Local<f32>,
) {
    let now = time.elapsed_secs();
    if now < *next || session.state.opening.is_some() {
        return;
    }
    *next = now + 2.0;
    let settings = Settings::of(&session.session.state, session.docking.text());
    let Some((path, last)) = &mut session.remembered else {
        return;
    };
    if settings == *last {
        return;
    }
    if let Err(e) = settings.write(path) {
        tracing::warn!("{e}; it is not remembered");
    }
    *last = settings;
}

/// Goes on with a picture or a GIF that is being exported.
pub(super) fn go_on_exporting(mut session: NonSendMut<AppSession>, mut commands: Commands) {
    let session = &mut *session;
    let room = session.film_room;
    session
        .export
        .go_on(&mut session.session.state, room, &mut commands);
}

/// How fast the window and the world in it are, over the last second.
pub(super) fn count_pace(session: &mut AppSession, now: f32) {
    let state = &mut session.session.state;
    let world = state.shown() as f32 / crate::sim::CONTROL_HZ as f32;
    let (frames, since, from) = &mut session.counted;
    *frames += 1;
    let passed = now - *since;
    if passed < 1.0 {
        return;
    }
    state.pace = state::Pace {
        frames_per_s: *frames as f32 / passed,
        real_time: ((world - *from) / passed).max(0.0),
    };
    (*frames, *since, *from) = (0, now, world);
}

/// Whether somebody does something: a key or a button goes down, or the wheel turns.
pub(super) fn is_deed(event: &bevy_egui::egui::Event) -> bool {
    use bevy_egui::egui::Event;
    match event {
        Event::Key { pressed, .. } | Event::PointerButton { pressed, .. } => *pressed,
        Event::MouseWheel { .. } => true,
        _ => false,
    }
}

/// Puts a line on the clipboard where there is one, and on the terminal.
pub(super) fn copy(app: &mut AppSession, line: String) {
    println!("{line}");
    if app.clipboard.is_none() {
        app.clipboard = arboard::Clipboard::new().ok();
    }
    let copied = app.clipboard.as_mut().map(|c| c.set_text(line.clone()));
    app.session.state.say(match copied {
        Some(Ok(())) => format!("Copied: {line}"),
        _ => format!("There is no clipboard; on the terminal stands: {line}"),
    });
}

/// Opens a scene or a recording whose file is dropped on the window.
pub(super) fn take_dropped(
    mut dropped: MessageReader<FileDragAndDrop>,
    mut session: NonSendMut<AppSession>,
) {
    for event in dropped.read() {
        if let FileDragAndDrop::DroppedFile { path_buf, .. } = event {
            session.session.open_file(path_buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use bevy::ecs::system::ScheduleSystem;

    use super::*;

    /// How many of a frame's events a system leaves to egui.
    fn leaves<M>(
        system: impl IntoScheduleConfigs<ScheduleSystem, M>,
    ) -> impl FnMut(Vec<egui::Event>) -> usize {
        let mut app = App::new();
        app.add_systems(Update, system);
        let context = app.world_mut().spawn(EguiInput::default()).id();
        move |events| {
            let mut input = app.world_mut().get_mut::<EguiInput>(context).unwrap();
            input.0.events = events;
            app.update();
            app.world()
                .get::<EguiInput>(context)
                .unwrap()
                .0
                .events
                .len()
        }
    }

    #[test]
    fn a_pointer_that_lies_where_the_window_opens_points_at_nothing_until_it_is_moved() {
        let mut left = leaves(let_pointer_rest);
        let lies = || egui::Event::PointerMoved(egui::pos2(640.0, 360.0));
        let pressed = egui::Event::PointerButton {
            pos: egui::pos2(640.0, 360.0),
            button: egui::PointerButton::Primary,
            pressed: true,
            modifiers: egui::Modifiers::NONE,
        };
        assert_eq!(left(vec![lies()]), 0);
        assert_eq!(left(vec![lies(), pressed]), 2, "somebody presses there");
        for _ in 0..20 {
            left(Vec::new());
        }
        assert_eq!(left(vec![lies()]), 1, "later, it was moved");
    }

    #[test]
    fn held_keys_are_news_once() {
        let mut left = leaves(let_rest);
        let mut after = |held: egui::Modifiers| {
            let other = egui::Event::Text("a".into());
            left(vec![egui::Event::ModifiersChanged(held), other])
        };
        let [none, shift] = [egui::Modifiers::NONE, egui::Modifiers::SHIFT];
        assert_eq!(
            [none, none, shift, shift, none].map(&mut after),
            [2, 1, 2, 1, 2]
        );
    }
}
