//! AdamW, the learning-rate schedule and the moving average of weights.

use super::{Params, WeightsError, fused};
use candle_core::backprop::GradStore;
use candle_core::{DType, Result, Tensor, Var, bail};

/// Settings of [`AdamW`].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWConfig {
    /// Base learning rate; the rate in force is given to every step.
    pub lr: f64,
    /// Decay of the first and second moment.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, applied to matrices only: not to biases and scales.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 1e-3,
        }
    }
}

/// Moments of one variable: plain memory on CPU, updated in place; tensors elsewhere.
enum Moments {
    Host { m: Vec<f32>, v: Vec<f32> },
    Device { m: Tensor, v: Tensor },
}

/// AdamW (Loshchilov & Hutter 2019), as `torch.optim.AdamW`. On CPU a step allocates nothing.
pub struct AdamW {
    vars: Vec<(String, Var)>,
    moments: Vec<Moments>,
    config: AdamWConfig,
    steps: usize,
}

impl AdamW {
    /// An optimiser of `vars`, in their order.
    pub fn new(vars: Vec<(String, Var)>, config: AdamWConfig) -> Result<Self> {
        Self::with_moments(vars, config, |var| var.device().is_cpu())
    }

    /// The same out of the tensor library's operations, as on a device, wherever the variables are.
    pub fn composed(vars: Vec<(String, Var)>, config: AdamWConfig) -> Result<Self> {
        Self::with_moments(vars, config, |_| false)
    }

    fn with_moments(
        vars: Vec<(String, Var)>,
        config: AdamWConfig,
        is_host: impl Fn(&Var) -> bool,
    ) -> Result<Self> {
        let mut moments = Vec::with_capacity(vars.len());
        for (_, var) in &vars {
            moments.push(if is_host(var) {
                Moments::Host {
                    m: vec![0.; var.elem_count()],
                    v: vec![0.; var.elem_count()],
                }
            } else {
                Moments::Device {
                    m: var.zeros_like()?.detach(),
                    v: var.zeros_like()?.detach(),
                }
            });
        }
        Ok(Self {
            vars,
            moments,
            config,
            steps: 0,
        })
    }

    /// The settings it was made with.
    pub fn config(&self) -> &AdamWConfig {
        &self.config
    }

    /// One step at learning rate `lr`. Gradients longer than `clip_norm` are scaled to it; variables
    /// without a gradient stay. Returns the norm before clipping; a norm that is not finite changes
    /// nothing.
    pub fn step(&mut self, grads: &GradStore, lr: f64, clip_norm: Option<f64>) -> Result<f64> {
        let mut found = Vec::with_capacity(self.vars.len());
        let (mut squares, mut on_device) = (0f64, Vec::new());
        for ((_, var), moments) in self.vars.iter().zip(&self.moments) {
            // The gradient of a variable holds the graph that it came from; moments must not.
            let grad = grads.get(var.as_tensor()).map(Tensor::detach);
            let grad = grad.as_ref().map(Tensor::contiguous).transpose()?;
            match (&grad, moments) {
                (None, _) => {}
                (Some(grad), Moments::Host { .. }) => squares += fused::sum_of_squares(grad)?,
                (Some(grad), Moments::Device { .. }) => {
                    on_device.push(grad.sqr()?.sum_all()?.to_dtype(DType::F32)?);
                }
            }
            found.push(grad);
        }
        if !on_device.is_empty() {
            // Read back once a step: a device waits at every reading.
            let each = Tensor::stack(&on_device, 0)?.to_vec1::<f32>()?;
            squares += each.into_iter().map(f64::from).sum::<f64>();
        }
        let norm = squares.sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        let scale = clip_norm.map_or(1., |clip| (clip / (norm + 1e-6)).min(1.));
        self.steps += 1;
        let (b1, b2) = self.config.betas;
        let (c1, c2) = (
            1. - b1.powi(self.steps as i32),
            1. - b2.powi(self.steps as i32),
        );
        for (((_, var), moments), grad) in self.vars.iter().zip(&mut self.moments).zip(&found) {
            let Some(grad) = grad else { continue };
            let decay = if var.rank() > 1 {
                lr * self.config.weight_decay
            } else {
                0.
            };
            match moments {
                Moments::Host { m, v } => {
                    let rule = fused::AdamRule {
                        b1,
                        b2,
                        c1,
                        c2,
                        lr,
                        eps: self.config.eps,
                        decay,
                        scale,
                    };
                    fused::adam_in_place(var, grad, m, v, rule)?;
                }
                Moments::Device { m, v } => {
                    let grad = (grad * scale)?;
                    *m = ((&*m * b1)? + (&grad * (1. - b1))?)?;
                    *v = ((&*v * b2)? + (grad.sqr()? * (1. - b2))?)?;
                    let change = ((&*m / c1)? / ((&*v / c2)?.sqrt()? + self.config.eps)?)?;
                    var.set(&((var.as_detached_tensor() * (1. - decay))? - (change * lr)?)?)?;
                }
            }
        }
        Ok(norm)
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Both moments by name (`<variable>.m`, `<variable>.v`), to be saved beside the weights in f32.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = Vec::with_capacity(2 * self.vars.len());
        for ((name, var), moments) in self.vars.iter().zip(&self.moments) {
            let (m, v) = match moments {
                Moments::Host { m, v } => (
                    Tensor::from_slice(m, var.shape(), var.device())?,
                    Tensor::from_slice(v, var.shape(), var.device())?,
                ),
                Moments::Device { m, v } => (m.clone(), v.clone()),
            };
            state.push((format!("{name}.m"), m));
            state.push((format!("{name}.v"), v));
        }
        Ok(state)
    }

    /// Writes [`AdamW::state`] to a safetensors file.
    ///
    /// # Errors
    /// [`WeightsError`] naming the file.
    pub fn save(&self, path: &std::path::Path) -> std::result::Result<(), WeightsError> {
        let state = self.state().map_err(|source| WeightsError::Tensor {
            path: path.into(),
            source,
        })?;
        super::weights::save_tensors(&state, path, DType::F32)
    }

    /// Takes up what [`AdamW::state`] gave; `state` finds a tensor by name and shape (a loaded [`Params`]
    /// does).
    pub fn restore(&mut self, steps: usize, state: &Params) -> Result<()> {
        for ((name, var), moments) in self.vars.iter().zip(&mut self.moments) {
            let read = |suffix: &str| {
                state.buffer(var.shape(), &format!("{name}.{suffix}"), super::Init::Zeros)
            };
            let (new_m, new_v) = (read("m")?, read("v")?);
            match moments {
                Moments::Host { m, v } => {
                    *m = new_m.flatten_all()?.to_vec1()?;
                    *v = new_v.flatten_all()?.to_vec1()?;
                }
                Moments::Device { m, v } => {
                    *m = new_m.as_detached_tensor();
                    *v = new_v.as_detached_tensor();
                }
            }
        }
        self.steps = steps;
        Ok(())
    }
}

/// Learning rate at `step` of `total`: linear warm-up over `warmup` steps, then a cosine down to zero.
pub fn cosine_lr(step: usize, total: usize, warmup: usize, base: f64) -> f64 {
    if step < warmup {
        return base * (step + 1) as f64 / warmup as f64;
    }
    let progress = (step - warmup) as f64 / total.saturating_sub(warmup).max(1) as f64;
    base * 0.5 * (1. + (std::f64::consts::PI * progress.min(1.)).cos())
}

/// Moves every `average` to `decay · average + (1 − decay) · value`.
fn approach(averages: &[(String, Var)], values: &[(String, Var)], decay: f64) -> Result<()> {
    for ((_, average), (_, value)) in averages.iter().zip(values) {
        if average.device().is_cpu() {
            fused::lerp_in_place(average, value, 1. - decay)?;
        } else {
            let old = (average.as_detached_tensor() * decay)?;
            average.set(&(old + (value.as_detached_tensor() * (1. - decay))?)?)?;
        }
    }
    Ok(())
}

/// Moves the variables of one subtree towards those of another of the same shape, as a target network
/// follows: `average = decay · average + (1 − decay) · value`.
///
/// # Errors
/// Where the subtrees do not hold the same tensors.
pub fn follow(average: &Params, value: &Params, decay: f64) -> Result<()> {
    let (averages, values) = (average.vars(), value.vars());
    let tail = |p: &Params, name: &str| name.strip_prefix(p.prefix()).map(str::to_owned);
    let alike = |((a, x), (b, y)): (&(String, Var), &(String, Var))| {
        tail(average, a) == tail(value, b) && x.shape() == y.shape()
    };
    if averages.len() != values.len() || !averages.iter().zip(&values).all(alike) {
        bail!(
            "moving average: {} and {} hold different tensors",
            average.prefix(),
            value.prefix()
        );
    }
    approach(&averages, &values, decay)
}

/// Exponential moving average of all variables and buffers, in a store of its own.
pub struct Ema {
    decay: f64,
    updates: usize,
    average: Params,
}

impl Ema {
    /// An average that starts at the present values of `params`; make it after the model, so that all exist.
    pub fn new(params: &Params, decay: f64) -> Result<Self> {
        let average = params.copy()?;
        for (name, var) in params.vars() {
            average.get(var.shape(), &name, super::Init::Zeros)?;
        }
        for (name, var) in params.buffers() {
            average.buffer(var.shape(), &name, super::Init::Zeros)?;
        }
        Ok(Self {
            decay,
            updates: 0,
            average,
        })
    }

    /// Moves the average towards the present values; early updates use a smaller decay, `(1 + n) / (10 + n)`.
    pub fn update(&mut self, params: &Params) -> Result<()> {
        self.updates += 1;
        let decay = self
            .decay
            .min((1 + self.updates) as f64 / (10 + self.updates) as f64);
        let both = |p: &Params| p.vars().into_iter().chain(p.buffers()).collect::<Vec<_>>();
        let (averages, values) = (both(&self.average), both(params));
        for ((name, _), (other, _)) in averages.iter().zip(&values) {
            if name != other {
                bail!("moving average: expected tensor {name}, found {other}");
            }
        }
        approach(&averages, &values, decay)
    }

    /// The averaged weights: save them, or build a model for evaluation from them.
    pub fn params(&self) -> &Params {
        &self.average
    }

    /// Updates so far, to be saved for a resumed training.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// Takes up an average that was saved.
    pub fn restore(&mut self, updates: usize, saved: &Params) -> Result<()> {
        for (name, var) in self
            .average
            .vars()
            .into_iter()
            .chain(self.average.buffers())
        {
            var.set(
                saved
                    .buffer(var.shape(), &name, super::Init::Zeros)?
                    .as_tensor(),
            )?;
        }
        self.updates = updates;
        Ok(())
    }
}
