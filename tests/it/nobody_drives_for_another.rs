//! Whoever was asked to drive drives, or nobody does and the window says why; and one model is not shown as
//! two.

use std::time::{Duration, Instant};

use parallax::app::command::Command;
use parallax::app::session::{Session, Start};
use parallax::app::state::{DriverChoice, Pane, PaneStatus, State};
use parallax::model::Card;
use parallax::scene;

use crate::panels::state;

fn started(controller: &str) -> Session {
    Session::start(&Start {
        scene: Some("push".into()),
        controller: Some(controller.into()),
        ..Start::default()
    })
    .unwrap()
}

fn until(session: &mut Session, what: &str, done: impl Fn(&State) -> bool) {
    let begun = Instant::now();
    while !done(&session.state) {
        assert!(begun.elapsed() < Duration::from_secs(120), "no {what}");
        session.poll();
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn reality_waits_for_the_model_that_was_asked_for_and_nobody_acts_in_its_place() {
    let mut session = started("lewm-push");
    until(&mut session, "first moment", |s| {
        !s.record.moments.is_empty()
    });
    assert_eq!(session.state.awaited.as_deref(), Some("lewm-push"));
    session.apply(Command::Step);
    until(&mut session, "driver", |s| s.awaited.is_none());
    assert_eq!(session.state.newest(), 0, "somebody else acted");
    let planner = DriverChoice::Planner("lewm-push".into());
    assert_eq!(session.state.driver, planner);
    until(&mut session, "step", |s| s.newest() > 0);
    // Where nobody acts, the choice is kept for the next scene.
    let index = |s: &Session, name: &str| s.state.scenes.iter().position(|e| e.name == name);
    let (fall, push) = (
        index(&session, "fall").unwrap(),
        index(&session, "push").unwrap(),
    );
    session.apply(Command::Driver(DriverChoice::Random));
    session.apply(Command::Scene(fall));
    session.apply(Command::Scene(push));
    assert_eq!(session.state.driver, DriverChoice::Random);
    // A model that does not know the next scene is not replaced without a word.
    session.apply(Command::Driver(planner));
    let reach = index(&session, "reach").unwrap();
    session.apply(Command::Scene(reach));
    let note = session.state.note.clone().unwrap_or_default();
    assert!(
        note.contains("lewm-push cannot drive in this scene"),
        "{note}"
    );
}

#[test]
fn a_controller_that_cannot_be_had_leaves_reality_standing_and_says_why() {
    let mut session = started("nosuch");
    until(&mut session, "end of loading", |s| !s.loading);
    let state = &session.state;
    assert!(state.note_is_error, "{:?}", state.note);
    assert!(state.note.as_ref().unwrap().contains("nosuch cannot drive"));
    assert!(!state.playing && state.newest() == 0);
    // Playing on is no way round it; choosing somebody is.
    session.apply(Command::TogglePlay);
    assert!(!session.state.playing);
    session.apply(Command::Driver(DriverChoice::Random));
    session.apply(Command::TogglePlay);
    until(&mut session, "step", |s| s.newest() > 0);
}

#[test]
fn a_copy_of_a_model_is_not_set_against_it_unless_somebody_wants_that() {
    let mut state = state();
    state.panes.clear();
    state.scene = Some(std::sync::Arc::new(scene::load("push").unwrap()));
    let card = Card::load(&scene::models_dir().join("lewm-push")).unwrap();
    for (name, same_as) in [("lewm-push", None), ("lewm-push-copy", Some("lewm-push"))] {
        state.panes.push(Pane {
            name: name.into(),
            card: Some(card.clone()),
            same_as: same_as.map(Into::into),
            status: PaneStatus::Ready,
            ..Pane::default()
        });
    }
    let shown =
        |s: &State| -> Vec<String> { s.scene_panes().map(|(_, p)| p.name.clone()).collect() };
    assert_eq!(shown(&state), ["lewm-push"]);
    state.slots[1] = Some("lewm-push-copy".into());
    assert_eq!(shown(&state), ["lewm-push", "lewm-push-copy"]);
}

#[test]
fn two_folders_with_the_same_weights_are_said_to_be_one_model() {
    let Some(display) = crate::window::display("800x600x24") else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("scenes")).unwrap();
    let push = scene::library_dir().join("push.ron");
    std::fs::copy(push, home.path().join("scenes/push.ron")).unwrap();
    for name in ["first", "second"] {
        crate::weights_are_checked::tiny_lewm(&home.path().join("models").join(name));
    }
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"))
        .args(["app", "--after", "0.1", "--shot"])
        .arg(home.path().join("shot.png"))
        .env("PARALLAX_HOME", home.path())
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("RUST_LOG")
        .timeout(Duration::from_secs(120))
        .assert()
        .success()
        .stderr(predicates::str::contains(
            "second and first have the same weights",
        ));
}
