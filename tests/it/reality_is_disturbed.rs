//! What people do to reality can be seen, and taken back: worker tests, no window.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use parallax::model::{Cancel, Frame, ModelError};
use parallax::planner::{Controller, Informed, Pilot, SIGHT_FRAMES, Sight, Truth};
use parallax::scene::Scene;
use parallax::sim::{Drag, Reality};
use parallax::worker::{
    Deed, Driver, GoalShown, Mark, Moment, News, RealityHandle, RealityOrder, Replay, Replayer,
    Rewound, SessionFile, Solid, add_deed, recorded, spawn_reality, watch,
};

use crate::support::{lab, scene, state_bits};

const PATIENCE: Duration = Duration::from_secs(60);

/// A reality that stands still until it is told to step, and what it told.
struct Bench {
    reality: RealityHandle,
    episode: u64,
    moments: Vec<Arc<Moment>>,
    goal: Option<GoalShown>,
    marks: Vec<Mark>,
    seed: u64,
    deeds: Vec<(usize, Deed)>,
    undo: Option<String>,
    redo: Option<String>,
    saved: Option<String>,
    solids: Vec<Solid>,
    interventions: BTreeMap<String, f32>,
    rewound: Option<Rewound>,
    ended: Option<Option<bool>>,
    failed: Option<String>,
}

impl Bench {
    fn new(scene: &Arc<Scene>, seed: u64) -> Self {
        let mut bench = Self {
            reality: spawn_reality().unwrap(),
            episode: 0,
            moments: Vec::new(),
            goal: None,
            marks: Vec::new(),
            seed,
            deeds: Vec::new(),
            undo: None,
            redo: None,
            saved: None,
            solids: Vec::new(),
            interventions: BTreeMap::new(),
            rewound: None,
            ended: None,
            failed: None,
        };
        bench.tell(RealityOrder::Load(scene.clone(), seed));
        bench.until("an episode", |b| {
            !b.moments.is_empty() && !b.solids.is_empty()
        });
        bench
    }

    fn tell(&self, order: RealityOrder) {
        self.reality.tell(order);
    }

    fn hear(&mut self) {
        while let Some(news) = self.reality.poll() {
            match news {
                News::Began(start) => {
                    self.episode = start.episode;
                    self.deeds = start.deeds;
                    self.moments = vec![start.first];
                    self.goal = start.goal;
                    self.marks.clear();
                    self.ended = None;
                }
                News::Moment { moment, .. } => self.moments.push(moment),
                News::Rewound(to) => {
                    self.episode = to.start.episode;
                    self.deeds = to.start.deeds.clone();
                    self.moments = to.moments.clone();
                    self.goal = to.start.goal.clone();
                    self.marks = to.marks.clone();
                    self.interventions = to.interventions.clone();
                    self.rewound = Some(*to);
                }
                News::Amended {
                    moment,
                    goal,
                    goes_on,
                    ..
                } => {
                    *self.moments.last_mut().unwrap() = moment;
                    self.goal = goal;
                    if goes_on {
                        self.ended = None;
                    }
                }
                News::Marked { marks, .. } => self.marks = marks,
                News::WayBack { undo, redo, saved } => {
                    (self.undo, self.redo, self.saved) = (undo, redo, saved);
                }
                News::Solids(solids) => self.solids = solids,
                News::Ended { success, .. } => self.ended = Some(success),
                News::Failed(message) => self.failed = Some(message),
                News::Did { at, deed, .. } => add_deed(&mut self.deeds, at, deed),
                News::Decided(_) => {}
            }
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Bench) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(
                start.elapsed() < PATIENCE,
                "{what} did not come; {:?}",
                self.failed
            );
            std::thread::sleep(Duration::from_millis(2));
            self.hear();
        }
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            let next = self.moments.len() + 1;
            self.tell(RealityOrder::Step);
            self.until("a step", |b| b.moments.len() >= next);
        }
    }

    fn newest(&self) -> &Moment {
        self.moments.last().unwrap()
    }

    fn position(&self, body: usize) -> [f32; 3] {
        self.newest().state.bodies[body].position
    }

    fn undo(&mut self) {
        self.rewound = None;
        self.tell(RealityOrder::Undo);
        self.until("the way back", |b| b.rewound.is_some());
    }
}

fn ball() -> Arc<Scene> {
    lab(
        "(name: \"ball\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Orange, position: (0.0, 0.1, \
         0.0), mass: 0.5)",
        "",
    )
}

#[test]
fn a_pulled_body_follows_and_undo_brings_it_back_to_the_bit() {
    let mut bench = Bench::new(&ball(), 0);
    bench.steps(2);
    let before = state_bits(&bench.newest().state);
    let target = [0.4, 0.3, -0.2];
    bench.tell(RealityOrder::Pull(Some(Drag {
        body: 0,
        point_in_body: [0.0; 3],
        target,
    })));
    bench.steps(8);
    let at = bench.position(0);
    assert!(
        (at[0] - 0.4).abs() < 0.02 && (at[2] + 0.2).abs() < 0.02,
        "{at:?}"
    );
    bench.tell(RealityOrder::Pull(None));
    bench.steps(2);
    assert_eq!(
        bench.marks.len(),
        1,
        "one pull is one disturbance: {:?}",
        bench.marks
    );
    assert_eq!(bench.marks[0].moment, 2);
    assert_eq!(bench.undo.as_deref(), Some("pull on ball"));
    let episode = bench.episode;
    bench.undo();
    assert_eq!(bench.moments.len(), 3);
    assert_eq!(state_bits(&bench.newest().state), before);
    assert!(
        bench.episode > episode,
        "late news of the old course must not be mistaken"
    );
    assert!(bench.marks.is_empty() && bench.undo.is_none());
    // From here on it goes the way it would have gone without the pull.
    bench.steps(3);
    let undisturbed = {
        let mut other = Bench::new(&ball(), 0);
        other.steps(5);
        state_bits(&other.newest().state)
    };
    assert_eq!(state_bits(&bench.newest().state), undisturbed);
}

#[test]
fn what_was_undone_is_done_again_to_the_bit_until_another_course_is_taken() {
    let mut bench = Bench::new(&ball(), 0);
    let strike = |x: f32| RealityOrder::Strike(0, [x, 0.0, 0.0]);
    bench.tell(strike(0.5));
    bench.steps(4);
    bench.tell(strike(-0.3));
    bench.steps(3);
    let (after, length) = (state_bits(&bench.newest().state), bench.moments.len());
    bench.undo();
    bench.until("the way forth", |b| b.redo.is_some());
    assert_eq!(bench.redo.as_deref(), Some("impulse on ball"));
    // Time that passes takes nothing away.
    bench.steps(2);
    bench.rewound = None;
    bench.tell(RealityOrder::Redo);
    bench.until("the same again", |b| {
        b.rewound.is_some() && b.redo.is_none()
    });
    assert_eq!(bench.moments.len(), length);
    assert_eq!(state_bits(&bench.newest().state), after);
    assert_eq!(bench.marks.len(), 2);
    // Both are undone once more, and another disturbance ends the way forth.
    bench.undo();
    bench.undo();
    bench.until("nothing to undo", |b| b.undo.is_none() && b.redo.is_some());
    bench.tell(strike(0.2));
    bench.until("another course", |b| b.undo.is_some() && b.redo.is_none());
}

#[test]
fn a_pull_that_nothing_came_of_is_not_kept() {
    let mut bench = Bench::new(&ball(), 0);
    bench.tell(RealityOrder::Pull(Some(Drag {
        body: 0,
        point_in_body: [0.0; 3],
        target: [1.0; 3],
    })));
    bench.until("the pull", |b| b.undo.is_some());
    bench.tell(RealityOrder::Pull(None));
    bench.until("its end", |b| b.undo.is_none() && b.marks.is_empty());
}

#[test]
fn a_pull_acts_where_the_body_is_held() {
    let push = scene("push");
    let pulled = |point_in_body: [f32; 3]| {
        let mut reality = Reality::new(&push, 1_000_000).unwrap();
        reality.put(0, [-0.4, 0.08, -0.4], None);
        reality.put(1, [0.1, 0.11, 0.1], Some(0.0));
        // Across the line from the centre to the point.
        let target = [0.1 + point_in_body[0], 0.11, 0.1 + 0.25];
        reality.drag(Some(Drag {
            body: 1,
            point_in_body,
            target,
        }));
        (0..40).for_each(|_| reality.step());
        reality.measure().bodies[1]
    };
    let (centre, edge) = (pulled([0.0; 3]), pulled([0.1, 0.0, 0.0]));
    assert!(centre.yaw().abs() < 0.05, "{}", centre.yaw());
    assert!(centre.planar_distance([0.1, 0.35]) < 0.05, "{centre:?}");
    assert!(edge.yaw().abs() > 0.4, "{}", edge.yaw());
    // The held point is where it was led, as near as friction lets it come; the centre is not.
    let (sin, cos) = edge.yaw().sin_cos();
    let held = [edge.position[0] + 0.1 * cos, edge.position[2] - 0.1 * sin];
    let far = (held[0] - 0.2).hypot(held[1] - 0.35);
    assert!(far < 0.08, "{held:?}");
    assert!(edge.planar_distance([0.1, 0.35]) > 0.05, "{edge:?}");
}

#[test]
fn an_impulse_gives_its_share_of_speed() {
    let mut bench = Bench::new(&ball(), 0);
    bench.tell(RealityOrder::Strike(0, [0.25, 0.0, 0.0]));
    bench.steps(1);
    let speed = bench.newest().state.bodies[0].velocity[0];
    // 0.25 N·s on 0.5 kg, less what friction and rolling take in a tenth of a second.
    assert!((0.3..=0.5).contains(&speed), "{speed}");
    assert_eq!(bench.undo.as_deref(), Some("impulse on ball"));
}

#[test]
fn a_pulled_hand_goes_there_by_its_own_action() {
    let mut bench = Bench::new(&scene("reach"), 1_000_000);
    let from = bench.position(0);
    let target = [from[0] - 0.1 * from[0].signum(), from[1], from[2]];
    bench.tell(RealityOrder::Pull(Some(Drag {
        body: 0,
        point_in_body: [0.0; 3],
        target,
    })));
    bench.steps(6);
    assert!((bench.position(0)[0] - target[0]).abs() < 0.01);
    assert!(
        bench.moments[1].action[0].abs() > 0.9,
        "the action is what moved it"
    );
}

#[test]
fn fixed_bodies_and_unknown_ones_are_left_alone() {
    let mut bench = Bench::new(&scene("reach"), 1_000_000);
    for body in [1, 7] {
        bench.tell(RealityOrder::Pull(Some(Drag {
            body,
            point_in_body: [0.0; 3],
            target: [0.0, 1.0, 0.0],
        })));
        bench.tell(RealityOrder::Strike(body, [1.0, 0.0, 0.0]));
    }
    let wall = bench.position(1);
    bench.steps(2);
    assert_eq!(bench.position(1), wall);
    assert!(
        bench.marks.is_empty() && bench.undo.is_none(),
        "{:?}",
        bench.marks
    );
}

/// The place and the picture of the goal that a controller was shown last.
type Seen = Arc<Mutex<Option<([f32; 2], Frame)>>>;

/// Tells the goal that it is shown, and does nothing.
struct Watcher(Seen, [f32; 2]);

impl Controller for Watcher {
    fn decide(&mut self, sight: &Sight, _cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        assert!(sight.context.frames.len() <= SIGHT_FRAMES);
        *self.0.lock().unwrap() = Some((self.1, sight.goal.frame.clone()));
        Ok(vec![0.0; sight.dim])
    }

    fn reset(&mut self, _seed: u64) {}
}

impl Informed for Watcher {
    fn see(&mut self, truth: Truth) {
        self.1 = truth.goal.targets[0].place();
    }
}

#[test]
fn a_moved_goal_changes_picture_place_and_what_planners_are_shown() {
    let mut bench = Bench::new(&scene("push"), 1_000_000);
    let seen = Seen::default();
    bench.tell(RealityOrder::Drive(Driver::Controller {
        controller: Arc::new(Mutex::new(Pilot::Informed(Box::new(Watcher(
            seen.clone(),
            [f32::NAN; 2],
        ))))),
        preview: None,
    }));
    bench.steps(1);
    let old = bench.goal.clone().unwrap();
    let distance = bench.newest().distance_m;
    let place = [-old.place[0].signum() * 0.2, 0.1];
    for share in [0.3, 0.7, 1.0] {
        let place = [place[0] * share, place[1]];
        bench.tell(RealityOrder::MoveGoal {
            target: 0,
            place,
            held: true,
        });
    }
    bench.tell(RealityOrder::MoveGoal {
        target: 0,
        place,
        held: false,
    });
    bench.until("the goal", |b| {
        b.goal.as_ref().is_some_and(|g| g.place == place)
    });
    let goal = bench.goal.clone().unwrap();
    assert_ne!(goal.picture, old.picture);
    assert_ne!(
        bench.newest().distance_m,
        distance,
        "the distance is that to the new goal"
    );
    bench.steps(2);
    let (told, picture) = seen.lock().unwrap().clone().unwrap();
    assert_eq!(told, place);
    assert_eq!(picture, goal.picture.frame);
    assert_eq!(bench.undo.as_deref(), Some("move of the goal"));
    bench.undo();
    assert_eq!(
        bench.goal,
        Some(old),
        "one drag of the goal is one disturbance"
    );
    // Where no agent can bring it, it is put as near as can be.
    bench.tell(RealityOrder::MoveGoal {
        target: 0,
        place: [9.0, 0.0],
        held: false,
    });
    bench.until("the goal", |b| {
        b.goal.as_ref().is_some_and(|g| g.place == [0.45, 0.0])
    });
}

#[test]
fn a_goal_under_the_body_ends_the_episode_only_when_it_is_let_go() {
    let mut bench = Bench::new(&scene("push"), 1_000_000);
    let [x, _, z] = bench.position(1);
    bench.tell(RealityOrder::MoveGoal {
        target: 0,
        place: [x, z],
        held: true,
    });
    bench.steps(3);
    assert_eq!(bench.ended, None);
    bench.tell(RealityOrder::MoveGoal {
        target: 0,
        place: [x, z],
        held: false,
    });
    bench.steps(1);
    bench.until("the end", |b| b.ended == Some(Some(true)));
    let away = [if x > 0.0 { -0.3 } else { 0.3 }, z];
    bench.tell(RealityOrder::MoveGoal {
        target: 0,
        place: away,
        held: false,
    });
    bench.until("another task", |b| b.ended.is_none());
}

#[test]
fn a_slider_is_one_disturbance_and_undo_takes_back_value_and_time() {
    let mut bench = Bench::new(&ball(), 0);
    bench.steps(3);
    for value in [-5.0, -2.0, 3.0] {
        bench.tell(RealityOrder::Set("gravity".into(), value));
    }
    bench.steps(5);
    assert!(bench.position(0)[1] > 0.2, "it floats away");
    assert_eq!(bench.marks.len(), 1);
    bench.undo();
    assert_eq!(bench.moments.len(), 4);
    assert!(bench.interventions.is_empty());
    bench.steps(5);
    assert!((bench.position(0)[1] - 0.1).abs() < 0.01, "gravity is back");
    // What is refused is no disturbance.
    bench.tell(RealityOrder::Set("ball.mass".into(), -1.0));
    bench.until("a refusal", |b| b.failed.is_some());
    assert!(bench.undo.is_none());
}

#[test]
fn undo_reaches_back_sixteen_disturbances_and_ends_with_its_episode() {
    let mut bench = Bench::new(&ball(), 0);
    for i in 0..20 {
        let along = if i % 2 == 0 { 0.02 } else { -0.02 };
        bench.tell(RealityOrder::Strike(0, [along, 0.0, 0.0]));
        bench.steps(1);
    }
    let mut undone = 0;
    while bench.undo.is_some() {
        bench.undo();
        undone += 1;
        bench.hear();
        let left = 20 - undone;
        assert_eq!(bench.moments.len() - 1, left, "before disturbance {left}");
        let undo = bench.undo.clone();
        // The list of ways follows the way back.
        std::thread::sleep(Duration::from_millis(20));
        bench.hear();
        assert!(undo.is_none() || bench.undo.is_some() || undone == 16);
    }
    assert_eq!(undone, 16);
    bench.tell(RealityOrder::Strike(0, [0.02, 0.0, 0.0]));
    bench.steps(1);
    bench.tell(RealityOrder::Reset(5));
    bench.until("the next episode", |b| {
        b.moments.len() == 1 && b.undo.is_none()
    });
    // Nobody is thrown back into an episode that is over.
    bench.rewound = None;
    bench.tell(RealityOrder::Undo);
    bench.steps(2);
    assert!(bench.rewound.is_none());
    assert_eq!(bench.moments.len(), 3);
}

#[test]
fn time_begins_with_the_first_key_of_whoever_drives_and_their_episode_does_not_end_by_itself() {
    let mut bench = Bench::new(&scene("push"), 1_000_000);
    bench.tell(RealityOrder::Speed(16.0));
    bench.tell(RealityOrder::Drive(Driver::Keyboard));
    bench.tell(RealityOrder::Play(true));
    std::thread::sleep(Duration::from_millis(400));
    bench.hear();
    assert_eq!(
        bench.moments.len(),
        1,
        "time ran before anybody did anything"
    );
    bench.tell(RealityOrder::Hold([1.0, 0.0, 0.0, 0.0]));
    bench.tell(RealityOrder::Hold([0.0; 4]));
    // The task's budget is 50 steps: the next seed would follow ten steps later.
    bench.until("a long episode", |b| b.moments.len() > 70);
    assert_eq!(bench.ended, Some(Some(false)));
}

#[test]
fn a_saved_moment_is_returned_to_as_often_as_wanted() {
    let mut bench = Bench::new(&scene("fall"), 1_000_001);
    bench.steps(4);
    bench.tell(RealityOrder::Restore);
    bench.tell(RealityOrder::Save);
    bench.until("saving", |b| b.saved.is_some());
    let saved = state_bits(&bench.newest().state);
    let mut went = Vec::new();
    for _ in 0..2 {
        bench.steps(6);
        went.push(state_bits(&bench.newest().state));
        bench.rewound = None;
        bench.tell(RealityOrder::Restore);
        bench.until("the saved moment", |b| b.rewound.is_some());
        assert_eq!(bench.moments.len(), 5);
        assert_eq!(state_bits(&bench.newest().state), saved);
    }
    assert_eq!(went[0], went[1], "the same future from the same moment");
    bench.undo();
    assert_eq!(bench.moments.len(), 11, "a return can be undone, too");
}

#[test]
fn a_saved_scene_file_is_told_and_a_bad_one_is_named_until_it_is_good() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("push.ron");
    let text = std::fs::read_to_string(parallax::scene::library_dir().join("push.ron")).unwrap();
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(&text);
    let shown = Arc::new(Scene::load(&path).unwrap());
    let watch = watch(Path::new(&path), shown, Duration::from_millis(20)).unwrap();
    let news = || {
        let start = Instant::now();
        loop {
            if let Some(news) = watch.poll() {
                return news;
            }
            assert!(start.elapsed() < PATIENCE, "no news of the file");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // The same scene in other words is no news; another gravity is.
    write(&text.replace("summary", " summary"));
    std::thread::sleep(Duration::from_millis(200));
    write(&text.replace("actions: Planar", "gravity: -3.7,\n    actions: Planar"));
    assert_eq!(news().unwrap().gravity, -3.7);
    write(&text.replace("Ball(radius: 0.07)", "Ball(radius: -7)"));
    let error = news().unwrap_err();
    assert!(
        error.contains("push.ron:6") && error.contains("shape"),
        "{error}"
    );
    write("Scene(name: \"push\",");
    let error = news().unwrap_err();
    assert!(error.contains("push.ron:1"), "{error}");
    std::fs::remove_file(&path).unwrap();
    assert!(news().unwrap_err().contains("cannot be read"));
    write(&text);
    assert_eq!(news().unwrap().gravity, -9.81);
}

fn save(bench: &Bench, scene: &Scene, path: &Path) {
    let session = SessionFile::new(scene, bench.seed, &bench.moments, &bench.deeds);
    std::fs::write(path, session.text().unwrap()).unwrap();
}

fn replay(file: &Path) -> Result<parallax::worker::Replayed, String> {
    let file = file.to_path_buf();
    Replayer::default().replay(&Replay { file, episode: 0 }, &Cancel::new())
}

#[test]
fn a_saved_session_with_all_that_was_done_to_it_replays_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.session");
    let push = scene("push");
    let cube = push.body_index("cube").unwrap();
    let mut bench = Bench::new(&push, 1_000_003);
    let pull = |x: f32| {
        RealityOrder::Pull(Some(Drag {
            body: cube,
            point_in_body: [0.01, 0.0, 0.0],
            target: [x, 0.2, 0.1],
        }))
    };
    bench.tell(RealityOrder::Set("gravity".into(), -5.0));
    bench.steps(2);
    bench.tell(RealityOrder::Hold([0.7, 0.0, -0.4, 0.0]));
    bench.steps(3);
    bench.tell(RealityOrder::Strike(cube, [0.2, 0.1, -0.1]));
    bench.tell(RealityOrder::Set("cube.mass".into(), 0.4));
    bench.steps(3);
    bench.tell(pull(0.1));
    bench.steps(1);
    bench.tell(pull(0.2));
    bench.steps(2);
    // Undone while the body is held: from there on nobody pulls.
    bench.undo();
    bench.steps(2);
    bench.tell(pull(-0.1));
    bench.tell(pull(-0.2));
    bench.steps(3);
    bench.tell(RealityOrder::Pull(None));
    bench.tell(RealityOrder::MoveGoal {
        target: 0,
        place: [0.1, 0.1],
        held: false,
    });
    bench.steps(4);
    save(&bench, &push, &file);
    let again = replay(&file).unwrap();
    assert_eq!(again.difference, None);
    assert_eq!((again.seed, again.episodes), (1_000_003, 1));
    assert_eq!(again.moments.len(), bench.moments.len());
    for (a, b) in again.moments.iter().zip(&bench.moments) {
        assert_eq!(state_bits(&a.state), state_bits(&b.state));
        assert_eq!(a.rgb, b.rgb);
    }
    // The judge reads it as it reads a recording.
    let (_, episode) = recorded(&file, 0).unwrap();
    assert_eq!(episode.frames.len(), bench.moments.len() * 64 * 64 * 3);

    // One bit more or less is found, and its moment is named.
    let mut other = bench.moments.clone();
    let mut changed = (*other[7]).clone();
    changed.state.bodies[cube].position[0] += 1e-6;
    other[7] = Arc::new(changed);
    let session = SessionFile::new(&push, bench.seed, &other, &bench.deeds);
    std::fs::write(&file, session.text().unwrap()).unwrap();
    assert_eq!(replay(&file).unwrap().difference.unwrap().step, 7);
}

#[test]
fn a_session_that_is_not_whole_is_refused_with_file_and_field() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.session");
    let scene = ball();
    let mut bench = Bench::new(&scene, 0);
    bench.tell(RealityOrder::Strike(0, [0.1, 0.0, 0.0]));
    bench.steps(3);
    save(&bench, &scene, &file);
    let whole = std::fs::read_to_string(&file).unwrap();
    for (from, to, words) in [
        ("format: 1", "format: 9", "format: found 9"),
        ("seed: 0", "sead: 0", "sead"),
        ("Strike(0", "Strike(7", "no body 7"),
        ("(0, Strike", "(40, Strike", "deeds: expected moments"),
        ("Strike(0", "Strike(x", "is no session"),
    ] {
        assert!(whole.contains(from), "{from} is in the file");
        std::fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        let said = replay(&file).unwrap_err();
        let named = said.contains("bad.session") && said.contains(words);
        assert!(named, "{from} to {to}: {said}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(replay(&file).unwrap().difference, None);
}
