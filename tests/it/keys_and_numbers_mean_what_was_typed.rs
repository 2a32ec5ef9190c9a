//! What is typed counts as it was meant: numbers once they are finished, keys however slow the window is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::input::ButtonState;
use bevy::input::keyboard::{Key as BevyKey, KeyCode, KeyboardInput};
use bevy::prelude::Entity;
use bevy_egui::egui::{self, Key, accesskit::Role};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use parallax::app::command::{self, Command};
use parallax::app::keys::Modifiers;
use parallax::app::panels::{banners, interventions, number, transport};
use parallax::app::state::{ReplayShown, State};
use parallax::scene;
use parallax::worker::{News, RealityOrder, Replay, spawn_reality};

use crate::panels::{run_panel, state};
use crate::support;

/// Types into the field of this name, and finishes with a key; returns what was sent, before and after.
fn typed(
    state: &State,
    draw: impl FnMut(&mut egui::Ui, &State, &mut Vec<Command>),
    field: &str,
    text: &str,
    finish: Key,
) -> Vec<Command> {
    run_panel(state, draw, |h| {
        enter(h, field, text);
        assert_eq!(h.state(), &[], "`{text}` is not finished yet");
        h.key_press(finish);
    })
}

fn enter(h: &mut Harness<'_, Vec<Command>>, field: &str, text: &str) {
    h.get_by_role_and_label(Role::TextInput, field).click();
    h.run_steps(3);
    // Letter by letter, as people type.
    for letter in text.chars() {
        h.event(egui::Event::Text(letter.into()));
        h.run_steps(1);
    }
}

fn complaint(sent: &[Command]) -> &str {
    match sent {
        [Command::Complain(what)] => what,
        _ => panic!("{sent:?}"),
    }
}

#[test]
fn a_number_counts_when_it_is_finished_and_what_is_none_changes_nothing_and_says_so() {
    let state = state();
    let push = scene::load("push").unwrap();
    let gravity = |text: &str, finish| {
        let panel = |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| {
            interventions::panel_ui(ui, s, &push, out)
        };
        typed(&state, panel, "gravity, number", text, finish)
    };
    let set = |value: f32| [Command::Intervene("gravity".into(), value)];
    assert_eq!(gravity("-3,7", Key::Enter), set(-3.7));
    assert_eq!(gravity("-3.7", Key::Tab), set(-3.7));
    assert_eq!(gravity("\u{2212}3.7 m/s²", Key::Enter), set(-3.7));
    assert_eq!(gravity("-3.7", Key::Escape), []);
    for nonsense in ["nan", "inf", "1e999", "-3.7x", "1.234,5", "--2"] {
        let sent = gravity(nonsense, Key::Enter);
        let said = complaint(&sent);
        assert!(
            said.contains("gravity") && said.contains("nothing was changed"),
            "{said}"
        );
    }
    // The bounds are those of `--set`, and nothing is moved to their ends.
    let sent = gravity("5000", Key::Enter);
    assert!(complaint(&sent).contains("5000"), "{sent:?}");
}

#[test]
fn a_field_that_is_only_looked_at_changes_nothing() {
    let mut state = state();
    state.interventions.insert("gravity".into(), -3.252_592_7);
    let push = scene::load("push").unwrap();
    let panel = |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| {
        interventions::panel_ui(ui, s, &push, out)
    };
    let sent = run_panel(&state, panel, |h| {
        h.get_by_role_and_label(Role::TextInput, "gravity, number")
            .click();
        h.run_steps(3);
        h.key_press(Key::Enter);
    });
    assert_eq!(
        sent,
        [],
        "what is shown is rounded, what is in force is not"
    );
}

#[test]
fn seeds_are_typed_to_the_last_digit_and_none_is_beyond_the_last() {
    let state = state();
    let seed = |text: &str| {
        typed(
            &state,
            transport::transport_ui,
            "Seed, number",
            text,
            Key::Enter,
        )
    };
    assert_eq!(seed("1000003"), [Command::Seed(1_000_003)]);
    assert_eq!(seed("1 000 003"), [Command::Seed(1_000_003)]);
    // More digits than a floating-point number has.
    assert_eq!(
        seed("9007199254740993"),
        [Command::Seed(9_007_199_254_740_993)]
    );
    assert_eq!(seed("18446744073709551615"), [Command::Seed(u64::MAX)]);
    for nonsense in ["18446744073709551616", "-1", "1.5", "1e6", "seed"] {
        let sent = seed(nonsense);
        assert!(complaint(&sent).contains("nothing was changed"), "{sent:?}");
    }
}

#[test]
fn speed_and_the_episode_of_a_replay_are_typed_alike() {
    let mut state = state();
    let speed = |text: &str| {
        typed(
            &state,
            transport::transport_ui,
            "Speed, number",
            text,
            Key::Enter,
        )
    };
    assert_eq!(speed("0,5"), [Command::Speed(0.5)]);
    assert_eq!(speed("2×"), [Command::Speed(2.0)]);
    assert!(complaint(&speed("100")).contains("from 0.25 to 4"));
    assert!(complaint(&speed("nan")).contains("not finite"));
    state.replay = Some(ReplayShown {
        replay: Replay {
            file: "shard-00000.plx".into(),
            episode: 5,
        },
        episodes: 64,
        verdict: Some(Ok(())),
    });
    let episode = |text: &str| {
        typed(
            &state,
            banners::banners_ui,
            "Episode, number",
            text,
            Key::Enter,
        )
    };
    assert_eq!(episode("63"), [Command::ReplayEpisode(63)]);
    assert!(complaint(&episode("64")).contains("from 0 to 63"));
}

#[test]
fn a_decimal_comma_is_a_point_and_a_delay_is_whole() {
    assert_eq!(number::figure(" -3,7 ", " m/s²"), Ok(-3.7));
    assert!(number::figure("NaN", "").is_err());
    assert!(number::figure("", " kg").is_err());
    let push = scene::load("push").unwrap();
    let delay = |text| number::intervention(&push, "action.delay", text, " steps");
    assert_eq!(delay("2 steps"), Ok(2.0));
    assert!(delay("2,5").unwrap_err().contains("whole number"));
}

fn key(key: BevyKey, code: KeyCode, state: ButtonState) -> KeyboardInput {
    KeyboardInput {
        key_code: code,
        logical_key: key,
        state,
        text: None,
        repeat: false,
        window: Entity::PLACEHOLDER,
    }
}

#[test]
fn a_shortcut_that_comes_and_goes_within_one_slow_frame_counts() {
    use ButtonState::{Pressed, Released};
    let z = || BevyKey::Character("z".into());
    let chord = [
        key(BevyKey::Control, KeyCode::ControlLeft, Pressed),
        key(z(), KeyCode::KeyZ, Pressed),
        key(z(), KeyCode::KeyZ, Released),
        key(BevyKey::Control, KeyCode::ControlLeft, Released),
        key(z(), KeyCode::KeyZ, Pressed),
    ];
    let mut modifiers = Modifiers::default();
    let events: Vec<egui::Event> = chord.iter().flat_map(|k| modifiers.take(k)).collect();
    let texts = events
        .iter()
        .filter(|e| matches!(e, egui::Event::Text(_)))
        .count();
    assert_eq!(texts, 1, "Ctrl+Z types nothing: {events:?}");
    let mut out = Vec::new();
    let _ = egui::Context::default().run_ui(
        egui::RawInput {
            events,
            ..egui::RawInput::default()
        },
        |ui| ui.input(|i| command::from_keys(&i.events, false, 0, &mut out)),
    );
    out.dedup();
    assert_eq!(out, [Command::Undo]);
}

#[test]
fn a_key_that_was_pressed_and_let_go_within_a_frame_moves_the_hand() {
    let tap = |pressed| egui::Event::Key {
        key: Key::D,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers: egui::Modifiers::NONE,
    };
    let mut held = [0.0; 4];
    let _ = egui::Context::default().run_ui(
        egui::RawInput {
            events: vec![tap(true), tap(false)],
            ..egui::RawInput::default()
        },
        |ui| held = ui.input(command::held_action),
    );
    assert_eq!(held, [1.0, 0.0, 0.0, 0.0]);
    // And between two of reality's steps.
    let reality = spawn_reality().unwrap();
    reality.tell(RealityOrder::Load(support::scene("push"), 1_000_000));
    reality.tell(RealityOrder::Hold(held));
    reality.tell(RealityOrder::Hold([0.0; 4]));
    reality.tell(RealityOrder::Step);
    reality.tell(RealityOrder::Step);
    let mut actions = Vec::new();
    wait("two steps", || {
        while let Some(news) = reality.poll() {
            if let News::Moment { moment, .. } = news {
                actions.push(moment.action.clone());
            }
        }
        actions.len() == 2
    });
    assert_eq!(actions, [vec![1.0, 0.0], vec![0.0, 0.0]]);
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn after_the_last_seed_reality_stops_and_says_so() {
    let mut scene = Arc::unwrap_or_clone(support::scene("fall"));
    scene.episode_steps = 10;
    let reality = spawn_reality().unwrap();
    reality.tell(RealityOrder::Speed(16.0));
    reality.tell(RealityOrder::Load(Arc::new(scene), u64::MAX - 1));
    reality.tell(RealityOrder::Play(true));
    let (mut seeds, mut failed) = (Vec::new(), None);
    wait("end of seeds", || {
        while let Some(news) = reality.poll() {
            match news {
                News::Began(start) => seeds.push(start.seed),
                News::Failed(what) => failed = Some(what),
                _ => {}
            }
        }
        failed.is_some()
    });
    assert_eq!(seeds, [u64::MAX - 1, u64::MAX]);
    assert!(failed.unwrap().contains("last seed"));
}

#[test]
fn what_is_typed_into_a_field_is_no_shortcut_even_if_the_field_is_finished_in_the_same_frame() {
    let press = |key| egui::Event::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: egui::Modifiers::NONE,
    };
    let events = [press(Key::Num5), press(Key::Enter), press(Key::G)];
    let mut out = Vec::new();
    command::from_keys(command::after_typing(&events), false, 0, &mut out);
    assert_eq!(out, [Command::RollSeed]);
    assert_eq!(command::after_typing(&events[..1]), []);
}
