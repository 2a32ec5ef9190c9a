//! Bounds and cross-checks of scene files; every error names the file, the place and what was expected.

use std::path::Path;

use super::SceneError;
use super::format::*;
use super::task::{ActionSpace, GoalSampler, Task};
use super::text::{code_only, find_key, key_before, nth_entry, value_after, without_mark};

/// Longest scene file that is read, bytes.
const MAX_BYTES: u64 = 256 * 1024;

impl Scene {
    /// Reads and checks a scene file.
    ///
    /// # Errors
    /// [`SceneError`], naming the file and, where it applies, line, field and expected value.
    pub fn load(path: &Path) -> Result<Scene, SceneError> {
        let read_error = |source| SceneError::Read {
            path: path.to_path_buf(),
            source,
        };
        let size = std::fs::metadata(path).map_err(read_error)?.len();
        if size > MAX_BYTES {
            return Err(SceneError::Field {
                path: path.to_path_buf(),
                line: 1,
                field: "(file size)".into(),
                found: format!("{size} bytes"),
                expected: format!("at most {MAX_BYTES} bytes"),
            });
        }
        let text = crate::system::files::text(path).map_err(read_error)?;
        let scene = Scene::parse(&text, path)?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if scene.name != stem {
            // Results, thresholds and models are filed under this name, so that it must not be another
            // scene's.
            let check = Check { path, text: &text };
            return Err(check.fail(
                "name",
                format!("{:?}", scene.name),
                format!("{stem:?}, as the file is called (or rename the file)"),
            ));
        }
        Ok(scene)
    }

    /// Parses and checks a scene's text; `path` only names it in errors.
    ///
    /// # Errors
    /// [`SceneError::Parse`] or [`SceneError::Field`].
    pub fn parse(text: &str, path: &Path) -> Result<Scene, SceneError> {
        let text = without_mark(text);
        let scene: Scene = ron::Options::default()
            .with_recursion_limit(32)
            .from_str(text)
            .map_err(|e| {
                let (line, column) = (e.span.start.line, e.span.start.col);
                let place = key_before(text, line, column);
                SceneError::Parse {
                    path: path.to_path_buf(),
                    line,
                    column,
                    message: place.map_or(e.code.to_string(), |key| {
                        format!("at field `{key}`: {}", e.code)
                    }),
                }
            })?;
        let check = Check { path, text };
        check.scene(&scene)?;
        Ok(scene)
    }

    /// Checks a scene that was changed after it was read; `name` stands for the file in errors.
    ///
    /// # Errors
    /// [`SceneError::Field`].
    pub fn check(&self, name: &str) -> Result<(), SceneError> {
        let check = Check {
            path: Path::new(name),
            text: "",
        };
        check.scene(self)
    }
}

pub(super) struct Check<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Check<'_> {
    pub(super) fn fail(
        &self,
        field: &str,
        found: impl ToString,
        expected: impl ToString,
    ) -> SceneError {
        SceneError::Field {
            path: self.path.to_path_buf(),
            line: self.line_of(field),
            field: field.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    /// The line of a field path: walks to the n-th entry of the named list, then to the key.
    fn line_of(&self, field: &str) -> usize {
        if self.text.is_empty() {
            return 0;
        }
        let code = code_only(self.text);
        let (mut at, mut region) = (0usize, 0..code.len());
        for part in field.split('.') {
            let (key, index) = match part.split_once('[') {
                Some((key, rest)) => (key, rest.trim_end_matches(']').parse::<usize>().ok()),
                None => (part, None),
            };
            let Some(found) = find_key(&code, region.clone(), key) else {
                continue;
            };
            (at, region) = (found, value_after(&code, found..region.end));
            if let Some(index) = index {
                region = nth_entry(&code, region, index);
                at = region.start;
            }
        }
        1 + code[..at].matches('\n').count()
    }

    pub(super) fn number(
        &self,
        field: &str,
        value: f32,
        low: f32,
        high: f32,
    ) -> Result<(), SceneError> {
        if value.is_finite() && (low..=high).contains(&value) {
            Ok(())
        } else {
            Err(self.fail(field, value, format!("a number from {low} to {high}")))
        }
    }

    pub(super) fn name(&self, field: &str, value: &str) -> Result<(), SceneError> {
        let ok = (1..=32).contains(&value.len())
            && value
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if ok {
            Ok(())
        } else {
            Err(self.fail(field, format!("{value:?}"), "1 to 32 of a-z, 0-9 and _"))
        }
    }

    fn scene(&self, s: &Scene) -> Result<(), SceneError> {
        self.name("name", &s.name)?;
        let characters = s.summary.chars().count();
        if characters > 300 {
            return Err(self.fail("summary", format!("{characters} characters"), "at most 300"));
        }
        if s.bodies.is_empty() || s.bodies.len() > 16 {
            return Err(self.fail(
                "bodies",
                format!("{} bodies", s.bodies.len()),
                "1 to 16 bodies",
            ));
        }
        for (i, body) in s.bodies.iter().enumerate() {
            self.body(&format!("bodies[{i}]"), body)?;
            if s.bodies[..i].iter().any(|b| b.name == body.name) {
                return Err(self.fail(
                    &format!("bodies[{i}].name"),
                    format!("{:?} again", body.name),
                    "unique names",
                ));
            }
        }
        let hands = s.bodies.iter().filter(|b| b.kind == Kind::Hand).count();
        let wanted = usize::from(s.actions != ActionSpace::None);
        if hands != wanted {
            return Err(self.fail(
                "actions",
                format!("{:?} with {hands} bodies of kind Hand", s.actions),
                "exactly one Hand with Planar or Spatial actions, no Hand with None",
            ));
        }
        self.actions(&s.actions)?;
        let stands = s.camera_position();
        for (axis, stands) in stands.iter().enumerate() {
            self.number("camera.position", *stands, -50.0, 50.0)?;
            self.number("camera.target", s.camera.target[axis], -50.0, 50.0)?;
            self.number("sun", s.sun[axis], -10.0, 10.0)?;
        }
        self.number("camera.fov_degrees", s.camera.fov_degrees, 5.0, 120.0)?;
        let away: f32 = (0..3)
            .map(|a| (stands[a] - s.camera.target[a]).powi(2))
            .sum();
        if away < 1e-4 || stands[1] <= 0.0 {
            return Err(self.fail(
                "camera",
                "a camera at its target or under the floor",
                "a position above the floor, away from the target",
            ));
        }
        self.eye(s)?;
        if s.sun[1] >= -0.05 {
            return Err(self.fail(
                "sun",
                format!("{:?}", s.sun),
                "light that travels downwards (y at most -0.05)",
            ));
        }
        self.number("gravity", s.gravity, -50.0, 50.0)?;
        self.number("scale_m", s.scale_m, 0.01, 10.0)?;
        self.number("floor_friction", s.floor_friction, 0.0, 5.0)?;
        if !(2..=1000).contains(&s.episode_steps) {
            return Err(self.fail("episode_steps", s.episode_steps, "2 to 1000"));
        }
        if s.randomise.len() > 64 || s.apart.len() > 32 || s.sliders.len() > 32 {
            return Err(self.fail(
                "randomise",
                "too many entries",
                "at most 64 randomise, 32 apart, 32 sliders",
            ));
        }
        for (i, r) in s.randomise.iter().enumerate() {
            self.randomise(s, &format!("randomise[{i}]"), r)?;
        }
        for (i, slider) in s.sliders.iter().enumerate() {
            let at = format!("sliders[{i}]");
            if slider.target.starts_with("camera.") {
                return Err(self.fail(
                    &format!("{at}.target"),
                    format!("{:?}", slider.target),
                    "something of the world: the camera stands still while a scene runs",
                ));
            }
            for (end, value) in [("low", slider.low), ("high", slider.high)] {
                self.field(
                    s,
                    &format!("{at}.target"),
                    &format!("{at}.{end}"),
                    &slider.target,
                    value,
                )?;
            }
            self.number(&format!("{at}.high"), slider.high, slider.low, 360.0)?;
        }
        for (i, (target, value)) in s.interventions.iter().enumerate() {
            let at = format!("interventions[{i}]");
            self.field(s, &at, &at, target, *value)?;
        }
        self.masses(s)?;
        self.joints(s)?;
        self.sensors(s)?;
        self.edits(s)?;
        for (i, (a, b, distance)) in s.apart.iter().enumerate() {
            for name in [a, b] {
                if s.body_index(name).is_none() {
                    return Err(self.fail(
                        &format!("apart[{i}]"),
                        format!("{name:?}"),
                        "the name of a body",
                    ));
                }
            }
            self.number(&format!("apart[{i}]"), *distance, 0.0, 10.0)?;
        }
        let b = &s.behaviour;
        for (field, value) in [
            ("behaviour.task", b.task),
            ("behaviour.contact", b.contact),
            ("behaviour.explore", b.explore),
        ] {
            self.number(field, value, 0.0, 1.0)?;
        }
        if b.task + b.contact + b.explore <= 0.0 {
            return Err(self.fail(
                "behaviour",
                "shares that sum to 0",
                "at least one share above 0",
            ));
        }
        if let Some(task) = &s.task {
            self.task(s, task)?;
        }
        Ok(())
    }

    fn eye(&self, s: &Scene) -> Result<(), SceneError> {
        let c = &s.camera;
        if ![64, 96, 128].contains(&c.size) {
            return Err(self.fail("camera.size", c.size, "64, 96 or 128 pixels"));
        }
        if !(1..=4).contains(&c.samples) {
            return Err(self.fail("camera.samples", c.samples, "1 to 4 samples a side"));
        }
        let away = (0..3)
            .map(|a| (c.position[a] - c.target[a]).powi(2))
            .sum::<f32>();
        // The camera stays above the floor and off its target wherever it is drawn.
        let room = c.position[1].min(away.sqrt() / 2.0).min(2.0);
        self.number("camera.jitter_m", c.jitter_m, 0.0, room * 0.9)?;
        if let Floor::Checker { tile_m } = s.floor {
            self.number("floor.tile_m", tile_m, 0.01, 10.0)?;
        }
        Ok(())
    }

    fn body(&self, at: &str, b: &Body) -> Result<(), SceneError> {
        self.name(&format!("{at}.name"), &b.name)?;
        self.shape(&format!("{at}.shape"), &b.shape, true)?;
        for axis in 0..3 {
            self.number(&format!("{at}.position"), b.position[axis], -20.0, 20.0)?;
            self.number(&format!("{at}.velocity"), b.velocity[axis], -20.0, 20.0)?;
            self.number(&format!("{at}.spin"), b.spin[axis], -100.0, 100.0)?;
        }
        self.number(&format!("{at}.pitch"), b.pitch, -360.0, 360.0)?;
        self.number(&format!("{at}.roll"), b.roll, -360.0, 360.0)?;
        self.number(&format!("{at}.damping"), b.damping, 0.0, 100.0)?;
        self.number(&format!("{at}.size"), b.size, 0.1, 10.0)?;
        self.softness(at, b)?;
        self.number(&format!("{at}.yaw"), b.yaw, -360.0, 360.0)?;
        self.number(&format!("{at}.mass"), b.mass, 0.001, 1000.0)?;
        self.number(&format!("{at}.friction"), b.friction, 0.0, 5.0)?;
        self.number(&format!("{at}.restitution"), b.restitution, 0.0, 1.0)?;
        if b.kind != Kind::Fixed && !b.colour.is_saturated() {
            return Err(self.fail(
                &format!("{at}.colour"),
                format!("{:?}", b.colour),
                "a saturated hue for a body that moves (Grey and Dark are for fixed ones)",
            ));
        }
        Ok(())
    }

    fn task(&self, s: &Scene, task: &Task) -> Result<(), SceneError> {
        match s.body_index(&task.body) {
            Some(i) if s.bodies[i].kind != Kind::Fixed => {}
            _ => {
                return Err(self.fail(
                    "task.body",
                    format!("{:?}", task.body),
                    "the name of a body that can move",
                ));
            }
        }
        if s.actions == ActionSpace::None {
            return Err(self.fail(
                "task",
                "a task without actions",
                "Planar or Spatial actions, or no task",
            ));
        }
        if task.also.len() > 8 {
            return Err(self.fail(
                "task.also",
                format!("{} bodies", task.also.len()),
                "at most 8",
            ));
        }
        for (i, name) in task.also.iter().enumerate() {
            let movable = s
                .body_index(name)
                .is_some_and(|b| s.bodies[b].kind != Kind::Fixed);
            if !movable || *name == task.body || task.also[..i].contains(name) {
                return Err(self.fail(
                    "task.also",
                    format!("{name:?}"),
                    "names of further bodies that can move, each once",
                ));
            }
        }
        if let Some(angle) = task.angle_degrees {
            self.number("task.angle_degrees", angle, 0.1, 180.0)?;
        }
        if let Some(speed) = task.rest_speed {
            self.number("task.rest_speed", speed, 0.001, 10.0)?;
        }
        self.number("task.tolerance_m", task.tolerance_m, 0.001, 10.0)?;
        if !(1..=1000).contains(&task.budget_steps) {
            return Err(self.fail("task.budget_steps", task.budget_steps, "1 to 1000"));
        }
        self.goal(s, "task.goal", &task.goal)?;
        match &task.other_goal {
            Some(other) => self.goal(s, "task.other_goal", other),
            None => Ok(()),
        }
    }

    fn goal(&self, s: &Scene, at: &str, goal: &GoalSampler) -> Result<(), SceneError> {
        match goal {
            GoalSampler::Experience {
                ahead_steps,
                min_move_m,
            } => {
                if *ahead_steps == 0 || *ahead_steps >= s.episode_steps {
                    return Err(self.fail(
                        &format!("{at}.ahead_steps"),
                        ahead_steps,
                        "1 up to under episode_steps",
                    ));
                }
                self.number(&format!("{at}.min_move_m"), *min_move_m, 0.0, 10.0)
            }
            GoalSampler::Region {
                low,
                high,
                min_distance_m,
            } => {
                for axis in 0..2 {
                    self.number(&format!("{at}.low"), low[axis], -20.0, 20.0)?;
                    self.number(&format!("{at}.high"), high[axis], low[axis], 20.0)?;
                }
                self.number(&format!("{at}.min_distance_m"), *min_distance_m, 0.0, 10.0)
            }
            GoalSampler::OnTop { base } => match s.body_index(base) {
                Some(_) if s.task.as_ref().is_some_and(|t| t.body != *base) => Ok(()),
                _ => Err(self.fail(
                    &format!("{at}.base"),
                    format!("{base:?}"),
                    "the name of another body than the task's",
                )),
            },
        }
    }
}
