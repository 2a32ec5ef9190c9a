//! Checks of a scene's parts: shapes, actions, randomisation, joints, sensors, edits.

use super::field::MOST_HEAVY;
use super::format::*;
use super::task::ActionSpace;
use super::validate::Check;
use super::{SceneError, Shape};

/// Fastest hand that moves in the plane, m/s: up to here it notices in time what cannot give way.
const MOST_PLANAR_SPEED: f32 = 1.0;

impl Check<'_> {
    pub(super) fn actions(&self, actions: &ActionSpace) -> Result<(), SceneError> {
        match actions {
            ActionSpace::None => Ok(()),
            ActionSpace::Planar {
                max_speed,
                limit,
                z_range,
            } => {
                // A faster hand drives what it pushes against a wall to and fro, and into itself.
                self.number("actions.max_speed", *max_speed, 0.01, MOST_PLANAR_SPEED)?;
                self.number("actions.limit", *limit, 0.05, 10.0)?;
                if let Some([low, high]) = z_range {
                    self.number("actions.z_range", *low, -limit, *limit)?;
                    self.number("actions.z_range", *high, *low, *limit)?;
                }
                Ok(())
            }
            ActionSpace::Spatial {
                max_speed,
                low,
                high,
                grip_reach_m,
            } => {
                self.number("actions.max_speed", *max_speed, 0.01, 5.0)?;
                for axis in 0..3 {
                    self.number("actions.low", low[axis], -10.0, 10.0)?;
                    self.number("actions.high", high[axis], low[axis], 10.0)?;
                }
                self.number("actions.grip_reach_m", *grip_reach_m, 0.001, 1.0)
            }
        }
    }

    pub(super) fn shape(&self, at: &str, shape: &Shape, whole: bool) -> Result<(), SceneError> {
        let length = |v: f32| self.number(at, v, 0.005, 10.0);
        match shape {
            Shape::Ball { radius } => length(*radius),
            Shape::Cuboid { half } => half.iter().try_for_each(|&h| length(h)),
            Shape::Cylinder {
                half_height,
                radius,
            }
            | Shape::Capsule {
                half_height,
                radius,
            } => length(*half_height).and(length(*radius)),
            Shape::Convex { points } => self.convex(at, points),
            Shape::Compound { parts } => {
                if !whole || parts.is_empty() || parts.len() > 16 {
                    return Err(self.fail(
                        at,
                        if whole {
                            format!("{} parts", parts.len())
                        } else {
                            "a compound within a compound".into()
                        },
                        "1 to 16 parts, none of them a compound",
                    ));
                }
                for part in parts {
                    self.shape(at, &part.shape, false)?;
                    for axis in 0..3 {
                        self.number(at, part.position[axis], -10.0, 10.0)?;
                        self.number(at, part.rotation[axis], -360.0, 360.0)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// A hull needs four points that do not lie in a plane, or rapier has nothing to collide with.
    fn convex(&self, at: &str, points: &[[f32; 3]]) -> Result<(), SceneError> {
        if !(4..=64).contains(&points.len()) {
            return Err(self.fail(at, format!("{} points", points.len()), "4 to 64 points"));
        }
        for p in points.iter().flatten() {
            self.number(at, *p, -10.0, 10.0)?;
        }
        let vectors: Vec<_> = points
            .iter()
            .map(|&p| rapier3d::math::Vector::from(p))
            .collect();
        let solid = rapier3d::geometry::SharedShape::convex_hull(&vectors)
            .is_some_and(|s| s.mass_properties(1.0).mass() > 1e-7);
        if solid {
            Ok(())
        } else {
            Err(self.fail(
                at,
                "points that enclose less than 0.1 cm³",
                "points that span a solid hull",
            ))
        }
    }

    pub(super) fn softness(&self, at: &str, b: &Body) -> Result<(), SceneError> {
        match (&b.soft, b.kind) {
            (None, Kind::Soft) | (Some(_), Kind::Fixed | Kind::Dynamic | Kind::Hand) => Err(self
                .fail(
                    &format!("{at}.soft"),
                    format!("{:?} on a body of kind {:?}", b.soft, b.kind),
                    "`soft: Some((frequency_hz: ..))` on bodies of kind Soft, and on no other",
                )),
            (None, _) => Ok(()),
            (Some(soft), Kind::Soft) => {
                if !matches!(b.shape, Shape::Ball { .. } | Shape::Cuboid { .. }) {
                    return Err(self.fail(
                        &format!("{at}.shape"),
                        format!("{:?}", b.shape),
                        "a Ball or a Cuboid for a soft body",
                    ));
                }
                self.number(&format!("{at}.soft"), soft.frequency_hz, 0.5, 60.0)?;
                self.number(&format!("{at}.soft"), soft.damping_ratio, 0.0, 5.0)?;
                self.number(&format!("{at}.soft"), soft.cells as f32, 1.0, 6.0)
            }
        }
    }

    pub(super) fn randomise(&self, s: &Scene, at: &str, r: &Randomise) -> Result<(), SceneError> {
        let target = format!("{at}.target");
        if let Some(body) = r.target.strip_suffix(".colour") {
            let saturated = r.colours.iter().all(|c| c.is_saturated());
            let known = s.body_index(body);
            let ok = known.is_some_and(|i| saturated || s.bodies[i].kind == Kind::Fixed);
            if !ok || !(1..=16).contains(&r.colours.len()) || !r.among.is_empty() {
                return Err(self.fail(
                    &target,
                    format!("{:?} with {} colours", r.target, r.colours.len()),
                    "a body's name before .colour, and `colours: [..]` with 1 to 16 saturated hues",
                ));
            }
            return Ok(());
        }
        if !r.colours.is_empty() || r.among.len() > 64 {
            return Err(self.fail(
                at,
                format!("{} colours, {} values", r.colours.len(), r.among.len()),
                "colours only for BODY.colour, and at most 64 values",
            ));
        }
        if r.target.starts_with("action.") || r.target.starts_with("camera.") {
            return Err(self.fail(
                &target,
                format!("{:?}", r.target),
                "a field of a body, gravity or floor_friction (actions cannot be randomised, the camera \
                 by its jitter_m)",
            ));
        }
        for &value in &r.among {
            self.field(s, &target, &format!("{at}.among"), &r.target, value)?;
        }
        if !r.among.is_empty() {
            return Ok(());
        }
        self.field(s, &target, &format!("{at}.low"), &r.target, r.low)?;
        self.field(s, &target, &format!("{at}.high"), &r.target, r.high)?;
        self.number(&format!("{at}.high"), r.high, r.low, 360.0)
    }

    /// A field's name and a value for it.
    pub(super) fn field(
        &self,
        s: &Scene,
        name_at: &str,
        value_at: &str,
        target: &str,
        value: f32,
    ) -> Result<(), SceneError> {
        s.check_field(target, value).map_err(|e| match e {
            super::FieldError::Bounds {
                value, low, high, ..
            } => self.fail(value_at, value, format!("a number from {low} to {high}")),
            _ => self.fail(
                name_at,
                format!("{target:?}"),
                format!(
                    "BODY.FIELD with a body's name and one of {}, or one of {}",
                    BODY_FIELDS.join(", "),
                    WORLD_FIELDS.join(", ")
                ),
            ),
        })
    }

    /// Bodies that can move may not differ too much in mass, whatever is drawn, set or offered.
    pub(super) fn masses(&self, s: &Scene) -> Result<(), SceneError> {
        let mut given: Vec<(String, f32)> = Vec::new();
        for (i, b) in s.bodies.iter().enumerate() {
            if !matches!(b.kind, Kind::Dynamic | Kind::Soft) {
                continue;
            }
            let target = format!("{}.mass", b.name);
            let set = s.interventions.iter().rfind(|(t, _)| *t == target);
            let drawn = s
                .randomise
                .iter()
                .enumerate()
                .filter(|(_, r)| r.target == target);
            if let Some((_, mass)) = set {
                given.push((format!("bodies[{i}].mass"), *mass));
            } else if drawn.clone().next().is_none() {
                given.push((format!("bodies[{i}].mass"), b.mass));
            } else {
                for (n, r) in drawn {
                    let ends: &[f32] = if r.among.is_empty() {
                        &[r.low, r.high]
                    } else {
                        &r.among
                    };
                    given.extend(ends.iter().map(|&m| (format!("randomise[{n}]"), m)));
                }
            }
        }
        let lightest = given.iter().map(|(_, m)| *m).fold(f32::MAX, f32::min);
        match given.iter().find(|(_, mass)| *mass > MOST_HEAVY * lightest) {
            None => Ok(()),
            Some((at, mass)) => Err(self.fail(
                at,
                format!("{mass} kg beside a body of {lightest} kg"),
                format!(
                    "at most {MOST_HEAVY} times the lightest body's mass, or the heavy body would sink \
                     through the light one"
                ),
            )),
        }
    }

    pub(super) fn joints(&self, s: &Scene) -> Result<(), SceneError> {
        if s.joints.len() > 16 {
            return Err(self.fail("joints", format!("{} joints", s.joints.len()), "at most 16"));
        }
        for (i, joint) in s.joints.iter().enumerate() {
            let at = format!("joints[{i}]");
            let rigid = |name: &str| {
                s.body_index(name)
                    .is_some_and(|b| s.bodies[b].kind != Kind::Soft)
            };
            let a_known = joint.a == "world" || rigid(&joint.a);
            let b_known = s
                .body_index(&joint.b)
                .is_some_and(|b| s.bodies[b].kind == Kind::Dynamic);
            if !a_known || !b_known || joint.a == joint.b {
                return Err(self.fail(
                    &at,
                    format!("{:?} to {:?}", joint.a, joint.b),
                    "`a`: a rigid body or world; `b`: another body of kind Dynamic",
                ));
            }
            for axis in 0..3 {
                self.number(&format!("{at}.anchor_a"), joint.anchor_a[axis], -20.0, 20.0)?;
                self.number(&format!("{at}.anchor_b"), joint.anchor_b[axis], -20.0, 20.0)?;
            }
            let kind = format!("{at}.kind");
            match joint.kind {
                JointKind::Fixed | JointKind::Spherical => {}
                JointKind::Revolute { axis } => self.axis(&kind, axis)?,
                JointKind::Prismatic { axis, travel_m } => {
                    self.axis(&kind, axis)?;
                    self.number(&kind, travel_m, 0.001, 20.0)?;
                }
                JointKind::Rope { length_m } => self.number(&kind, length_m, 0.01, 20.0)?,
                JointKind::Spring {
                    rest_m,
                    stiffness,
                    damping,
                } => {
                    self.number(&kind, rest_m, 0.0, 20.0)?;
                    self.number(&kind, stiffness, 0.0, 1e4)?;
                    self.number(&kind, damping, 0.0, 1e3)?;
                }
            }
        }
        Ok(())
    }

    fn axis(&self, at: &str, axis: [f32; 3]) -> Result<(), SceneError> {
        for component in axis {
            self.number(at, component, -10.0, 10.0)?;
        }
        if axis.iter().map(|a| a * a).sum::<f32>() > 1e-4 {
            Ok(())
        } else {
            Err(self.fail(at, "an axis of no length", "a direction such as (0, 0, 1)"))
        }
    }

    pub(super) fn sensors(&self, s: &Scene) -> Result<(), SceneError> {
        if s.sensors.len() > 8 {
            return Err(self.fail(
                "sensors",
                format!("{} sensors", s.sensors.len()),
                "at most 8",
            ));
        }
        for (i, sensor) in s.sensors.iter().enumerate() {
            let at = format!("sensors[{i}]");
            self.name(&format!("{at}.name"), &sensor.name)?;
            if s.sensors[..i].iter().any(|o| o.name == sensor.name) {
                return Err(self.fail(&format!("{at}.name"), &sensor.name, "unique names"));
            }
            self.shape(&format!("{at}.shape"), &sensor.shape, false)?;
            for axis in 0..3 {
                self.number(
                    &format!("{at}.position"),
                    sensor.position[axis],
                    -20.0,
                    20.0,
                )?;
            }
        }
        Ok(())
    }

    pub(super) fn edits(&self, s: &Scene) -> Result<(), SceneError> {
        if s.edits.len() > 16 {
            return Err(self.fail("edits", format!("{} edits", s.edits.len()), "at most 16"));
        }
        for (i, edit) in s.edits.iter().enumerate() {
            let at = format!("edits[{i}]");
            if edit.step > 1000 {
                return Err(self.fail(&format!("{at}.step"), edit.step, "0 to 1000"));
            }
            let movable = s
                .body_index(&edit.body)
                .is_some_and(|b| s.bodies[b].kind != Kind::Fixed);
            if !movable && edit.what != EditKind::ReverseGravity {
                return Err(self.fail(
                    &format!("{at}.body"),
                    format!("{:?}", edit.body),
                    "the name of a body that can move",
                ));
            }
            let (what, body) = (format!("{at}.what"), s.body_index(&edit.body));
            match edit.what {
                EditKind::Teleport { to } => {
                    for component in to {
                        self.number(&what, component, -20.0, 20.0)?;
                    }
                }
                EditKind::Speed { factor } => self.number(&what, factor, -10.0, 10.0)?,
                EditKind::Hover { steps } if !(1..=1000).contains(&steps) => {
                    return Err(self.fail(&what, format!("{steps} steps"), "1 to 1000"));
                }
                _ => {}
            }
            let rigid = body.is_some_and(|b| s.bodies[b].kind == Kind::Dynamic);
            if edit.what.needs_forces() && !rigid {
                return Err(self.fail(
                    &format!("{at}.body"),
                    format!("{:?}", edit.body),
                    "the name of a rigid body that forces move (kind Dynamic)",
                ));
            }
        }
        Ok(())
    }
}
