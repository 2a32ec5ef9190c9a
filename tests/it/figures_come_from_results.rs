//! No figure in a document is typed by hand, and a result holds only for the weights, the scene and the
//! parameters that it was measured with.

use std::collections::BTreeSet;
use std::path::Path;

use parallax::report::document::Sources;
use parallax::report::evaluations::{Evaluations, State};
use parallax::report::stored::{self, Stored};
use parallax::report::template::with_figures;
use parallax::scene;
use serde_json::{Value, json};

const EVALUATIONS: &str = r#"(
    lists: {"scenes": ["push", "reach"]},
    runs: [
        (group: "floors", run: "control --scene {scene} --model random --episodes 3", folder: "results",
        file: "{scene}-random", each: {"scene": "scenes"}),
        (group: "models", run: "probe --scene push --model tiny", file: "probe-push"),
    ],
)"#;

const TABLES: &str = r#"{
    "success": (
        corner: "who",
        columns: [(title: "`{scene}`", each: {"scene": "scenes"})],
        rows: [(title: "random", file: "results/{scene}-random.json", cell: "{rate success}")],
    ),
}"#;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A home with the evaluations above, one model and one document.
fn home() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    write(&home.join("models/evaluations.ron"), EVALUATIONS);
    write(&home.join("docs/tables.ron"), TABLES);
    let shipped = scene::models_dir().join("lewm-reach/card.ron");
    let card = std::fs::read_to_string(shipped).unwrap();
    write(
        &home.join("models/tiny/card.ron"),
        &card.replace("lewm-reach", "tiny"),
    );
    dir
}

fn weights(home: &Path) -> String {
    let card = parallax::model::Card::load(&home.join("models/tiny"));
    card.unwrap().sha256
}

fn result(command: &str, more: &Value) -> String {
    let mut result = json!({
        "command": command, "scene_sha256": scene::load("push").unwrap().sha256(),
        "success": { "rate": 0.5, "low": 0.25, "high": 0.75 },
    });
    let more = more.as_object().unwrap().clone();
    result.as_object_mut().unwrap().extend(more);
    result.to_string()
}

#[test]
fn figures_are_shown_with_their_intervals() {
    let json = json!({
        "success": { "rate": 0.934, "low": 0.86, "high": 0.966 }, "none": null,
        "r": { "mean": 0.8512, "low": 0.8, "high": 0.9 }, "gain": [1.25, -0.05], "n": 100,
        "error": { "median": 2.04, "q1": 1.0, "q3": 3.0 },
    });
    let result = Stored {
        path: "some.json".into(),
        json,
    };
    let shown = |text: &str| with_figures(text, &result, Path::new("doc.md"));
    for (template, expected) in [
        ("{rate success} %", "93 [86, 97] %"),
        ("{percent success} of {count n}", "93 of 100"),
        ("{mean.2 r}", "0.85 [0.80, 0.90]"),
        ("{share.0 r}", "85 [80, 90]"),
        ("{signed.1 gain.0} / {signed.2 gain.1}", "+1.2 / -0.05"),
        ("{median.1 error} px", "2.0 px"),
        ("{number.0 n}", "100"),
        ("{rate none}", "not measured"),
        ("{rate nowhere}", "not measured"),
        ("no figure", "no figure"),
    ] {
        assert_eq!(shown(template).unwrap(), expected, "{template}");
    }
    for wrong in ["{rate n}", "{charm n}", "{n}", "{rate success"] {
        let error = shown(wrong).unwrap_err().to_string();
        assert!(error.contains("doc.md"), "{wrong}: {error}");
    }
}

#[test]
fn documents_say_what_results_say() {
    let dir = home();
    let home = dir.path();
    write(
        &home.join("results/push-random.json"),
        &result("", &json!({})),
    );
    let document = home.join("docs/results.md");
    let text = "# R\n<!-- a note -->\n<!-- table success -->\nold\n<!-- end -->\nIt is <!-- \
         results/push-random.json {percent success} -->7<!-- end --> %.\n";
    write(&document, text);
    let none = |_: &str| None;
    let sources = Sources::load(home, &none).unwrap();
    assert!(sources.documents().contains(&document));
    let (before, after) = sources.rewritten(&document).unwrap();
    assert_eq!(before, text);
    let expected = "# R\n<!-- a note -->\n<!-- table success -->\n| who | `push` | `reach` |\n| --- | --- \
         | --- |\n| random | 50 [25, 75] | |\n<!-- end -->\nIt is <!-- results/push-random.json \
         {percent success} -->50<!-- end --> %.\n";
    assert_eq!(after, expected);
    // Written once, it says so for good.
    write(&document, &after);
    let (before, after) = sources.rewritten(&document).unwrap();
    assert_eq!(before, after);
    for (wrong, named) in [
        ("<!-- table charm -->\n<!-- end -->", "charm"),
        ("<!-- table success -->\nno end", "end"),
        (
            "<!-- results/nowhere.json {rate success} --><!-- end -->",
            "nowhere",
        ),
    ] {
        write(&document, wrong);
        let error = sources.rewritten(&document).unwrap_err().to_string();
        assert!(
            error.contains(named) && error.contains("results.md"),
            "{error}"
        );
    }
}

#[test]
fn a_result_holds_for_its_weights_scene_and_parameters_only() {
    let dir = home();
    let home = dir.path();
    let runs = Evaluations::load(home).unwrap().runs(home, &[]).unwrap();
    assert_eq!(runs.len(), 3);
    let state = |i: usize| runs[i].state(home).unwrap();
    assert_eq!(
        [state(0), state(1), state(2)],
        [State::Missing, State::Missing, State::Missing]
    );

    let same = "parallax eval control --episodes 3 --model random --scene push --json /tmp/x.json \
         --device cpu";
    write(&runs[0].result, &result(same, &json!({})));
    assert_eq!(state(0), State::Current);
    for other in [
        same.replace("--episodes 3", "--episodes 4"),
        same.replace("--episodes 3", "--episodes 3 --goals task"),
        same.replace("control", "rollout"),
        String::new(),
    ] {
        write(&runs[0].result, &result(&other, &json!({})));
        assert!(matches!(state(0), State::Stale(_)), "{other}");
    }
    write(
        &runs[0].result,
        &result(same, &json!({"scene_sha256": "another"})),
    );
    assert!(matches!(state(0), State::Stale(_)));

    let judged = |violations| {
        write(
            &runs[0].result,
            &result(same, &json!({"violations": violations})),
        );
        state(0)
    };
    let own_judge = parallax::judge::Calibration::shipped().sha256();
    assert!(matches!(
        judged(json!({"clean_clips": null})),
        State::Stale(_)
    ));
    assert!(matches!(
        judged(json!({"checked": [], "judge_sha256": "another"})),
        State::Stale(_)
    ));
    assert_eq!(
        judged(json!({"checked": [], "judge_sha256": own_judge})),
        State::Current
    );
    // From before results named their judge.
    assert_eq!(judged(json!({"checked": []})), State::Current);

    let probe = "parallax eval probe --scene push --model tiny";
    let (own, path) = (weights(home), &runs[2].result);
    assert_eq!(*path, home.join("models/tiny/eval/probe-push.json"));
    write(
        path,
        &result(probe, &json!({"model": "tiny", "model_sha256": own})),
    );
    assert_eq!(state(2), State::Current);
    assert_eq!(stored::outdated(&home.join("models")).unwrap(), []);
    write(
        path,
        &result(probe, &json!({"model": "tiny", "model_sha256": "another"})),
    );
    assert!(matches!(state(2), State::Stale(_)));
    let outdated = stored::outdated(&home.join("models")).unwrap();
    assert_eq!(outdated.len(), 1);
    assert_eq!(outdated[0].path, *path);

    std::fs::remove_file(home.join("models/tiny/card.ron")).unwrap();
    assert!(matches!(state(2), State::Impossible(_)));
    assert!(
        Evaluations::load(home)
            .unwrap()
            .runs(home, &["charm".into()])
            .is_err()
    );
}

#[test]
fn what_ships_is_measured_in_every_scene_and_command_of_the_plan() {
    let home = scene::home();
    let evaluations = Evaluations::load(&home).unwrap();
    let every: BTreeSet<String> = evaluations.list("every").unwrap().iter().cloned().collect();
    let library: BTreeSet<String> = scene::list(&scene::library_dir()).into_iter().collect();
    assert_eq!(every, library, "the list `every` of models/evaluations.ron");
    let runs = evaluations.runs(&home, &[]).unwrap();
    let places: BTreeSet<_> = runs.iter().map(|r| &r.result).collect();
    assert_eq!(places.len(), runs.len(), "two evaluations write one result");
    // Every line is a command that this program takes.
    assert_cmd::Command::cargo_bin("parallax")
        .unwrap()
        .args(["eval", "--plan", "--list"])
        .env("PARALLAX_HOME", &home)
        .assert()
        .success();
}

#[test]
fn the_documents_that_ship_say_what_the_results_say() {
    assert_cmd::Command::cargo_bin("parallax")
        .unwrap()
        .args(["report", "--check"])
        .env("PARALLAX_HOME", scene::home())
        .assert()
        .success();
}
