//! Films as people have them: folders of pictures, GIFs, tensors, recorded episodes.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder as _, ImageDecoder as _, ImageReader, Limits};
use safetensors::{Dtype, SafeTensors};

use crate::cli::wrong_use;
use crate::scene::Scene;
use crate::worker::{SESSION_ENDING, recorded};

/// Longest film that is read, frames.
const MOST_FRAMES: usize = 10_000;
/// Largest file of tensors that is read, bytes: as many frames of 128 pixels.
const MOST_BYTES: u64 = (MOST_FRAMES * 128 * 128 * 3 + (1 << 20)) as u64;

/// A film.
pub(super) struct Film {
    /// Side of its pictures.
    pub size: usize,
    /// `[T]`, `[H, W, 3]` bytes each.
    pub frames: Vec<Vec<u8>>,
    /// `[T][A]`: `actions[t]` leads from frame t to t + 1.
    pub actions: Option<Vec<Vec<f32>>>,
    /// The scene as it was recorded; none where the file does not say.
    pub scene: Option<Arc<Scene>>,
}

/// What a file says it is.
enum Kind {
    Pictures,
    Gif,
    Tensors,
    Recorded,
}

impl Film {
    /// Reads a film. `scene` is what the command says that it shows.
    ///
    /// # Errors
    /// What is wrong, with the file's name: no such file, another kind, pictures of another size, too many.
    pub fn read(path: &Path, scene: Option<&Scene>, episode: Option<u64>) -> Result<Film> {
        let kind = kind(path)?;
        if episode.is_some() && !matches!(kind, Kind::Recorded) {
            return Err(wrong_use(format!(
                "--episode has no effect: {} is one film; only recordings hold several",
                path.display()
            )));
        }
        if let Kind::Recorded = kind {
            return recording(path, scene, episode.unwrap_or(0));
        }
        let Some(scene) = scene else {
            return Err(wrong_use(format!(
                "--scene is needed: {} does not say which scene it shows",
                path.display()
            )));
        };
        let film = match kind {
            Kind::Pictures => pictures(path, scene)?,
            Kind::Gif => gif(path, scene)?,
            _ => tensors(path, scene)?,
        };
        Ok(film)
    }
}

fn kind(path: &Path) -> Result<Kind> {
    let about = std::fs::metadata(path).with_context(|| format!("{}", path.display()))?;
    if about.is_dir() {
        return Ok(match path.join("index.json").exists() {
            true => Kind::Recorded,
            false => Kind::Pictures,
        });
    }
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    match ending.to_str() {
        Some("gif") => Ok(Kind::Gif),
        Some("safetensors") => Ok(Kind::Tensors),
        Some("plx" | SESSION_ENDING) => Ok(Kind::Recorded),
        _ => bail!(
            "{}: expected a folder of PNG files, a .gif, a .safetensors with `frames`, or a recording (a \
             shard-NNNNN.plx, its folder, or a .session)",
            path.display()
        ),
    }
}

/// Refuses pictures that are not as the scene's camera makes them.
fn check_size(path: &Path, scene: &Scene, width: usize, height: usize) -> Result<()> {
    let side = scene.camera.size;
    if (width, height) == (side, side) {
        return Ok(());
    }
    bail!(
        "{}: found {width} x {height} pixels, expected {side} x {side}, as the camera of scene `{}` has \
         (--size says another side: 64, 96 or 128)",
        path.display(),
        scene.name
    )
}

/// Names in the order in which people count: `frame9` before `frame10`.
fn in_order(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (mut key, mut digits) = (String::new(), String::new());
    for c in name.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            key.push_str(&format!("{:0>24}", digits.trim_start_matches('0')));
            digits.clear();
        }
        key.push(c);
    }
    key
}

fn pictures(dir: &Path, scene: &Scene) -> Result<Film> {
    let shown = || format!("{}", dir.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        let is_png = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("png"));
        if is_png && !crate::scene::is_stray(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{}: holds no PNG file, expected one a frame", dir.display());
    }
    too_many(dir, files.len())?;
    files.sort_by_key(|p| in_order(p));
    let mut frames = Vec::with_capacity(files.len());
    for file in &files {
        let read = || format!("{}: cannot be read as a picture", file.display());
        let open = || -> Result<_> { Ok(ImageReader::open(file)?.with_guessed_format()?) };
        let (width, height) = open()
            .and_then(|r| Ok(r.into_dimensions()?))
            .with_context(read)?;
        check_size(file, scene, width as usize, height as usize)?;
        let picture = open().and_then(|r| Ok(r.decode()?)).with_context(read)?;
        frames.push(picture.into_rgb8().into_raw());
    }
    Ok(film(scene, frames))
}

fn gif(path: &Path, scene: &Scene) -> Result<Film> {
    let wrong = || format!("{}: cannot be read as a GIF", path.display());
    let file = File::open(path).with_context(|| format!("{}", path.display()))?;
    let mut decoder = GifDecoder::new(BufReader::new(file)).with_context(wrong)?;
    let (width, height) = decoder.dimensions();
    check_size(path, scene, width as usize, height as usize)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(64 << 20);
    decoder.set_limits(limits).with_context(wrong)?;
    let mut frames = Vec::new();
    for frame in decoder.into_frames() {
        let rgba = frame.with_context(wrong)?.into_buffer();
        too_many(path, frames.len() + 1)?;
        frames.push(rgba.pixels().flat_map(|p| [p[0], p[1], p[2]]).collect());
    }
    Ok(film(scene, frames))
}

fn tensors(path: &Path, scene: &Scene) -> Result<Film> {
    let shown = || format!("{}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(shown)?;
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(shown)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!(
            "{}: holds more than {} MB, expected at most {MOST_FRAMES} frames",
            path.display(),
            MOST_BYTES >> 20
        );
    }
    let held = SafeTensors::deserialize(&bytes)
        .map_err(|e| anyhow!("{}: is no safetensors file: {e}", path.display()))?;
    let tensor = held.tensor("frames").map_err(|_| {
        let names = held.names().join("`, `");
        anyhow!(
            "{}: holds `{names}`, expected `frames` (u8 [T, H, W, 3])",
            path.display()
        )
    })?;
    let (shape, kind) = (tensor.shape(), tensor.dtype());
    let &[count, height, width, 3] = shape else {
        bail!(
            "{}: `frames` is {shape:?}, expected [T, H, W, 3]",
            path.display()
        );
    };
    if kind != Dtype::U8 {
        bail!(
            "{}: `frames` is {kind:?}, expected U8: bytes from 0 to 255",
            path.display()
        );
    }
    check_size(path, scene, width, height)?;
    too_many(path, count)?;
    let frames = tensor
        .data()
        .chunks_exact(3 * width * height)
        .map(<[u8]>::to_vec);
    let mut film = film(scene, frames.collect());
    film.actions = held
        .tensor("actions")
        .ok()
        .map(|t| actions(path, scene, count, &t))
        .transpose()?;
    Ok(film)
}

fn actions(
    path: &Path,
    scene: &Scene,
    frames: usize,
    tensor: &safetensors::tensor::TensorView,
) -> Result<Vec<Vec<f32>>> {
    let dim = scene.actions.dim();
    let fits = matches!(tensor.shape(), &[t, a] if a == dim && (t == frames || t + 1 == frames));
    if !fits || tensor.dtype() != Dtype::F32 {
        bail!(
            "{}: `actions` is {:?} {:?}, expected F32 [{frames}, {dim}]: one a frame, as many components as \
             in scene `{}`",
            path.display(),
            tensor.dtype(),
            tensor.shape(),
            scene.name
        );
    }
    let numbers: Vec<f32> = tensor
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    if let Some(at) = numbers.iter().position(|v| !v.is_finite()) {
        bail!(
            "{}: `actions` holds {} at {at}, expected finite numbers",
            path.display(),
            numbers[at]
        );
    }
    let mut rows: Vec<Vec<f32>> = match dim {
        0 => vec![Vec::new(); frames],
        _ => numbers.chunks_exact(dim).map(<[f32]>::to_vec).collect(),
    };
    rows.resize(frames, vec![0.0; dim]);
    Ok(rows)
}

fn recording(path: &Path, given: Option<&Scene>, episode: u64) -> Result<Film> {
    let (scene, recorded) = recorded(path, episode).map_err(|e| anyhow!(e))?;
    if let Some(given) = given
        && given.name != scene.name
    {
        bail!(
            "{}: was recorded in scene `{}`, not in `{}`",
            path.display(),
            scene.name,
            given.name
        );
    }
    let side = given.map_or(scene.camera.size, |s| s.camera.size);
    let steps = (recorded.states.len() / scene.bodies.len().max(1)).max(1);
    let size = (recorded.frames.len() / steps / 3).isqrt();
    if size != side {
        bail!(
            "{}: its pictures have {size} pixels a side, expected {side}, as the scene's camera has",
            path.display()
        );
    }
    let frames = recorded
        .frames
        .chunks_exact(size * size * 3)
        .map(<[u8]>::to_vec);
    let frames: Vec<Vec<u8>> = frames.collect();
    let dim = scene.actions.dim();
    let actions = match dim {
        0 => vec![Vec::new(); frames.len()],
        _ => recorded
            .actions
            .chunks_exact(dim)
            .map(<[f32]>::to_vec)
            .collect(),
    };
    Ok(Film {
        size,
        frames,
        actions: Some(actions),
        scene: Some(scene),
    })
}

fn film(scene: &Scene, frames: Vec<Vec<u8>>) -> Film {
    Film {
        size: scene.camera.size,
        frames,
        actions: None,
        scene: None,
    }
}

fn too_many(path: &Path, found: usize) -> Result<()> {
    if found > MOST_FRAMES {
        bail!(
            "{}: holds more than {MOST_FRAMES} frames, the most that are judged at once",
            path.display()
        );
    }
    Ok(())
}
