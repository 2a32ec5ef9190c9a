//! The screens beside Explore: a tab and a key each, failures a click from their moment, an impossible event
//! beside the same film without it, and a game in which the judge plays along.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy_egui::egui::{self, accesskit::Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use parallax::app::command::Command;
use parallax::app::docking::Docking;
use parallax::app::layout;
use parallax::app::panels::pictures::Pictures;
use parallax::app::screen::Screen;
use parallax::app::screens::gallery::{At, Do, Entry, Fault, Origin, Source, Still, panel};
use parallax::app::screens::surprise;
use parallax::app::session::{Session, Start};
use parallax::app::state::{Stage, State};
use parallax::scene::Law;

use crate::panels::{run_panel, state};
use crate::window::display;

fn entry(model: &str, law: Law, severity: f32) -> Entry {
    Entry {
        id: 0,
        fault: Fault::Law(law),
        model: model.into(),
        camp: None,
        scene: "push".into(),
        seed: 1_000_000,
        severity,
        sentence: format!("The cube of {model} grew by 60 %"),
        origin: Origin::Episode(At::default()),
        still: Some(Arc::new(Still {
            size: 64,
            imagined: Some(vec![90; 64 * 64 * 3]),
            mark: Some([4, 4, 20, 20]),
            ..Still::default()
        })),
    }
}

fn draw(ui: &mut egui::Ui, state: &State, out: &mut Vec<Command>) {
    panel::gallery_ui(ui, state, &mut Pictures::default(), out);
}

#[test]
fn screens_gallery_says_what_will_fill_it_and_a_card_is_a_click_from_its_moment() {
    let mut state = state();
    state.gallery.source = Some(Source::Session);
    let (first, second) = panel::nothing(&state);
    assert!(first.contains("Nothing has been judged") && second.contains("Explore"));
    state.gallery.add(entry("a", Law::Size, 0.2));
    state.gallery.add(entry("b", Law::Shape, 0.9));
    let worst = state.gallery.shown()[0].clone();
    assert_eq!(worst.model, "b");
    let sent = run_panel(&state, draw, |h| {
        let label = format!("{}: {}", worst.fault.words(), worst.sentence);
        h.get_by_role_and_label(Role::Button, &label).click();
    });
    assert_eq!(sent, [Command::Gallery(Do::Open(worst.id))]);
}

#[test]
fn screens_are_inside_of_the_window_and_no_writing_lies_over_other_writing() {
    for [width, height] in [[800.0, 600.0], [1280.0, 720.0], [2560.0, 1440.0]] {
        for screen in [Screen::Gallery, Screen::Surprise] {
            let mut state = state();
            state.screen = screen;
            for i in 0..20 {
                state
                    .gallery
                    .add(entry("a model with a long name", Law::ALL[i % 18], 0.5));
            }
            let mut pictures = Pictures::default();
            let mut harness = Harness::builder()
                .with_size(vec2(width, height))
                .build_ui(|ui| {
                    let mut out = Vec::new();
                    let mut docking = Docking::default();
                    layout::window_ui(
                        ui.ctx(),
                        &state,
                        None,
                        &mut docking,
                        &mut pictures,
                        &mut out,
                    );
                });
            harness.run_steps(4);
            let window = egui::Rect::from_min_size(egui::Pos2::ZERO, vec2(width, height));
            let mut texts: Vec<(String, egui::Rect)> = Vec::new();
            for clipped in &harness.output().shapes {
                if let egui::Shape::Text(text) = &clipped.shape {
                    let rect = text.galley.rect.translate(text.pos.to_vec2());
                    let seen = rect.intersect(clipped.clip_rect);
                    assert!(window.expand(1.0).contains_rect(seen) || !seen.is_positive());
                    texts.push((text.galley.text().to_string(), seen));
                }
            }
            assert!(
                texts.len() > 10,
                "{screen:?} {width}: {} texts",
                texts.len()
            );
            for (i, (text, rect)) in texts.iter().enumerate() {
                for (other, beside) in &texts[i + 1..] {
                    let both = rect.intersect(*beside);
                    let overlap = both.width() > 3.0 && both.height() > 4.0;
                    assert!(!overlap, "{screen:?} {width}: `{text}` over `{other}`");
                }
            }
        }
    }
}

#[test]
fn screens_every_verdict_of_the_session_is_in_the_gallery_and_leads_back_to_its_moment() {
    let mut session = Session::start(&Start {
        scene: Some("collide3".into()),
        seed: Some(1_000_013),
        ..Start::default()
    })
    .unwrap();
    let until = |session: &mut Session, what: &str, done: &dyn Fn(&State) -> bool| {
        let begun = Instant::now();
        while !done(&session.state) {
            assert!(begun.elapsed() < Duration::from_secs(120), "no {what}");
            session.poll();
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    until(&mut session, "entry", &|s| {
        s.stage == Stage::Showing && s.gallery.judged > 1 && s.gallery.is_read
    });
    session.apply(Command::Screen(Screen::Gallery));
    assert!(session.state.screen == Screen::Gallery && !session.state.playing);
    let shown = session.state.gallery.shown();
    let worst = shown.first().expect("a failure in the opening's seed");
    // Elsewhere meanwhile: the scene and the seed are restarted.
    session.apply(Command::Seed(1_000_014));
    until(&mut session, "another seed", &|s| {
        s.stage == Stage::Showing && s.record.seed == 1_000_014
    });
    session.apply(Command::Screen(Screen::Gallery));
    session.apply(Command::Gallery(Do::Open(worst.id)));
    assert_eq!(session.state.screen, Screen::Explore);
    until(&mut session, "the moment again", &|s| s.focus.is_some());
    let (pane, moment) = session.state.focus.unwrap();
    let Origin::Episode(at) = &worst.origin else {
        panic!("{worst:?}")
    };
    assert_eq!(session.state.panes[pane].name, worst.model);
    assert_eq!((session.state.record.seed, moment), (worst.seed, at.moment));
}

#[test]
fn screens_surprise_shows_an_event_and_leaves_explore_at_rest() {
    let mut session = Session::start(&Start {
        scene: Some("collide".into()),
        ..Start::default()
    })
    .unwrap();
    session.apply(Command::Screen(Screen::Surprise));
    let begun = Instant::now();
    while session.state.surprise.curves.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no curve");
        session.poll();
        std::thread::sleep(Duration::from_millis(2));
    }
    let films = session.state.surprise.films.clone().unwrap();
    let curve = &session.state.surprise.curves[0];
    assert_eq!(curve.first + curve.possible.len(), films.possible.len());
    assert_eq!(curve.possible.len(), curve.impossible.len());
    session.apply(Command::Surprise(surprise::Do::Mode(surprise::Mode::Spot)));
    assert!(!session.state.playing);
    session.apply(Command::Close);
    assert!(session.state.screen == Screen::Explore && session.state.playing);
}

#[test]
fn screens_open_in_the_real_window_with_their_key() {
    let Some(display) = display("1280x720x24") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let gallery_after = |seconds: &str| {
        let shot = dir.path().join(format!("gallery-{seconds}.png"));
        assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"))
            .args(["app", "--scene", "fall", "--press", "0.1:F3"])
            .args(["--after", seconds, "--shot"])
            .arg(&shot)
            .env("DISPLAY", &display.name)
            .env_remove("WAYLAND_DISPLAY")
            .timeout(Duration::from_secs(300))
            .assert()
            .success();
        image::open(&shot).unwrap().to_rgb8()
    };
    // How long the models take to imagine and the judge to judge depends on the machine: a card may come
    // late, but it has to come.
    let cards = |picture: &image::RgbImage| {
        let marks = picture.pixels().filter(|p| p.0[0] > 200 && p.0[2] < 80);
        marks.count() > 300
    };
    let mut picture = gallery_after("4");
    for later in ["20", "90"] {
        if !cards(&picture) {
            picture = gallery_after(later);
        }
    }
    assert!(cards(&picture), "no failure among what was imagined");
    // The bar's tab of the screen that is shown is filled with blue: Explore's is the first, Gallery's the
    // next.
    let filled = |from: u32, to: u32| {
        let all = (from..to).flat_map(|x| (14..38).map(move |y| (x, y)));
        all.filter(|(x, y)| {
            let [r, g, b] = picture.get_pixel(*x, *y).0;
            b > 90 && u32::from(b) > 2 * u32::from(r) && b > g
        })
        .count()
    };
    let (explore, gallery) = (filled(86, 148), filled(152, 212));
    assert!(
        gallery > 400 && explore < 100,
        "blue in the tab of Gallery: {gallery}, of Explore: {explore}"
    );
}

#[test]
fn a_still_gets_the_picture_of_reality_when_reality_comes_there() {
    let mut state = state();
    let mut waiting = entry("dreamer", Law::Size, 0.4);
    waiting.still = Some(Arc::new(Still {
        moment: 12,
        ..Still::default()
    }));
    state.gallery.source = Some(Source::Session);
    state.gallery.add(waiting);
    let of = At::default().episode;
    let truth = |state: &State| {
        let shown = state.gallery.shown();
        shown[0].still.as_ref().unwrap().truth.clone()
    };
    state.gallery.complete(of, 11, &[1, 1, 1]);
    state.gallery.complete(of + 1, 12, &[2, 2, 2]);
    assert_eq!(truth(&state), None);
    state.gallery.complete(of, 12, &[3, 3, 3]);
    assert_eq!(truth(&state), Some(vec![3, 3, 3]));
    state.gallery.complete(of, 12, &[4, 4, 4]);
    assert_eq!(truth(&state), Some(vec![3, 3, 3]), "the first stays");
}
