//! The window's promises that need no window: nothing overflows or overlaps, time runs as it says, failures
//! are found, and every command has a place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy_egui::egui::{self, Key, Modifiers, vec2};
use egui_kittest::Harness;
use parallax::app::command::{self, Command, TABLE};
use parallax::app::docking::Docking;
use parallax::app::layout;
use parallax::app::panels::{films, overlay, pictures::Pictures, top};
use parallax::app::session::{Session, Start};
use parallax::app::state::{Cursor, Dock, Film, Rollout, Stage, State};
use parallax::app::verdict;
use parallax::judge::Violation;
use parallax::scene::{self, Law};
use parallax::worker::{Imagined, Moment};

use crate::panels::{run_panel, state};

/// The whole window at a size, and what the layout says of it.
fn laid(state: &State, size: egui::Vec2) -> (layout::Laid, Vec<(String, egui::Rect)>) {
    laid_with(state, size, &mut Docking::default())
}

fn laid_with(
    state: &State,
    size: egui::Vec2,
    docking: &mut Docking,
) -> (layout::Laid, Vec<(String, egui::Rect)>) {
    let mut pictures = Pictures::default();
    let mut laid = None;
    let mut texts = Vec::new();
    {
        let mut harness = Harness::builder().with_size(size).build_ui(|ui| {
            let mut out = Vec::new();
            laid = Some(layout::window_ui(
                ui.ctx(),
                state,
                None,
                docking,
                &mut pictures,
                &mut out,
            ));
        });
        harness.run_steps(4);
        for clipped in &harness.output().shapes {
            if let egui::Shape::Text(text) = &clipped.shape {
                let rect = text.galley.rect.translate(text.pos.to_vec2());
                texts.push((
                    text.galley.text().to_string(),
                    rect.intersect(clipped.clip_rect),
                ));
            }
        }
    }
    (laid.unwrap(), texts)
}

const SIZES: [[f32; 2]; 5] = [
    [800.0, 600.0],
    [1024.0, 600.0],
    [1280.0, 720.0],
    [1600.0, 900.0],
    [2560.0, 1440.0],
];

#[test]
fn nothing_overflows_or_overlaps_at_any_size_and_time_stays_where_it_is() {
    for [width, height] in SIZES {
        let window = egui::Rect::from_min_size(egui::Pos2::ZERO, vec2(width, height));
        let mut bottoms = Vec::new();
        for name in ["push", "collide3", "stack"] {
            for dock in Dock::ALL {
                let mut state = state();
                state.scene = Some(Arc::new(scene::load(name).unwrap()));
                state.dock = dock;
                let (laid, texts) = laid(&state, window.size());
                let at = format!("{name} {dock:?} {width}x{height}");
                bottoms.push(laid.bottom);
                let inside = window.expand(1.0);
                assert!(inside.contains_rect(laid.bottom), "{at}: {:?}", laid.bottom);
                assert!(inside.contains_rect(laid.films), "{at}: {:?}", laid.films);
                assert!(laid.films.bottom() <= laid.bottom.top() + 1.0, "{at}");
                if let Some(rail) = laid.rail {
                    assert!(inside.contains_rect(rail), "{at}: {rail:?}");
                    assert!(laid.films.right() <= rail.left() + 1.0, "{at}");
                }
                assert!(texts.len() > 20, "{at}: {} texts", texts.len());
                for (i, (text, rect)) in texts.iter().enumerate() {
                    for (other, beside) in &texts[i + 1..] {
                        let both = rect.intersect(*beside);
                        let overlap = both.width() > 3.0 && both.height() > 4.0;
                        assert!(
                            !overlap,
                            "{at}: `{text}` {rect:?} over `{other}` {beside:?}"
                        );
                    }
                }
                for enlarged in [None, Some(Film::Reality), Some(Film::Model(1))] {
                    let cards = films::cards(laid.films, 2, enlarged);
                    for (i, card) in cards.iter().enumerate() {
                        let parts = [card.head, card.picture, card.verdict, card.cost];
                        let least = if height < 700.0 { 120.0 } else { 180.0 };
                        assert!(card.picture.width() >= least, "{at}: {card:?}");
                        assert!(laid.films.expand(1.0).contains_rect(card.whole), "{at}");
                        for (k, part) in parts.iter().enumerate() {
                            assert!(card.whole.contains_rect(*part), "{at}: {k} {card:?}");
                            for other in &parts[k + 1..] {
                                let both = part.intersect(*other);
                                let overlaps = both.width() > 0.1 && both.height() > 0.1;
                                assert!(!overlaps, "{at}: {card:?}");
                            }
                        }
                        for other in &cards[i + 1..] {
                            assert!(card.whole.right() <= other.whole.left() + 0.1, "{at}");
                        }
                    }
                    let sides: Vec<f32> = cards.iter().map(|c| c.picture.width()).collect();
                    if let Some(large) = cards.iter().find(|c| Some(c.film) == enlarged) {
                        let usual = films::cards(laid.films, 2, None)[0].picture.width();
                        let larger = large.picture.width() > 1.1 * usual;
                        assert!(larger, "{at}: {usual} to {:?}", large.picture);
                    }
                    if enlarged.is_none() {
                        assert!(
                            sides.iter().all(|s| (s - sides[0]).abs() < 0.5),
                            "{at}: {sides:?}"
                        );
                    }
                }
            }
        }
        assert!(
            bottoms.iter().all(|b| *b == bottoms[0]),
            "{width}: the transport moves"
        );
    }
}

fn pressed(key: Key, modifiers: Modifiers, driving: bool) -> Vec<Command> {
    let event = egui::Event::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers,
    };
    let mut out = Vec::new();
    command::from_keys(&[event], driving, 7, &mut out);
    out
}

#[test]
fn keys_do_what_the_table_says_and_steering_keys_mean_nothing_else_while_somebody_drives() {
    assert_eq!(
        pressed(Key::F, Modifiers::NONE, false),
        [Command::NextFailure]
    );
    assert_eq!(pressed(Key::F, Modifiers::NONE, true), []);
    assert_eq!(
        pressed(Key::ArrowLeft, Modifiers::NONE, false),
        [Command::StepBack]
    );
    assert_eq!(pressed(Key::ArrowLeft, Modifiers::NONE, true), []);
    assert_eq!(
        pressed(Key::Escape, Modifiers::NONE, true),
        [Command::Close]
    );
    assert_eq!(
        pressed(Key::Backspace, Modifiers::NONE, false),
        [Command::Reset]
    );
    assert_eq!(
        pressed(Key::F1, Modifiers::NONE, false),
        [Command::ToggleShortcuts]
    );
    let ctrl = Modifiers::CTRL | Modifiers::COMMAND;
    assert_eq!(pressed(Key::P, ctrl, false), [Command::ExportPicture]);
    assert_eq!(
        pressed(Key::P, ctrl | Modifiers::SHIFT, false),
        [Command::TogglePalette]
    );
    assert_eq!(pressed(Key::Z, ctrl, true), [Command::Undo]);
    // A tooltip and the help name the very keys that work.
    assert_eq!(command::keys_of(&Command::TogglePlay), " (Space)");
    assert!(
        TABLE
            .iter()
            .all(|e| e.what.is_empty() || e.command.is_some() || !e.keys.is_empty())
    );
}

#[test]
fn the_palette_does_what_is_chosen_in_it_and_esc_leaves_it() {
    let mut state = state();
    state.show_palette = true;
    let palette = |ui: &mut egui::Ui, s: &State, out: &mut Vec<Command>| {
        overlay::palette_ui(ui.ctx(), s, out);
    };
    let type_in = |h: &mut Harness<'_, Vec<Command>>, text: &str| {
        for letter in text.chars() {
            h.event(egui::Event::Text(letter.into()));
            h.run_steps(1);
        }
    };
    let sent = run_panel(&state, palette, |h| {
        type_in(h, "gif");
        h.key_press(Key::Enter);
    });
    assert_eq!(sent, [Command::TogglePalette, Command::ExportGif]);
    let sent = run_panel(&state, palette, |h| h.key_press(Key::Escape));
    assert_eq!(sent, [Command::TogglePalette]);
}

#[test]
fn the_sentence_says_who_is_shown_and_never_that_something_is_lawful() {
    let mut state = state();
    for stage in [Stage::Preparing, Stage::Showing, Stage::Live] {
        state.stage = stage;
        let (a, b) = top::sentence(&state);
        assert!(a.ends_with('.') && b.ends_with('.'), "{a} {b}");
        assert!(!format!("{a}{b}").contains("lawful"));
    }
    state.hunting = true;
    assert!(top::sentence(&state).0.contains("Looking for a failure"));
}

fn until(session: &mut Session, what: &str, done: impl Fn(&State) -> bool) {
    let begun = Instant::now();
    while !done(&session.state) {
        assert!(begun.elapsed() < Duration::from_secs(120), "no {what}");
        session.poll();
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn started(scene: &str) -> Session {
    let mut session = Session::start(&Start {
        scene: Some(scene.into()),
        controller: None,
        ..Start::default()
    })
    .unwrap();
    until(&mut session, "scene", |s| s.newest() > 0);
    session
}

#[test]
fn what_was_recorded_plays_on_from_the_moment_shown_steps_back_and_loops() {
    let mut session = started("fall");
    session.apply(Command::Live);
    until(&mut session, "two seconds", |s| s.newest() >= 20);
    session.apply(Command::Scrub(5));
    assert!(!session.state.playing);
    session.apply(Command::StepBack);
    assert_eq!(session.state.cursor, Cursor::At(4));
    // Play goes on from there, and does not jump to the newest moment.
    session.apply(Command::TogglePlay);
    session.poll();
    assert!(
        session.state.shown() <= 6,
        "it jumped to {}",
        session.state.shown()
    );
    until(&mut session, "some moments", |s| s.shown() >= 8);
    let newest = session.state.newest();
    // At the end of the recording reality goes on live.
    until(&mut session, "the live end", |s| {
        s.cursor == Cursor::Live && s.newest() > newest
    });
    session.apply(Command::Scrub(10));
    session.apply(Command::ToggleLoop);
    let (from, to) = session.state.range.unwrap();
    assert!(from < 10 && to > 10);
    let turned = |s: &State| s.shown() == to;
    until(&mut session, "the loop's end", turned);
    until(&mut session, "the loop's start", |s| s.shown() == from);
    session.apply(Command::ToggleSlow);
    assert_eq!(session.state.speed, 0.25);
    // Esc ends the loop, one press at a time what else is open.
    session.apply(Command::Dock(Dock::Timers));
    session.apply(Command::ToggleShortcuts);
    session.apply(Command::Close);
    assert!(!session.state.show_shortcuts && session.state.dock == Dock::Timers);
    session.apply(Command::Close);
    assert!(session.state.dock == Dock::Measured && session.state.range.is_some());
    session.apply(Command::Close);
    assert!(session.state.range.is_none());
}

#[test]
fn reality_acts_first_and_then_all_films_play_together_to_the_same_end() {
    let mut session = started("collide3");
    assert_eq!(session.state.stage, Stage::Preparing);
    until(&mut session, "the show", |s| s.stage == Stage::Showing);
    let state = &session.state;
    // Nothing moves before all of it is there.
    assert_eq!(state.shown(), 0);
    for (_, pane) in state.watched_panes() {
        assert!(!pane.rollouts.is_empty(), "{} imagined nothing", pane.name);
    }
    let (newest, rollouts): (usize, usize) = (
        state.newest(),
        state.panes.iter().map(|p| p.rollouts.len()).sum(),
    );
    until(&mut session, "the end", |s| s.shown() >= 23);
    // Reality stood still meanwhile, and nobody imagined the same again.
    assert_eq!(session.state.newest(), newest);
    let again: usize = session.state.panes.iter().map(|p| p.rollouts.len()).sum();
    assert_eq!(again, rollouts);
    // The result is held before it plays again.
    session.poll();
    assert_eq!(session.state.shown(), 23);
    until(&mut session, "another round", |s| s.shown() < 5);
}

#[test]
fn nothing_is_drawn_by_itself_once_it_is_paused_and_all_is_done() {
    let mut session = started("fall");
    until(&mut session, "the show", |s| {
        s.stage == Stage::Showing && !s.loading && s.measured.is_some()
    });
    assert!(session.is_busy(), "it plays");
    session.apply(Command::TogglePlay);
    let begun = Instant::now();
    while session.is_busy() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never rests");
        session.poll();
        std::thread::sleep(Duration::from_millis(2));
    }
    // A message keeps the window awake until it leaves.
    session.apply(Command::Say("a word".into()));
    assert!(session.is_busy());
}

#[test]
fn the_opening_plays_by_itself_and_ends_with_the_first_deed() {
    let mut session = Session::start(&Start {
        opening: true,
        ..Start::default()
    })
    .unwrap();
    assert!(session.state.opening.is_some());
    until(&mut session, "the show", |s| s.stage == Stage::Showing);
    let (seed, scene) = (session.state.record.seed, session.state.scene_index);
    until(&mut session, "a round", |s| s.shown() > 10);
    assert_eq!(session.state.scenes[scene].name, "collide3");
    session.interrupt();
    assert!(session.state.opening.is_none());
    // What was on the screen stays there.
    session.poll();
    assert_eq!(
        (session.state.record.seed, session.state.scene_index),
        (seed, scene)
    );
}

#[test]
fn a_scene_that_is_dropped_is_shown_and_what_is_none_is_said_to_be_none() {
    let mut session = started("push");
    let fall = scene::library_dir().join("fall.ron");
    session.open_file(&fall);
    until(&mut session, "the dropped scene", |s| {
        s.scene.as_ref().is_some_and(|s| s.name == "fall") && s.newest() > 0
    });
    session.open_file(std::path::Path::new("notes.txt"));
    let note = session.state.note.clone().unwrap();
    assert!(
        session.state.note_is_error && note.contains("notes.txt"),
        "{note}"
    );
}

#[test]
fn the_command_that_is_copied_names_scene_seed_driver_changes_and_moment() {
    let mut session = started("push");
    session.apply(Command::Driver(parallax::app::state::DriverChoice::Random));
    session.apply(Command::Intervene("gravity".into(), -3.7));
    session.apply(Command::CopyCommand);
    let line = session.take_copied().unwrap();
    let seed = session.state.record.seed;
    assert!(
        line.starts_with(&format!("parallax app --scene push --seed {seed}")),
        "{line}"
    );
    assert!(
        line.contains("--controller random --set gravity=-3.7"),
        "{line}"
    );
    assert!(line.contains("scrub="), "{line}");
    assert_eq!(session.take_copied(), None);
}

#[test]
fn a_failure_is_looked_at_slowly_from_half_a_second_before_it_with_its_sentence() {
    let mut session = started("collide3");
    until(&mut session, "the show", |s| s.stage == Stage::Showing);
    session.apply(Command::NextFailure);
    until(&mut session, "a failure", |s| s.focus.is_some());
    let state = &session.state;
    let (pane, moment) = state.focus.unwrap();
    assert_eq!(state.range.unwrap().0, moment.saturating_sub(5));
    assert_eq!(state.speed, 0.25);
    assert_eq!(state.enlarged, state.slot_of(pane).map(Film::Model));
    assert!(!state.hunting && state.playing);
    let said = verdict::focused(state).unwrap().sentence;
    assert!(
        top::sentence(state).1 == said && said.ends_with('.'),
        "{said}"
    );
}

#[test]
fn a_body_farther_off_than_its_own_size_is_a_failure_although_no_law_is_broken() {
    let mut state = state();
    let scene = state.scene.clone().unwrap();
    state.tracker = Some(Arc::new(parallax::judge::Tracker::new(&scene)));
    let eye = parallax::camera::Eye::standard(&scene).unwrap();
    state.eye = Some(Arc::new(eye));
    let reality = parallax::sim::Reality::new(&scene, 1).unwrap();
    let moment = Arc::new(Moment {
        state: reality.measure(),
        ..Moment::default()
    });
    state.record.moments = vec![moment; 12];
    let bodies = state.tracker.as_ref().unwrap().bodies.len();
    state.record.tracks = vec![vec![Some([32.0, 32.0]); bodies]; 12];
    let mut tracks = vec![vec![Some([32.0, 32.0]); bodies]; 10];
    // From the fifth imagined step on a body is elsewhere; then it is lost.
    tracks[4..]
        .iter_mut()
        .for_each(|t| t[0] = Some([62.0, 32.0]));
    tracks[8..].iter_mut().for_each(|t| t[0] = None);
    let frames = parallax::model::Frames {
        n: 1,
        steps: 10,
        size: 64,
        data: vec![90; 10 * 64 * 64 * 3],
    };
    state.panes[0].rollouts.push(Rollout {
        imagined: Arc::new(Imagined {
            frames: Some(frames),
            frameskip: 1,
            steps: 10,
            tracks,
            ..Imagined::default()
        }),
        judged: true,
        ..Rollout::default()
    });
    let found = verdict::findings(&state);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].moment, found[0].law), (5, None));
    let under = |state: &State, at: usize| {
        let mut state_at = at;
        state_at = state_at.min(11);
        let rollout = &state.panes[0].rollouts[0];
        let at = parallax::app::state::Imagination {
            branch: 0,
            k: state_at,
        };
        verdict::verdict(state, &state.panes[0], Some((at, rollout)))
    };
    assert!(
        under(&state, 3).line.contains("in its place"),
        "{:?}",
        under(&state, 3)
    );
    let far = under(&state, 6);
    assert!(far.is_broken && far.line.contains("off"), "{far:?}");
    assert!(under(&state, 9).line.contains("not to be found"));
    // A law that is broken comes before a distance.
    state.panes[0].rollouts[0].violations.push(Violation {
        law: Law::Duplication,
        body: Some(0),
        first_frame: 5,
        last_frame: 5,
        severity: 0.5,
        boxes: vec![[1, 1, 4, 4]],
        sentence: "`ball` became two".into(),
    });
    let broken = under(&state, 8);
    assert!(broken.line.contains("became two") && broken.law == Some(Law::Duplication));
    assert!(broken.rest.contains("off"), "{broken:?}");
}

/// Drags from one place to another, a few points at a time.
fn drag(harness: &mut Harness<'_>, from: egui::Pos2, to: egui::Pos2) {
    let button = |pos, pressed| egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: egui::Modifiers::NONE,
    };
    harness.event(egui::Event::PointerMoved(from));
    harness.run_steps(1);
    harness.event(button(from, true));
    harness.run_steps(2);
    for share in [0.1, 0.3, 0.6, 0.9, 1.0] {
        harness.event(egui::Event::PointerMoved(from.lerp(to, share)));
        harness.run_steps(2);
    }
    harness.event(button(to, false));
    harness.run_steps(3);
}

#[test]
fn panes_are_resized_at_their_gaps_and_remembered() {
    let size = vec2(1600.0, 900.0);
    let state = state();
    let mut docking = Docking::default();
    let (before, _) = laid_with(&state, size, &mut docking);
    assert!(!docking.is_moved(), "drawing moves nothing");
    let column = before.rail.unwrap();
    let dragged = |docking: &mut Docking, from: egui::Pos2, to: egui::Pos2| {
        let mut pictures = Pictures::default();
        let mut laid = None;
        {
            let mut harness = Harness::builder().with_size(size).build_ui(|ui| {
                let mut out = Vec::new();
                let ctx = ui.ctx().clone();
                laid = Some(layout::window_ui(
                    &ctx,
                    &state,
                    None,
                    docking,
                    &mut pictures,
                    &mut out,
                ));
            });
            harness.run_steps(3);
            drag(&mut harness, from, to);
        }
        laid.unwrap()
    };
    // The gap left of the column: it becomes wider.
    let gap = column.left_center() - vec2(5.0, 0.0);
    let wider = dragged(&mut docking, gap, gap - vec2(120.0, 0.0));
    assert!(docking.is_moved());
    let width = wider.rail.unwrap().width();
    assert!(
        width > column.width() + 80.0,
        "{} to {width}",
        column.width()
    );
    // The next start finds it there.
    let mut again = Docking::from_text(&docking.text().unwrap());
    let (found, _) = laid_with(&state, size, &mut again);
    assert!((found.rail.unwrap().width() - width).abs() < 2.0);
}
