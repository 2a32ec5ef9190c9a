//! The graphics driver, asked for before the window opens.

use bevy::render::settings::{Backends, WgpuSettings};
use bevy::tasks::block_on;

/// What to say where there is no driver at all.
pub const NO_DRIVER: &str = "there is no graphics driver (Vulkan) that works here; `./run` installs \
    mesa-vulkan-drivers, \
     which draws on the processor; if VK_DRIVER_FILES or VK_ICD_FILENAMES is set, it may name a \
     file that is not there";

/// A driver that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The device, as the driver names it.
    pub name: String,
    /// The driver and its version.
    pub driver: String,
    /// Whether it draws on the processor.
    pub is_software: bool,
    /// Longest side of a picture, pixels.
    pub max_side: u32,
}

/// Mesa's layer that chooses among graphics cards looks for Wayland even where there is none, and says that
/// as an error: it is left out there. Call it before any thread is started.
pub fn keep_layers_quiet() {
    const VARIABLE: &str = "NODEVICE_SELECT";
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if cfg!(target_os = "linux") && !is_set("XDG_RUNTIME_DIR") && !is_set(VARIABLE) {
        // SAFETY: called before any thread is started, as documented, so nothing reads the environment
        // meanwhile.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}

/// The driver that the window would take, tried out.
///
/// # Errors
/// In a sentence: there is none, or it is there but fails.
pub fn find() -> Result<Adapter, String> {
    let wanted = WgpuSettings::default();
    let Some(backends) = wanted.backends.filter(|b| !b.is_empty()) else {
        return Err("WGPU_BACKEND names no way to draw; unset it".into());
    };
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        flags: wanted.instance_flags,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let options = wgpu::RequestAdapterOptions {
        power_preference: wanted.power_preference,
        ..wgpu::RequestAdapterOptions::default()
    };
    let adapter = block_on(instance.request_adapter(&options)).map_err(|e| {
        tracing::debug!("no adapter: {e}");
        match backends.contains(Backends::VULKAN) {
            true => NO_DRIVER.to_string(),
            false => format!(
                "there is no graphics driver for {backends:?}, which WGPU_BACKEND asks \
                for; unset it"
            ),
        }
    })?;
    let info = adapter.get_info();
    let device = wgpu::DeviceDescriptor {
        required_limits: adapter.limits(),
        ..wgpu::DeviceDescriptor::default()
    };
    block_on(adapter.request_device(&device)).map_err(|e| {
        let first = e.to_string();
        let first = first.lines().next().unwrap_or_default();
        format!(
            "the graphics driver of {} is there but fails ({first}); VK_DRIVER_FILES chooses \
                another, and mesa-vulkan-drivers \
             draws on the processor",
            info.name
        )
    })?;
    Ok(Adapter {
        name: info.name,
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .into(),
        is_software: info.device_type == wgpu::DeviceType::Cpu,
        max_side: adapter.limits().max_texture_dimension_2d,
    })
}
