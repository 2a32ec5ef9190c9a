//! However the window is started wrongly or on a machine that lacks something: one sentence that says what to
//! do, exit code 1 or 2, and never a backtrace.

use std::path::Path;
use std::time::Duration;

use crate::weights_are_checked::tiny_lewm;
use crate::window::display;

struct BadStart<'a> {
    what: &'a str,
    /// Variables that are set, or with `None` removed.
    environment: Vec<(&'a str, Option<&'a str>)>,
    arguments: Vec<&'a str>,
    code: i32,
    /// What the sentence has to contain.
    says: &'a [&'a str],
}

fn bad<'a>(what: &'a str, code: i32, says: &'a [&'a str]) -> BadStart<'a> {
    BadStart {
        what,
        environment: Vec::new(),
        arguments: Vec::new(),
        code,
        says,
    }
}

impl<'a> BadStart<'a> {
    fn with(mut self, arguments: &[&'a str]) -> Self {
        self.arguments.extend(arguments);
        self
    }

    fn set(mut self, variable: &'a str, value: &'a str) -> Self {
        self.environment.push((variable, Some(value)));
        self
    }

    fn unset(mut self, variable: &'a str) -> Self {
        self.environment.push((variable, None));
        self
    }

    fn check(&self, working_display: &str) {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"));
        command
            .arg("app")
            .env("DISPLAY", working_display)
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("WAYLAND_SOCKET")
            .env_remove("RUST_LOG")
            .env("RUST_BACKTRACE", "1")
            .timeout(Duration::from_secs(120))
            .args(&self.arguments);
        for (variable, value) in &self.environment {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        let out = command.output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        let what = self.what;
        assert_eq!(out.status.code(), Some(self.code), "{what}: {said}");
        for words in self.says {
            assert!(said.contains(words), "{what}: no `{words}` in: {said}");
        }
        let errors = said.lines().filter(|l| l.starts_with("error:")).count();
        assert_eq!(errors, 1, "{what}: {said}");
        for traces in [
            "panicked",
            "stack backtrace",
            "RUST_BACKTRACE",
            "bevyengine",
        ] {
            assert!(!said.contains(traces), "{what}: {said}");
        }
    }
}

/// A folder with one scene, and one model whose weights are damaged.
fn damaged_home(dir: &Path) {
    std::fs::create_dir(dir.join("scenes")).unwrap();
    let push = parallax::scene::library_dir().join("push.ron");
    std::fs::copy(push, dir.join("scenes/push.ron")).unwrap();
    tiny_lewm(&dir.join("models/tiny"));
    let card = dir.join("models/tiny/card.ron");
    let text = std::fs::read_to_string(&card).unwrap();
    assert!(text.contains("\"push\""), "{text}");
    let weights = dir.join("models/tiny/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(weights, bytes).unwrap();
}

#[test]
fn every_bad_start_of_the_window_is_one_sentence_and_exit_code_1_or_2() {
    let Some(good) = display("1280x800x24") else {
        return;
    };
    let (Some(poor), Some(middling)) = (display("800x600x8"), display("800x600x16")) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let broken_scene = path("broken.ron");
    std::fs::write(&broken_scene, "Scene(name: \"broken\", bodies: 7)").unwrap();
    let no_driver = path("libc_icd.json");
    std::fs::write(
        &no_driver,
        r#"{"file_format_version": "1.0.0", "ICD": {"library_path": "libc.so.6", "api_version": "1.3.0"}}"#,
    )
    .unwrap();
    let (empty_home, bad_home) = (path("empty"), path("bad"));
    std::fs::create_dir(&empty_home).unwrap();
    std::fs::create_dir(&bad_home).unwrap();
    damaged_home(Path::new(&bad_home));
    let (jpeg, folder) = (path("a.jpg"), path("folder.png"));
    std::fs::create_dir(&folder).unwrap();
    let shot = path("a.png");
    let starts = [
        // The display.
        bad("no display", 2, &["there is no display", "Xvfb"]).unset("DISPLAY"),
        bad("an empty DISPLAY", 2, &["there is no display"]).set("DISPLAY", ""),
        bad("a display that is gone", 2, &["`:987`", "DISPLAY"]).set("DISPLAY", ":987"),
        bad("a display of no form", 2, &["`nonsense`"]).set("DISPLAY", "nonsense"),
        bad(
            "Wayland without a compositor",
            2,
            &["`wayland-77`", "WAYLAND_DISPLAY"],
        )
        .unset("DISPLAY")
        .set("WAYLAND_DISPLAY", "wayland-77"),
        bad("neither Wayland nor X", 2, &["`wayland-77`", "`:987`"])
            .set("DISPLAY", ":987")
            .set("WAYLAND_DISPLAY", "wayland-77"),
        // The colour depth.
        bad("256 colours", 2, &["8 bits", "24"]).set("DISPLAY", &poor.name),
        bad("65536 colours", 2, &["16 bits", "24"]).set("DISPLAY", &middling.name),
        // The driver.
        bad("no Vulkan driver", 1, &["mesa-vulkan-drivers", "./run"])
            .set("VK_DRIVER_FILES", "/nonexistent.json"),
        bad("a library that is no driver", 1, &["VK_DRIVER_FILES"])
            .set("VK_DRIVER_FILES", &no_driver),
        // Names and options.
        bad("an unknown scene", 2, &["nosuch", "push, "]).with(&["--scene", "nosuch"]),
        bad(
            "an unknown controller",
            2,
            &["nosuch", "oracle", "lewm-push"],
        )
        .with(&["--scene", "push", "--controller", "nosuch"]),
        bad("a model of another scene", 2, &["lewm-reach", "push"]).with(&[
            "--scene",
            "push",
            "--controller",
            "lewm-reach",
        ]),
        bad("a controller where nobody acts", 2, &["nobody acts"]).with(&[
            "--scene",
            "fall",
            "--controller",
            "oracle",
        ]),
        bad("an unknown field", 2, &["foo"]).with(&["--set", "foo=3"]),
        bad("a field that is not finite", 2, &["gravity=nan"]).with(&["--set", "gravity=nan"]),
        bad("a field out of bounds", 2, &["gravity"]).with(&["--set", "gravity=1e9"]),
        bad(
            "a window too small to be of use",
            2,
            &["320x240", "800x600"],
        )
        .with(&["--size", "320x240"]),
        bad("a size that is none", 2, &["WIDTHxHEIGHT"]).with(&["--size", "nonsense"]),
        bad("an unknown key", 2, &["3:nokey"]).with(&["--press", "3:nokey"]),
        bad("a time that is none", 2, &["NaN", "seconds"])
            .with(&["--shot", &shot, "--after", "NaN"]),
        bad("options that a walk ignores", 2, &["--play-all", "--scene"]).with(&[
            "--play-all",
            "--scene",
            "push",
        ]),
        // Files.
        bad("a picture that is no PNG", 2, &["a.jpg", ".png"]).with(&["--shot", &jpeg]),
        bad("a picture that is a folder", 2, &["folder.png"]).with(&["--shot", &folder]),
        bad("a picture where nothing can be written", 1, &["/proc/x"])
            .with(&["--shot", "/proc/x/y.png"]),
        bad("a scene that cannot be read", 1, &["broken.ron:1:"]).with(&["--scene", &broken_scene]),
        bad(
            "a scene that is not there",
            1,
            &["gone.ron", "cannot be read"],
        )
        .with(&["--scene", "gone.ron"]),
        bad("a home without scenes", 1, &["no scene", "PARALLAX_HOME"])
            .set("PARALLAX_HOME", &empty_home),
        bad(
            "a controller whose weights are damaged",
            1,
            &["tiny cannot drive", "sha256"],
        )
        .set("PARALLAX_HOME", &bad_home)
        .with(&["--controller", "tiny", "--shot", &shot]),
    ];
    assert!(starts.len() >= 12);
    for start in &starts {
        start.check(&good.name);
    }
    assert!(!Path::new(&shot).exists(), "a picture of a failure");
}
