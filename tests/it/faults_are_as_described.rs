//! The faults that the judge is measured by are what the catalogue says: so strong, there, from that frame on,
//! and nothing else in the film is touched.

use std::collections::BTreeMap;

use parallax::camera::{Eye, SIZE};
use parallax::eval::judge::catalogue::{Catalogue, Does, Fault, Strength};
use parallax::eval::judge::{Faulty, REFERENCE, Truth, frozen_from_the_start, inject};
use parallax::judge::Tracker;
use parallax::sim::HELD_OUT_SEED;

use crate::support::{SCENES, scene};

const SEED: u64 = HELD_OUT_SEED + 40_000;

fn catalogue() -> Vec<Fault> {
    Catalogue::shipped().unwrap().faults
}

fn fault(id: &str) -> Fault {
    catalogue()
        .into_iter()
        .find(|f| f.id == id)
        .unwrap_or_else(|| panic!("{id}"))
}

/// Films of one fault in a scene, with their truth.
fn films(name: &str, fault: &Fault, strength: Strength, seeds: u64) -> Vec<(Truth, Faulty)> {
    let scene = scene(name);
    let (eye, tracked) = (Eye::standard(&scene).unwrap(), Tracker::new(&scene).bodies);
    (SEED..SEED + seeds)
        .filter_map(|seed| {
            let truth = Truth::new(&scene, &eye, seed).unwrap();
            let film = inject(&truth, &eye, &tracked, fault, strength)?;
            Some((truth, film))
        })
        .collect()
}

/// The centroid of what sets a frame apart from another that the body is not in.
fn centroid(ids: &[u8], body: usize) -> [f32; 2] {
    let own = ids
        .iter()
        .enumerate()
        .filter(|(_, id)| usize::from(**id) == body + 1);
    let (mut sum, mut count) = ([0.0f32; 2], 0.0f32);
    for (i, _) in own {
        sum = [sum[0] + (i % SIZE) as f32, sum[1] + (i / SIZE) as f32];
        count += 1.0;
    }
    sum.map(|s| s / count.max(1.0))
}

#[test]
fn the_catalogue_is_sound() {
    let mut seen = BTreeMap::new();
    for fault in catalogue() {
        let strengths = &fault.strengths;
        assert!(
            [1, 3].contains(&strengths.len()),
            "{}: {strengths:?}",
            fault.id
        );
        let rising = strengths.windows(2).all(|w| w[0] < w[1]);
        let falling = strengths.windows(2).all(|w| w[0] > w[1]);
        assert!(rising || falling, "{}: {strengths:?}", fault.id);
        assert!(
            !fault.laws.is_empty() && !fault.says.is_empty(),
            "{}",
            fault.id
        );
        assert!(fault.is_edit() == (strengths.len() == 1), "{}", fault.id);
        assert!(
            seen.insert(fault.id.clone(), ()).is_none(),
            "{} is there twice",
            fault.id
        );
    }
    assert!(seen.len() > 30);
}

#[test]
fn every_fault_has_an_occasion_and_begins_where_it_says() {
    for fault in catalogue() {
        let mut tried = 0;
        for name in SCENES {
            for (truth, film) in films(name, &fault, Strength::Strong, 2) {
                tried += 1;
                let honest = truth.frames();
                let at = REFERENCE + film.first;
                assert_eq!(film.frames.len(), honest.len());
                assert_eq!(
                    film.frames[..at],
                    honest[..at],
                    "{} in {name}: too early",
                    fault.id
                );
                let differs = |t: usize| film.frames[t] != honest[t];
                assert!(
                    (at..honest.len()).any(differs),
                    "{} in {name}: nothing to see",
                    fault.id
                );
                assert!(
                    film.places[..at].iter().all(Vec::is_empty),
                    "{} in {name}",
                    fault.id
                );
                assert!(
                    !film.places[at].is_empty() || film.body.is_some(),
                    "{} in {name}",
                    fault.id
                );
            }
            if tried > 3 {
                break;
            }
        }
        assert!(tried > 0, "{}: no scene gives an occasion", fault.id);
    }
}

#[test]
fn teleports_are_as_far_as_they_say_and_strengths_differ_in_nothing_else() {
    let fault = fault("teleport");
    for (strength, pixels) in Strength::ALL.into_iter().zip([3.0, 6.0, 12.0]) {
        let found = films("collide", &fault, strength, 6);
        assert!(found.len() > 2, "{strength:?}: {} clips", found.len());
        for (truth, film) in found {
            let (at, body) = (REFERENCE + film.first, film.body.unwrap());
            let before = centroid(&truth.views[at].ids, body);
            let [a, b] = [film.places[at][0], film.places[at][1]];
            let middle = |b: [u16; 4]| [f32::from(b[0] + b[2]) / 2.0, f32::from(b[1] + b[3]) / 2.0];
            let (now, was) = (middle(a), middle(b));
            let way = (now[0] - was[0]).hypot(now[1] - was[1]);
            assert!(
                (way - pixels).abs() < 1.1,
                "{strength:?}: {way} px from {before:?}"
            );
        }
    }
}

#[test]
fn sizes_and_opacities_are_as_they_say() {
    let amount = |frame: &[u8], without: &[u8]| -> f32 {
        let pairs = frame.iter().zip(without);
        pairs.map(|(a, b)| f32::from(a.abs_diff(*b))).sum()
    };
    let area = |film: &Faulty, t: usize| {
        let [x0, y0, x1, y1] = film.places[t][0];
        f32::from((x1 - x0) * (y1 - y0))
    };
    for (truth, film) in films("collide", &fault("larger"), Strength::Strong, 6) {
        let at = REFERENCE + film.first;
        let [x0, y0, x1, y1] = film.places[at][1];
        let ratio = area(&film, at) / f32::from((x1 - x0) * (y1 - y0));
        assert!((1.6..2.4).contains(&ratio), "1.4² of the area: {ratio}");
        assert!(truth.scene.bodies.len() == 2);
    }
    for (strength, opacity) in Strength::ALL.into_iter().zip([0.8f32, 0.5, 0.2]) {
        for (truth, film) in films("collide", &fault("transparent"), strength, 3) {
            let (at, body) = (REFERENCE + film.first, film.body.unwrap());
            let gone = films("collide", &fault("vanishes"), Strength::Strong, 0);
            assert!(gone.is_empty());
            // The body's own pixels lose that share of what sets them apart from the floor.
            let view = &truth.views[at];
            let floor = view.ids.iter().position(|&id| id == 0).unwrap();
            let floor = &view.rgb[floor * 3..floor * 3 + 3];
            let own = (0..view.ids.len()).filter(|&i| usize::from(view.ids[i]) == body + 1);
            let (mut now, mut was) = (0.0, 0.0);
            for i in own {
                now += amount(&film.frames[at][i * 3..i * 3 + 3], floor);
                was += amount(&view.rgb[i * 3..i * 3 + 3], floor);
            }
            assert!(
                (now / was - opacity).abs() < 0.06,
                "{opacity}: {}",
                now / was
            );
        }
    }
}

#[test]
fn broken_dynamics_go_on_as_mechanics_has_them() {
    // A ball that stops dead stays where it was.
    let still = films("collide", &fault("stops_dead"), Strength::Middle, 12);
    assert!(still.len() > 2);
    for (truth, film) in still {
        let (at, body) = (REFERENCE + film.first, film.body.unwrap());
        let was = centroid(&truth.views[at - 1].ids, body);
        let [x0, y0, x1, y1] = film.places[at + 2][0];
        let now = [f32::from(x0 + x1 - 1) / 2.0, f32::from(y0 + y1 - 1) / 2.0];
        assert!(
            (now[0] - was[0]).hypot(now[1] - was[1]) < 1.0,
            "{was:?} {now:?}"
        );
    }
    // What falls up is higher than it was.
    for (_, film) in films("fall", &fault("falls_up"), Strength::Strong, 12) {
        let at = REFERENCE + film.first;
        let Some(later) = film.places[at + 4]
            .first()
            .filter(|_| film.places[at + 4].len() == 2)
        else {
            continue;
        };
        assert!(
            later[1] <= film.places[at + 4][1][1],
            "{:?}",
            film.places[at + 4]
        );
    }
}

#[test]
fn frozen_films_stand_still_where_reality_moves() {
    let fall = scene("fall");
    let eye = Eye::standard(&fall).unwrap();
    let mut found = 0;
    for seed in SEED..SEED + 6 {
        let truth = Truth::new(&fall, &eye, seed).unwrap();
        let Some(film) = frozen_from_the_start(&truth, &eye) else {
            continue;
        };
        found += 1;
        assert!(
            film.frames[REFERENCE..]
                .iter()
                .all(|f| *f == truth.frames()[REFERENCE - 1])
        );
        assert_eq!((film.first, film.body), (0, None));
    }
    assert!(found > 2, "{found} clips move");
    let freezes = fault("freezes");
    assert_eq!(freezes.does, Does::FreezeFilm);
    for (truth, film) in films("fall", &freezes, Strength::Mild, 6) {
        let at = REFERENCE + film.first;
        assert!((at..at + 3).all(|t| film.frames[t] == truth.frames()[at - 1]));
        assert_eq!(film.frames[at + 3..], truth.frames()[at + 3..]);
    }
}
