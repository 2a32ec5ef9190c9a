//! Who drives.

/// Who drives, as it is picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverChoice {
    /// Planning in the imagination of the model of that name.
    Planner(String),
    /// Planning in a fork of reality.
    Oracle,
    /// Random actions.
    Random,
    /// The person at the keyboard.
    Keyboard,
}
