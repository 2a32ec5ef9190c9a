//! The window is shown once there is something to see. Its pipelines compile in the background; until they are
//! done, a window on the screen would hold whatever lies in the memory of the graphics driver.
//!
//! What draws the panels comes first, and needs few pipelines. Those of reality in 3-D are asked for once the
//! window is shown; until they are there, reality's film is what the eye sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bevy::prelude::*;
use bevy::render::render_resource::PipelineCache;
use bevy::render::{Render, RenderApp, RenderSystems};
use bevy::window::PrimaryWindow;

use super::view3d::View3d;

/// Shows the window, which was opened invisible.
pub(super) struct FirstFrame;

/// Whether everything that was to be drawn in the last frame could be drawn.
#[derive(Resource, Clone, Default)]
struct IsWhole(Arc<AtomicBool>);

impl Plugin for FirstFrame {
    fn build(&self, app: &mut App) {
        let whole = IsWhole::default();
        app.insert_resource(whole.clone())
            .add_systems(Update, (show, see));
        if let Some(render) = app.get_sub_app_mut(RenderApp) {
            render
                .insert_resource(whole)
                .add_systems(Render, look.in_set(RenderSystems::Cleanup));
        }
    }
}

fn look(pipelines: Res<PipelineCache>, whole: Res<IsWhole>, mut frames: Local<u32>) {
    /// The first frame of all asks for no pipeline yet.
    const FIRST: u32 = 2;
    *frames = frames.saturating_add(1);
    let is_whole = *frames > FIRST && pipelines.waiting_pipelines().next().is_none();
    whole.0.store(is_whole, Ordering::Relaxed);
}

fn show(
    whole: Res<IsWhole>,
    time: Res<Time<Real>>,
    mut window: Query<&mut Window, With<PrimaryWindow>>,
    mut done: Local<bool>,
) {
    /// A window that never comes would be worse than one that flickers, seconds.
    const PATIENCE_S: f32 = 3.5;
    if *done || !(whole.0.load(Ordering::Relaxed) || time.elapsed_secs() > PATIENCE_S) {
        return;
    }
    if let Ok(mut window) = window.single_mut() {
        window.visible = true;
        *done = true;
    }
}

/// Reality is shown in 3-D once everything in it can be drawn.
fn see(whole: Res<IsWhole>, mut view: ResMut<View3d>, mut frames: Local<u32>) {
    /// Frames from the one that is drawn first to the one in which its pipelines are surely asked for.
    const ASKED: u32 = 6;
    if view.is_there() || !view.is_asked_for() {
        return;
    }
    *frames += 1;
    if *frames > ASKED && whole.0.load(Ordering::Relaxed) {
        view.has_come();
    }
}
