//! Frames a second of LeWM's training, shipped preset: `lewm_step [STEPS]`. `benches/train_vs_torch.py`
//! compares it with PyTorch.

use candle_core::Device;
use parallax::train::{LewmRecipe, bench_lewm_step};

fn main() -> anyhow::Result<()> {
    parallax::model::nn::quiet_candle_threads();
    let steps = std::env::args().nth(1).map_or(Ok(30), |s| s.parse())?;
    println!(
        "{:.1}",
        bench_lewm_step(&LewmRecipe::default(), steps, &Device::Cpu)?
    );
    Ok(())
}
