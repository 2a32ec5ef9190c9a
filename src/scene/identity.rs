//! Which world a scene is: results name it, so that they can be told from those of another version.

use sha2::{Digest as _, Sha256};

use super::Scene;

impl Scene {
    /// SHA-256 of all that the scene says, hexadecimal. Comments and the order of fields in its file do not
    /// count.
    pub fn sha256(&self) -> String {
        // Numbers, texts and lists only: this cannot fail; an empty text would differ from every other.
        let text = serde_json::to_string(self).unwrap_or_default();
        Sha256::digest(text)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }
}
