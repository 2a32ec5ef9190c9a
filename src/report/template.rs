//! Figures in a line of text: `{rate success} % of episodes` becomes `93 [86, 97] % of episodes`.
//!
//! A placeholder without a space, `{scene}`, is a variable. One with a space has a format and the dotted
//! path of a value in a result:
//!
//! | format | of | shown as |
//! | --- | --- | --- |
//! | `rate` | a rate with its interval | `93 [86, 97]`, in percent |
//! | `percent` | a share, or a rate without its interval | `93` |
//! | `mean.D` | a mean with its interval | `0.85 [0.80, 0.90]`, D decimals |
//! | `share.D` | such a mean in percent | `81 [68, 92]` |
//! | `number.D`, `signed.D` | a number | `1.4`, `+1.4` |
//! | `giga.D` | a number, in thousands of millions | `7.2` for 7.2e9 |
//! | `median.D` | a spread | its median |
//! | `count` | a whole number | `100` |

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::ReportError;
use super::stored::Stored;

/// Values of the variables.
pub type Variables = BTreeMap<String, String>;

/// Shown where a result says that something was not measured.
pub const NOT_MEASURED: &str = "not measured";

/// Replaces variables and leaves the other placeholders as they are.
pub fn with_variables(text: &str, variables: &Variables) -> String {
    variables
        .iter()
        .fold(text.to_string(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
}

/// Replaces every placeholder by its figure in `result`.
///
/// # Errors
/// [`ReportError::Invalid`] naming the placeholder at fault and the file `place` that holds it.
pub fn with_figures(text: &str, result: &Stored, place: &Path) -> Result<String, ReportError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((placeholder, after)) = after.split_once('}') else {
            return Err(ReportError::invalid(place, text, "a `{` without its `}`"));
        };
        let Some((format, path)) = placeholder.split_once(' ') else {
            let message = "this variable has no value here; a figure is written {FORMAT PATH}";
            return Err(ReportError::invalid(
                place,
                format!("{{{placeholder}}}"),
                message,
            ));
        };
        out.push_str(&figure(format, result.at(path.trim())).ok_or_else(|| {
            let found = result
                .at(path.trim())
                .map_or("nothing".into(), Value::to_string);
            let message = format!("{} has {found} there", result.path.display());
            ReportError::invalid(place, format!("{{{placeholder}}}"), message)
        })?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// A figure as tables show it; `None` if the format is unknown or the value is of another kind.
fn figure(format: &str, value: Option<&Value>) -> Option<String> {
    let (kind, digits) = match format.split_once('.') {
        Some((kind, digits)) => (kind, digits.parse().ok()?),
        None => (format, 0),
    };
    let Some(value) = value else {
        let known = [
            "rate", "percent", "mean", "share", "number", "giga", "signed", "median", "count",
        ];
        return known.contains(&kind).then(|| NOT_MEASURED.into());
    };
    let of = |key: &str| value.get(key).and_then(Value::as_f64);
    let interval = |middle: f64, scale: f64| {
        let [middle, low, high] =
            [Some(middle), of("low"), of("high")].map(|v| v.map(|v| v * scale));
        Some(format!(
            "{:.digits$} [{:.digits$}, {:.digits$}]",
            middle?, low?, high?
        ))
    };
    match kind {
        "rate" => interval(of("rate")?, 100.0),
        "percent" => Some(format!(
            "{:.digits$}",
            100.0 * value.as_f64().or_else(|| of("rate"))?
        )),
        "mean" => interval(of("mean")?, 1.0),
        "share" => interval(of("mean")?, 100.0),
        "number" => Some(format!("{:.digits$}", value.as_f64()?)),
        // In thousands of millions, such as floating-point operations.
        "giga" => Some(format!("{:.digits$}", 1e-9 * value.as_f64()?)),
        "signed" => Some(format!("{:+.digits$}", value.as_f64()?)),
        "median" => Some(format!("{:.digits$}", of("median")?)),
        // A number, or how many a list holds.
        "count" => {
            let held = value.as_array().map(|a| a.len() as u64);
            Some(value.as_u64().or(held)?.to_string())
        }
        _ => None,
    }
}
