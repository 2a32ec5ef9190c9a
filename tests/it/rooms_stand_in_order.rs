//! The source is in rooms, one above the other, and no file needs itself: `use` lines and paths lead down
//! the table of ARCHITECTURE.md and never round in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Modules by their path (`model::nn`), each with the source that is not for its own tests.
fn modules() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut open) = (BTreeMap::new(), vec![src.clone()]);
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let within = path.strip_prefix(&src).unwrap().with_extension("");
            let mut parts: Vec<&str> = within.iter().map(|p| p.to_str().unwrap()).collect();
            if matches!(parts.last(), Some(&"mod" | &"lib" | &"main")) {
                parts.pop();
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let code = text.lines().map(|l| l.split("//").next().unwrap());
            found
                .entry(parts.join("::"))
                .or_insert_with(String::new)
                .push_str(&code.collect::<Vec<_>>().join("\n"));
        }
    }
    found
}

/// The paths of a `use` tree such as `super::{a, b::{c, d}}`.
fn expand(prefix: &str, tree: &str, out: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((before, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap().trim();
        if !name.is_empty() {
            out.push(format!("{prefix}{name}"));
        }
        return;
    };
    let (inner, prefix) = (
        &rest[..rest.rfind('}').unwrap()],
        format!("{prefix}{before}"),
    );
    let (mut depth, mut start) = (0, 0);
    for (i, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inner[start..i], out);
                start = i + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, &inner[start..], out);
}

/// The `use` lines of a module: whether they hand on, and their paths.
fn uses(source: &str) -> Vec<(bool, Vec<String>)> {
    let mut found = Vec::new();
    for statement in source.split(';') {
        // Those of modules within the file are indented.
        let line = statement
            .rfind("\nuse ")
            .or_else(|| statement.rfind("\npub use "))
            .or_else(|| {
                statement
                    .rfind("\npub(")
                    .filter(|i| statement[*i..].contains(") use "))
            });
        let Some(at) = line.filter(|i| statement[*i..].contains("use ")) else {
            continue;
        };
        let statement = &statement[at + 1..];
        let (head, tree) = statement.split_once("use ").unwrap();
        let mut paths = Vec::new();
        expand("", tree, &mut paths);
        found.push((head.starts_with("pub"), paths));
    }
    found
}

/// A path as seen from the root of the crate, if it leads into it.
fn absolute(module: &str, path: &str, modules: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let mut at: Vec<String> = module
        .split("::")
        .filter(|p| !p.is_empty())
        .map(Into::into)
        .collect();
    let mut path: Vec<&str> = path.split("::").map(str::trim).collect();
    match path[0] {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            while path[0] == "super" {
                at.pop();
                path.remove(0);
            }
            path.insert(0, "");
        }
        first => {
            let child = at.iter().map(String::as_str).chain([first]);
            if !modules.contains_key(&child.collect::<Vec<_>>().join("::")) {
                return None;
            }
            path.insert(0, "");
        }
    }
    at.extend(path[1..].iter().map(|p| (*p).to_string()));
    Some(at)
}

/// For every module, which other modules it needs; names that a module hands on belong to where they come
/// from.
fn needs() -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules();
    let mut handed: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut wanted: Vec<(String, Vec<String>)> = Vec::new();
    for (module, source) in &modules {
        for (hands_on, paths) in uses(source) {
            for path in paths {
                let Some(path) = absolute(module, &path, &modules) else {
                    continue;
                };
                match (hands_on, path.last()) {
                    (true, Some(name)) => drop(handed.insert((module.clone(), name.clone()), path)),
                    _ => wanted.push((module.clone(), path)),
                }
            }
        }
        for (at, _) in source.match_indices("crate::") {
            let path: String = source[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':')
                .collect();
            let path = path.trim_end_matches(':');
            wanted.extend(absolute(module, path, &modules).map(|p| (module.clone(), p)));
        }
    }
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, mut path) in wanted {
        let home = loop {
            let known = (0..=path.len()).rev().map(|n| path[..n].join("::"));
            let home = known.clone().find(|m| modules.contains_key(m)).unwrap();
            let depth = home.split("::").filter(|p| !p.is_empty()).count();
            let from = path
                .get(depth)
                .and_then(|name| handed.get(&(home.clone(), name.clone())));
            match from {
                Some(from) => path = [from.as_slice(), &path[depth + 1..]].concat(),
                None => break home,
            }
        };
        if home != module && !home.is_empty() {
            needs.entry(module).or_default().insert(home);
        }
    }
    needs
}

/// A way round from `start` back to itself, if there is one.
fn circle(needs: &BTreeMap<String, BTreeSet<String>>, start: &str) -> Option<Vec<String>> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![vec![start.to_string()]]);
    while let Some(way) = open.pop() {
        for next in needs.get(way.last().unwrap()).into_iter().flatten() {
            let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                open.push(longer);
            }
        }
    }
    None
}

#[test]
fn no_file_needs_itself_by_way_of_others() {
    let needs = needs();
    assert!(needs.len() > 150, "only {} files were read", needs.len());
    let found: Vec<Vec<String>> = needs.keys().filter_map(|m| circle(&needs, m)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn rooms_need_only_rooms_below_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|l| l.strip_prefix("| `"));
    let rooms: Vec<String> = rows
        .filter_map(|row| Some(row.split(" | ").next()?.rsplit_once("/`")?.0.to_string()))
        .map(|cell| cell.rsplit('`').next().unwrap().to_string())
        .filter(|room| !room.contains('/'))
        .collect();
    assert!(rooms.len() > 12, "{rooms:?}");
    let order = |module: &str| {
        let room = module.split("::").next().unwrap().to_string();
        let place = rooms.iter().position(|r| *r == room);
        place.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for the room `{room}`"))
    };
    let mut wrong = Vec::new();
    for (module, others) in needs().iter().filter(|(m, _)| !m.is_empty()) {
        for other in others {
            if order(other) < order(module) {
                wrong.push(format!("{module} uses {other}, which is above it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_circle_would_be_found() {
    let of = |pairs: &[(&str, &str)]| {
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            needs
                .entry((*from).into())
                .or_default()
                .insert((*to).into());
        }
        needs
    };
    assert!(circle(&of(&[("a", "b"), ("b", "c"), ("c", "a")]), "b").is_some());
    assert!(circle(&of(&[("a", "b"), ("b", "c"), ("a", "c")]), "a").is_none());
    let lines =
        uses("\nuse super::{a, b::{c as d, e}};\nfn f() {\n    use hidden::g;\n}\npub use h;");
    let first = vec!["super::a", "super::b::c", "super::b::e"];
    assert_eq!(
        lines[0],
        (false, first.into_iter().map(String::from).collect())
    );
    assert_eq!(lines.last().unwrap(), &(true, vec!["h".to_string()]));
}
