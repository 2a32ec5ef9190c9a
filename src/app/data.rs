//! What the window's plots show, as a table that other programs read.

use super::pane::Rollout;
use super::state::State;
use super::verdict::offsets;
use crate::scene::Kind;

/// A column: its name, and its value at each moment.
type Column = (String, Vec<Option<f32>>);

/// The episode that is shown, moment by moment: where reality's bodies are (metres), how far the task's body
/// is from its goal (metres), and for each model that is shown how far each body is from where reality has it
/// (metres, by the newest rollout that reaches the moment) and how severe the gravest violation is. A cell is
/// empty where nothing was measured. Comma-separated, with a header (RFC 4180).
pub fn table(state: &State) -> String {
    let moments = &state.record.moments;
    let mut columns: Vec<Column> = Vec::new();
    let bodies = state.scene.as_ref().map_or(&[][..], |s| &s.bodies);
    for (i, body) in bodies.iter().enumerate() {
        if body.kind == Kind::Fixed {
            continue;
        }
        for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
            let at = moments.iter().map(|m| {
                let here = m.state.bodies.get(i).filter(|_| !m.hidden.contains(&i));
                here.map(|b| b.position[axis])
            });
            columns.push((format!("reality {} {name}_m", body.name), at.collect()));
        }
    }
    if moments.iter().any(|m| m.distance_m.is_some()) {
        let distances = moments.iter().map(|m| m.distance_m).collect();
        columns.push(("reality distance_to_goal_m".into(), distances));
    }
    for (_, pane) in state.watched_panes() {
        // The newest rollout that has been judged up to a moment speaks for it.
        let speaks = |moment: usize| {
            let reaches = |r: &&Rollout| {
                r.branch < moment && r.index(moment - r.branch).is_some() && r.judged
            };
            pane.rollouts
                .iter()
                .filter(reaches)
                .max_by_key(|r| r.branch)
        };
        for (i, body) in bodies.iter().enumerate() {
            let off = |moment: usize| {
                let rollout = speaks(moment)?;
                let offs = offsets(state, rollout, moment - rollout.branch);
                offs.into_iter().find(|o| o.body == i)?.metres
            };
            let offs: Vec<Option<f32>> = (0..moments.len()).map(off).collect();
            if offs.iter().any(Option::is_some) {
                columns.push((format!("{} {} off_m", pane.name, body.name), offs));
            }
        }
        let gravest = |moment: usize| {
            let rollout = speaks(moment)?;
            let broken = rollout.violations_at(moment - rollout.branch);
            Some(broken.map(|v| v.severity).fold(0.0, f32::max))
        };
        let severities: Vec<Option<f32>> = (0..moments.len()).map(gravest).collect();
        if severities.iter().any(Option::is_some) {
            columns.push((format!("{} severity", pane.name), severities));
        }
    }
    written(moments.len(), &columns)
}

fn written(rows: usize, columns: &[Column]) -> String {
    let quoted = |name: &str| match name.contains([',', '"', '\n']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_string(),
    };
    let mut out = String::from("step,seconds");
    for (name, _) in columns {
        out.push(',');
        out.push_str(&quoted(name));
    }
    for row in 0..rows {
        let seconds = row as f32 / crate::sim::CONTROL_HZ as f32;
        out.push_str(&format!("\r\n{row},{seconds:.1}"));
        for (_, values) in columns {
            out.push(',');
            let value = values.get(row).copied().flatten();
            if let Some(value) = value.filter(|v| v.is_finite()) {
                out.push_str(&format!("{value:.5}"));
            }
        }
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_a_moment_and_empty_cells_where_nothing_was_measured() {
        let columns = [
            ("a, \"b\"".to_string(), vec![Some(0.25), None]),
            ("c".to_string(), vec![None, Some(f32::NAN)]),
        ];
        let lines = "step,seconds,\"a, \"\"b\"\"\",c\r\n0,0.0,0.25000,\r\n1,0.1,,\r\n";
        assert_eq!(written(2, &columns), lines);
    }
}
