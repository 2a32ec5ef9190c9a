//! Named variables. Not candle's `VarMap`: its hash order and unseedable generator make training
//! unreproducible.

use super::Rng;
use super::weights::{WeightsError, read_tensors, save_tensors};
use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// How a variable starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All this value.
    Const(f32),
    /// Normal with this standard deviation.
    Normal(f32),
    /// Uniform in ± this bound.
    Uniform(f32),
    /// PyTorch's default for `Linear` and convolutions: uniform in ±1/√fan_in.
    FanIn(usize),
}

struct Entry {
    var: Var,
    trainable: bool,
}

struct Store {
    seed: u64,
    entries: BTreeMap<String, Entry>,
    /// Tensors of files, or of another store, that variables take their first values from; none for a fresh
    /// store.
    sources: Vec<(PathBuf, BTreeMap<String, Tensor>)>,
    used: BTreeSet<String>,
    /// Whether a tensor that `source` lacks is drawn from the seed, not an error.
    draws_missing: bool,
}

impl Store {
    /// The tensor of a file that has this name, and the file.
    fn found(&self, name: &str) -> Option<(&Path, &Tensor)> {
        let mut sources = self.sources.iter();
        sources.find_map(|(path, tensors)| Some((path.as_path(), tensors.get(name)?)))
    }
}

/// A tree of named variables; cloning shares them.
#[derive(Clone)]
pub struct Params {
    store: Arc<Mutex<Store>>,
    prefix: String,
    device: Device,
    detached: bool,
}

impl Params {
    fn with_store(store: Store, device: &Device) -> Self {
        Self {
            store: Arc::new(Mutex::new(store)),
            prefix: String::new(),
            device: device.clone(),
            detached: false,
        }
    }

    /// Variables made on demand, each drawn from a generator keyed by `seed` and its full name:
    /// the same bits in whatever order a model asks for them.
    pub fn fresh(seed: u64, device: &Device) -> Self {
        Self::with_store(
            Store {
                seed,
                entries: BTreeMap::new(),
                sources: Vec::new(),
                used: BTreeSet::new(),
                draws_missing: false,
            },
            device,
        )
    }

    /// Reads an f16 or f32 safetensors file into f32 variables.
    ///
    /// # Errors
    /// [`WeightsError`] names the file, and the tensor where one is at fault.
    pub fn load(path: &Path, device: &Device) -> std::result::Result<Self, WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Io {
            path: path.into(),
            source,
        })?;
        Self::from_bytes(&bytes, path, device)
    }

    /// As [`Params::load`], from the bytes of a file; `path` only names it in errors.
    pub fn from_bytes(
        bytes: &[u8],
        path: &Path,
        device: &Device,
    ) -> std::result::Result<Self, WeightsError> {
        let sources = vec![(path.to_path_buf(), read_tensors(bytes, path, device)?)];
        Ok(Self::with_store(
            Store {
                seed: 0,
                entries: BTreeMap::new(),
                sources,
                used: BTreeSet::new(),
                draws_missing: false,
            },
            device,
        ))
    }

    /// Takes up the tensors of another file, too.
    ///
    /// # Errors
    /// As [`Params::load`].
    pub fn and(self, path: &Path) -> std::result::Result<Self, WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Io {
            path: path.into(),
            source,
        })?;
        let tensors = read_tensors(&bytes, path, &self.device)?;
        self.lock().sources.push((path.into(), tensors));
        Ok(self)
    }

    /// From now on draws what the file lacks, keyed by `seed`: for a training that resumes before all its
    /// variables exist.
    pub fn drawing_missing(self, seed: u64) -> Self {
        let mut store = self.lock();
        (store.seed, store.draws_missing) = (seed, true);
        drop(store);
        self
    }

    /// A separate store holding the same values: what an average of the weights is written into.
    pub fn copy(&self) -> Result<Self> {
        let store = self.lock();
        let mut tensors = BTreeMap::new();
        for (name, entry) in &store.entries {
            tensors.insert(
                name.clone(),
                entry.var.as_tensor().force_contiguous()?.detach(),
            );
        }
        let sources = vec![(PathBuf::from("a copy in memory"), tensors)];
        let seed = store.seed;
        drop(store);
        Ok(Self::with_store(
            Store {
                seed,
                entries: BTreeMap::new(),
                sources,
                used: BTreeSet::new(),
                draws_missing: false,
            },
            &self.device,
        ))
    }

    /// The same variables, handed out without gradient tracking: what inference builds its model from.
    /// Storage is shared, so steps of the optimiser show in such a model at once.
    pub fn detached(&self) -> Self {
        Self {
            detached: true,
            ..self.clone()
        }
    }

    /// The subtree `s`.
    pub fn pp(&self, s: impl std::fmt::Display) -> Self {
        Self {
            prefix: self.full_name(&s.to_string()),
            ..self.clone()
        }
    }

    /// The full name of this subtree; empty at the root.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where the variables live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // A panic elsewhere leaves the map whole: every change to it is a single insertion.
        self.store
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }

    /// Whether the file, or an earlier request, holds a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        let (name, store) = (self.full_name(name), self.lock());
        store.entries.contains_key(&name) || store.found(&name).is_some()
    }

    /// Shape of a tensor that the file or an earlier request holds.
    pub fn shape_of(&self, name: &str) -> Option<Vec<usize>> {
        let (name, store) = (self.full_name(name), self.lock());
        let made = store.entries.get(&name).map(|e| e.var.dims().to_vec());
        made.or_else(|| store.found(&name).map(|(_, t)| t.dims().to_vec()))
    }

    /// A trainable tensor. From a file: a missing tensor or another shape is an error naming both shapes.
    pub fn get(&self, shape: impl Into<Shape>, name: &str, init: Init) -> Result<Tensor> {
        let var = self.entry(shape.into(), name, init, true)?;
        Ok(if self.detached {
            var.as_detached_tensor()
        } else {
            var.into_inner()
        })
    }

    /// A tensor that is saved but never optimised, such as running statistics.
    pub fn buffer(&self, shape: impl Into<Shape>, name: &str, init: Init) -> Result<Var> {
        self.entry(shape.into(), name, init, false)
    }

    /// Takes over the tensors of the files whose full names pass, as they are: they are saved again, and
    /// never optimised.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn keep(&self, passes: impl Fn(&str) -> bool) -> Result<()> {
        let found: Vec<(String, Shape)> = {
            let store = self.lock();
            let tensors = store.sources.iter().flat_map(|(_, tensors)| tensors);
            let kept = tensors.filter(|(name, _)| passes(name));
            kept.map(|(name, t)| (name.clone(), t.shape().clone()))
                .collect()
        };
        let root = Self {
            prefix: String::new(),
            ..self.clone()
        };
        for (name, shape) in found {
            root.buffer(shape, &name, Init::Zeros)?;
        }
        Ok(())
    }

    fn entry(&self, shape: Shape, name: &str, init: Init, trainable: bool) -> Result<Var> {
        let name = self.full_name(name);
        let mut store = self.lock();
        if let Some(entry) = store.entries.get(&name) {
            if entry.var.shape() != &shape {
                bail!(
                    "tensor {name}: expected shape {:?}, found {:?}",
                    shape.dims(),
                    entry.var.dims()
                );
            }
            return Ok(entry.var.clone());
        }
        let drawn = || draw(&shape, init, store.seed, &name, &self.device);
        let var = match (store.found(&name), store.sources.first()) {
            (None, None) => Var::from_tensor(&drawn()?)?,
            (None, Some(_)) if store.draws_missing => Var::from_tensor(&drawn()?)?,
            (None, Some((path, _))) => bail!(
                "{}: tensor {name} is missing, expected shape {:?}",
                path.display(),
                shape.dims()
            ),
            (Some((path, t)), _) if t.shape() != &shape => bail!(
                "{}: tensor {name}: expected shape {:?}, found {:?}",
                path.display(),
                shape.dims(),
                t.dims()
            ),
            (Some((_, t)), _) => Var::from_tensor(t)?,
        };
        store.used.insert(name.clone());
        store.entries.insert(
            name,
            Entry {
                var: var.clone(),
                trainable,
            },
        );
        Ok(var)
    }

    fn listed(&self, trainable: bool) -> Vec<(String, Var)> {
        let inside = |n: &str| {
            self.prefix.is_empty()
                || n.strip_prefix(&self.prefix)
                    .is_some_and(|rest| rest.starts_with('.'))
        };
        let store = self.lock();
        let wanted = store
            .entries
            .iter()
            .filter(|(n, e)| e.trainable == trainable && inside(n));
        wanted.map(|(n, e)| (n.clone(), e.var.clone())).collect()
    }

    /// The trainable variables of this subtree, by full name, sorted.
    pub fn vars(&self) -> Vec<(String, Var)> {
        self.listed(true)
    }

    /// The buffers of this subtree, by full name, sorted.
    pub fn buffers(&self) -> Vec<(String, Var)> {
        self.listed(false)
    }

    /// Number of trainable values in this subtree.
    pub fn count(&self) -> usize {
        self.vars().iter().map(|(_, v)| v.elem_count()).sum()
    }

    /// Tensors of the file that no model asked for: a sign of a wrong file.
    pub fn unused(&self) -> Vec<String> {
        let store = self.lock();
        let sources = store.sources.iter().flat_map(|(_, tensors)| tensors.keys());
        sources
            .filter(|n| !store.used.contains(*n))
            .cloned()
            .collect()
    }

    /// Overwrites values from another store's tensors of the same names, in place.
    pub fn set_from(&self, other: &Params) -> Result<()> {
        for (name, var) in self.vars().into_iter().chain(self.buffers()) {
            let value = other.lock().entries.get(&name).map(|e| e.var.clone());
            match value {
                Some(value) => var.set(&value.as_tensor().force_contiguous()?)?,
                None => bail!("tensor {name} is missing from the store to copy from"),
            }
        }
        Ok(())
    }

    /// Writes all variables and buffers, sorted by name, as `dtype` (f16 or f32), by way of a temporary file.
    ///
    /// # Errors
    /// [`WeightsError`] names the file; nothing is written when a value is not finite in `dtype`.
    pub fn save(&self, path: &Path, dtype: DType) -> std::result::Result<(), WeightsError> {
        self.save_those(path, dtype, |_| true).map(drop)
    }

    /// As [`Params::save`], of the tensors whose full names are `wanted`. Where there are none, nothing is
    /// written; says whether there were.
    ///
    /// # Errors
    /// As [`Params::save`].
    pub fn save_those(
        &self,
        path: &Path,
        dtype: DType,
        wanted: impl Fn(&str) -> bool,
    ) -> std::result::Result<bool, WeightsError> {
        let all = self.vars().into_iter().chain(self.buffers());
        let wanted = all.filter(|(name, _)| wanted(name));
        let mut tensors: Vec<(String, Tensor)> = wanted
            .map(|(name, var)| (name, var.as_tensor().clone()))
            .collect();
        if tensors.is_empty() {
            return Ok(false);
        }
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        save_tensors(&tensors, path, dtype)?;
        Ok(true)
    }
}

fn draw(shape: &Shape, init: Init, seed: u64, name: &str, device: &Device) -> Result<Tensor> {
    let digest = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(name.as_bytes())
        .finalize();
    let mut key = [0u8; 32];
    key.copy_from_slice(&digest);
    let mut rng = Rng::from_key(key);
    let n = shape.elem_count();
    let mut uniform = |bound: f32| {
        (0..n)
            .map(|_| bound * (2. * rng.f32() - 1.))
            .collect::<Vec<f32>>()
    };
    let values = match init {
        Init::Zeros => vec![0.; n],
        Init::Ones => vec![1.; n],
        Init::Const(value) => vec![value; n],
        Init::Uniform(bound) => uniform(bound),
        Init::FanIn(fan_in) => uniform(1. / (fan_in.max(1) as f32).sqrt()),
        Init::Normal(std) => rng.normal_vec(n).into_iter().map(|v| v * std).collect(),
    };
    Tensor::from_vec(values, shape.clone(), device)
}
