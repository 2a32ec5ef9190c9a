//! Panels send the right commands and show what went wrong, without a window.

use std::sync::Arc;

use bevy_egui::egui::{self, accesskit::Role, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use parallax::app::command::Command;
use parallax::app::panels::{panes, pictures::Pictures, timeline, top, transport};
use parallax::app::state::{Cursor, Pane, PaneStatus, Rollout, State};
use parallax::camera::SIZE;
use parallax::judge::Violation;
use parallax::model::{Camp, Card, Frames};
use parallax::scene::{self, Law};
use parallax::worker::{Imagined, Moment};

const RGB: usize = SIZE * SIZE * 3;

fn card(name: &str, camp: Camp) -> Card {
    Card {
        format: 1,
        name: name.into(),
        camp,
        summary: "a model".into(),
        architecture: "none".into(),
        scenes: vec!["push".into()],
        parameters: 1,
        steps: 1,
        seed: 0,
        data: String::new(),
        hardware: String::new(),
        minutes: 0.0,
        sha256: String::new(),
        notes: String::new(),
        licence: String::new(),
    }
}

/// Thirty moments of `push`, paused, with one generative model.
fn state() -> State {
    let mut state = State {
        scene: Some(Arc::new(scene::load("push").unwrap())),
        playing: false,
        ..State::default()
    };
    let moment = Arc::new(Moment {
        rgb: vec![128; RGB],
        ..Moment::default()
    });
    state.record.moments = vec![moment; 31];
    state.panes.push(Pane {
        name: "dreamer".into(),
        card: Some(card("dreamer", Camp::Generative)),
        status: PaneStatus::Ready,
        nfe: 3,
        ..Pane::default()
    });
    state
}

fn run_panel(
    state: &State,
    mut draw: impl FnMut(&mut egui::Ui, &State, &mut Vec<Command>),
    act: impl FnOnce(&mut Harness<'_, Vec<Command>>),
) -> Vec<Command> {
    let mut harness = Harness::builder()
        .with_size(vec2(1400.0, 420.0))
        .build_ui_state(
            |ui, out: &mut Vec<Command>| draw(ui, state, out),
            Vec::new(),
        );
    harness.run_steps(3);
    harness.state_mut().clear();
    act(&mut harness);
    harness.run_steps(2);
    harness.state().clone()
}

#[test]
fn the_play_button_sends_play_and_says_pause_while_playing() {
    let mut state = state();
    let draw =
        |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| transport::transport_ui(ui, s, out);
    let sent = run_panel(&state, draw, |h| h.get_by_label_contains("Play").click());
    assert_eq!(sent, [Command::TogglePlay]);
    state.playing = true;
    let sent = run_panel(&state, draw, |h| h.get_by_label_contains("Pause").click());
    assert_eq!(sent, [Command::TogglePlay]);
}

#[test]
fn a_click_on_the_timeline_scrubs_to_that_moment() {
    let state = state();
    let sent = run_panel(&state, timeline::timeline_ui, |h| {
        let rect = h.get_by_role_and_label(Role::Slider, "Timeline").rect();
        let x = rect.left() + 118.0 + (rect.width() - 128.0) * 0.25;
        let at = pos2(x, rect.center().y);
        h.hover_at(at);
        h.run_steps(1);
        h.drag_at(at);
        h.run_steps(1);
        h.drop_at(at);
    });
    // `push` is 60 steps long: a quarter of it is moment 15.
    assert_eq!(sent.first(), Some(&Command::Scrub(15)), "{sent:?}");
}

#[test]
fn a_failing_model_shows_its_error_in_its_pane() {
    let mut state = state();
    state.panes[0].status = PaneStatus::Failed("weights/qkv: 3 values are not finite".into());
    let mut pictures = Pictures::default();
    run_panel(
        &state,
        |ui, s, out| panes::pane_ui(ui, s, 0, &mut pictures, 300.0, out),
        |h| {
            h.get_by_label_contains("cannot imagine");
            h.get_by_label_contains("3 values are not finite");
        },
    );
}

#[test]
fn violations_are_counted_in_the_pane_and_found_at_their_moment() {
    let mut state = state();
    let rollout = Rollout {
        branch: 5,
        imagined: Arc::new(Imagined {
            frames: Some(Frames {
                n: 1,
                steps: 20,
                size: SIZE,
                data: vec![90; 20 * RGB],
            }),
            states: None,
            frameskip: 1,
            steps: 20,
        }),
        violations: vec![Violation {
            law: Law::Permanence,
            body: 1,
            first_frame: 3,
            last_frame: 4,
            severity: 0.8,
            boxes: vec![[10, 10, 20, 20]; 2],
        }],
        judged: true,
        ..Rollout::default()
    };
    // Frame 0 of a violation is the first imagined one, one step after the branch.
    assert_eq!(rollout.violations_at(3).count(), 0);
    assert_eq!(rollout.violations_at(4).count(), 1);
    assert_eq!(rollout.violations_at(5).count(), 1);
    assert_eq!(rollout.violations_at(6).count(), 0);
    state.panes[0].rollouts.push(rollout);
    state.cursor = Cursor::At(9);
    let at = state
        .imagined(&state.panes[0])
        .map(|(at, _)| (at.branch, at.k));
    assert_eq!(at, Some((5, 4)));
    let mut pictures = Pictures::default();
    run_panel(
        &state,
        |ui, s, out| panes::pane_ui(ui, s, 0, &mut pictures, 300.0, out),
        |h| {
            h.get_by_label_contains("1 violation");
            h.get_by_label_contains("permanence");
        },
    );
}

#[test]
fn an_error_is_in_the_status_line() {
    let mut state = state();
    state.complain("reality failed: a test");
    run_panel(&state, top::top_ui, |h| {
        h.get_by_label_contains("reality failed: a test");
    });
}
