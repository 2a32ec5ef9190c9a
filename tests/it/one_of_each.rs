//! Two versions of one of these crates compile, and then nothing fits together.

#[test]
fn the_lock_file_holds_one_egui_one_bevy_and_one_rapier() {
    let lock = include_str!("../../Cargo.lock");
    for name in ["egui", "bevy_app", "rapier3d", "candle-core", "parry3d"] {
        let entry = format!("name = \"{name}\"\n");
        let versions: Vec<&str> = lock
            .split("[[package]]")
            .filter(|p| p.contains(&entry))
            .filter_map(|p| p.lines().find(|l| l.starts_with("version")))
            .collect();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}
