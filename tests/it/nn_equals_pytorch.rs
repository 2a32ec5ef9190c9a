//! The building blocks compute what PyTorch computes, forward and backward, fused and composed.

use candle_core::{Device, Result, Tensor, Var};
use parallax::model::nn::{
    AdaLnZeroBlock, AdamW, AdamWConfig, Attention, BatchNorm, Init, Params, PreNormBlock, Rng, ops,
};
use std::collections::HashMap;

fn fixtures() -> HashMap<String, Tensor> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/nn.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).expect("committed fixture")
}

#[track_caller]
fn assert_close(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.dims(), expected.dims(), "{what}: shape");
    let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
    let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (f - e).abs() <= 1e-5 + 2e-5 * e.abs(),
            "{what}[{i}]: found {f}, PyTorch has {e}"
        );
    }
}

/// Runs `f` on the inputs of a case and compares its output and every gradient.
#[track_caller]
fn check(case: &str, inputs: &[&str], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let all = fixtures();
    let get = |name: &str| &all[&format!("{case}.{name}")];
    let vars: Vec<Var> = inputs
        .iter()
        .map(|n| Var::from_tensor(get(n)).unwrap())
        .collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tensors).unwrap();
    assert_close(&y, get("y"), &format!("{case}: output"));
    let grads = (y * get("g"))
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    for (name, var) in inputs.iter().zip(&vars) {
        let grad = grads
            .get(var.as_tensor())
            .unwrap_or_else(|| panic!("{case}: no gradient reaches {name}"));
        assert_close(
            grad,
            get(&format!("{name}.grad")),
            &format!("{case}: gradient of {name}"),
        );
    }
}

#[test]
fn normalisations() {
    let affine = ["x", "weight", "bias"];
    check("layer_norm", &affine, |t| {
        ops::layer_norm(&t[0], Some(&t[1]), Some(&t[2]), 1e-5)
    });
    check("group_norm", &affine, |t| {
        ops::group_norm(&t[0], 4, Some(&t[1]), Some(&t[2]), 1e-5)
    });
    check("layer_norm", &affine, |t| {
        ops::composed::layer_norm(&t[0], 1e-5)?
            .broadcast_mul(&t[1])?
            .broadcast_add(&t[2])
    });
    check("group_norm", &affine, |t| {
        ops::composed::group_norm(&t[0], 4, 1e-5)?
            .broadcast_mul(&t[1])?
            .broadcast_add(&t[2])
    });
}

#[test]
fn activations_and_softmax() {
    check("gelu", &["x"], |t| ops::gelu(&t[0]));
    check("silu", &["x"], |t| ops::silu(&t[0]));
    check("softmax", &["x"], |t| ops::softmax(&t[0], 0.37));
    check("softmax", &["x"], |t| ops::composed::softmax(&t[0], 0.37));
}

#[test]
fn convolutions() {
    for (case, k, stride, pad) in [
        ("conv3", 3, 1, 1),
        ("conv3s2", 3, 2, 1),
        ("conv1", 1, 1, 0),
        ("conv4s4", 4, 4, 0),
    ] {
        let inputs = ["x", "weight", "bias"];
        check(case, &inputs, |t| {
            ops::conv2d(&t[0], &t[1], Some(&t[2]), k, stride, pad)
        });
        let product = |patches: Tensor, t: &[Tensor]| {
            let (b, h, w, c) = patches.dims4()?;
            let y = patches.reshape((b * h * w, c))?.matmul(&t[1])?;
            ops::add_bias(&y.reshape((b, h, w, ()))?, &t[2])
        };
        check(case, &inputs, |t| {
            product(ops::im2col(&t[0], k, stride, pad)?, t)
        });
        check(case, &inputs, |t| {
            product(ops::composed::im2col(&t[0], k, stride, pad)?, t)
        });
    }
}

/// A store whose tensors are the case's inputs under the names a layer asks for, so that the layer runs on
/// them.
fn layer_case(case: &str, names: &[(&str, &str)]) -> (Params, Tensor, HashMap<String, Tensor>) {
    let all = fixtures();
    let tensors: HashMap<String, Tensor> = names
        .iter()
        .map(|(ours, theirs)| (ours.to_string(), all[&format!("{case}.{theirs}")].clone()))
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    candle_core::safetensors::save(&tensors, file.path()).unwrap();
    let params = Params::load(file.path(), &Device::Cpu).unwrap();
    (params, all[&format!("{case}.x")].clone(), all)
}

#[track_caller]
fn check_layer(
    case: &str,
    names: &[(&str, &str)],
    f: impl Fn(&Params, &Tensor, &HashMap<String, Tensor>) -> Result<Tensor>,
) {
    let (params, x, all) = layer_case(case, names);
    let x = Var::from_tensor(&x).unwrap();
    let y = f(&params, x.as_tensor(), &all).unwrap();
    assert_close(&y, &all[&format!("{case}.y")], &format!("{case}: output"));
    assert!(
        params.unused().is_empty(),
        "{case}: never asked for {:?}",
        params.unused()
    );
    let grads = (y * &all[&format!("{case}.g")])
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    assert_close(
        grads.get(&x).unwrap(),
        &all[&format!("{case}.x.grad")],
        &format!("{case}: gradient of x"),
    );
    let vars: HashMap<String, Var> = params.vars().into_iter().collect();
    for (ours, theirs) in names {
        let grad = grads
            .get(&vars[*ours])
            .unwrap_or_else(|| panic!("{case}: no gradient reaches {ours}"));
        assert_close(
            grad,
            &all[&format!("{case}.{theirs}.grad")],
            &format!("{case}: gradient of {ours}"),
        );
    }
}

#[test]
fn attention_and_adaptive_blocks() {
    let own = [
        ("qkv.weight", "qkv_w"),
        ("qkv.bias", "qkv_b"),
        ("out.weight", "out_w"),
        ("out.bias", "out_b"),
    ];
    check_layer("attention", &own, |p, x, _| {
        Attention::new(16, 4, false, p.clone())?.forward(x)
    });
    check_layer("attention_causal", &own, |p, x, _| {
        Attention::new(16, 2, true, p.clone())?.forward(x)
    });
    let block = [
        ("modulation.weight", "mod_w"),
        ("modulation.bias", "mod_b"),
        ("mlp.first.weight", "m1_w"),
        ("mlp.first.bias", "m1_b"),
        ("mlp.second.weight", "m2_w"),
        ("mlp.second.bias", "m2_b"),
        ("attention.qkv.weight", "qkv_w"),
        ("attention.qkv.bias", "qkv_b"),
        ("attention.out.weight", "out_w"),
        ("attention.out.bias", "out_b"),
    ];
    check_layer("adaln", &block, |p, x, all| {
        AdaLnZeroBlock::new(16, 9, 4, 32, false, p.clone())?.forward(x, &all["adaln.cond"])
    });
}

#[test]
fn pre_norm_blocks() {
    let own = [
        ("norm1.weight", "n1_w"),
        ("norm1.bias", "n1_b"),
        ("norm2.weight", "n2_w"),
        ("norm2.bias", "n2_b"),
        ("mlp.first.weight", "m1_w"),
        ("mlp.first.bias", "m1_b"),
        ("mlp.second.weight", "m2_w"),
        ("mlp.second.bias", "m2_b"),
        ("attention.qkv.weight", "qkv_w"),
        ("attention.qkv.bias", "qkv_b"),
        ("attention.out.weight", "out_w"),
        ("attention.out.bias", "out_b"),
    ];
    check_layer("pre_norm", &own, |p, x, _| {
        PreNormBlock::new(16, 4, 32, p.clone())?.forward(x)
    });
}

/// The fused attention against the one composed of candle's operations, at sizes that fill no vector evenly.
#[test]
fn fused_attention_equals_the_composed_one() {
    for (tokens, heads, head, causal) in [(1, 1, 3, false), (37, 3, 8, false), (21, 2, 5, true)] {
        let mut rng = Rng::seed(tokens as u64);
        let shape = (3, tokens, 3 * heads * head);
        let qkv = Var::from_tensor(&rng.normal(shape, &Device::Cpu).unwrap()).unwrap();
        let g = rng.normal((3, tokens, heads * head), &Device::Cpu).unwrap();
        let run = |f: &dyn Fn(&Tensor) -> Result<Tensor>| {
            let y = f(qkv.as_tensor()).unwrap();
            let total = (&y * &g).unwrap().sum_all().unwrap();
            let grads = total.backward().unwrap();
            (y, grads.get(qkv.as_tensor()).unwrap().clone())
        };
        let (own, composed) = (
            run(&|x| ops::attention(x, heads, causal)),
            run(&|x| ops::composed::attention(x, heads, causal)),
        );
        assert_close(&own.0, &composed.0, "output");
        assert_close(&own.1, &composed.1, "gradient");
    }
}

#[test]
fn batch_norm_in_training_and_evaluation() {
    let all = fixtures();
    let get = |name: &str| &all[&format!("batch_norm.{name}")];
    let p = Params::fresh(0, &Device::Cpu);
    let norm = BatchNorm::new(9, true, p.clone()).unwrap();
    let named = [
        ("weight", "weight"),
        ("bias", "bias"),
        ("running_mean", "mean0"),
        ("running_var", "var0"),
    ];
    let vars: HashMap<String, Var> = p.vars().into_iter().chain(p.buffers()).collect();
    for (ours, theirs) in named {
        vars[ours].set(get(theirs)).unwrap();
    }
    let x = Var::from_tensor(get("x")).unwrap();
    let y = norm.forward_t(&x, true).unwrap();
    assert_close(&y, get("y"), "batch norm: training output");
    assert_close(
        &vars["running_mean"],
        get("mean1"),
        "batch norm: running mean",
    );
    assert_close(
        &vars["running_var"],
        get("var1"),
        "batch norm: running variance",
    );
    let grads = (y * get("g"))
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    assert_close(
        grads.get(&x).unwrap(),
        get("x.grad"),
        "batch norm: gradient of x",
    );
    for name in ["weight", "bias"] {
        assert_close(
            grads.get(&vars[name]).unwrap(),
            get(&format!("{name}.grad")),
            name,
        );
    }
    assert_close(
        &norm.forward_t(&x, false).unwrap(),
        get("eval"),
        "batch norm: evaluation output",
    );
}

#[test]
fn sigreg_statistic() {
    let directions = fixtures()["sigreg.directions"].clone();
    check("sigreg", &["x"], |t| {
        let (steps, batch, d) = t[0].dims3()?;
        let projected = t[0]
            .reshape((steps * batch, d))?
            .matmul(&directions)?
            .reshape((steps, batch, ()))?;
        ops::epps_pulley(&projected, batch as f64)?.reshape(1)
    });
}

#[test]
fn adamw_steps() {
    let all = fixtures();
    let p = Params::fresh(0, &Device::Cpu);
    let w = p.get((6, 5), "w", Init::Zeros).unwrap();
    let vars = p.vars();
    vars[0].1.set(&all["adamw.w0"]).unwrap();
    let config = AdamWConfig {
        weight_decay: 0.1,
        ..AdamWConfig::default()
    };
    let composed = Params::fresh(0, &Device::Cpu);
    let v = composed.get((6, 5), "w", Init::Zeros).unwrap();
    composed.vars()[0].1.set(&all["adamw.w0"]).unwrap();
    let mut optimiser = AdamW::new(vars, config).unwrap();
    let mut of_tensors = AdamW::composed(composed.vars(), config).unwrap();
    for i in 0..5 {
        let grads = (&v * &all[&format!("adamw.g{i}")]).unwrap();
        let grads = grads.sum_all().unwrap().backward().unwrap();
        of_tensors.step(&grads, 1e-2, Some(2.)).unwrap();
        let grads = (&w * &all[&format!("adamw.g{i}")])
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        optimiser.step(&grads, 1e-2, Some(2.)).unwrap();
    }
    assert_close(&w, &all["adamw.w5"], "AdamW: weights after five steps");
    assert_close(
        &v,
        &all["adamw.w5"],
        "AdamW as on a device: weights after five steps",
    );
}

/// What an optimiser remembers on a device must not remember how it came to be: every step would keep the
/// tensors of all steps before.
#[test]
fn moments_hold_no_graph() {
    let p = Params::fresh(0, &Device::Cpu);
    let (w, v) = (
        p.get((6, 5), "w", Init::FanIn(5)).unwrap(),
        p.get((5, 4), "v", Init::FanIn(4)).unwrap(),
    );
    let mut optimiser = AdamW::composed(p.vars(), AdamWConfig::default()).unwrap();
    for _ in 0..3 {
        // The gradient of a factor is made of the other factor.
        let grads = w.matmul(&v).unwrap().sqr().unwrap();
        let grads = grads.sum_all().unwrap().backward().unwrap();
        optimiser.step(&grads, 1e-2, Some(1.)).unwrap();
    }
    for (name, moment) in optimiser.state().unwrap() {
        let through = moment.sum_all().unwrap().backward().unwrap();
        for (_, var) in p.vars() {
            assert!(through.get(var.as_tensor()).is_none(), "{name}");
        }
    }
}

#[test]
fn edm_preconditioning_is_pytorchs() {
    use parallax::model::generative::edm::Preconditioning;
    let all = fixtures();
    let values = |name: &str| -> Vec<f32> {
        all[&format!("edm.{name}")]
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap()
    };
    let (sigmas, data) = (values("sigma"), values("sigma_data")[0]);
    assert!(sigmas.len() > 3);
    let made: Vec<Preconditioning> = sigmas
        .iter()
        .map(|&s| Preconditioning::new(s, data, 0.0))
        .collect();
    let column = |f: fn(&Preconditioning) -> f32| {
        Tensor::from_vec(
            made.iter().map(f).collect::<Vec<f32>>(),
            made.len(),
            &Device::Cpu,
        )
        .unwrap()
    };
    assert_close(&column(|p| p.skip), &all["edm.c_skip"], "c_skip");
    assert_close(&column(|p| p.out), &all["edm.c_out"], "c_out");
    assert_close(&column(|p| p.input), &all["edm.c_in"], "c_in");
    assert_close(&column(|p| p.noise), &all["edm.c_noise"], "c_noise");
}
