//! Dreams, plans, spreads and latent paths: the workers make them from any model, the panels show what they
//! are.

use std::sync::Arc;

use bevy_egui::egui;
use egui_kittest::kittest::Queryable;
use parallax::app::command::Command;
use parallax::app::panels::{dream, films, pictures::Pictures, pictures::spread_image, plan};
use parallax::app::state::{
    Cursor, Dream, DriverChoice, MaskView, MaskedShown, PlanView, Rollout, SAMPLES, State,
};
use parallax::camera::SIZE;
use parallax::model::{Frames, MaskedClip};
use parallax::planner::{Elite, IterationTrace, Plan};
use parallax::scene::Law;
use parallax::worker::{Decision, ENERGY_SIDE, Energy, Imagined, LatentPath, Preview};

use crate::panels::{run_panel, state};

const RGB: usize = SIZE * SIZE * 3;

fn dreaming() -> State {
    let mut state = state();
    state.dream = Some(Dream {
        model: "dreamer".into(),
        from: 12,
        steps: 137,
        frame: Arc::new(vec![90; RGB]),
        action: vec![0.0, 1.0],
        per_s: 7.25,
        ..Dream::default()
    });
    state
}

fn click_in_dream(state: &State, label: &str) -> Vec<Command> {
    let mut pictures = Pictures::default();
    run_panel(
        state,
        |ui, s, out| {
            let dream = s.dream.clone().unwrap();
            dream::dream_ui(ui, s, &dream, &mut pictures, out);
        },
        |h| h.get_by_label_contains(label).click(),
    )
}

#[test]
fn a_dream_says_how_far_and_how_fast_it_is_and_can_be_led_and_left() {
    let mut state = dreaming();
    let mut pictures = Pictures::default();
    run_panel(
        &state,
        |ui, s, out| {
            dream::dream_ui(ui, s, &s.dream.clone().unwrap(), &mut pictures, out);
        },
        |h| {
            h.get_by_label_contains("step 137");
            h.get_by_label_contains("7.2 frames/s");
            h.get_by_label_contains("from 1.2 s");
            h.get_by_label_contains("no violation of");
            assert!(h.query_by_label_contains("lawful").is_none());
        },
    );
    let dream = state.dream.as_mut().unwrap();
    dream.found = [(Law::Permanence, 2), (Law::Size, 1)].into();
    dream.marks = vec![(Law::Size, [3, 4, 20, 30])];
    run_panel(
        &state,
        |ui, s, out| {
            dream::dream_ui(ui, s, &s.dream.clone().unwrap(), &mut pictures, out);
        },
        |h| {
            h.get_by_label_contains("3 violations: permanence 2, size 1");
        },
    );
    assert_eq!(click_in_dream(&state, "Pause"), [Command::TogglePlay]);
    assert_eq!(
        click_in_dream(&state, "From reality"),
        [Command::DreamAgain]
    );
    assert_eq!(click_in_dream(&state, "Wake"), [Command::ToggleDream]);
    for nfe in [1, 2, 5] {
        let label = format!("{nfe} NFE");
        assert_eq!(click_in_dream(&state, &label), [Command::Nfe(0, nfe)]);
    }
    let dream = state.dream.as_mut().unwrap();
    (dream.paused, dream.problem) = (true, Some("weights on fire".into()));
    click_in_dream(&state, "weights on fire");
    assert_eq!(click_in_dream(&state, "Dream on"), [Command::TogglePlay]);
}

/// A decision of a planner on latents, with everything to be seen of it.
fn decided() -> State {
    let mut state = state();
    state.driver = DriverChoice::Planner("dreamer".into());
    let elite = |x: f32| Elite {
        actions: vec![x, -x],
        cost: 1.0 - x,
    };
    let trace = |mean_elite: f32| IterationTrace {
        best: 0.5 * mean_elite,
        mean_elite,
        spread: 0.4,
    };
    let plan = Plan {
        actions: vec![vec![0.5, -0.5]; 10],
        cost_by_step: vec![9.0, 4.0, 1.0],
        iterations: vec![trace(8.0), trace(2.0)],
        elites: vec![vec![elite(0.1), elite(0.9)], vec![elite(0.5)]],
        first_actions: vec![([0.1, 0.2], 3.0), ([-0.4, 0.9], 12.0)],
        ..Plan::default()
    };
    let cells = ENERGY_SIDE * ENERGY_SIDE;
    let path = |x: f32| (1..5).map(|t| [x, t as f32]).collect::<Vec<_>>();
    state.decision = Some(Arc::new(Decision {
        action: vec![0.5, -0.5],
        plan: Some(plan),
        preview: Preview {
            energy: Some(Energy {
                side: ENERGY_SIDE,
                costs: (0..cells).map(|i| i as f32).collect(),
            }),
            latents: Some(LatentPath {
                start: [0.0, 0.0],
                goal: [1.0, 5.0],
                paths: vec![path(0.5), path(1.5)],
                share: 0.934,
            }),
            ..Preview::default()
        },
        decide_ms: 80.0,
    }));
    state
}

fn look_at_plan(state: &State, label: &str) {
    let mut pictures = Pictures::default();
    run_panel(
        state,
        |ui, s, out| plan::plan_ui(ui, s, &mut pictures, 300.0, out),
        |h| {
            h.get_by_label_contains(label);
        },
    );
}

#[test]
fn every_view_of_a_plan_says_what_it_shows() {
    let mut state = decided();
    look_at_plan(&state, "13 × 13 first actions, cost 0.00 to 168");
    for (view, says) in [
        (PlanView::Elites, "2 iterations, elites' cost 8.00 to 2.00"),
        (PlanView::Cost, "3 imagined steps, distance 9.00 to 1.00"),
        (PlanView::Latents, "2 components hold 93 % of the variance"),
    ] {
        state.plan_view = view;
        look_at_plan(&state, says);
        look_at_plan(&state, &format!("Plan: {}", view.words()));
    }
    // A planner on pixels has a film and the first actions that it tried, but neither map nor latents.
    let decision = Arc::make_mut(state.decision.as_mut().unwrap());
    decision.preview = Preview {
        film: Some(Frames {
            n: 1,
            steps: 10,
            size: SIZE,
            data: vec![40; 10 * RGB],
        }),
        ..Preview::default()
    };
    state.plan_view = PlanView::Film;
    look_at_plan(&state, "10 imagined frames of the plan");
    state.plan_view = PlanView::Energy;
    look_at_plan(&state, "2 first actions tried, cost 3.00 to 12");
}

#[test]
fn the_view_of_the_plan_is_picked_from_a_list() {
    let state = decided();
    let mut pictures = Pictures::default();
    let sent = run_panel(
        &state,
        |ui, s, out| plan::plan_ui(ui, s, &mut pictures, 300.0, out),
        |h| {
            h.get_by_role(egui::accesskit::Role::ComboBox).click();
            h.run_steps(2);
            h.get_by_label("Cost by step").click();
        },
    );
    assert_eq!(sent, [Command::PlanView(PlanView::Cost)]);
}

#[test]
fn a_spread_is_dark_where_futures_agree_and_the_pane_says_of_how_many() {
    let same = vec![90; RGB];
    let mut other = same.clone();
    other[..3].copy_from_slice(&[250, 10, 250]);
    let image = spread_image(SIZE, &[&same, &same, &other]).unwrap();
    assert_eq!(image.pixels[1].to_array(), [0, 0, 0, 255]);
    let bright = image.pixels[0].to_array();
    assert!(bright[0] > 100 && bright[1] > 100, "{bright:?}");
    assert!(spread_image(SIZE, &[&same]).is_none());
    let mut state = state();
    state.show_spread = true;
    state.cursor = Cursor::At(3);
    let data = [vec![90; 20 * RGB], vec![120; (SAMPLES - 1) * 20 * RGB]].concat();
    state.panes[0].rollouts.push(Rollout {
        imagined: Arc::new(Imagined {
            frames: Some(Frames {
                n: SAMPLES,
                steps: 20,
                size: SIZE,
                data,
            }),
            frameskip: 1,
            steps: 20,
            ..Imagined::default()
        }),
        ..Rollout::default()
    });
    let mut pictures = Pictures::default();
    let sent = run_panel(
        &state,
        |ui, s, out| {
            films::films_ui(ui, s, None, &mut pictures, out);
        },
        |h| {
            h.get_by_label("NFE of dreamer").click();
            h.run_steps(2);
            h.get_by_label("Spread of 6 futures").click();
        },
    );
    assert_eq!(sent, [Command::ToggleSpread]);
}

/// A clip of four frames in 2 × 2 × 2 tubelets: the first is seen, the second was predicted wrongly, the
/// others well.
fn masked_clip() -> MaskedClip {
    let mut error = vec![0.1; 8];
    (error[0], error[1]) = (f32::NAN, 0.8);
    MaskedClip {
        size: SIZE,
        frames: vec![vec![120; RGB]; 4],
        grid: 2,
        visible: (0..8).map(|i| i == 0).collect(),
        error,
    }
}

#[test]
fn a_masked_clip_is_grey_where_it_is_hidden_and_bright_where_it_was_predicted_wrongly() {
    let clip = masked_clip();
    let (seen, heat) = (clip.seen(1), clip.heat(1));
    let pixel = |picture: &[u8], x: usize, y: usize| {
        let at = 3 * (y * SIZE + x);
        [picture[at], picture[at + 1], picture[at + 2]]
    };
    let (near, far) = (SIZE / 4, 3 * SIZE / 4);
    assert_eq!(pixel(&seen, near, near), [120; 3]);
    assert_eq!(pixel(&seen, far, near), [70; 3]);
    assert_eq!(pixel(&heat, near, near), [40; 3]);
    assert_eq!(pixel(&heat, far, near), [255; 3]);
    assert!(pixel(&heat, far, far)[0] < 120);
    assert_eq!(pixel(&clip.seen(2), near, near), [70; 3]);
    let (hidden, error) = clip.hidden();
    assert_eq!(hidden, 7);
    assert!((error - 0.2).abs() < 1e-6);
}

#[test]
fn a_masked_models_pane_shows_its_clip_once_it_is_asked_to() {
    let mut state = state();
    let key = (0, 3, MaskView::Small);
    state.panes[0].clip_frames = Some(4);
    state.panes[0].masked = Some(MaskedShown {
        key,
        clip: Arc::new(masked_clip()),
    });
    let mut pictures = Pictures::default();
    let mut look = |state: &State, label: &str, pick: &str| {
        run_panel(
            state,
            |ui, s, out| {
                films::films_ui(ui, s, None, &mut pictures, out);
            },
            |h| {
                h.get_by_label_contains(label);
                if pick.is_empty() {
                    return;
                }
                h.get_by_label("Masked view").click();
                h.run_steps(2);
                h.get_by_label(pick).click();
            },
        )
    };
    look(&state, "Imagination of dreamer", "");
    state.mask_view = MaskView::Small;
    let says = "Masked clip of dreamer: 7 of 8 tubelets hidden, mean error 0.20";
    let sent = look(&state, says, "Masked: large blocks");
    assert_eq!(sent, [Command::MaskView(MaskView::Large)]);
    state.panes[0].clip_frames = None;
    look(&state, "Imagination of dreamer", "");
}
