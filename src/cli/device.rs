//! `--device auto|cpu|cuda:N|metal`.

use anyhow::{Result, bail};
use candle_core::Device;

/// The device of a name; `auto` takes a GPU where this build and the machine have one.
///
/// # Errors
/// If the name is unknown, or the device cannot be had in this build or on this machine.
pub fn pick(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" => Ok(best()),
        "metal" if cfg!(feature = "metal") => Ok(Device::new_metal(0)?),
        "metal" => bail!("--device metal: this build has no Metal; build with `--features metal`"),
        _ => match name
            .strip_prefix("cuda:")
            .and_then(|n| n.parse::<usize>().ok())
        {
            Some(n) => cuda(n),
            None => Err(super::wrong_use(format!(
                "--device {name}: expected auto, cpu, cuda:N or metal"
            ))),
        },
    }
}

/// The device that a name stands for here: `cpu`, `cuda` or `metal`.
///
/// # Errors
/// As [`pick`].
pub fn name(of: &str) -> Result<&'static str> {
    Ok(match pick(of)? {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    })
}

fn best() -> Device {
    if cfg!(feature = "metal")
        && let Ok(device) = Device::new_metal(0)
    {
        return device;
    }
    cuda(0).unwrap_or(Device::Cpu)
}

#[cfg(feature = "cuda")]
fn cuda(n: usize) -> Result<Device> {
    // Asking candle on a machine without the driver would panic.
    // SAFETY: only looks whether the library can be opened.
    if !unsafe { candle_core::cuda::cudarc::driver::sys::is_culib_present() } {
        bail!("--device cuda:{n}: no CUDA driver (libcuda) on this machine");
    }
    Ok(Device::new_cuda(n)?)
}

#[cfg(not(feature = "cuda"))]
fn cuda(n: usize) -> Result<Device> {
    bail!("--device cuda:{n}: this build has no CUDA; build with `--features cuda`")
}
