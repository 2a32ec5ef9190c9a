//! Panels send the right commands and show what went wrong, without a window.

use std::sync::Arc;

use bevy::math::Vec3;
use bevy::transform::components::Transform;
use bevy_egui::egui::{self, accesskit::Role, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use parallax::app::command::{self, Command};
use parallax::app::panels::{
    banners, bodies, films, findings, interventions, pictures::Pictures, reality, search, timeline,
    transport,
};
use parallax::app::state::{
    BodyGrip, Cursor, DriverChoice, Film, Grip, Pane, PaneStatus, ReplayShown, Rollout, Search,
    Stage, State,
};
use parallax::app::verdict;
use parallax::app::view3d::{Lens, Scenery};
use parallax::camera::SIZE;
use parallax::judge::Violation;
use parallax::model::{Camp, Card, Frames};
use parallax::scene::{self, Law};
use parallax::sim::{GoalState, Reality, Target};
use parallax::worker::{GoalShown, Imagined, Moment, Replay, Solid};

const RGB: usize = SIZE * SIZE * 3;

fn card(name: &str, camp: Camp) -> Card {
    let architecture = match camp {
        Camp::Generative => "pixel_diffusion",
        _ => "lewm",
    };
    Card {
        summary: "a model".into(),
        scenes: vec!["push".into()],
        parameters: 1,
        steps: 1,
        ..Card::untrained(name, camp, architecture)
    }
}

/// Thirty moments of `push`, paused, with one generative model.
pub fn state() -> State {
    let mut state = State {
        scene: Some(Arc::new(scene::load("push").unwrap())),
        playing: false,
        stage: Stage::Live,
        loading: false,
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

pub fn run_panel(
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
fn an_episode_counts_once_and_not_when_its_end_was_undone() {
    let mut state = state();
    let episodes: Vec<Arc<Moment>> = (0..3).map(|_| Arc::new(Moment::default())).collect();
    state.record.goal = Some(GoalShown::default());
    for (first, success) in episodes.iter().zip([true, false, true]) {
        state.score.count(first, success);
    }
    let said = |state: &State| (state.score.successes(), state.score.episodes());
    assert_eq!(said(&state), (2, 3));
    state.score.forget(&episodes[2]);
    assert_eq!(said(&state), (1, 2));
    state.score.count(&episodes[1], true);
    assert_eq!((state.score.successes(), state.score.episodes()), (2, 2));
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
        |ui, s, out| {
            films::films_ui(ui, s, None, &mut pictures, out);
        },
        |h| {
            h.get_by_label_contains("cannot imagine");
            h.get_by_label_contains("3 values are not finite");
        },
    );
}

#[test]
fn violations_are_told_under_the_film_and_found_at_their_moment() {
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
            frameskip: 1,
            steps: 20,
            ..Imagined::default()
        }),
        violations: vec![Violation {
            law: Law::Permanence,
            body: Some(1),
            first_frame: 3,
            last_frame: 4,
            severity: 0.8,
            boxes: vec![[10, 10, 20, 20]; 2],
            sentence: "`cube` vanished".into(),
        }],
        checked: 7,
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
        |ui, s, out| {
            films::films_ui(ui, s, None, &mut pictures, out);
        },
        |h| {
            h.get_by_label_contains("The cube vanished (0.9 s)");
        },
    );
    let found = verdict::findings(&state);
    assert_eq!((found[0].moment, found[0].last), (9, 10));
    // Before it, nothing is broken, and nothing is called lawful.
    state.cursor = Cursor::At(8);
    let (at, rollout) = state.imagined(&state.panes[0]).unwrap();
    let before = verdict::verdict(&state, &state.panes[0], Some((at, rollout)));
    assert!(!before.is_broken, "{before:?}");
    assert_eq!(before.line, "no violation of 7 laws checked");
    // Before it has begun, it is not said to be at work.
    state.cursor = Cursor::At(3);
    assert!(state.imagined(&state.panes[0]).is_none());
    let early = verdict::verdict(&state, &state.panes[0], None);
    assert_eq!(early.line, "Still real: it imagines from 0.5 s on");
}

#[test]
fn nothing_found_is_not_said_before_anything_was_imagined_and_judged() {
    let mut state = state();
    assert_eq!(
        findings::none_found(&state),
        "The models are still imagining."
    );
    state.panes[0].rollouts.push(Rollout::default());
    assert_eq!(findings::none_found(&state), "The judge is still looking.");
    state.panes[0].rollouts[0].judged = true;
    assert!(findings::none_found(&state).starts_with("No violation of the laws that were checked"));
    state.panes.clear();
    assert!(findings::none_found(&state).starts_with("No model was trained"));
}

#[test]
fn an_error_is_shown_whole_and_can_be_dismissed() {
    let mut state = state();
    state.complain("reality failed: a test");
    let sent = run_panel(&state, banners::banners_ui, |h| {
        h.get_by_label_contains("reality failed: a test");
        h.get_by_label("Dismiss").click();
    });
    assert_eq!(sent, [Command::DismissError]);
}

/// `push` at its start, looked at from above, with the colliders that rapier simulates.
fn touchable() -> (State, Scenery) {
    let scene = Arc::new(scene::load("push").unwrap());
    let reality = Reality::new(&scene, 1_000_000).unwrap();
    let measured = reality.measure();
    let mut state = State {
        scene: Some(scene),
        playing: false,
        solids: Solid::all(&reality),
        stage: Stage::Live,
        ..State::default()
    };
    state.record.moments = vec![Arc::new(Moment {
        state: measured.clone(),
        ..Moment::default()
    })];
    let above = Transform::from_xyz(0.0, 3.0, 0.0).looking_at(Vec3::ZERO, Vec3::NEG_Z);
    let scenery = Scenery {
        texture: egui::TextureId::default(),
        lens: Lens::new(&above, 0.6, 1000.0 / 800.0),
        poses: measured.bodies,
        is_there: true,
    };
    (state, scenery)
}

/// Where a body's centre is on the screen of [`hands`].
fn on_screen(scenery: &Scenery, point: Vec3) -> egui::Pos2 {
    let [u, v] = scenery.lens.project(point).unwrap();
    pos2(8.0 + u * 1000.0, 8.0 + v * 800.0)
}

fn hands(
    state: &State,
    scenery: &Scenery,
    act: impl FnOnce(&mut Harness<'_, Vec<Command>>),
) -> Vec<Command> {
    let mut harness = Harness::builder()
        .with_size(vec2(1016.0, 816.0))
        .build_ui_state(
            |ui, out: &mut Vec<Command>| {
                let rect = egui::Rect::from_min_size(pos2(8.0, 8.0), vec2(1000.0, 800.0));
                reality::view_ui(ui, state, rect, Some(scenery), out);
            },
            Vec::new(),
        );
    harness.run_steps(3);
    harness.state_mut().clear();
    act(&mut harness);
    harness.run_steps(2);
    harness.state().clone()
}

fn press(h: &mut Harness<'_, Vec<Command>>, at: egui::Pos2, modifiers: egui::Modifiers) {
    h.hover_at(at);
    h.run_steps(1);
    h.event_modifiers(
        egui::Event::PointerButton {
            pos: at,
            button: egui::PointerButton::Primary,
            pressed: true,
            modifiers,
        },
        modifiers,
    );
    h.run_steps(1);
}

#[test]
fn a_press_on_a_body_takes_hold_of_it_and_one_on_the_floor_of_the_view() {
    let (state, scenery) = touchable();
    let cube = Vec3::from(scenery.poses[1].position);
    let at = on_screen(&scenery, cube);
    let sent = hands(&state, &scenery, |h| press(h, at, egui::Modifiers::NONE));
    let Some(Command::Grab(Grip::Body(grip))) = sent.first() else {
        panic!("{sent:?}");
    };
    assert_eq!((grip.body, grip.strikes), (1, false));
    let top = Vec3::from(grip.from);
    assert!((top.y - 0.22).abs() < 1e-3, "held at its upper face: {top}");
    let sent = hands(&state, &scenery, |h| press(h, at, egui::Modifiers::SHIFT));
    let strikes = matches!(sent.first(), Some(Command::Grab(Grip::Body(g))) if g.strikes);
    assert!(strikes, "{sent:?}");
    let floor = on_screen(&scenery, cube + Vec3::new(0.3, -0.11, 0.0));
    let sent = hands(&state, &scenery, |h| press(h, floor, egui::Modifiers::NONE));
    assert_eq!(sent.first(), Some(&Command::Grab(Grip::View)));
}

#[test]
fn what_is_held_follows_the_pointer_and_is_let_go() {
    let (mut state, scenery) = touchable();
    let cube = Vec3::from(scenery.poses[1].position);
    let at = on_screen(&scenery, cube);
    state.grip = Some(Grip::Body(BodyGrip {
        body: 1,
        from: cube.to_array(),
        across: [0.0, -1.0, 0.0],
        to: cube.to_array(),
        ..BodyGrip::default()
    }));
    let aside = Vec3::new(0.2, 0.0, -0.1);
    let sent = hands(&state, &scenery, |h| {
        press(h, at, egui::Modifiers::NONE);
        h.get_by_label_contains("Reality in 3-D");
        h.hover_at(on_screen(&scenery, cube + aside));
    });
    let Some(Command::Lead(to)) = sent.last() else {
        panic!("{sent:?}");
    };
    assert!(Vec3::from(*to).distance(cube + aside) < 2e-3, "{to:?}");
    let sent = hands(&state, &scenery, |h| h.hover_at(at));
    assert!(sent.contains(&Command::LetGo), "{sent:?}");
}

#[test]
fn the_goal_is_taken_by_its_handle_even_where_a_body_is_in_the_way() {
    let (mut state, scenery) = touchable();
    let [x, _, z] = scenery.poses[1].position;
    state.record.goal = Some(GoalShown {
        place: [x, z],
        body: 1,
        tolerance_m: 0.088,
        state: Arc::new(GoalState {
            targets: vec![Target::of(1, &scenery.poses[1])],
            ..GoalState::default()
        }),
        ..GoalShown::default()
    });
    // Seen from straight above, the handle is towards +z.
    let lens = Transform::from_xyz(x, 2.5, z + 0.5).looking_at(Vec3::new(x, 0.0, z), Vec3::Y);
    let scenery = Scenery {
        lens: Lens::new(&lens, 0.6, 1000.0 / 800.0),
        ..scenery
    };
    let handle = on_screen(&scenery, Vec3::new(x, 0.0, z + 0.088));
    let sent = hands(&state, &scenery, |h| {
        press(h, handle, egui::Modifiers::NONE)
    });
    assert!(
        matches!(sent.first(), Some(Command::Grab(Grip::Goal(0, _)))),
        "{sent:?}"
    );
    // The past is looked at, not touched.
    state.record.moments.push(state.record.moments[0].clone());
    state.cursor = Cursor::At(0);
    let sent = hands(&state, &scenery, |h| {
        press(h, handle, egui::Modifiers::NONE)
    });
    assert_eq!(sent.first(), Some(&Command::Grab(Grip::View)));
    // A body that is pressed in the past brings the present to the screen.
    let cube = on_screen(&scenery, Vec3::from(scenery.poses[1].position));
    let sent = hands(&state, &scenery, |h| press(h, cube, egui::Modifiers::NONE));
    assert_eq!(sent.first(), Some(&Command::Live), "{sent:?}");
}

#[test]
fn what_is_out_of_distribution_is_said_with_how_far() {
    let scene = scene::load("push").unwrap();
    let far = |target, value| interventions::how_far(&scene, target, value);
    assert_eq!(far("moon.mass", 1.0), None);
    assert_eq!(far("cube.mass", 0.55), None);
    assert_eq!(far("cube.mass", 1.06).as_deref(), Some("2.3 ranges beyond"));
    assert_eq!(far("cube.mass", 0.2).as_deref(), Some("1.0 range beyond"));
    assert_eq!(far("gravity", -9.81), None);
    assert_eq!(
        far("gravity", -3.81).as_deref(),
        Some("6.00 m/s² above the only value")
    );
    let mut state = state();
    state.interventions.insert("cube.mass".into(), 0.5);
    let draw =
        |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| transport::transport_ui(ui, s, out);
    run_panel(&state, draw, |h| {
        assert!(h.query_by_label_contains("out of distribution").is_none());
    });
    state.interventions.insert("gravity".into(), -3.7);
    let sent = run_panel(&state, draw, |h| {
        h.get_by_label_contains("out of distribution: gravity")
            .click();
    });
    assert_eq!(sent, [Command::ToggleInterventions]);
    let panel = |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| {
        interventions::panel_ui(ui, s, &scene, out)
    };
    let sent = run_panel(&state, panel, |h| {
        h.get_by_label_contains("6.11 m/s² above the only value");
        h.get_by_label_contains("within what was trained on");
    });
    assert!(
        sent.is_empty(),
        "drawing a slider is no intervention: {sent:?}"
    );
}

#[test]
fn drawing_the_sliders_of_any_scene_changes_nothing() {
    for name in ["push", "reach", "fall", "collide"] {
        let scene = scene::load(name).unwrap();
        let state = State {
            scene: Some(Arc::new(scene.clone())),
            ..State::default()
        };
        let panel = |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| {
            interventions::panel_ui(ui, s, &scene, out)
        };
        assert_eq!(run_panel(&state, panel, |_| {}), []);
    }
}

#[test]
fn undo_says_what_it_takes_back_and_a_bad_file_can_be_dismissed() {
    let mut state = state();
    let draw =
        |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| transport::transport_ui(ui, s, out);
    run_panel(&state, draw, |h| {
        assert!(h.query_by_label("Undo").is_none(), "nothing to undo");
    });
    state.undo = Some("pull on cube".into());
    let sent = run_panel(&state, draw, |h| h.get_by_label("Undo").click());
    assert_eq!(sent, [Command::Undo]);
    state.fault = Some("push.ron:6: field `radius`: found -7".into());
    let sent = run_panel(&state, banners::banners_ui, |h| {
        h.get_by_label_contains("push.ron:6");
        h.get_by_label("Dismiss").click();
    });
    assert_eq!(sent, [Command::DismissFault]);
}

#[test]
fn a_replay_says_whether_it_is_the_recording() {
    let mut state = state();
    let mut shown = ReplayShown {
        replay: Replay {
            file: "somewhere/shard-00002.plx".into(),
            episode: 5,
        },
        episodes: 64,
        verdict: Some(Ok(())),
    };
    state.replay = Some(shown.clone());
    let sent = run_panel(&state, banners::banners_ui, |h| {
        h.get_by_label_contains("shard-00002.plx");
        h.get_by_label_contains("bit-identical");
        h.get_by_label("Next").click();
    });
    assert_eq!(sent, [Command::ReplayEpisode(6)]);
    shown.verdict = Some(Err((12, "cube, x: recorded 1, replayed 2".into())));
    state.replay = Some(shown);
    run_panel(&state, banners::banners_ui, |h| {
        h.get_by_label_contains("differs from 1.2 s on (step 12)");
        h.get_by_label_contains("cube, x: recorded 1");
    });
}

#[test]
fn undo_save_and_restore_are_keys_and_their_letters_alone_are_not() {
    let keys = |key: egui::Key, modifiers: egui::Modifiers| {
        let mut out = Vec::new();
        let ctx = egui::Context::default();
        let event = egui::Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers,
        };
        let input = egui::RawInput {
            events: vec![event],
            ..egui::RawInput::default()
        };
        let _ = ctx.run_ui(input, |ui| {
            ui.input(|i| command::from_keys(&i.events, false, 0, &mut out));
        });
        out.dedup();
        out
    };
    let ctrl = egui::Modifiers::CTRL | egui::Modifiers::COMMAND;
    assert_eq!(keys(egui::Key::Z, ctrl), [Command::Undo]);
    assert_eq!(keys(egui::Key::Y, ctrl), [Command::Redo]);
    assert_eq!(keys(egui::Key::S, ctrl), [Command::SaveMoment]);
    assert_eq!(keys(egui::Key::R, ctrl), [Command::RestoreMoment]);
    assert_eq!(keys(egui::Key::Z, egui::Modifiers::NONE), []);
    assert_eq!(keys(egui::Key::R, egui::Modifiers::NONE), [Command::Reset]);
}

#[test]
fn one_model_of_each_camp_is_shown_the_narrowest_first_and_a_person_may_choose_others_and_twins() {
    let mut state = state();
    state.panes.clear();
    for (name, camp, scenes, architecture) in [
        ("broad", Camp::Jepa, 6, "lewm"),
        ("narrow", Camp::Jepa, 1, "lewm"),
        ("middling", Camp::Jepa, 2, "vjepa_ac"),
        ("pixels", Camp::Generative, 18, "pixel_diffusion"),
        ("twin", Camp::Generative, 1, "pixel_diffusion"),
        ("latents", Camp::Generative, 19, "latent_diffusion"),
        // It straddles the camps and stands for none, however well it knows the scene.
        ("hybrid", Camp::Hybrid, 1, "drawn_lewm"),
    ] {
        let mut card = card(name, camp);
        card.architecture = architecture.into();
        card.scenes
            .extend((1..scenes).map(|i| format!("elsewhere{i}")));
        state.panes.push(Pane {
            name: name.into(),
            card: Some(card),
            twin: name == "twin",
            status: PaneStatus::Ready,
            ..Pane::default()
        });
    }
    let shown =
        |s: &State| -> Vec<String> { s.scene_panes().map(|(_, p)| p.name.clone()).collect() };
    assert_eq!(shown(&state), ["pixels", "narrow"]);
    let mut pictures = Pictures::default();
    let sent = run_panel(
        &state,
        |ui, s, out| {
            films::films_ui(ui, s, None, &mut pictures, out);
        },
        |h| {
            h.get_by_label("Model of film 3: narrow").click();
            h.run_steps(2);
            h.get_by_label("broad · jepa").click();
        },
    );
    assert_eq!(sent, [Command::Pick(1, 0)]);
    state.slots = [Some("twin".into()), Some("broad".into())];
    assert_eq!(shown(&state), ["twin", "broad"]);
    // A model that is chosen for one place is not shown in the other as well.
    state.slots = [Some("narrow".into()), None];
    assert_eq!(shown(&state), ["narrow", "middling"]);
    // What is enlarged is watched; the other need not imagine.
    state.enlarged = Some(Film::Model(1));
    let watched: Vec<&str> = state
        .watched_panes()
        .map(|(_, p)| p.name.as_str())
        .collect();
    assert_eq!(watched, ["middling"]);
    // Of one camp only, two stand beside each other; a broken one only where there is no other.
    state.slots = Default::default();
    state.panes.retain(|p| p.has_pixels());
    assert_eq!(shown(&state), ["pixels", "latents"]);
    // Of models that know a scene equally well, the smallest: it answers soonest.
    let scenes = state.panes[0].card.as_ref().unwrap().scenes.clone();
    for pane in &mut state.panes {
        let card = pane.card.as_mut().unwrap();
        card.scenes.clone_from(&scenes);
        card.parameters = if pane.name == "latents" { 2 } else { 7 };
    }
    assert_eq!(shown(&state), ["latents", "pixels"]);
    state
        .panes
        .iter_mut()
        .find(|p| p.name == "latents")
        .unwrap()
        .card
        .as_mut()
        .unwrap()
        .parameters = 9;
    state.panes.retain(|p| p.name != "hybrid");
    state.panes[0].status = PaneStatus::Failed("damaged".into());
    state.panes.retain(|p| p.name != "twin");
    assert_eq!(shown(&state), ["latents", "pixels"]);
}

#[test]
fn a_body_that_is_pressed_is_followed_and_pressed_again_is_not() {
    let mut state = state();
    let draw = |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| bodies::bodies_ui(ui, s, out);
    let bodies = state.scene.as_ref().unwrap().bodies.len();
    state.record.moments = vec![Arc::new(Moment {
        state: parallax::sim::State {
            bodies: vec![parallax::sim::BodyState::default(); bodies],
            ..Default::default()
        },
        ..Moment::default()
    })];
    let cube = state.scene.as_ref().unwrap().body_index("cube").unwrap();
    let press = |h: &mut Harness<'_, Vec<Command>>| h.get_by_label_contains("cube:").click();
    assert_eq!(
        run_panel(&state, draw, press),
        [Command::Follow(Some(cube))]
    );
    state.follow = Some(cube);
    assert_eq!(run_panel(&state, draw, press), [Command::Follow(None)]);
}

#[test]
fn the_search_is_offered_where_a_model_plans_and_goes_back_to_what_the_model_does() {
    let mut state = state();
    let draw = |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| search::search_ui(ui, s, out);
    state.driver = DriverChoice::Oracle;
    assert_eq!(
        run_panel(&state, draw, |h| assert!(
            h.query_by_label("Horizon").is_none()
        )),
        []
    );
    state.driver = DriverChoice::Planner("lewm".into());
    let usual = Search {
        horizon: 5,
        candidates: 300,
        iterations: 10,
        replan: 2,
        stations: false,
    };
    state.usual_search = Some(usual);
    assert_eq!(
        run_panel(&state, draw, |_| {}),
        [],
        "looking at it changes nothing"
    );
    state.search = Some(Search {
        horizon: 2,
        ..usual
    });
    let sent = run_panel(&state, draw, |h| {
        h.get_by_label_contains("by itself").click();
    });
    assert_eq!(sent, [Command::Search(None)]);
    let most = Search {
        horizon: 900,
        candidates: 0,
        iterations: 0,
        replan: 900,
        stations: true,
    };
    let bounded = most.bounded();
    assert_eq!(
        (bounded.horizon, bounded.candidates),
        (Search::MOST.horizon, 2)
    );
}
