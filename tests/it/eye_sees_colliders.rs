//! The eye shows what rapier simulates, where it is: projection, silhouettes, depth, handedness, and the
//! same bits on any thread.

use std::sync::Arc;

use parallax::camera::Eye;
use parallax::scene::{Floor, Kind, Scene};
use parallax::sim::{HELD_OUT_SEED, Reality};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::support::{SCENES, lab, scene, view_bits};

type V = [f32; 3];

fn sub(a: V, b: V) -> V {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
fn dot(a: V, b: V) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
fn cross(a: V, b: V) -> V {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}
fn unit(a: V) -> V {
    let l = dot(a, a).sqrt();
    a.map(|v| v / l)
}

#[test]
fn projecting_undoes_unprojecting() {
    let mut rng = ChaCha8Rng::seed_from_u64(HELD_OUT_SEED);
    for name in SCENES {
        let eye = Eye::standard(&scene(name)).unwrap();
        for _ in 0..200 {
            let pixel = [rng.random_range(0.0..64.0), rng.random_range(0.0..64.0)];
            let height = rng.random_range(0.0..0.3);
            // Rays along the plane meet it too far away to say anything.
            let Some(world) = eye
                .unproject(pixel, height)
                .filter(|w| w[0].abs().max(w[2].abs()) < 10.0)
            else {
                continue;
            };
            assert!((world[1] - height).abs() < 1e-3, "{name}: {world:?}");
            let back = eye.project(world).expect("it is in front");
            assert!(
                (back[0] - pixel[0]).abs() < 0.01 && (back[1] - pixel[1]).abs() < 0.01,
                "{name}: {pixel:?} became {back:?}"
            );
        }
        let c = &scene(name).camera;
        let behind = [
            2.0 * c.position[0] - c.target[0],
            2.0 * c.position[1] - c.target[1],
            2.0 * c.position[2] - c.target[2],
        ];
        assert_eq!(
            eye.project(behind),
            None,
            "{name}: what is behind the eye is not in the picture"
        );
    }
}

/// Casts one ray a sample by school geometry: distance to the ball, where it is hit before the floor.
fn silhouette(scene: &Scene, size: usize, centre: V, radius: f32) -> Vec<Option<f32>> {
    let origin = scene.camera.position;
    let forward = unit(sub(scene.camera.target, origin));
    let right = unit(cross(forward, [0.0, 1.0, 0.0]));
    let up = cross(right, forward);
    let tan = (scene.camera.fov_degrees.to_radians() / 2.0).tan();
    let mut distances = Vec::new();
    for row in 0..size {
        for column in 0..size {
            let u = ((column as f32 + 0.5) / size as f32 * 2.0 - 1.0) * tan;
            let v = (1.0 - (row as f32 + 0.5) / size as f32 * 2.0) * tan;
            let ray = unit([0, 1, 2].map(|i| forward[i] + right[i] * u + up[i] * v));
            let to = sub(centre, origin);
            let along = dot(to, ray);
            let off = dot(to, to) - along * along;
            distances.push((off < radius * radius).then(|| along - (radius * radius - off).sqrt()));
        }
    }
    distances
}

#[test]
fn ids_and_depth_are_those_of_the_ball() {
    for at in [[0.0f32, 1.0, 0.0], [1.2, 0.6, 0.5], [-0.9, 2.1, -1.0]] {
        let [x, y, z] = at;
        let scene = lab(
            &format!(
                "(name: \"ball\", kind: Fixed, shape: Ball(radius: 0.4), colour: Blue, position: ({x:?}, \
                 {y:?}, {z:?})),"
            ),
            "",
        );
        let reality = Reality::new(&scene, 0).unwrap();
        let size = 96;
        let view = Eye::new(&scene, size, 1).unwrap().look(&reality);
        let expected = silhouette(&scene, size, at, 0.4);
        let area = expected.iter().flatten().count();
        assert!(area > 150, "the ball is in the picture");
        let wrong = (0..size * size)
            .filter(|&i| (view.ids[i] == 1) != expected[i].is_some())
            .count();
        assert!(
            wrong <= 2,
            "{at:?}: {wrong} of {area} pixels are wrong; rounding may decide at the very rim only"
        );
        for (i, distance) in expected.iter().enumerate() {
            let (Some(distance), 1) = (distance, view.ids[i]) else {
                continue;
            };
            assert!(
                (view.depth[i] - distance).abs() < 2e-3 * distance.max(1.0) + 4e-3,
                "{} is not {distance}",
                view.depth[i]
            );
        }
    }
}

#[test]
fn supersampling_keeps_the_silhouette_and_softens_its_edge() {
    let push = scene("push");
    let reality = Reality::new(&push, HELD_OUT_SEED).unwrap();
    let area = |samples: usize| {
        let view = Eye::new(&push, 64, samples).unwrap().look(&reality);
        [1u8, 2].map(|id| view.ids.iter().filter(|&&i| i == id).count() as f32)
    };
    for (one, four) in area(1).iter().zip(area(4)) {
        assert!(
            (one - four).abs() / one < 0.2 && *one > 10.0,
            "{one} pixels became {four}"
        );
    }
}

#[test]
fn the_middle_of_the_picture_is_the_cameras_target() {
    // The camera of `push` looks at a point of the floor; an odd side has a pixel in the very middle.
    let mut push = (*scene("push")).clone();
    push.camera.target = [0.3, 0.0, -0.2];
    for body in &mut push.bodies {
        body.position[0] = -0.4;
    }
    push.randomise.clear();
    push.apart.clear();
    let push = Arc::new(push);
    let view = Eye::new(&push, 65, 1)
        .unwrap()
        .look(&Reality::new(&push, 0).unwrap());
    let to = sub(push.camera.target, push.camera.position);
    let middle = 32 * 65 + 32;
    assert_eq!(view.ids[middle], 0, "nothing stands there");
    assert!(
        (view.depth[middle] - dot(to, to).sqrt()).abs() < 1e-4,
        "{}",
        view.depth[middle]
    );
}

#[test]
fn x_goes_right_y_up_and_z_towards_an_eye_that_looks_along_minus_z() {
    let eye = Eye::standard(&lab(
        "(name: \"b\", kind: Fixed, shape: Ball(radius: 0.1), colour: Blue, \
         position: (0.0, 0.1, 0.0)),",
        "",
    ))
    .unwrap();
    let at = |p: V| eye.project(p).expect("in front");
    let centre = at([0.0, 1.0, 0.0]);
    assert!((centre[0] - 32.0).abs() < 1e-3 && (centre[1] - 32.0).abs() < 1e-3);
    assert!(at([0.5, 1.0, 0.0])[0] > centre[0], "x to the right");
    assert!(at([0.0, 1.5, 0.0])[1] < centre[1], "y up, rows down");
    assert!(
        eye.metres_per_pixel([0.0, 1.0, 1.0]) < eye.metres_per_pixel([0.0, 1.0, 0.0]),
        "z towards the eye"
    );
    // Seen from above (`push`), z goes down the picture.
    let above = Eye::standard(&scene("push")).unwrap();
    let (far, near) = (
        above.project([0.0, 0.0, -0.3]).unwrap(),
        above.project([0.0, 0.0, 0.3]).unwrap(),
    );
    assert!(near[1] > far[1]);
}

#[test]
fn a_look_is_the_same_bits_on_every_thread() {
    for name in SCENES {
        let scene = scene(name);
        let eye = Eye::standard(&scene).unwrap();
        let looks = |threads: usize| -> Vec<Vec<u8>> {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                (0..16u64)
                    .into_par_iter()
                    .map(|seed| {
                        view_bits(&eye.look(&Reality::new(&scene, HELD_OUT_SEED + seed).unwrap()))
                    })
                    .collect()
            })
        };
        assert!(looks(1) == looks(4), "{name}");
    }
}

#[test]
fn an_eye_of_no_size_is_refused() {
    for (size, samples) in [(0, 1), (8, 1), (1024, 1), (64, 0), (64, 9)] {
        let error = Eye::new(&scene("push"), size, samples)
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains("16 to 512"), "{error}");
    }
}

#[test]
fn a_scene_may_ask_for_another_size_and_other_samples() {
    let ask = |size, samples| {
        let mut push = (*scene("push")).clone();
        (push.camera.size, push.camera.samples) = (size, samples);
        Arc::new(push)
    };
    for (size, samples) in [(64, 2), (96, 1), (128, 4)] {
        let push = ask(size, samples);
        let eye = Eye::standard(&push).unwrap();
        assert_eq!((eye.size(), eye.samples()), (size, samples));
        let view = eye.look(&Reality::new(&push, 0).unwrap());
        let pixels = size * size;
        assert_eq!((view.size, view.rgb.len()), (size, pixels * 3));
        assert_eq!(
            (view.depth.len(), view.ids.len(), view.moving.len()),
            (pixels, pixels, pixels)
        );
    }
}

#[test]
fn the_mask_is_the_union_of_the_bodies_that_can_move() {
    let reach = scene("reach");
    assert!(
        reach.bodies.iter().any(|b| b.kind == Kind::Fixed),
        "reach has a wall"
    );
    let view = Eye::standard(&reach)
        .unwrap()
        .look(&Reality::new(&reach, HELD_OUT_SEED).unwrap());
    for (i, &id) in view.ids.iter().enumerate() {
        let moves = id > 0 && reach.bodies[id as usize - 1].kind != Kind::Fixed;
        assert_eq!(view.moving[i], moves, "pixel {i} shows {id}");
    }
    assert!(view.moving.iter().filter(|&&m| m).count() > 10);
}

fn on_checker(tile_m: f32) -> Arc<Scene> {
    let mut push = (*scene("push")).clone();
    push.floor = Floor::Checker { tile_m };
    Arc::new(push)
}

#[test]
fn the_checker_stands_where_the_floor_does() {
    let push = on_checker(0.2);
    let reality = Reality::new(&push, HELD_OUT_SEED).unwrap();
    for samples in [1, 2, 4] {
        let eye = Eye::new(&push, 64, samples).unwrap();
        let view = eye.look(&reality);
        let plain = Eye::new(&scene("push"), 64, samples)
            .unwrap()
            .look(&reality);
        assert_eq!(
            (&view.ids, &view.depth),
            (&plain.ids, &plain.depth),
            "a pattern has no shape"
        );
        let (mut light, mut dark) = (0, 0);
        for i in 0..64 * 64 {
            let pixel = [(i % 64) as f32 + 0.5, (i / 64) as f32 + 0.5];
            let Some(at) = eye.unproject(pixel, 0.0).filter(|_| view.ids[i] == 0) else {
                continue;
            };
            // Where the whole pixel lies in one tile.
            let inside = |v: f32| ((v / 0.2).rem_euclid(1.0) - 0.5).abs() < 0.35;
            if !inside(at[0]) || !inside(at[2]) {
                continue;
            }
            let even = ((at[0] / 0.2).floor() + (at[2] / 0.2).floor()).rem_euclid(2.0) == 0.0;
            let (tile, grey) = (view.rgb[3 * i], plain.rgb[3 * i]);
            let share = f32::from(tile) / f32::from(grey);
            assert!(
                (share - if even { 1.06 } else { 0.94 }).abs() < 0.02,
                "pixel {i} at {at:?}: {tile} where the plain floor is {grey}"
            );
            *(if even { &mut light } else { &mut dark }) += 1;
        }
        assert!(
            light > 300 && dark > 300,
            "{light} light and {dark} dark pixels"
        );
    }
}

#[test]
fn a_checker_too_fine_to_see_is_the_plain_grey() {
    let push = on_checker(0.01);
    let mut push = (*push).clone();
    push.camera.position = [0.0, 40.0, 20.0];
    let push = Arc::new(push);
    let view = Eye::new(&push, 64, 1)
        .unwrap()
        .look(&Reality::new(&push, 0).unwrap());
    let greys: Vec<u8> = (0..64 * 64)
        .filter(|&i| view.ids[i] == 0)
        .map(|i| view.rgb[3 * i])
        .collect();
    let (low, high) = (greys.iter().min().unwrap(), greys.iter().max().unwrap());
    assert!(high - low <= 2, "moiré from {low} to {high}");
}

#[test]
fn a_jittering_camera_stands_elsewhere_for_each_seed_and_for_the_same_seed_at_the_same_place() {
    let mut push = (*scene("push")).clone();
    push.camera.jitter_m = 0.1;
    let push = Arc::new(push);
    let eye = Eye::standard(&push).unwrap();
    let world = [0.2, 0.0, -0.1];
    let mut places = Vec::new();
    for seed in 0..40 {
        let shift = Eye::shift(&push, seed);
        assert!(
            shift.iter().all(|s| s.abs() <= 0.1) && shift == Eye::shift(&push, seed),
            "{shift:?}"
        );
        let there = eye.for_seed(seed);
        let mut moved = (*scene("push")).clone();
        for (at, by) in moved.camera.position.iter_mut().zip(shift) {
            *at += by;
        }
        let moved = Arc::new(moved);
        let still = Eye::standard(&moved).unwrap();
        assert_eq!(there.project(world), still.project(world), "seed {seed}");
        let reality = Reality::new(&push, seed).unwrap();
        let view = eye.look(&reality);
        assert!(
            view == still.look(&Reality::new(&moved, seed).unwrap())
                && view == there.look(&reality)
        );
        places.push(there.project(world).unwrap()[0]);
        // The target stays in the middle.
        let middle = there.project(push.camera.target).unwrap();
        assert!((middle[0] - 32.0).abs() < 0.01 && (middle[1] - 32.0).abs() < 0.01);
    }
    let spread = places
        .iter()
        .fold(0.0f32, |s, p| s.max((p - places[0]).abs()));
    assert!(spread > 0.3, "the picture moves by {spread} pixels");
    assert_eq!(Eye::shift(&scene("push"), 5), [0.0; 3]);
}

/// Pixels of each id, and the mean red of a body's lit pixels in a column of the picture.
fn look(scene: &Arc<Scene>, size: usize) -> parallax::camera::View {
    Eye::new(scene, size, 1)
        .unwrap()
        .look(&Reality::new(scene, 0).unwrap())
}

#[test]
fn a_hull_of_a_boxs_corners_looks_like_the_box() {
    let body = |shape: &str| {
        format!(
            "(name: \"b\", kind: Fixed, shape: {shape}, colour: Blue, position: (0.2, 0.8, 0.1), yaw: \
             33.0, marked: true),"
        )
    };
    let corners: Vec<String> = (0..8)
        .map(|i| {
            let at = |bit: i32, h: f32| if i >> bit & 1 == 0 { -h } else { h };
            format!("({:?}, {:?}, {:?})", at(0, 0.5), at(1, 0.4), at(2, 0.3))
        })
        .collect();
    let hull = format!("Convex(points: [{}])", corners.join(", "));
    let cuboid = look(&lab(&body("Cuboid(half: (0.5, 0.4, 0.3))"), ""), 96);
    let hull = look(&lab(&body(&hull).replace(", marked: true", ""), ""), 96);
    let differ = (0..96 * 96)
        .filter(|&i| cuboid.ids[i] != hull.ids[i])
        .count();
    assert!(differ <= 2, "{differ} pixels");
    for i in 0..96 * 96 {
        if cuboid.ids[i] == hull.ids[i] && hull.ids[i] == 1 {
            assert!((cuboid.depth[i] - hull.depth[i]).abs() < 1e-3, "pixel {i}");
        }
    }
    let shade = |v: &parallax::camera::View| {
        (0..96 * 96)
            .filter(|&i| v.ids[i] == 0 && v.rgb[3 * i] < 110)
            .count()
    };
    assert!(
        shade(&cuboid).abs_diff(shade(&hull)) <= 4,
        "{} and {} pixels in shadow",
        shade(&cuboid),
        shade(&hull)
    );
}

#[test]
fn a_compound_looks_like_its_parts_and_shades_itself() {
    // A table: a plate over a slab, the sun straight above; the slab lies in the plate's shadow.
    let part =
        |half: &str, y: f32| format!("(shape: Cuboid(half: {half}), position: (0.0, {y:?}, 0.0))");
    let (plate, slab) = (part("(0.6, 0.05, 0.4)", 0.9), part("(0.9, 0.1, 0.6)", -0.5));
    let table = lab(
        &format!(
            "(name: \"t\", kind: Fixed, shape: Compound(parts: [{plate}, {slab}]), colour: Orange, \
             position: (0.0, 0.7, 0.0)),"
        ),
        "sun: (0.0, -1.0, 0.0)",
    );
    let apart = lab(
        "(name: \"p\", kind: Fixed, shape: Cuboid(half: (0.6, 0.05, 0.4)), colour: Orange, position: \
         (0.0, 1.6, 0.0)),
         (name: \"s\", kind: Fixed, shape: Cuboid(half: (0.9, 0.1, 0.6)), colour: Orange, position: (0.0, \
         0.2, 0.0)),",
        "sun: (0.0, -1.0, 0.0)",
    );
    let (one, two) = (look(&table, 96), look(&apart, 96));
    assert!(one.ids.iter().filter(|&&i| i == 1).count() > 200);
    for i in 0..96 * 96 {
        assert_eq!(one.ids[i] > 0, two.ids[i] > 0, "pixel {i}");
        assert_eq!(
            one.rgb[3 * i..3 * i + 3],
            two.rgb[3 * i..3 * i + 3],
            "pixel {i}"
        );
    }
    // Seen on the slab's top: under the plate dark, beside it light.
    let eye = Eye::new(&table, 96, 1).unwrap();
    let red = |at: V| {
        let [x, y] = eye.project(at).unwrap().map(|p| p as usize);
        assert_eq!(one.ids[y * 96 + x], 1, "{at:?}");
        one.rgb[3 * (y * 96 + x)]
    };
    let (under, beside) = (red([0.0, 0.3, 0.3]), red([0.8, 0.3, 0.3]));
    assert!(
        under + 60 < beside,
        "{under} under the plate, {beside} beside it"
    );
}

#[test]
fn a_soft_body_is_seen_where_it_is() {
    let jelly = scene("jelly");
    let eye = Eye::standard(&jelly).unwrap();
    let mut reality = Reality::new(&jelly, HELD_OUT_SEED).unwrap();
    for _ in 0..8 {
        reality.step();
    }
    let (view, state) = (eye.look(&reality), reality.measure());
    for (i, body) in jelly.bodies.iter().enumerate() {
        if body.kind != Kind::Soft {
            continue;
        }
        let mine: Vec<usize> = (0..view.ids.len())
            .filter(|&p| view.ids[p] == i as u8 + 1)
            .collect();
        assert!(
            mine.len() > 20,
            "{} covers {} pixels",
            body.name,
            mine.len()
        );
        let mean = |f: fn(usize) -> usize| {
            mine.iter().map(|&p| f(p) as f32 + 0.5).sum::<f32>() / mine.len() as f32
        };
        let (x, y) = (mean(|p| p % 64), mean(|p| p / 64));
        let at = eye.project(state.bodies[i].position).unwrap();
        assert!(
            (at[0] - x).abs() < 4.0 && (at[1] - y).abs() < 4.0,
            "{}: at {at:?}, seen around {x} {y}",
            body.name
        );
        assert!(mine.iter().all(|&p| view.moving[p]));
    }
}

#[test]
fn what_vanishes_is_not_seen_and_what_changes_its_colour_is_seen_in_the_new_one() {
    let with = |what: &str| {
        let text =
            std::fs::read_to_string(parallax::scene::library_dir().join("collide.ron")).unwrap();
        let at = text.trim_end().rfind(')').unwrap();
        let name = scene("collide").bodies[0].name.clone();
        let text = format!(
            "{} edits: [(step: 1, body: \"{name}\", what: {what})])",
            &text[..at]
        );
        let scene = Arc::new(Scene::parse(&text, std::path::Path::new("edited.ron")).unwrap());
        let mut reality = Reality::new(&scene, HELD_OUT_SEED).unwrap();
        let eye = Eye::standard(&scene).unwrap();
        let before = eye.look(&reality);
        reality.step();
        reality.step();
        (before, eye.look(&reality))
    };
    let (before, after) = with("Vanish");
    assert!(before.ids.contains(&1) && !after.ids.contains(&1));
    let (before, after) = with("Recolour(colour: Green)");
    let hue = |v: &parallax::camera::View| {
        let p = v.ids.iter().position(|&i| i == 1).unwrap();
        v.rgb[3 * p + 1] > v.rgb[3 * p] && v.rgb[3 * p + 1] > v.rgb[3 * p + 2]
    };
    assert!(!hue(&before) && hue(&after));
}
