//! Fields by name: what can be randomised, set (`--set cube.friction=0.9`) and offered as a slider, and how
//! far a value lies outside what training saw.

use super::format::{BODY_FIELDS, Body, Scene, WORLD_FIELDS};

/// Why a field cannot be set.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FieldError {
    /// No such field in this scene.
    #[error(
        "`{target}`: scene `{scene}` has no such field; expected one of {world}, or BODY.FIELD with a \
         body of {bodies} and one of {fields}",
        world = WORLD_FIELDS.join(", "), fields = BODY_FIELDS.join(", ")
    )]
    Unknown {
        /// The scene.
        scene: String,
        /// The name given.
        target: String,
        /// The scene's bodies.
        bodies: String,
    },
    /// Out of bounds.
    #[error("`{target}` = {value}: expected a number from {low} to {high}")]
    Bounds {
        /// The field.
        target: String,
        /// The value given.
        value: f32,
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
    /// Not of the form FIELD=NUMBER.
    #[error("`{0}`: expected FIELD=NUMBER, such as gravity=-3.7 or cube.friction=0.9")]
    Form(String),
}

/// A value outside the range that training saw.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Departure {
    /// The field.
    pub target: String,
    /// Its value.
    pub value: f32,
    /// Lowest value in training.
    pub low: f32,
    /// Highest value in training.
    pub high: f32,
    /// Distance from that range, in the field's unit.
    pub beyond: f32,
    /// The same, in widths of the range; `None` where training saw a single value.
    pub widths: Option<f32>,
}

impl std::fmt::Display for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Departure {
            target,
            value,
            low,
            high,
            beyond,
            widths,
        } = self;
        match widths {
            Some(w) => write!(
                f,
                "{target} = {value}: {beyond:.3} beyond the training range {low} to {high} ({w:.1} times \
                 its width)"
            ),
            None => write!(
                f,
                "{target} = {value}: {beyond:.3} away from {low}, the only value in training"
            ),
        }
    }
}

/// Bodies that can move may differ so much in mass: beyond it contacts no longer hold, however finely they
/// are solved.
pub const MOST_HEAVY: f32 = 1000.0;

/// What a field of a scene means where its name alone could mislead: for sliders and help.
pub fn help(target: &str) -> Option<&'static str> {
    let field = target.rsplit_once('.').map_or(target, |(_, field)| field);
    Some(match field {
        "friction" | "floor_friction" => {
            "Two bodies that touch have the mean of their frictions (so 0 on a floor of 0.5 still brakes \
             by 0.25 g), unless the \
             scene's `combine` says Min or Multiply"
        }
        "restitution" => "Of two bodies that meet the greater restitution counts; the floor has 0",
        "mass" => "Bodies that can move may differ in mass by a factor of 1000 at most",
        "damping" => "Share of the velocity and of the spin lost in a second",
        _ => return None,
    })
}

/// Bounds of a field's values, whatever the scene.
pub fn bounds(field: &str) -> (f32, f32) {
    match field {
        "gravity" => (-50.0, 50.0),
        "action.noise" => (0.0, 2.0),
        "action.delay" => (0.0, 20.0),
        "camera.x" | "camera.z" => (-50.0, 50.0),
        // Above the floor.
        "camera.y" => (0.01, 50.0),
        "x" | "y" | "z" | "vx" | "vy" | "vz" => (-20.0, 20.0),
        "yaw" | "pitch" | "roll" => (-360.0, 360.0),
        "wx" | "wy" | "wz" => (-100.0, 100.0),
        "mass" => (0.001, 1000.0),
        "friction" | "floor_friction" => (0.0, 5.0),
        "restitution" => (0.0, 1.0),
        "damping" => (0.0, 100.0),
        _ => (0.1, 10.0),
    }
}

impl Body {
    /// A number of the body, by one of [`BODY_FIELDS`].
    pub fn field(&self, name: &str) -> Option<f32> {
        Some(match name {
            "x" => self.position[0],
            "y" => self.position[1],
            "z" => self.position[2],
            "yaw" => self.yaw,
            "pitch" => self.pitch,
            "roll" => self.roll,
            "vx" => self.velocity[0],
            "vy" => self.velocity[1],
            "vz" => self.velocity[2],
            "wx" => self.spin[0],
            "wy" => self.spin[1],
            "wz" => self.spin[2],
            "mass" => self.mass,
            "friction" => self.friction,
            "restitution" => self.restitution,
            "damping" => self.damping,
            "size" => self.size,
            _ => return None,
        })
    }

    /// Sets a number of the body, kept within [`bounds`]; `false` for an unknown name.
    pub fn set_field(&mut self, name: &str, value: f32) -> bool {
        let (low, high) = bounds(name);
        let value = value.clamp(low, high);
        let place = match name {
            "x" => &mut self.position[0],
            "y" => &mut self.position[1],
            "z" => &mut self.position[2],
            "yaw" => &mut self.yaw,
            "pitch" => &mut self.pitch,
            "roll" => &mut self.roll,
            "vx" => &mut self.velocity[0],
            "vy" => &mut self.velocity[1],
            "vz" => &mut self.velocity[2],
            "wx" => &mut self.spin[0],
            "wy" => &mut self.spin[1],
            "wz" => &mut self.spin[2],
            "mass" => &mut self.mass,
            "friction" => &mut self.friction,
            "restitution" => &mut self.restitution,
            "damping" => &mut self.damping,
            "size" => &mut self.size,
            _ => return false,
        };
        *place = value;
        true
    }
}

impl Scene {
    /// The value that the scene's file gives, before what each seed draws; `None` for an unknown field.
    pub fn nominal(&self, target: &str) -> Option<f32> {
        match target {
            "gravity" => Some(self.gravity),
            "floor_friction" => Some(self.floor_friction),
            "action.noise" | "action.delay" => (!self.is_phenomenon()).then_some(0.0),
            "camera.x" => Some(self.camera.position[0]),
            "camera.y" => Some(self.camera.position[1]),
            "camera.z" => Some(self.camera.position[2]),
            _ => {
                let (body, field) = target.split_once('.')?;
                self.bodies[self.body_index(body)?].field(field)
            }
        }
    }

    /// Where the camera stands, with the interventions on it.
    pub fn camera_position(&self) -> [f32; 3] {
        let mut at = self.camera.position;
        for (target, value) in &self.interventions {
            match target.as_str() {
                "camera.x" => at[0] = *value,
                "camera.y" => at[1] = *value,
                "camera.z" => at[2] = *value,
                _ => {}
            }
        }
        at
    }

    /// Lowest and highest value that episodes collected in this scene can have; `None` for an unknown field.
    pub fn training_range(&self, target: &str) -> Option<(f32, f32)> {
        let nominal = self.nominal(target)?;
        let drawn = self.randomise.iter().rev().find(|r| r.target == target);
        Some(match drawn {
            None => (nominal, nominal),
            Some(r) if r.among.is_empty() => (r.low, r.high),
            Some(r) => r
                .among
                .iter()
                .fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v))),
        })
    }

    /// How far a value lies outside the training range; `None` if it lies inside or the field is unknown.
    pub fn departure(&self, target: &str, value: f32) -> Option<Departure> {
        let (low, high) = self.training_range(target)?;
        let beyond = (low - value).max(value - high);
        let slack = 1e-5 * (1.0 + value.abs());
        (beyond > slack).then(|| Departure {
            target: target.to_string(),
            value,
            low,
            high,
            beyond,
            widths: (high > low).then(|| beyond / (high - low)),
        })
    }

    /// The departures of the scene's own interventions.
    pub fn departures(&self) -> Vec<Departure> {
        self.interventions
            .iter()
            .filter_map(|(target, value)| self.departure(target, *value))
            .collect()
    }

    /// Whether there is nobody to act in it.
    pub fn is_phenomenon(&self) -> bool {
        self.actions.dim() == 0
    }

    /// Checks that a field exists here and takes the value.
    ///
    /// # Errors
    /// [`FieldError::Unknown`] or [`FieldError::Bounds`].
    pub fn check_field(&self, target: &str, value: f32) -> Result<(), FieldError> {
        if self.nominal(target).is_none() {
            let names: Vec<&str> = self.bodies.iter().map(|b| b.name.as_str()).collect();
            return Err(FieldError::Unknown {
                scene: self.name.clone(),
                target: target.into(),
                bodies: names.join(", "),
            });
        }
        let field = match target.split_once('.') {
            Some(("action" | "camera", _)) | None => target,
            Some((_, field)) => field,
        };
        let (low, high) = bounds(field);
        if value.is_finite() && (low..=high).contains(&value) {
            Ok(())
        } else {
            Err(FieldError::Bounds {
                target: target.into(),
                value,
                low,
                high,
            })
        }
    }

    /// Adds `FIELD=NUMBER` to the scene's interventions (a later one on the same field replaces it).
    ///
    /// # Errors
    /// [`FieldError`].
    pub fn intervene(&mut self, assignment: &str) -> Result<(), FieldError> {
        let form = || FieldError::Form(assignment.to_string());
        let (target, value) = assignment.split_once('=').ok_or_else(form)?;
        let (target, value) = (target.trim(), value.trim());
        let value: f32 = value.parse().map_err(|_| form())?;
        self.check_field(target, value)?;
        self.interventions.retain(|(t, _)| t != target);
        self.interventions.push((target.to_string(), value));
        Ok(())
    }
}
