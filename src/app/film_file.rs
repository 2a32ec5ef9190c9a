//! Pictures and films as files: PNG, GIF, MP4. Each is written beside its place and put there once it is
//! whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, RgbImage};

/// Milliseconds that each picture of a GIF stays, and the last one.
const FRAME_MS: u32 = 120;
const LAST_MS: u32 = 1200;

/// Saves a picture.
pub(super) fn save_png(picture: &RgbImage, path: &Path) -> Result<(), String> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| e.to_string())?;
    put(path, &bytes.into_inner())
}

/// Writes beside the file, and puts it in place once it is whole.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|e| {
        // Whatever is there of it is of no use, and may fill the disk.
        let _gone = std::fs::remove_file(&part);
        e.to_string()
    })
}

/// Pictures one after the other as a GIF that plays around.
///
/// # Errors
/// In a sentence: they cannot be encoded or written.
pub fn write_gif(pictures: &[RgbImage], path: &Path) -> Result<(), String> {
    let mut film = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut film, 10);
    encoder
        .set_repeat(Repeat::Infinite)
        .map_err(|e| e.to_string())?;
    for (i, picture) in pictures.iter().enumerate() {
        let ms = if i + 1 == pictures.len() {
            LAST_MS
        } else {
            FRAME_MS
        };
        let rgba = image::DynamicImage::ImageRgb8(picture.clone()).to_rgba8();
        let frame = image::Frame::from_parts(rgba, 0, 0, Delay::from_numer_denom_ms(ms, 1));
        encoder.encode_frame(frame).map_err(|e| e.to_string())?;
    }
    drop(encoder);
    put(path, &film)
}

/// Where `ffmpeg` is.
pub(super) fn ffmpeg() -> Option<PathBuf> {
    let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file())
}

/// Pictures one after the other as an MP4 in real time (H.264, so that slides and browsers play it); the last
/// one stays for a while.
///
/// # Errors
/// In a sentence: what `ffmpeg` says, or why it cannot be asked or the file not be written.
pub(super) fn write_movie(
    program: &Path,
    pictures: &[RgbImage],
    path: &Path,
) -> Result<(), String> {
    let Some(first) = pictures.first() else {
        return Err("no picture was taken".into());
    };
    let size = format!("{}x{}", first.width(), first.height());
    let rate = crate::sim::CONTROL_HZ.to_string();
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let mut child = Program::new(program)
        .args([
            "-loglevel",
            "error",
            "-y",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
        ])
        .args(["-s", &size, "-r", &rate, "-i", "-"])
        // H.264 needs even sides.
        .args([
            "-vf",
            "pad=ceil(iw/2)*2:ceil(ih/2)*2",
            "-c:v",
            "libx264",
            "-pix_fmt",
            "yuv420p",
        ])
        .args(["-movflags", "+faststart", "-f", "mp4"])
        .arg(&part)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{} cannot be started: {e}", program.display()))?;
    if let Some(mut input) = child.stdin.take() {
        let stay = (LAST_MS as usize * crate::sim::CONTROL_HZ as usize / 1000).max(1);
        let last = pictures.len() - 1;
        let frames = pictures
            .iter()
            .chain(std::iter::repeat_n(&pictures[last], stay));
        for picture in frames {
            // Why it no longer listens it says itself, below.
            if input.write_all(picture.as_raw()).is_err() {
                break;
            }
        }
    }
    let ended = child.wait_with_output().map_err(|e| e.to_string());
    let written = ended.and_then(|ended| match ended.status.success() {
        true => std::fs::rename(&part, path).map_err(|e| e.to_string()),
        false => {
            let said = String::from_utf8_lossy(&ended.stderr);
            let line = said
                .lines()
                .last()
                .unwrap_or("it does not say why")
                .to_string();
            Err(format!("ffmpeg failed: {line}"))
        }
    });
    if written.is_err() {
        let _gone = std::fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in for ffmpeg: keeps what it is given in its last argument, or complains.
    #[cfg(unix)]
    fn stand_in(folder: &Path, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.join("ffmpeg");
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    #[cfg(unix)]
    #[test]
    fn a_movie_gets_every_picture_and_what_the_encoder_says_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.mp4");
        let picture = RgbImage::from_pixel(6, 4, image::Rgb([1, 2, 3]));
        let keeps = stand_in(dir.path(), "for last; do :; done; cat > \"$last\"");
        write_movie(&keeps, &[picture.clone(), picture.clone()], &path).unwrap();
        // Two pictures, and the last one for 1.2 s at ten a second.
        assert_eq!(std::fs::read(&path).unwrap().len(), (2 + 12) * 6 * 4 * 3);
        let breaks = stand_in(
            dir.path(),
            "cat > /dev/null; echo no such encoder >&2; exit 1",
        );
        let other = dir.path().join("other.mp4");
        let said = write_movie(&breaks, std::slice::from_ref(&picture), &other).unwrap_err();
        assert_eq!(said, "ffmpeg failed: no such encoder");
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 2, "the film, and the stand-in");
        assert!(write_movie(&keeps, &[], &other).is_err());
    }
}
