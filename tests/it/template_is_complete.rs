//! The annotated template of a scene is in step with the code: it can be read, run, and names every field
//! and every choice.

use std::path::Path;
use std::sync::Arc;

use parallax::scene::{BODY_FIELDS, Colour, Scene, WORLD_FIELDS};
use parallax::sim::{HELD_OUT_SEED, Reality};

const FORMAT: &str = concat!(
    include_str!("../../src/scene/format.rs"),
    include_str!("../../src/scene/task.rs")
);
const SHAPE: &str = include_str!("../../src/scene/shape.rs");
const PALETTE: &str = include_str!("../../src/scene/palette.rs");

/// The RON of the page.
fn template() -> String {
    let path = parallax::scene::library_dir().join("TEMPLATE.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (_, block) = page.split_once("```ron\n").expect("a block of RON");
    block.split_once("```").expect("its end").0.to_string()
}

/// Names of the fields and variants that serde reads: those of every type that derives `Deserialize`.
fn names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut reads, mut inside) = (false, false);
    for line in source.lines() {
        if line.starts_with("#[derive(") {
            reads = line.contains("Deserialize");
        } else if line.starts_with("pub struct") || line.starts_with("pub enum") {
            inside = reads;
        } else if line == "}" {
            inside = false;
        } else if inside && !line.contains(" = ") {
            // Attributes that run over several lines assign; fields do not.
            let name: String = line
                .trim()
                .trim_start_matches("pub ")
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let rest = line.trim().trim_start_matches("pub ")[name.len()..]
                .chars()
                .next();
            if !name.is_empty() && matches!(rest, Some(':' | ',' | '(' | ' ')) {
                names.push(name);
            }
        }
    }
    names
}

#[test]
fn the_template_is_a_sound_scene_that_runs() {
    let scene = Scene::parse(&template(), Path::new("scenes/TEMPLATE.md"))
        .unwrap_or_else(|e| panic!("{e}"));
    let mut reality =
        Reality::new(&Arc::new(scene), HELD_OUT_SEED).unwrap_or_else(|e| panic!("{e}"));
    for _ in 0..45 {
        reality.act(&[0.5, -0.2, 0.3, 1.0]);
        reality.step();
    }
    assert!(!reality.is_broken());
}

#[test]
fn it_names_every_field_and_every_choice() {
    let text = template();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
        .flat_map(|word| [word].into_iter().chain(word.split('.')))
        .collect();
    let known = [names(FORMAT), names(SHAPE)].concat();
    assert!(
        known.len() > 90
            && ["bodies", "Checker", "Cuboid", "grip_reach_m", "PassThrough"]
                .iter()
                .all(|n| known.contains(&n.to_string())),
        "the walk over format.rs and shape.rs no longer finds its fields: {known:?}"
    );
    let colours = names(PALETTE);
    assert!(colours.contains(&format!("{:?}", Colour::Orange)));
    let missing: Vec<&str> = known
        .iter()
        .chain(&colours)
        .map(String::as_str)
        .chain(BODY_FIELDS)
        .chain(WORLD_FIELDS)
        .filter(|name| !words.contains(name))
        .collect();
    assert!(
        missing.is_empty(),
        "scenes/TEMPLATE.md does not mention {missing:?}"
    );
}
