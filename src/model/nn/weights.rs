//! Weights files: safetensors in f16 or f32, checked when read, put in place whole when written.

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a weights file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The offending file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a safetensors file, or cut short.
    #[error("{path}: not a readable safetensors file ({reason})")]
    Format {
        /// The offending file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A tensor in a type other than f16 and f32.
    #[error("{path}: tensor {tensor} has type {found}, expected F16 or F32")]
    Type {
        /// The offending file.
        path: PathBuf,
        /// The offending tensor.
        tensor: String,
        /// Its type.
        found: String,
    },
    /// A NaN or an infinity.
    #[error("{path}: tensor {tensor} holds {value} at element {index}")]
    NotFinite {
        /// The offending file.
        path: PathBuf,
        /// The offending tensor.
        tensor: String,
        /// Flat index of the first such element.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The tensor library failed (out of device memory, for example).
    #[error("{path}: {source}")]
    Tensor {
        /// The file in question.
        path: PathBuf,
        /// What candle said.
        source: candle_core::Error,
    },
}

/// Named f32 tensors out of the bytes of a file; `path` only names it in errors.
pub(super) fn read_tensors(
    bytes: &[u8],
    path: &Path,
    device: &Device,
) -> Result<BTreeMap<String, Tensor>, WeightsError> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| WeightsError::Format {
        path: path.into(),
        reason: e.to_string(),
    })?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let values = floats(&view).ok_or_else(|| WeightsError::Type {
            path: path.into(),
            tensor: name.clone(),
            found: format!("{:?}", view.dtype()),
        })?;
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            let value = values[index];
            return Err(WeightsError::NotFinite {
                path: path.into(),
                tensor: name,
                index,
                value,
            });
        }
        let tensor = Tensor::from_vec(values, view.shape(), device).map_err(|source| {
            WeightsError::Tensor {
                path: path.into(),
                source,
            }
        })?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// Writes named f32 tensors to a safetensors file as f16 or f32, by way of a temporary file.
pub(super) fn save_tensors(
    tensors: &[(String, Tensor)],
    path: &Path,
    dtype: DType,
) -> Result<(), WeightsError> {
    let mut blobs = Vec::new();
    for (name, tensor) in tensors {
        let values = tensor
            .flatten_all()
            .and_then(|t| t.to_vec1::<f32>())
            .map_err(|source| WeightsError::Tensor {
                path: path.into(),
                source,
            })?;
        let mut bytes = Vec::with_capacity(values.len() * 4);
        for (index, &value) in values.iter().enumerate() {
            let stored = if dtype == DType::F16 {
                half::f16::from_f32(value).to_f32()
            } else {
                value
            };
            if !stored.is_finite() {
                return Err(WeightsError::NotFinite {
                    path: path.into(),
                    tensor: name.clone(),
                    index,
                    value,
                });
            }
            if dtype == DType::F16 {
                bytes.extend(half::f16::from_f32(value).to_le_bytes());
            } else {
                bytes.extend(value.to_le_bytes());
            }
        }
        blobs.push((name.clone(), tensor.dims().to_vec(), bytes));
    }
    let stored = if dtype == DType::F16 {
        Dtype::F16
    } else {
        Dtype::F32
    };
    let format = |e: safetensors::SafeTensorError| WeightsError::Format {
        path: path.into(),
        reason: e.to_string(),
    };
    let mut views = Vec::new();
    for (name, shape, bytes) in &blobs {
        views.push((
            name.clone(),
            TensorView::new(stored, shape.clone(), bytes).map_err(format)?,
        ));
    }
    let bytes = safetensors::serialize(views, None).map_err(format)?;
    crate::system::files::replace(path, &bytes).map_err(|source| WeightsError::Io {
        path: path.into(),
        source,
    })
}

fn floats(view: &TensorView) -> Option<Vec<f32>> {
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => Some(
            data.chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        ),
        Dtype::F16 => Some(
            data.chunks_exact(2)
                .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
        ),
        _ => None,
    }
}
