//! What disks, editors and careless hands make of the other files and options: a mutator whose n-th case is
//! always the same, and a trial that asks for an error that names the place, or for something bounded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device};
use parallax::episode::{CollectOptions, Store, collect};
use parallax::judge::Calibration;
use parallax::model::jepa::{Lewm, LewmConfig};
use parallax::model::nn::{Init, Params};
use parallax::model::{Camp, Cancel, Card, folder, registry};
use parallax::scene::{self, Edit, Scene};
use parallax::sim::Reality;
use parallax::train::TrainConfig;
use parallax::worker::{Replay, Replayer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

/// What can be spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A training's configuration.
    Train,
    /// What the network is, beside its weights.
    Model,
    /// A model's card.
    Card,
    /// The names of a model's read-outs.
    ReadOuts,
    /// Weights, under a card that names their checksum.
    Weights,
    /// A folder of episodes, by its index.
    Index,
    /// A shard of episodes, read and replayed.
    Shard,
    /// The judge's thresholds.
    Judge,
    /// `--set FIELD=NUMBER`.
    Set,
    /// `--edit EDIT`.
    Edit,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 10] = [
        Kind::Train,
        Kind::Model,
        Kind::Card,
        Kind::ReadOuts,
        Kind::Weights,
        Kind::Index,
        Kind::Shard,
        Kind::Judge,
        Kind::Set,
        Kind::Edit,
    ];

    /// Where it stands in a folder.
    fn file(self) -> &'static str {
        match self {
            Kind::Train => "train.ron",
            Kind::Model => "model.ron",
            Kind::Card => "card.ron",
            Kind::ReadOuts => "readouts.json",
            Kind::Weights => "model.safetensors",
            Kind::Index => "index.json",
            Kind::Shard => "shard-00000.plx",
            Kind::Judge => "judge.ron",
            Kind::Set | Kind::Edit => "",
        }
    }
}

/// What takes a word's place.
const SPITE: [&str; 34] = [
    "",
    "0",
    "-1",
    "1e38",
    "-1e38",
    "1e-45",
    "NaN",
    "inf",
    "-inf",
    "1e999",
    "null",
    "true",
    "{}",
    "[]",
    "()",
    "999999999999999999999",
    "18446744073709551615",
    "4294967295",
    "65536",
    "1000000000",
    "\"\"",
    "\"ü\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "Some(())",
    "None",
    "\u{0}",
    "\u{feff}",
];

/// The sound files that are spoilt.
pub struct FileVandal {
    base: PathBuf,
    train: Vec<Vec<u8>>,
    networks: Vec<Vec<u8>>,
    cards: Vec<Vec<u8>>,
    scene: Arc<Scene>,
}

/// Every file of that name in the folders of models.
fn shipped(name: &str) -> Vec<Vec<u8>> {
    let models = scene::models_dir();
    let mut folders: Vec<PathBuf> = [
        registry::scan(&models),
        registry::scan(&registry::baselines(&models)),
    ]
    .into_iter()
    .flatten()
    .map(|e| e.dir)
    .collect();
    folders.sort();
    folders
        .iter()
        .filter_map(|d| std::fs::read(d.join(name)).ok())
        .collect()
}

fn tiny_model(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let config = LewmConfig {
        latent_dim: 8,
        encoder_channels: [4, 8, 4],
        encoder_hidden: 8,
        predictor_width: 8,
        predictor_blocks: 1,
        inverse_width: 8,
        ..Default::default()
    };
    let params = Params::fresh(1, &Device::Cpu);
    Lewm::new(&config, &params).unwrap();
    params.buffer((8, 8), "whitening", Init::Zeros).unwrap();
    params
        .save(&dir.join("model.safetensors"), DType::F16)
        .unwrap();
    folder::save_network(dir, &ron::to_string(&config).unwrap()).unwrap();
    let readouts = shipped("readouts.json")
        .into_iter()
        .next()
        .unwrap_or_default();
    std::fs::write(dir.join("readouts.json"), readouts).unwrap();
    seal(dir);
}

/// Writes a card that names the weights there.
fn seal(dir: &Path) {
    let bytes = std::fs::read(dir.join("model.safetensors")).unwrap();
    let sha256 = Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let card = Card {
        scenes: vec!["push".into()],
        sha256,
        ..Card::untrained("tiny", Camp::Jepa, "lewm")
    };
    card.save(dir).unwrap();
}

impl FileVandal {
    /// Makes the sound files in a folder.
    pub fn new(base: &Path) -> Self {
        tiny_model(&base.join("model"));
        let mut short = Scene::clone(&scene::load("push").unwrap());
        short.episode_steps = 3;
        short.task = None;
        let scene = Arc::new(short);
        let options = CollectOptions {
            out: base.join("episodes"),
            episodes: 2,
            seed: 0,
            progress: false,
        };
        collect(&scene, &options).unwrap();
        let mut networks = shipped("model.ron");
        networks.push(std::fs::read(base.join("model/model.ron")).unwrap());
        Self {
            base: base.to_path_buf(),
            train: shipped("train.ron"),
            networks,
            cards: shipped("card.ron"),
            scene,
        }
    }

    fn sound(&self, kind: Kind, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let any =
            |from: &[Vec<u8>], rng: &mut ChaCha8Rng| from[rng.random_range(0..from.len())].clone();
        let own = |file: &str| std::fs::read(self.base.join(file)).unwrap();
        match kind {
            Kind::Train => any(&self.train, rng),
            Kind::Model if rng.random() => own("model/model.ron"),
            Kind::Model => any(&self.networks, rng),
            Kind::Card => any(&self.cards, rng),
            Kind::ReadOuts => own("model/readouts.json"),
            Kind::Weights => own("model/model.safetensors"),
            Kind::Index => own("episodes/index.json"),
            Kind::Shard => own("episodes/shard-00000.plx"),
            Kind::Judge => std::fs::read(scene::home().join("assets/judge.ron")).unwrap(),
            Kind::Set => {
                let of = [
                    "gravity",
                    "cube.mass",
                    "hand.x",
                    "camera.y",
                    "action.delay",
                    "cube.restitution",
                ];
                format!(
                    "{}={}",
                    of[rng.random_range(0..of.len())],
                    rng.random_range(-5..20)
                )
                .into_bytes()
            }
            Kind::Edit => {
                let what = [
                    "Vanish",
                    "Freeze",
                    "Recolour(colour: Green)",
                    "Teleport(to: (0.0, 0.1, 0.0))",
                    "PassThrough",
                    "Hover(steps: 3)",
                    "NoGravity",
                    "Speed(factor: 2.5)",
                    "StopDead",
                    "PassWall",
                ];
                let what = what[rng.random_range(0..what.len())];
                format!(
                    "(step: {}, body: \"cube\", what: {what})",
                    rng.random_range(0..4)
                )
                .into_bytes()
            }
        }
    }

    /// The n-th spoilt file of a kind.
    pub fn spoil(&self, kind: Kind, case: u64) -> Vec<u8> {
        let mut rng = ChaCha8Rng::seed_from_u64(case);
        let mut bytes = self.sound(kind, &mut rng);
        let binary = matches!(kind, Kind::Weights | Kind::Shard);
        for _ in 0..rng.random_range(1..4) {
            if binary || rng.random_range(0..4) == 0 {
                spoil_bytes(&mut bytes, &mut rng, if binary { 400 } else { usize::MAX });
            } else {
                spoil_words(&mut bytes, &mut rng);
            }
        }
        bytes
    }

    /// Puts what stands beside a spoilt file into a folder.
    pub fn prepare(&self, kind: Kind, dir: &Path) {
        let from = match kind {
            Kind::Model | Kind::ReadOuts | Kind::Weights => self.base.join("model"),
            Kind::Index | Kind::Shard => self.base.join("episodes"),
            _ => return,
        };
        for entry in std::fs::read_dir(from).unwrap().flatten() {
            std::fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
    }

    /// Reads and uses a spoilt file; whether it was accepted.
    ///
    /// # Panics
    /// If an error does not name the file or option, or whatever was accepted is not bounded.
    pub fn try_out(&self, kind: Kind, bytes: &[u8], dir: &Path) -> bool {
        let path = dir.join(kind.file());
        if !kind.file().is_empty() {
            std::fs::write(&path, bytes).unwrap();
        }
        let text = || String::from_utf8_lossy(bytes).into_owned();
        let result: Result<(), String> = match kind {
            Kind::Train => TrainConfig::load(&path)
                .map(|_| ())
                .map_err(|e| e.to_string()),
            Kind::Card => Card::load(dir).map(|_| ()).map_err(|e| e.to_string()),
            Kind::Judge => Calibration::read(&path)
                .map(|_| ())
                .map_err(|e| e.to_string()),
            Kind::Weights => {
                seal(dir);
                load(dir)
            }
            Kind::Model | Kind::ReadOuts => load(dir),
            Kind::Index | Kind::Shard => replay(dir),
            Kind::Set => {
                let mut changed = Scene::clone(&self.scene);
                let said = changed.intervene(&text());
                said.map_err(|e| e.to_string()).and_then(|()| run(changed))
            }
            Kind::Edit => {
                let edit: Result<Edit, _> = ron::from_str(&text());
                edit.map_err(|e| e.to_string()).and_then(|edit| {
                    let mut changed = Scene::clone(&self.scene);
                    changed.edits.push(edit);
                    run(changed)
                })
            }
        };
        if let Err(error) = &result {
            // Of a model the weights are to blame as well, where they do not fit what model.ron says.
            let places = [kind.file(), "model.safetensors", "push"];
            let named = kind.file().is_empty() || places.iter().any(|p| error.contains(p));
            assert!(
                named && !error.is_empty(),
                "{kind:?}: the error names no place: {error}"
            );
        }
        result.is_ok()
    }
}

fn load(dir: &Path) -> Result<(), String> {
    registry::load_any(dir, &Device::Cpu)
        .map(|_| ())
        .map_err(|e| e.to_string())
}

/// Two episodes, played again as `parallax replay --check` does.
fn replay(dir: &Path) -> Result<(), String> {
    let store = Store::open(dir).map_err(|e| e.to_string())?;
    store.read_whole(0).map_err(|e| e.to_string())?;
    let order = |episode| Replay {
        file: dir.to_path_buf(),
        episode,
    };
    let mut replayer = Replayer::default();
    replayer.replay(&order(0), &Cancel::new())?;
    replayer.replay(&order(1), &Cancel::new()).map(|_| ())
}

/// A changed scene, checked and run for a moment.
fn run(scene: Scene) -> Result<(), String> {
    scene.check("push").map_err(|e| e.to_string())?;
    let mut reality = Reality::new(&Arc::new(scene), 0).map_err(|e| e.to_string())?;
    for _ in 0..4 {
        reality.act(&[1.0, -1.0]);
        reality.step();
    }
    Ok(())
}

fn spoil_bytes(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng, head: usize) {
    if bytes.is_empty() {
        return;
    }
    // Of binary files the head holds lengths and names, which is where half of the harm is done.
    let reach = if rng.random::<bool>() {
        bytes.len().min(head)
    } else {
        bytes.len()
    };
    let at = rng.random_range(0..reach);
    let end = |rng: &mut ChaCha8Rng| (at + rng.random_range(1..60)).min(bytes.len());
    match rng.random_range(0..8) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, rng.random()),
        4 => bytes.truncate(at),
        5 => {
            let end = end(rng);
            bytes[at..end].fill(if rng.random() { 0xff } else { 0 });
        }
        6 => {
            let end = end(rng);
            let piece = bytes[at..end].to_vec();
            let to = rng.random_range(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
        _ => {
            // A number of the header, where one stands.
            let digits = |b: &u8| b.is_ascii_digit();
            if let Some(from) = bytes[at..].iter().position(digits) {
                let from = at + from;
                let length = bytes[from..].iter().take_while(|b| digits(b)).count();
                let with = SPITE[rng.random_range(0..SPITE.len())].bytes();
                bytes.splice(from..from + length, with);
            }
        }
    }
}

fn spoil_words(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '-';
    let mut words: Vec<String> = Vec::new();
    for c in text.chars() {
        match words.last_mut() {
            Some(last) if is_word(c) && last.chars().all(is_word) => last.push(c),
            _ => words.push(c.to_string()),
        }
    }
    if words.is_empty() {
        return;
    }
    let (i, j) = (
        rng.random_range(0..words.len()),
        rng.random_range(0..words.len()),
    );
    let spite = SPITE[rng.random_range(0..SPITE.len())];
    match rng.random_range(0..7) {
        0 => words[i] = spite.into(),
        1 => words.swap(i, j),
        2 => words[i] = words[j].clone(),
        3 => drop(words.remove(i)),
        4 => {
            let piece: Vec<String> =
                words[i..(i + rng.random_range(1..40)).min(words.len())].to_vec();
            let times = if rng.random_range(0..8) == 0 { 100 } else { 1 };
            let piece = piece
                .iter()
                .cloned()
                .cycle()
                .take(piece.len() * times)
                .collect::<Vec<_>>();
            words.splice(j..j, piece);
        }
        _ => {
            let numbers: Vec<usize> = (0..words.len())
                .filter(|&w| words[w].parse::<f32>().is_ok())
                .collect();
            if !numbers.is_empty() {
                words[numbers[rng.random_range(0..numbers.len())]] = match rng.random_range(0..3) {
                    0 => spite.into(),
                    1 => format!("{:?}", rng.random_range(-400.0f32..400.0)),
                    _ => rng.random_range(0..2000u32).to_string(),
                };
            }
        }
    }
    *bytes = words.concat().into_bytes();
}
