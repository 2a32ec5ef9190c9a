//! A real window, drawn on the processor under Xvfb, opens each scene, plays, scrubs, changes controller,
//! and is not blank.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A virtual display; it goes with this.
pub struct Display {
    server: Child,
    /// Its name, such as `:7`.
    pub name: String,
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A virtual display of this size and depth, or `None` (with a message) where Xvfb is not installed.
pub fn display(screen: &str) -> Option<Display> {
    let server = Command::new("Xvfb")
        .args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            screen,
            "-nolisten",
            "tcp",
            // One window after another: the display stays as it is between them.
            "-noreset",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut server) = server else {
        eprintln!("skipped: Xvfb is not installed (apt-get install xvfb mesa-vulkan-drivers)");
        return None;
    };
    // The server chooses a free number and writes it when it is ready.
    let mut number = String::new();
    let out = server.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut number).unwrap();
    assert!(!number.trim().is_empty(), "no virtual display came up");
    let name = format!(":{}", number.trim());
    Some(Display { server, name })
}

#[test]
fn the_window_plays_every_scene_and_its_picture_is_not_blank() {
    let Some(display) = display("1280x800x24") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let shot = dir.path().join("window.png");
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"))
        .args(["app", "--play-all", "--size", "1280x800", "--timings"])
        .arg("--shot")
        .arg(&shot)
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .timeout(Duration::from_secs(3000))
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

/// Opens the window for a picture.
fn picture(display: &Display, args: &[&str]) -> image::RgbImage {
    let dir = tempfile::tempdir().unwrap();
    let shot = dir.path().join("WINDOW.PNG");
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"))
        .arg("app")
        .args(args)
        .arg("--shot")
        .arg(&shot)
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .timeout(Duration::from_secs(240))
        .assert()
        .success();
    // The ending is in capitals, and it is a PNG all the same.
    let picture = image::load_from_memory_with_format(
        &std::fs::read(&shot).unwrap(),
        image::ImageFormat::Png,
    );
    let picture = picture.unwrap().to_rgb8();
    let colours: HashSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
    assert!(colours.len() > 50, "a blank picture");
    picture
}

#[test]
fn the_window_opens_no_larger_than_the_screen_and_a_picture_is_never_black() {
    let Some(display) = display("1024x600x24") else {
        return;
    };
    let fall = ["--scene", "fall", "--after", "0.1"];
    assert_eq!(picture(&display, &fall).dimensions(), (1024, 600));
    let smaller = [&fall[..], &["--size", "800x600"]].concat();
    assert_eq!(picture(&display, &smaller).dimensions(), (800, 600));
}

#[test]
fn reality_in_3_d_shows_its_bodies_in_their_colours() {
    let Some(display) = display("1280x720x24") else {
        return;
    };
    let picture = picture(
        &display,
        &["--scene", "collide3", "--size", "1280x720", "--after", "3"],
    );
    // The first film of three, of which a ball takes over a thousand pixels; lines drawn over it take fewer.
    let film = || (110..390).flat_map(|y| (30..320).map(move |x| (x, y)));
    let count = |is: fn([i32; 3]) -> bool| {
        let colour = |(x, y)| picture.get_pixel(x, y).0.map(i32::from);
        film().filter(|at| is(colour(*at))).count()
    };
    let found = [
        ("yellow", count(|[r, g, b]| r > g + 25 && g > b + 60)),
        ("green", count(|[r, g, b]| g > r + 60 && g > b + 25)),
        ("blue", count(|[r, g, b]| b > r + 60 && b > g + 60)),
    ];
    for (colour, pixels) in found {
        assert!(
            pixels > 700,
            "{pixels} pixels of the {colour} ball: {found:?}"
        );
    }
}
