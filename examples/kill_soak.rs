//! Kills recordings, trainings and evaluations at random moments, and looks whether what was finished is
//! there and loads, and whether the next run goes on: `cargo run --release --example kill_soak [-- KILLS
//! [FOLDER]]`. The folder may lie on a small disk (`mount -t tmpfs -o size=4m tmpfs FOLDER`): then it fills
//! up, which has to be said and must not cost anything that stands.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use candle_core::Device;
use parallax::episode::{CollectOptions, Store, collect};
use parallax::model::jepa::LewmConfig;
use parallax::model::registry;
use parallax::scene;
use parallax::train::{
    Architecture, JointPhase, Length, LewmRecipe, PredictorPhase, ReadoutPhase, TrainConfig,
};

/// A generator that everybody can write down.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }
}

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Job {
    Collect,
    Train,
    Eval,
}

struct Soak {
    binary: PathBuf,
    /// Where everything is written that may be cut off.
    dir: PathBuf,
    /// Experience and recipe for the trainings, which nobody touches.
    given: PathBuf,
    /// Weights of the training that nobody killed.
    whole: Vec<u8>,
    /// Shards that were seen in the recording.
    held: usize,
    full: usize,
}

impl Soak {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn command(&self, job: Job, out: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        match job {
            Job::Collect => {
                command.args(["collect", "--scene", "fall", "--episodes", "1280", "--out"]);
                command.arg(out);
            }
            Job::Train => {
                command.arg("train").arg(self.given.join("train.ron"));
                command.arg("--data").arg(self.given.join("reach"));
                command.arg("--out").arg(out).args(["--device", "cpu"]);
            }
            Job::Eval => {
                command.args(["eval", "rollout", "--scene", "push", "--model", "diffusion"]);
                command.args(["--episodes", "2", "--json"]).arg(out);
                command.arg("--out").arg(out.with_extension("png"));
            }
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn place(&self, job: Job) -> PathBuf {
        match job {
            Job::Collect => self.at("fall"),
            Job::Train => self.at("model"),
            Job::Eval => self.at("rollout.json"),
        }
    }

    /// The job as it has to be called now: a training goes on where there is something to go on with.
    fn next(&self, job: Job) -> Command {
        let mut command = self.command(job, &self.place(job));
        if job == Job::Train {
            let model = self.place(job);
            let finished = model.join("card.ron").exists();
            let checkpoints = ["checkpoint", "unfinished/checkpoint"].map(|c| model.join(c));
            match checkpoints.iter().any(|c| c.join("progress.json").exists()) {
                true => command.arg("--resume"),
                false if finished => command.arg("--overwrite"),
                false => &mut command,
            };
        }
        command
    }

    /// Lets a job end by itself; a full disk is said and is no fault.
    fn finish(&mut self, job: Job) -> Result<()> {
        let done = self.next(job).output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        if done.status.success() {
            return Ok(());
        }
        let is_full = said.contains("No space left");
        ensure!(is_full, "{job:?} ended with {:?}: {said}", done.status);
        ensure!(
            said.matches("No space left").count() == 1,
            "the cause once: {said}"
        );
        self.full += 1;
        // A full disk must not stay full of what did not fit.
        let place = self.place(job);
        if place.is_dir() {
            let parts = leftovers(&place)?;
            ensure!(parts.is_empty(), "{job:?} left {parts:?} on a full disk");
        }
        std::fs::remove_dir_all(self.at("fall")).ok();
        self.held = 0;
        Ok(())
    }

    /// Kills a job after this time, unless it has ended by then.
    fn kill(&mut self, job: Job, after: Duration) -> Result<bool> {
        let mut child = self.next(job).spawn()?;
        let started = Instant::now();
        while started.elapsed() < after {
            if child.try_wait()?.is_some() {
                let said = child.wait_with_output()?.stderr;
                if String::from_utf8_lossy(&said).contains("No space left") {
                    self.full += 1;
                    std::fs::remove_dir_all(self.at("fall")).ok();
                    self.held = 0;
                }
                return Ok(false);
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        child.kill()?;
        child.wait()?;
        Ok(true)
    }

    /// What was finished is there and loads.
    fn look(&mut self) -> Result<()> {
        let fall = self.place(Job::Collect);
        if fall.join("index.json").exists() {
            let store = Store::open(&fall)?;
            let present = store.present()?;
            for &i in &present {
                store.read_whole(i)?;
            }
            ensure!(present.len() >= self.held, "a shard is gone: {present:?}");
            self.held = present.len();
        }
        let model = self.place(Job::Train);
        ensure!(
            model.join("card.ron").exists(),
            "the finished model is gone"
        );
        registry::load_any(&model, &Device::Cpu).map(drop)?;
        let text = std::fs::read_to_string(self.place(Job::Eval))?;
        let _: serde_json::Value = serde_json::from_str(&text)?;
        image::open(self.at("rollout.png")).context("the picture of the evaluation")?;
        Ok(())
    }
}

/// Files in the making that nobody is writing any more.
fn leftovers(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(leftovers(&path)?);
        } else if path.to_string_lossy().ends_with(".part") {
            found.push(path);
        }
    }
    Ok(found)
}

/// A training of a few seconds with a checkpoint after every step, and experience for it.
fn give(dir: &Path) -> Result<()> {
    let mut reach = scene::load("reach")?;
    reach.episode_steps = 40;
    let options = CollectOptions {
        out: dir.join("reach"),
        episodes: 8,
        seed: 0,
        progress: false,
    };
    collect(&Arc::new(reach), &options)?;
    let recipe = LewmRecipe {
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
            length: Length::Steps(60),
            batch: 4,
            tokens: 3,
            checkpoint_seconds: 0.,
            ..Default::default()
        },
        predictor: PredictorPhase {
            length: Length::Steps(60),
            batch: 4,
            rollout: 3,
            ..Default::default()
        },
        readouts: ReadoutPhase {
            steps: 20,
            ..Default::default()
        },
        proposal: None,
    };
    let config = TrainConfig {
        name: "soak".into(),
        summary: "Killed now and then".into(),
        seed: 5,
        data: Vec::new(),
        episodes: None,
        validation_share: 0.2,
        architecture: Architecture::Lewm(recipe),
    };
    Ok(config.save(&dir.join("train.ron"))?)
}

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let kills: usize = match args.next() {
        Some(n) => n.to_string_lossy().parse().context("KILLS")?,
        None => 200,
    };
    let temporary = std::env::temp_dir().join(format!("kill_soak-{}", std::process::id()));
    let dir = args.next().map_or(temporary.join("out"), PathBuf::from);
    let given = temporary.join("given");
    std::fs::create_dir_all(&given)?;
    std::fs::create_dir_all(&dir)?;
    give(&given)?;
    let folder = std::env::current_exe()?;
    let Some(folder) = folder.parent().and_then(Path::parent) else {
        bail!("an example lies beside no program");
    };
    let mut soak = Soak {
        binary: folder.join("parallax"),
        dir,
        given,
        whole: Vec::new(),
        held: 0,
        full: 0,
    };
    ensure!(
        soak.binary.exists(),
        "build the program first: cargo build --release"
    );
    // What nobody kills: how long it takes, and what comes of it.
    let jobs = [Job::Train, Job::Eval, Job::Collect];
    let mut took = Vec::new();
    for job in jobs {
        let started = Instant::now();
        soak.finish(job)?;
        took.push(started.elapsed());
    }
    soak.whole = std::fs::read(soak.place(Job::Train).join("model.safetensors"))?;
    std::fs::remove_dir_all(soak.place(Job::Collect)).ok();
    soak.held = 0;
    let mut draws = Draws(7);
    let (mut killed, mut ended) = ([0usize; 3], [0usize; 3]);
    while killed.iter().sum::<usize>() < kills {
        let which = draws.below(3) as usize;
        let most = took[which].as_micros() as u64;
        let after = Duration::from_micros(draws.below(most));
        match soak.kill(jobs[which], after)? {
            true => killed[which] += 1,
            false => ended[which] += 1,
        }
        soak.look()?;
        if jobs[which] == Job::Collect && soak.held == 20 {
            // The recording is complete: the next one begins anew.
            std::fs::remove_dir_all(soak.place(Job::Collect))?;
            soak.held = 0;
        }
    }
    // The next runs go on to the end, and tidy up.
    std::fs::remove_dir_all(soak.place(Job::Collect)).ok();
    soak.held = 0;
    for job in jobs {
        soak.finish(job)?;
    }
    soak.look()?;
    let bytes = std::fs::read(soak.place(Job::Train).join("model.safetensors"))?;
    ensure!(
        bytes == soak.whole,
        "the training that was killed came to other weights"
    );
    let parts = leftovers(&soak.dir)?;
    ensure!(parts.is_empty(), "left behind: {parts:?}");
    println!(
        "{kills} kills (train, eval, collect: {killed:?}; ended before: {ended:?}; disk full: {}): what was \
         finished was there and \
         loaded, the next run went on to the same weights, and nothing is left behind",
        soak.full
    );
    std::fs::remove_dir_all(&temporary)?;
    Ok(())
}
