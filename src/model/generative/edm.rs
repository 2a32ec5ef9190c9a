//! The mathematics of denoising (Karras et al. 2022, arXiv 2206.00364, "EDM").

/// The four factors around the network (EDM, table 1): `D(x; σ) = skip · x + out · F(input · x; noise)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preconditioning {
    /// c_skip.
    pub skip: f32,
    /// c_out.
    pub out: f32,
    /// c_in.
    pub input: f32,
    /// c_noise, what the network is told.
    pub noise: f32,
}

impl Preconditioning {
    /// At noise level `sigma` over data of deviation `sigma_data`. Noise that is the same for all pixels
    /// (`offset_noise`) adds to the level, as in DIAMOND.
    pub fn new(sigma: f32, sigma_data: f32, offset_noise: f32) -> Self {
        let sigma = (sigma * sigma + offset_noise * offset_noise).sqrt();
        let total = sigma * sigma + sigma_data * sigma_data;
        Self {
            skip: sigma_data * sigma_data / total,
            out: sigma * sigma_data / total.sqrt(),
            input: 1.0 / total.sqrt(),
            noise: sigma.ln() / 4.0,
        }
    }
}

/// Noise levels of `steps` denoising steps and the 0 after them (EDM, eq. 5), falling from `max` to `min`.
pub fn sigmas(steps: usize, min: f32, max: f32, rho: f32) -> Vec<f32> {
    let (low, high) = (min.powf(1.0 / rho), max.powf(1.0 / rho));
    let last = steps.saturating_sub(1).max(1) as f32;
    let mut levels: Vec<f32> = (0..steps)
        .map(|i| (high + i as f32 / last * (low - high)).powf(rho))
        .collect();
    levels.push(0.0);
    levels
}
