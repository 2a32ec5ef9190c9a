//! In which field two descriptions differ.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Every field of a description by its path, such as `joint.batch` or `data[0]`, with its value as text.
pub type Fields = BTreeMap<String, String>;

/// A field in which two descriptions differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Path of the field.
    pub field: String,
    /// What the first says; `nothing` if it has no such field.
    pub first: String,
    /// What the second says.
    pub second: String,
}

/// The fields of whatever can be written as JSON.
pub fn fields(of: &impl Serialize) -> Fields {
    let mut fields = Fields::new();
    // What cannot be written has no fields to compare; configurations and scenes all can.
    if let Ok(value) = serde_json::to_value(of) {
        flatten("", &value, &mut fields);
    }
    fields
}

fn flatten(path: &str, value: &Value, fields: &mut Fields) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                flatten(&path, value, fields);
            }
        }
        Value::Array(values) => {
            fields.insert(format!("{path} (length)"), values.len().to_string());
            for (i, value) in values.iter().enumerate() {
                flatten(&format!("{path}[{i}]"), value, fields);
            }
        }
        Value::String(text) => {
            fields.insert(path.into(), text.clone());
        }
        other => {
            fields.insert(path.into(), other.to_string());
        }
    }
}

/// The first field in which two descriptions differ.
pub fn first(one: &Fields, other: &Fields) -> Option<Difference> {
    let of = |fields: &Fields, field: &str| {
        let found = fields.get(field).cloned();
        found.unwrap_or_else(|| "nothing".into())
    };
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.into_iter().find_map(|field| {
        let (first, second) = (of(one, field), of(other, field));
        (first != second).then(|| Difference {
            field: field.clone(),
            first,
            second,
        })
    })
}
