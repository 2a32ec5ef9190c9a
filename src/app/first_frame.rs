//! The window is shown once there is something to see. Its pipelines compile in the background; until they
//! are done, a window on the screen would hold whatever lies in the memory of the graphics driver.
//!
//! What draws the panels comes first, and needs two pipelines; bevy's plugins ask for some thirty more,
//! which nobody waits for. Those of reality in 3-D are asked for once the window is shown and the first
//! films are there; until then reality's film is what the eye sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bevy::prelude::*;
use bevy::render::render_resource::{
    CachedPipeline, CachedPipelineState, PipelineCache, PipelineDescriptor,
};
use bevy::render::{Render, RenderApp, RenderSystems};
use bevy::window::PrimaryWindow;

use super::view3d::View3d;

/// Shows the window, which was opened invisible.
pub(super) struct FirstFrame;

/// The pipelines that draw the panels, by the names that bevy_egui and bevy give them.
const OF_PANELS: [&str; 2] = ["egui_pipeline", "blit pipeline"];

/// What could be drawn in the last frame.
#[derive(Resource, Clone, Default)]
struct Drawn {
    /// The panels.
    panels: Arc<AtomicBool>,
    /// Everything that was to be drawn.
    all: Arc<AtomicBool>,
}

impl Plugin for FirstFrame {
    fn build(&self, app: &mut App) {
        let drawn = Drawn::default();
        app.insert_resource(drawn.clone())
            .add_systems(Update, (show, see));
        if let Some(render) = app.get_sub_app_mut(RenderApp) {
            render
                .insert_resource(drawn)
                .add_systems(Render, look.in_set(RenderSystems::Cleanup));
        }
    }
}

fn look(pipelines: Res<PipelineCache>, drawn: Res<Drawn>, mut frames: Local<u32>) {
    /// The first frames ask for no pipeline yet.
    const FIRST: u32 = 2;
    *frames = frames.saturating_add(1);
    if *frames <= FIRST {
        return;
    }
    if !drawn.panels.load(Ordering::Relaxed) {
        let can = OF_PANELS.iter().all(|name| can_draw(&pipelines, name));
        drawn.panels.store(can, Ordering::Relaxed);
    }
    let waits = pipelines.waiting_pipelines().next().is_some();
    drawn.all.store(!waits, Ordering::Relaxed);
}

/// Whether a pipeline of this name is there, and none of this name is still to come.
fn can_draw(pipelines: &PipelineCache, name: &str) -> bool {
    let is_named = |p: &&CachedPipeline| {
        let label = match &p.descriptor {
            PipelineDescriptor::RenderPipelineDescriptor(d) => &d.label,
            PipelineDescriptor::ComputePipelineDescriptor(d) => &d.label,
        };
        label.as_deref() == Some(name)
    };
    let mut named = pipelines.pipelines().filter(is_named).peekable();
    named.peek().is_some() && named.all(|p| matches!(p.state, CachedPipelineState::Ok(_)))
}

fn show(
    drawn: Res<Drawn>,
    time: Res<Time<Real>>,
    mut window: Query<&mut Window, With<PrimaryWindow>>,
    mut done: Local<bool>,
) {
    /// A window that never comes would be worse than one that flickers, seconds.
    const PATIENCE_S: f32 = 3.5;
    if *done || !(drawn.panels.load(Ordering::Relaxed) || time.elapsed_secs() > PATIENCE_S) {
        return;
    }
    if let Ok(mut window) = window.single_mut() {
        window.visible = true;
        *done = true;
    }
}

/// Reality is shown in 3-D once everything in it can be drawn.
fn see(drawn: Res<Drawn>, mut view: ResMut<View3d>, mut frames: Local<u32>) {
    /// Frames from the one that is drawn first to the one in which its pipelines are surely asked for.
    const ASKED: u32 = 6;
    if view.is_there() || !view.is_asked_for() {
        return;
    }
    *frames += 1;
    if *frames > ASKED && drawn.all.load(Ordering::Relaxed) {
        view.has_come();
    }
}
