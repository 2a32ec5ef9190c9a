//! Nobody's work is lost: a finished model stays until its successor stands, an unfinished training goes on
//! only as it began, and what could be known at the start is said at the start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use assert_cmd::Command;
use candle_core::Device;
use parallax::camera::Eye;
use parallax::episode::{CollectOptions, Dataset, collect, record};
use parallax::model::jepa::vjepa::VjepaConfig;
use parallax::model::jepa::{DecoderSizes, LewmConfig};
use parallax::model::{Card, registry};
use parallax::scene::Scene;
use parallax::system::{FolderLock, Stop};
use parallax::train::pixel::DiffusionRecipe;
use parallax::train::{
    ActionPhase, Architecture, CloningRecipe, JointPhase, Length, LewmRecipe, MaskedPhase, Outcome,
    PredictorPhase, ProposalPhase, ReadoutPhase, TrainConfig, TrainError, TrainOptions,
    VjepaRecipe, run, run_on,
};
use predicates::prelude::*;
use predicates::str::contains;

use crate::support::{recorded, scene};

pub fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(name)
}

fn parallax(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command
        .args(args)
        .env_remove("PARALLAX_HOME")
        .env_remove("RUST_LOG");
    command
}

/// `reach` with episodes of so many frames.
pub fn reach(steps: u32) -> Arc<Scene> {
    let mut reach = (*scene("reach")).clone();
    reach.episode_steps = steps;
    Arc::new(reach)
}

fn experience() -> &'static Dataset {
    static DATA: OnceLock<Dataset> = OnceLock::new();
    DATA.get_or_init(|| recorded(&reach(26), 0..10))
}

pub fn lewm() -> LewmRecipe {
    LewmRecipe {
        start: None,
        model: LewmConfig {
            latent_dim: 8,
            encoder_channels: [4, 8, 4],
            encoder_hidden: 16,
            predictor_width: 16,
            predictor_blocks: 1,
            inverse_width: 8,
            ..Default::default()
        },
        joint: JointPhase {
            length: Length::Steps(3),
            batch: 4,
            tokens: 3,
            ..Default::default()
        },
        predictor: PredictorPhase {
            length: Length::Steps(3),
            batch: 4,
            rollout: 3,
            ..Default::default()
        },
        readouts: ReadoutPhase {
            steps: 2,
            ..Default::default()
        },
        proposal: None,
    }
}

pub fn config(architecture: Architecture) -> TrainConfig {
    TrainConfig {
        name: "test".into(),
        summary: "A test".into(),
        seed: 5,
        data: Vec::new(),
        episodes: None,
        validation_share: 0.2,
        architecture,
    }
}

fn tiny() -> TrainConfig {
    config(Architecture::Lewm(lewm()))
}

pub fn into(out: &Path) -> TrainOptions {
    TrainOptions {
        out: out.into(),
        ..Default::default()
    }
}

/// Every file of a folder with its bytes.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let files = files.filter(|p| p.is_file());
    files
        .map(|p| {
            let name = p.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&p).unwrap())
        })
        .collect()
}

fn loads(dir: &Path) {
    registry::load_any(dir, &Device::Cpu).map(|_| ()).unwrap();
}

fn fault(found: Result<Outcome, TrainError>) -> String {
    found.expect_err("it is refused").to_string()
}

#[test]
fn a_finished_model_is_not_trained_over_unless_told() {
    let dir = tempfile::tempdir().unwrap();
    run_on(&tiny(), experience(), &into(dir.path())).unwrap();
    let before = files(dir.path());
    let mut wider = tiny();
    let Architecture::Lewm(recipe) = &mut wider.architecture else {
        unreachable!()
    };
    recipe.model.predictor_width = 24;
    for config in [&tiny(), &wider] {
        let error = fault(run_on(config, experience(), &into(dir.path())));
        let words = ["finished model", "--out", "--overwrite"];
        words
            .iter()
            .for_each(|w| assert!(error.contains(w), "{error}"));
        assert!(files(dir.path()) == before, "nothing was touched");
    }
    // Told so, it stays until the new one is complete...
    let mut long = wider.clone();
    let Architecture::Lewm(recipe) = &mut long.architecture else {
        unreachable!()
    };
    recipe.joint.length = Length::Steps(40);
    let over = TrainOptions {
        overwrite: true,
        minutes: Some(0.),
        ..into(dir.path())
    };
    assert_eq!(run_on(&long, experience(), &over).unwrap(), Outcome::Paused);
    assert!(files(dir.path()) == before, "the old one stands");
    loads(dir.path());
    // ...goes on by --resume...
    let error = fault(run_on(&long, experience(), &into(dir.path())));
    assert!(error.contains("unfinished"), "{error}");
    let on = TrainOptions {
        resume: true,
        ..into(dir.path())
    };
    assert_eq!(run_on(&long, experience(), &on).unwrap(), Outcome::Finished);
    // ...and takes its place whole.
    let after = files(dir.path());
    assert!(after["model.safetensors"] != before["model.safetensors"]);
    assert_eq!(Card::load(dir.path()).unwrap().steps, 43);
    assert!(after.keys().eq(before.keys()), "{:?}", after.keys());
    let folders = std::fs::read_dir(dir.path()).unwrap();
    assert!(folders.map(|e| e.unwrap().path()).all(|p| p.is_file()));
    loads(dir.path());
}

#[test]
fn a_refused_training_leaves_a_shipped_model_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (model, data) = (dir.path().join("m"), dir.path().join("d"));
    std::fs::create_dir(&model).unwrap();
    let shipped = parallax::scene::models_dir().join("lewm-reach");
    for (name, bytes) in files(&shipped) {
        std::fs::write(model.join(name), bytes).unwrap();
    }
    let before = files(&model);
    let options = CollectOptions {
        out: data.clone(),
        episodes: 4,
        seed: 0,
        progress: false,
    };
    collect(&reach(40), &options).unwrap();
    let recipe = case("r02_other_width.ron");
    let [recipe, data, out] = [&recipe, &data, &model].map(|p| p.to_str().unwrap());
    let args = [
        "train", recipe, "--data", data, "--out", out, "--device", "cpu",
    ];
    parallax(&[&args[..], &["--minutes", "0.001"]].concat())
        .assert()
        .code(1)
        .stderr(contains("finished model").and(contains("--overwrite")));
    parallax(&[&args[..], &["--resume"]].concat())
        .assert()
        .code(1)
        .stderr(contains("nothing to go on with"));
    assert!(files(&model) == before);
    loads(&model);
}

#[test]
fn what_is_finished_is_not_resumed_and_nothing_is_begun_silently() {
    let dir = tempfile::tempdir().unwrap();
    let on = TrainOptions {
        resume: true,
        ..into(dir.path())
    };
    // Whoever always says --resume begins with it, too.
    assert_eq!(
        run_on(&tiny(), experience(), &on).unwrap(),
        Outcome::Finished
    );
    let error = fault(run_on(&tiny(), experience(), &on));
    assert!(error.contains("nothing to go on with"), "{error}");
}

#[test]
fn an_unfinished_training_goes_on_only_as_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let pause = TrainOptions {
        minutes: Some(0.),
        ..into(dir.path())
    };
    assert_eq!(
        run_on(&tiny(), experience(), &pause).unwrap(),
        Outcome::Paused
    );
    let before = files(&dir.path().join("checkpoint"));
    let on = TrainOptions {
        resume: true,
        ..into(dir.path())
    };
    // Neither begun anew by accident...
    let error = fault(run_on(&tiny(), experience(), &into(dir.path())));
    assert!(
        error.contains("--resume") && error.contains("--overwrite"),
        "{error}"
    );
    // ...nor with another recipe...
    let mut other = tiny();
    let Architecture::Lewm(recipe) = &mut other.architecture else {
        unreachable!()
    };
    recipe.predictor.batch = 7;
    let error = fault(run_on(&other, experience(), &on));
    let words = ["predictor.batch", "began with 4", "found 7"];
    words
        .iter()
        .for_each(|w| assert!(error.contains(w), "{w}: {error}"));
    // ...nor with other experience.
    let error = fault(run_on(&tiny(), &recorded(&reach(26), 0..11), &on));
    let words = ["episodes", "began with 10", "found 11"];
    words
        .iter()
        .for_each(|w| assert!(error.contains(w), "{w}: {error}"));
    let mut shifted = experience().clone();
    shifted.actions[4] += 0.01;
    let error = fault(run_on(&tiny(), &shifted, &on));
    assert!(error.contains("what_they_hold"), "{error}");
    assert!(files(&dir.path().join("checkpoint")) == before);
    assert_eq!(
        run_on(&tiny(), experience(), &on).unwrap(),
        Outcome::Finished
    );
}

#[test]
fn a_recipe_written_by_hand_is_neither_lost_nor_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("train.ron");
    tiny().save(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let text = format!("\u{feff}// What I tried on Monday\n{text}");
    std::fs::write(&path, &text).unwrap();
    let read = TrainConfig::load(&path).unwrap();
    let mut other = read.clone();
    other.seed = 6;
    let error = fault(run_on(&other, experience(), &into(dir.path())));
    assert!(
        error.contains("train.ron") && error.contains("seed"),
        "{error}"
    );
    run_on(&read, experience(), &into(dir.path())).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    loads(dir.path());
}

#[test]
fn a_folder_in_which_another_training_is_at_work_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _held = FolderLock::take(dir.path()).unwrap();
    let error = fault(run_on(&tiny(), experience(), &into(dir.path())));
    assert!(error.contains("at work"), "{error}");
    assert!(!dir.path().join("train.ron").exists());
}

#[test]
fn read_outs_anew_touch_a_finished_model_only_when_they_are_done() {
    let dir = tempfile::tempdir().unwrap();
    run_on(&tiny(), experience(), &into(dir.path())).unwrap();
    let before = files(dir.path());
    let stop = Stop::new();
    stop.raise();
    let anew = TrainOptions {
        readouts_only: true,
        stop,
        ..into(dir.path())
    };
    assert_eq!(
        run_on(&tiny(), experience(), &anew).unwrap(),
        Outcome::Paused
    );
    assert!(files(dir.path()) == before);
    // They are fitted to what was trained, and to nothing else.
    let mut other = tiny();
    let Architecture::Lewm(recipe) = &mut other.architecture else {
        unreachable!()
    };
    recipe.joint.batch = 5;
    let anew = TrainOptions {
        readouts_only: true,
        ..into(dir.path())
    };
    let error = fault(run_on(&other, experience(), &anew));
    assert!(error.contains("joint.batch"), "{error}");
    assert!(files(dir.path()) == before);
    let mut more = tiny();
    let Architecture::Lewm(recipe) = &mut more.architecture else {
        unreachable!()
    };
    recipe.readouts.steps = 4;
    assert_eq!(
        run_on(&more, experience(), &anew).unwrap(),
        Outcome::Finished
    );
    let after = files(dir.path());
    assert!(after["readouts.safetensors"] != before["readouts.safetensors"]);
    // What plans is what it was, under the same checksum.
    assert!(after["model.safetensors"] == before["model.safetensors"]);
    loads(dir.path());
    let nothing = tempfile::tempdir().unwrap();
    let anew = TrainOptions {
        readouts_only: true,
        ..into(nothing.path())
    };
    let error = fault(run_on(&tiny(), experience(), &anew));
    assert!(error.contains("no finished model"), "{error}");
}

#[test]
fn a_model_that_was_cut_off_while_it_took_its_place_is_read_whole_and_put_in_place_next_time() {
    let (base, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Folders whose names begin with a dot are no models, and a temporary one does.
    let old = base.path().join("model");
    std::fs::create_dir(&old).unwrap();
    run_on(&tiny(), experience(), &into(&old)).unwrap();
    let mut other = tiny();
    other.seed = 6;
    run_on(&other, experience(), &into(new.path())).unwrap();
    // As a kill leaves it: the new files are complete beside, and one of them has its place already.
    let beside = old.join(registry::FINISHED);
    std::fs::create_dir(&beside).unwrap();
    for (name, bytes) in files(new.path()) {
        std::fs::write(beside.join(&name), &bytes).unwrap();
        if name == "model.safetensors" {
            std::fs::write(old.join(name), bytes).unwrap();
        }
    }
    loads(&old);
    let entries = registry::scan(base.path());
    let own = entries.iter().find(|e| e.dir == old).unwrap();
    assert_eq!(own.card.as_ref().unwrap().seed, 6);
    // Whoever works there next puts the rest in place, even if there is nothing else to do.
    assert!(run_on(&other, experience(), &into(&old)).is_err());
    assert!(!beside.exists());
    assert!(files(&old) == files(new.path()));
}

#[test]
fn a_checkpoint_is_found_again_wherever_its_replacement_was_cut_off() {
    for after in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let pause = TrainOptions {
            minutes: Some(0.),
            ..into(dir.path())
        };
        run_on(&tiny(), experience(), &pause).unwrap();
        let at = |name: &str| dir.path().join(name);
        // The old one is put aside, then the new one takes its name, then the old one is removed.
        std::fs::create_dir(at("checkpoint.partial")).unwrap();
        std::fs::write(at("checkpoint.partial/weights.safetensors"), b"half").unwrap();
        if after == 1 {
            std::fs::rename(at("checkpoint"), at("checkpoint.before")).unwrap();
        } else {
            std::fs::create_dir(at("checkpoint.before")).unwrap();
        }
        let on = TrainOptions {
            resume: true,
            ..into(dir.path())
        };
        assert_eq!(
            run_on(&tiny(), experience(), &on).unwrap(),
            Outcome::Finished
        );
        assert!(!at("checkpoint.partial").exists() && !at("checkpoint.before").exists());
    }
}

#[test]
fn episodes_too_short_for_a_later_phase_are_found_out_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let short = recorded(&reach(14), 0..10);
    let refused = |config: &TrainConfig, data: &Dataset, words: &[&str]| {
        let error = fault(run_on(config, data, &into(dir.path())));
        words
            .iter()
            .for_each(|w| assert!(error.contains(w), "{w}: {error}"));
        assert!(files(dir.path()).is_empty(), "nothing is written");
    };
    // Two tokens of five steps fit, three do not.
    let words = [
        "predictor.rollout",
        "14 frames",
        "4 frames",
        "5 control steps",
        "need 16",
    ];
    refused(&tiny(), &short, &words);
    let mut recipe = lewm();
    recipe.joint.tokens = 5;
    let words = ["joint.tokens", "14 frames", "need 21"];
    refused(&config(Architecture::Lewm(recipe)), &short, &words);
    // An action prior is checked on validation episodes: there have to be some.
    let mut recipe = lewm();
    recipe.proposal = Some(ProposalPhase::default());
    let mut all = config(Architecture::Lewm(recipe));
    all.validation_share = 0.;
    refused(&all, experience(), &["proposal", "validation"]);
    // The second stage of a V-JEPA, with experience of its own that is too short for it.
    let own = tempfile::tempdir().unwrap();
    let options = CollectOptions {
        out: own.path().into(),
        episodes: 4,
        seed: 100,
        progress: false,
    };
    collect(&reach(8), &options).unwrap();
    let stages = |data: Vec<PathBuf>| {
        config(Architecture::VjepaAc(VjepaRecipe {
            model: VjepaConfig::default(),
            start: None,
            masked: MaskedPhase {
                length: Length::Steps(1),
                ..Default::default()
            },
            actions: ActionPhase {
                length: Length::Steps(1),
                data,
                ..Default::default()
            },
            readouts: ReadoutPhase::default(),
        }))
    };
    let words = ["actions.rollout", "8 frames"];
    refused(&stages(vec![own.path().into()]), experience(), &words);
    // And experience that is damaged, or not there.
    let shard = own.path().join("shard-00000.plx");
    std::fs::write(&shard, b"nothing").unwrap();
    let one = stages(vec![own.path().into()]);
    refused(&one, experience(), &["shard-00000.plx"]);
    // What is validated on in the second stage must not have been learned from in the first.
    std::fs::remove_file(&shard).unwrap();
    let options = CollectOptions {
        out: own.path().into(),
        episodes: 4,
        seed: 100,
        progress: false,
    };
    collect(&reach(8), &options).unwrap();
    std::fs::remove_dir_all(own.path()).unwrap();
    collect(&reach(26), &CollectOptions { seed: 0, ..options }).unwrap();
    let words = ["actions.data", "seed 3", "validated on"];
    refused(&stages(vec![own.path().into()]), experience(), &words);
}

#[test]
fn the_recipe_and_the_scene_of_the_report_are_refused_before_the_first_phase() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Arc::new(Scene::load(&case("r05_reach_21_steps.ron")).unwrap());
    let data = dir.path().join("d");
    let options = CollectOptions {
        out: data.clone(),
        episodes: 6,
        seed: 0,
        progress: false,
    };
    collect(&scene, &options).unwrap();
    let options = TrainOptions {
        data: vec![data],
        ..into(&dir.path().join("m"))
    };
    let error = fault(run(&case("train_tiny.ron"), &options));
    let words = ["predictor.rollout", "21 frames", "need 31"];
    words
        .iter()
        .for_each(|w| assert!(error.contains(w), "{w}: {error}"));
    assert!(!dir.path().join("m").exists());
}

#[test]
fn frames_of_another_size_and_weights_too_large_to_be_read_are_found_out_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut large = (*reach(26)).clone();
    large.camera.size = 96;
    let mut data = recorded(&Arc::new(large.clone()), 0..0);
    data.size = 96;
    let large = Arc::new(large);
    let eye = Eye::standard(&large).unwrap();
    for seed in 0..4 {
        data.push(record(&large, &eye, seed).unwrap(), 0);
    }
    let mut clone = CloningRecipe::default();
    clone.model.encoder_hidden = 8192;
    let mut wide = lewm();
    wide.model.predictor_width = 4096;
    let mut drawn = lewm();
    drawn.readouts.decoder = Some(DecoderSizes {
        width: 2048,
        layers: 3,
        patch: 8,
    });
    for (config, data, words) in [
        (tiny(), &data, ["model.image_size", "96"]),
        (
            config(Architecture::PixelDiffusion(DiffusionRecipe::default())),
            &data,
            ["model.size", "96"],
        ),
        (
            config(Architecture::Lewm(wide)),
            experience(),
            ["MiB", "at most 16"],
        ),
        (
            config(Architecture::Lewm(drawn)),
            experience(),
            ["MiB", "at most 16"],
        ),
        (
            config(Architecture::Cloning(clone)),
            experience(),
            ["MiB", "at most 16"],
        ),
    ] {
        let error = fault(run_on(&config, data, &into(dir.path())));
        words
            .iter()
            .for_each(|w| assert!(error.contains(w), "{w}: {error}"));
        assert!(files(dir.path()).is_empty(), "nothing is written");
    }
}

#[test]
fn no_seed_that_is_kept_for_something_else_is_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    for seed in [500_000, 900_000, 1_000_000] {
        let data = recorded(&reach(26), seed..seed + 4);
        let error = fault(run_on(&tiny(), &data, &into(dir.path())));
        assert!(error.contains(&seed.to_string()), "{error}");
    }
}
