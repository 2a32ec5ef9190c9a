//! Writes `model.ron` beside every `train.ron` of a shipped folder.
use parallax::model::folder;
use parallax::train::{Architecture, TrainConfig};
fn main() -> anyhow::Result<()> {
    for dir in std::env::args().skip(1).map(std::path::PathBuf::from) {
        let text = match TrainConfig::load(&dir.join("train.ron"))?.architecture {
            Architecture::Lewm(r) => folder::network_text(&r.model)?,
            Architecture::VjepaAc(r) => folder::network_text(&r.model)?,
            Architecture::PixelDiffusion(r) => folder::network_text(&r.model)?,
            Architecture::LatentDiffusion(r) => folder::network_text(&r.model)?,
            Architecture::Cloning(r) | Architecture::StepsToGo(r) => {
                folder::network_text(&r.model)?
            }
        };
        folder::save_network(&dir, &text)?;
    }
    Ok(())
}
