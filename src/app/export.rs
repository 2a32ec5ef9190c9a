//! Pictures of the window, GIFs and MP4s of what plays: what is on the screen, with its captions, goes into a
//! file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use image::{RgbImage, imageops};

use super::film_file::{ffmpeg, put, save_png, write_gif, write_movie};
use super::state::{Cursor, DriverChoice, State};
use crate::worker::{SESSION_ENDING, SessionFile};

/// Width of a GIF, pixels: enough for a slide, and small enough to be sent.
const GIF_WIDTH: u32 = 1200;
/// Frames of the window that pass before a moment is taken, so that all of it has been drawn.
const SETTLE: u32 = 4;

/// What is to be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A picture of the window.
    Picture,
    /// The films of the range that plays.
    Gif,
    /// The same as an MP4, which `ffmpeg` encodes.
    Movie,
    /// The episode itself: seed, actions and what was done to it, to be lived again.
    Session,
}

/// A film under way.
struct Film {
    from: usize,
    to: usize,
    at: usize,
    waited: u32,
    pictures: Vec<RgbImage>,
    path: PathBuf,
    wish: Wish,
    before: (Cursor, bool),
}

type Taken = Arc<Mutex<Vec<Result<RgbImage, String>>>>;

/// What is being exported.
#[derive(Default)]
pub struct Export {
    film: Option<Film>,
    picture: Option<PathBuf>,
    /// A film that is being encoded by a thread.
    writing: Option<(PathBuf, Receiver<Result<(), String>>)>,
    asked: bool,
    taken: Taken,
}

/// The name of a file that says what is in it: scene, seed, moment.
pub fn file_name(state: &State, ending: &str) -> PathBuf {
    let scene = state.scene.as_ref().map_or("scene", |s| s.name.as_str());
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    let scene: String = scene.chars().map(plain).collect();
    let tenths = state.shown();
    let stem = format!("parallax-{scene}-{}-{tenths:03}", state.record.seed);
    // What is there already stays.
    let mut path = PathBuf::from(format!("{stem}.{ending}"));
    let mut count = 2;
    while path.exists() {
        path = PathBuf::from(format!("{stem}-{count}.{ending}"));
        count += 1;
    }
    path
}

/// The moments that a GIF shows: the range that plays, else all that is there.
pub fn span(state: &State) -> (usize, usize) {
    let (from, to) = state.range.unwrap_or((0, state.newest()));
    (from, to.min(state.newest()))
}

/// The command that shows this moment again.
pub fn command_line(state: &State) -> String {
    let scene = state.scenes.get(state.scene_index);
    let name = scene.map(|s| s.name.as_str());
    let name = name.or(state.scene.as_ref().map(|s| s.name.as_str()));
    let mut line = match &state.replay {
        Some(r) => format!(
            "parallax replay {} --episode {}",
            r.replay.file.display(),
            r.replay.episode
        ),
        None => format!(
            "parallax app --scene {} --seed {}",
            name.unwrap_or("push"),
            state.record.seed
        ),
    };
    if state.has_actions() && state.replay.is_none() {
        let controller = match &state.driver {
            DriverChoice::Planner(model) => model.as_str(),
            DriverChoice::Oracle => "oracle",
            DriverChoice::Random => "random",
            DriverChoice::Keyboard => "keyboard",
        };
        line.push_str(&format!(" --controller {controller}"));
    }
    let plans = matches!(state.driver, DriverChoice::Planner(_)) && state.replay.is_none();
    if let Some(s) = state.search.filter(|_| plans && state.has_actions()) {
        line.push_str(&format!(
            " --horizon {} --candidates {} --iterations {} --replan {}",
            s.horizon, s.candidates, s.iterations, s.replan
        ));
        if s.stations {
            line.push_str(" --stations");
        }
    }
    for (target, value) in &state.interventions {
        line.push_str(&format!(" --set {target}={value}"));
    }
    line.push_str(&format!(" --press 8:scrub={}", state.shown()));
    line
}

impl Export {
    /// Begins an export; says why not.
    pub fn begin(&mut self, wish: Wish, state: &mut State) {
        if self.film.is_some() || self.picture.is_some() || self.writing.is_some() {
            return state.say("An export is under way: wait for it");
        }
        match wish {
            Wish::Picture => self.picture = Some(file_name(state, "png")),
            Wish::Movie if ffmpeg().is_none() => {
                state.complain("An MP4 needs ffmpeg, which is not here: install it, or save a GIF");
            }
            Wish::Session => self.begin_session(state),
            Wish::Gif | Wish::Movie => {
                let (from, to) = span(state);
                if to <= from {
                    return state.say("There is nothing to export yet: let it play first");
                }
                self.film = Some(Film {
                    from,
                    to,
                    at: from,
                    waited: 0,
                    pictures: Vec::new(),
                    path: file_name(state, if wish == Wish::Gif { "gif" } else { "mp4" }),
                    wish,
                    before: (state.cursor, state.playing),
                });
            }
        }
    }

    fn begin_session(&mut self, state: &mut State) {
        if let Some(shown) = &state.replay {
            let file = shown.replay.file.display();
            return state.say(format!("This is a recording already: {file}"));
        }
        let record = &state.record;
        let Some(scene) = state.scene.clone().filter(|_| !record.moments.is_empty()) else {
            return state.say("There is nothing to save yet: let it play first");
        };
        let (seed, moments, deeds) = (record.seed, record.moments.clone(), record.deeds.clone());
        let path = file_name(state, SESSION_ENDING);
        state.exporting = Some(format!("Writing {}", path.display()));
        let to = path.clone();
        let news = in_background(move || {
            let text = SessionFile::new(&scene, seed, &moments, &deeds).text()?;
            put(&to, text.as_bytes())
        });
        self.writing = Some((path, news));
    }

    /// Goes on with what is under way. `crop` is the part of the window that a GIF shows, pixels.
    pub fn go_on(&mut self, state: &mut State, crop: [u32; 4], commands: &mut Commands) {
        if let Some((path, news)) = &self.writing {
            let written = match news.try_recv() {
                Ok(written) => written,
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => Err("writing broke off".into()),
            };
            let path = path.clone();
            self.writing = None;
            state.exporting = None;
            return report(state, &path, written);
        }
        let taken = self
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(path) = self.picture.clone() {
            match taken {
                Some(picture) => {
                    self.asked = false;
                    self.picture = None;
                    report(state, &path, picture.and_then(|p| save_png(&p, &path)));
                }
                None => self.ask(commands),
            }
            return;
        }
        let Some(film) = &mut self.film else { return };
        if let Some(taken) = taken {
            self.asked = false;
            match taken {
                Ok(picture) => film.pictures.push(part(&picture, crop)),
                Err(e) => {
                    state.complain(e);
                    return self.end(state);
                }
            }
            if film.at >= film.to {
                let (wish, path) = (film.wish, film.path.clone());
                let pictures = std::mem::take(&mut film.pictures);
                self.end(state);
                state.exporting = Some(format!("Writing {}", path.display()));
                let to = path.clone();
                let news = in_background(move || write_film(wish, &pictures, &to));
                self.writing = Some((path, news));
                return;
            }
            film.at += 1;
            film.waited = 0;
        }
        let (at, done, all) = (film.at, film.at - film.from, film.to - film.from + 1);
        state.exporting = Some(format!("Exporting: picture {} of {all}", done + 1));
        state.playing = false;
        state.cursor = Cursor::At(at);
        film.waited += 1;
        if film.waited > SETTLE {
            self.ask(commands);
        }
    }

    fn end(&mut self, state: &mut State) {
        state.exporting = None;
        if let Some(film) = self.film.take() {
            (state.cursor, state.playing) = film.before;
        }
    }

    fn ask(&mut self, commands: &mut Commands) {
        if std::mem::replace(&mut self.asked, true) {
            return;
        }
        let taken = self.taken.clone();
        commands.spawn(Screenshot::primary_window()).observe(
            move |captured: On<ScreenshotCaptured>| {
                let picture = rgb(&captured.image);
                let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                taken.push(picture);
            },
        );
    }
}

fn rgb(image: &Image) -> Result<RgbImage, String> {
    let picture = image.clone().try_into_dynamic();
    let picture = picture.map_err(|e| format!("the window's picture cannot be read: {e}"))?;
    let rgb = picture.to_rgb8();
    // `image` may be there in two versions; bytes are bytes.
    RgbImage::from_raw(rgb.width(), rgb.height(), rgb.into_raw())
        .ok_or_else(|| "the window's picture has a strange size".into())
}

fn part(picture: &RgbImage, [x, y, w, h]: [u32; 4]) -> RgbImage {
    let (x, y) = (x.min(picture.width() - 1), y.min(picture.height() - 1));
    let (w, h) = (
        w.min(picture.width() - x).max(1),
        h.min(picture.height() - y).max(1),
    );
    let part = imageops::crop_imm(picture, x, y, w, h).to_image();
    if w <= GIF_WIDTH {
        return part;
    }
    let height = (u64::from(h) * u64::from(GIF_WIDTH) / u64::from(w)).max(1) as u32;
    imageops::resize(&part, GIF_WIDTH, height, imageops::FilterType::Triangle)
}

fn report(state: &mut State, path: &Path, written: Result<(), String>) {
    let whole = std::env::current_dir().map_or_else(|_| path.into(), |d| d.join(path));
    match written {
        Ok(()) => {
            println!("{}", whole.display());
            state.say(format!("Saved: {}", whole.display()));
        }
        Err(e) => state.complain(format!("{}: {e}", whole.display())),
    }
}

/// Saves what the plots show as a table beside the pictures.
pub fn save_table(state: &mut State) {
    if state.record.moments.is_empty() {
        return state.say("There is nothing to save yet: let it play first");
    }
    let path = file_name(state, "csv");
    let written = put(&path, super::data::table(state).as_bytes());
    report(state, &path, written);
}

/// Writes a file while the window goes on.
fn in_background(
    write: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Receiver<Result<(), String>> {
    let (done, news) = bounded(1);
    std::thread::spawn(move || {
        // A window that was closed meanwhile does not hear of it.
        let _unheard = done.send(write());
    });
    news
}

/// Encodes and writes a film.
fn write_film(wish: Wish, pictures: &[RgbImage], path: &Path) -> Result<(), String> {
    match (wish, ffmpeg()) {
        (Wish::Movie, Some(program)) => write_movie(&program, pictures, path),
        (Wish::Movie, None) => Err("ffmpeg is gone".into()),
        _ => write_gif(pictures, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gif_has_all_its_pictures_and_none_is_wider_than_a_slide_needs() {
        let picture = RgbImage::from_fn(2400, 800, |x, _| image::Rgb([(x / 10) as u8, 0, 9]));
        let film = part(&picture, [0, 100, 2400, 600]);
        assert_eq!((film.width(), film.height()), (1200, 300));
        assert_eq!(
            part(&picture, [2300, 700, 900, 900]).dimensions(),
            (100, 100)
        );
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.gif");
        let small = part(&picture, [0, 0, 40, 30]);
        write_gif(&[small.clone(), small.clone(), small], &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(b"GIF89a"));
        let gif = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        assert_eq!(image::AnimationDecoder::into_frames(gif).count(), 3);
        assert!(write_gif(&[], &dir.path().join("no/such.gif")).is_err());
    }
}
