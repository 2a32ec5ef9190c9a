//! Writing that the window's own font lacks: a font of the system is looked for; a character that none has is
//! written as its number, such as ‹U+4F60›, and never as an empty box.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bevy_egui::egui::epaint::text::{FontInsert, FontPriority, InsertFontFamily};
use bevy_egui::egui::{Context, FontData, FontDefinitions, FontFamily, Id};
use crossbeam_channel::{Receiver, bounded};

/// Characters that were met and could not be drawn.
type Lacking = Arc<Mutex<BTreeSet<char>>>;

/// Largest font file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// A text from a file, as it can be drawn: what no font has is written as its number.
pub fn legible<'a>(ctx: &Context, text: &'a str) -> Cow<'a, str> {
    if text
        .bytes()
        .all(|b| (b' '..=b'~').contains(&b) || b == b'\n')
    {
        return Cow::Borrowed(text);
    }
    // `has_glyph` denies what lies in the font that holds the sign for missing characters.
    let has = |c: char| {
        ctx.fonts_mut(|f| {
            let mut font = f.fonts.font(&FontFamily::Proportional);
            font.characters().contains_key(&c)
        })
    };
    let drawn = |c: char| c == '\n' || (!c.is_control() && has(c));
    let mut lacking = BTreeSet::new();
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if drawn(c) {
            shown.push(c);
        } else if !is_invisible(c) {
            shown.push_str(&format!("‹U+{:04X}›", u32::from(c)));
            lacking.insert(c);
        }
    }
    if lacking.is_empty() {
        return Cow::Owned(shown);
    }
    let all = lacking_of(ctx);
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.extend(lacking);
    Cow::Owned(shown)
}

/// Lets plain writing use the arrows of the font for numbers: the own font for words has none. To be called
/// before the first frame.
pub fn install(ctx: &Context) {
    let mut fonts = FontDefinitions::default();
    let arrows = fonts.families.get(&FontFamily::Monospace);
    let arrows = arrows.and_then(|names| names.first()).cloned();
    let words = fonts.families.entry(FontFamily::Proportional).or_default();
    words.extend(arrows);
    ctx.set_fonts(fonts);
}

/// Marks that change how their neighbours look and have no picture of their own.
fn is_invisible(c: char) -> bool {
    matches!(u32::from(c), 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0xfe00..=0xfe0f | 0xfeff)
}

fn lacking_of(ctx: &Context) -> Lacking {
    ctx.data_mut(|d| {
        d.get_temp_mut_or_default::<Lacking>(Id::new("characters that no font has"))
            .clone()
    })
}

/// A font of the system that was found, and the name it goes by.
struct Found {
    name: String,
    font: FontData,
}

/// Looks for fonts while the window goes on.
#[derive(Default)]
pub struct Fallback {
    sought: BTreeSet<char>,
    search: Option<Receiver<Vec<Found>>>,
}

impl Fallback {
    /// Takes in what was found, and looks for what was met since. Returns whether fonts came.
    pub fn go_on(&mut self, ctx: &Context) -> bool {
        if let Some(search) = &self.search {
            let Ok(found) = search.try_recv() else {
                return false;
            };
            self.search = None;
            let any = !found.is_empty();
            for Found { name, font } in found {
                let of = |family| InsertFontFamily {
                    family,
                    priority: FontPriority::Lowest,
                };
                tracing::info!("{name}: used for writing that the own font lacks");
                ctx.add_font(FontInsert {
                    name,
                    data: font,
                    families: vec![of(FontFamily::Proportional), of(FontFamily::Monospace)],
                });
            }
            return any;
        }
        let lacking = lacking_of(ctx);
        let lacking = lacking.lock().unwrap_or_else(PoisonError::into_inner);
        let new: BTreeSet<char> = lacking.difference(&self.sought).copied().collect();
        if new.is_empty() {
            return false;
        }
        self.sought.extend(&new);
        let (outbox, inbox) = bounded(1);
        let spawned = std::thread::Builder::new()
            .name("fonts".into())
            .spawn(move || {
                // Nobody waits any more if the window is closed.
                let _unheard = outbox.send(fonts_for(new));
            });
        if spawned.is_ok() {
            self.search = Some(inbox);
        }
        false
    }
}

/// Fonts of the system that together have as many of these characters as can be had, few and plain ones
/// first.
fn fonts_for(mut lacking: BTreeSet<char>) -> Vec<Found> {
    let mut db = fontdb::Database::new();
    db.load_system_fonts();
    let mut faces: Vec<&fontdb::FaceInfo> = db
        .faces()
        .filter(|f| f.style == fontdb::Style::Normal && f.stretch == fontdb::Stretch::Normal)
        .collect();
    faces.sort_by_key(|f| rank(f));
    let mut found = Vec::new();
    for face in faces {
        if lacking.is_empty() {
            break;
        }
        let has = db.with_face_data(face.id, |data, index| drawable(data, index, &lacking));
        let has = has.unwrap_or_default();
        if has.is_empty() {
            continue;
        }
        let fontdb::Source::File(path) = &face.source else {
            continue;
        };
        let size = std::fs::metadata(path).map_or(u64::MAX, |m| m.len());
        let Some(data) = (size <= MAX_BYTES)
            .then(|| std::fs::read(path).ok())
            .flatten()
        else {
            continue;
        };
        lacking.retain(|c| !has.contains(c));
        let mut font = FontData::from_owned(data);
        font.index = face.index;
        found.push(Found {
            name: format!("{}#{}", path.display(), face.index),
            font,
        });
    }
    found
}

/// Plain upright faces first, and among them those that are made for many writings.
fn rank(face: &fontdb::FaceInfo) -> (bool, u16, usize, String) {
    let name = face.families.first().map_or("", |(name, _)| name.as_str());
    let known = [
        "DejaVu Sans",
        "Noto Sans",
        "Noto",
        "Droid",
        "WenQuanYi",
        "Unifont",
    ];
    let place = known.iter().position(|k| name.starts_with(k));
    (
        face.monospaced,
        face.weight.0.abs_diff(400),
        place.unwrap_or(known.len()),
        face.post_script_name.clone(),
    )
}

/// Those of the characters that a face has as outlines: pictures in colour cannot be drawn.
fn drawable(data: &[u8], index: u32, of: &BTreeSet<char>) -> BTreeSet<char> {
    let Ok(face) = ttf_parser::Face::parse(data, index) else {
        return BTreeSet::new();
    };
    let tables = face.tables();
    if tables.glyf.is_none() && tables.cff.is_none() && tables.cff2.is_none() {
        return BTreeSet::new();
    }
    let has = |c: &char| face.glyph_index(*c).is_some_and(|g| g.0 != 0);
    of.iter().copied().filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_font_has_is_written_as_its_number_and_remembered() {
        let ctx = Context::default();
        let _ = ctx.run_ui(Default::default(), |ui| {
            assert_eq!(legible(ui.ctx(), "push 2 · ok"), "push 2 · ok");
            let shown = legible(ui.ctx(), "推\u{fe0f}x");
            assert_eq!(shown, "‹U+63A8›x");
            assert_eq!(legible(ui.ctx(), "a\u{7}b"), "a‹U+0007›b");
        });
        let lacking = lacking_of(&ctx);
        assert!(lacking.lock().unwrap().contains(&'推'));
    }

    /// Characters in the strings of the window's own code: none of them may depend on the system's fonts.
    #[test]
    fn the_own_font_has_every_character_that_the_window_itself_writes() {
        let mut files = vec![std::path::PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/app"
        ))];
        let mut written = BTreeSet::new();
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
            } else if !path.ends_with("fonts.rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let code = text.lines().filter_map(|l| l.split("//").next());
                written.extend(code.flat_map(str::chars).filter(|c| !c.is_ascii()));
            }
        }
        assert!(written.contains(&'✔') && written.len() > 10, "{written:?}");
        let ctx = Context::default();
        install(&ctx);
        let _ = ctx.run_ui(Default::default(), |ui| {
            for c in &written {
                let text = c.to_string();
                assert_eq!(legible(ui.ctx(), &text), text, "U+{:04X}", u32::from(*c));
            }
        });
    }

    #[test]
    fn a_font_of_the_system_is_taken_where_one_has_the_character() {
        let ctx = Context::default();
        let mut fallback = Fallback::default();
        let mut shown = String::new();
        let mut has_come = false;
        for _ in 0..2000 {
            let _ = ctx.run_ui(Default::default(), |ui| {
                has_come |= fallback.go_on(ui.ctx());
                shown = legible(ui.ctx(), "ب").into_owned();
            });
            if fallback.search.is_none() && !fallback.sought.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let _ = ctx.run_ui(Default::default(), |ui| {
            shown = legible(ui.ctx(), "ب").into_owned();
        });
        // Machines differ: with such a font the character itself, without one its number.
        assert_eq!(shown == "ب", has_come, "{shown}");
        assert_eq!(shown == "‹U+0628›", !has_come, "{shown}");
    }
}
