//! Moves read-outs of shipped folders into a file of their own, and tells cards what trainings started from.
use parallax::model::{Card, Stage, folder};
use parallax::train::{Architecture, TrainConfig};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use sha2::{Digest, Sha256};

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// One digest of names, shapes and bytes of the tensors that are wanted.
fn digest(file: &SafeTensors, wanted: impl Fn(&str) -> bool) -> String {
    let mut names = file.names();
    names.sort_unstable();
    let mut all = Vec::new();
    for name in names.into_iter().filter(|n| wanted(n)) {
        let t = file.tensor(name).unwrap();
        all.extend(format!("{name} {:?} {:?} ", t.dtype(), t.shape()).bytes());
        all.extend(t.data());
    }
    hex(&all)
}

fn main() -> anyhow::Result<()> {
    for dir in std::env::args().skip(1).map(std::path::PathBuf::from) {
        let mut card = Card::load(&dir)?;
        let config = TrainConfig::load(&dir.join("train.ron"))?;
        let start = match &config.architecture {
            Architecture::PixelDiffusion(r) => r.training.start.clone(),
            Architecture::LatentDiffusion(r) => r.start.clone(),
            _ => None,
        };
        if let Some(n) = card
            .notes
            .split(" frames trained on")
            .next()
            .and_then(|n| n.parse().ok())
        {
            card.frames = n;
        }
        if let Some(start) = start {
            card.stages = Stage::chain(&start)?;
        }
        let path = dir.join(folder::WEIGHTS);
        let bytes = std::fs::read(&path)?;
        let file = SafeTensors::deserialize(&bytes)?;
        let before = digest(&file, |n| !folder::is_readout(n));
        let all = digest(&file, |_| true);
        let old = card.sha256.clone();
        if file.names().iter().any(|n| folder::is_readout(n)) {
            for (to, readouts) in [(folder::WEIGHTS, false), (folder::READOUTS, true)] {
                let mut part: Vec<(String, TensorView)> = file
                    .tensors()
                    .into_iter()
                    .filter(|(n, _)| folder::is_readout(n) == readouts)
                    .collect();
                part.sort_by(|a, b| a.0.cmp(&b.0));
                let bytes = safetensors::serialize(part, None)?;
                std::fs::write(dir.join(to), &bytes)?;
                match readouts {
                    true => card.readouts = Some(hex(&bytes)),
                    false => card.sha256 = hex(&bytes),
                }
            }
            let new = std::fs::read(&path)?;
            let after = digest(&SafeTensors::deserialize(&new)?, |_| true);
            assert_eq!(before, after, "planning weights to the bit");
            let moved = std::fs::read(dir.join(folder::READOUTS))?;
            let moved = digest(&SafeTensors::deserialize(&moved)?, |_| true);
            assert_eq!(
                moved,
                digest(&file, folder::is_readout),
                "read-outs to the bit"
            );
        }
        card.save(&dir)?;
        println!(
            "{} {old} {} planning {before} all {all} {}",
            dir.display(),
            card.sha256,
            card.all_minutes()
        );
    }
    Ok(())
}
