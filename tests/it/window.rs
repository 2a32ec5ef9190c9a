//! A real window, drawn on the processor under Xvfb, opens each scene, plays, scrubs, changes controller, and is not blank.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Display {
    server: Child,
    name: String,
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A virtual display, or `None` (with a message) where Xvfb is not installed.
fn display() -> Option<Display> {
    for number in 140..180 {
        let socket = format!("/tmp/.X11-unix/X{number}");
        if Path::new(&socket).exists() {
            continue;
        }
        let name = format!(":{number}");
        let server = Command::new("Xvfb")
            .args([&name, "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(server) = server else {
            eprintln!("skipped: Xvfb is not installed (apt-get install xvfb mesa-vulkan-drivers)");
            return None;
        };
        let display = Display { server, name };
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if Path::new(&socket).exists() {
                return Some(display);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    panic!("no virtual display came up");
}

#[test]
fn the_window_plays_every_scene_and_its_picture_is_not_blank() {
    let Some(display) = display() else { return };
    let dir = tempfile::tempdir().unwrap();
    let shot = dir.path().join("window.png");
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"))
        .args(["app", "--play-all", "--size", "1280x800", "--timings"])
        .arg("--shot")
        .arg(&shot)
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .timeout(Duration::from_secs(900))
        .assert()
        .success();
    let picture = image::open(&shot).unwrap().to_rgb8();
    assert_eq!((picture.width(), picture.height()), (1280, 800));
    let colours: HashSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
    assert!(
        colours.len() > 200,
        "only {} colours: the window is blank",
        colours.len()
    );
    // The 3-D view takes up the middle left: it must hold more than its background.
    let view: HashSet<[u8; 3]> = (0..300)
        .flat_map(|y| (0..400).map(move |x| (x + 150, y + 150)))
        .map(|(x, y)| picture.get_pixel(x, y).0)
        .collect();
    assert!(
        view.len() > 50,
        "only {} colours in the 3-D view",
        view.len()
    );
}

#[test]
fn without_a_display_the_window_says_what_to_do() {
    if !cfg!(target_os = "linux") {
        return;
    }
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"))
        .arg("app")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .timeout(Duration::from_secs(60))
        .assert()
        .code(1)
        .stderr(predicates::str::contains("no display"));
}
