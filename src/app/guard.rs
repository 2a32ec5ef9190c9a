//! The last resort of the window: whatever fails deep in the window, in a driver or in the graphics library
//! ends in one sentence and exit code 1. What workers fail at is told by their desks, in the pane concerned.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::worker::is_worker;

/// From now on, a panic outside of the workers is one sentence and the end of the program.
pub fn install() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        static SAID: AtomicBool = AtomicBool::new(false);
        let message = panic.payload_as_str().unwrap_or("no message");
        if message.starts_with("failed printing to") {
            return before(panic);
        }
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_else(|| "an unknown place".into());
        let thread = std::thread::current();
        if is_worker(thread.name().unwrap_or_default()) {
            return tracing::debug!("{place}: {message}");
        }
        if !SAID.swap(true, Ordering::SeqCst) {
            eprintln!("error: {}", in_words(message, &place));
            std::process::exit(1);
        }
        // Another thread is about to end the program; nothing more is to be said.
        loop {
            std::thread::park();
        }
    }));
}

/// What a failure means, and what to do about it.
pub fn in_words(message: &str, place: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let any = |words: &[&str]| words.iter().any(|w| message.contains(w));
    if any(&["Unable to find a GPU"]) {
        return super::graphics::NO_DRIVER.into();
    }
    if any(&[
        "LibraryOpenError",
        "opening library failed",
        "NoWaylandLib",
        "could not be loaded",
    ]) {
        return format!(
            "a library that the window needs cannot be opened ({first}); `./run` installs those \
             that are missing"
        );
    }
    if any(&[
        "Failed to build event loop",
        "XOpenDisplayFailed",
        "NoCompositor",
    ]) {
        return format!(
            "the display cannot be opened ({first}); `parallax doctor` says what is there"
        );
    }
    if any(&["surface", "Surface", "swapchain", "Swapchain"]) {
        return format!(
            "the graphics driver cannot draw on this display ({first}); another colour depth (24 \
             bits), display or driver may \
             help; `parallax doctor` says what is there"
        );
    }
    if any(&[
        "out of memory",
        "Out of memory",
        "OutOfMemory",
        "Not enough memory",
    ]) {
        return format!(
            "the graphics driver has no memory left ({first}); a smaller window (--size) needs less"
        );
    }
    if any(&[
        "wgpu",
        "Device",
        "device",
        "adapter",
        "DeviceLost",
        "Vulkan",
    ]) {
        return format!(
            "the graphics driver failed ({first}); `parallax doctor` says which it is, and \
             VK_DRIVER_FILES chooses another"
        );
    }
    format!(
        "the window failed: {first} ({place}); this is a fault of Parallax, please report this line"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_the_window_is_one_sentence_that_says_what_to_do() {
        let cases = [
            (
                "Unable to find a GPU! Make sure\nsecond line",
                "mesa-vulkan-drivers",
            ),
            (
                "Failed to build event loop: Os(OsError { error: XNotSupported(LibraryOpenError(..)) })",
                "./run",
            ),
            (
                "Failed to build event loop: Os(XOpenDisplayFailed)",
                "display",
            ),
            (
                "Failed to create wgpu surface: CreateSurfaceError",
                "colour depth",
            ),
            ("wgpu error: Out of memory", "--size"),
            (
                "called `Result::unwrap()` on an `Err` value: RequestDeviceError",
                "VK_DRIVER_FILES",
            ),
            ("index out of bounds", "please report"),
        ];
        for (message, advice) in cases {
            let words = in_words(message, "src/x.rs:1:2");
            assert!(words.contains(advice), "{message}: {words}");
            assert!(!words.contains('\n'), "{words}");
        }
    }
}
