//! All integration tests in one binary: a module a promise.
mod baselines_are_fair;
mod command_line;
mod contestants_are_treated_alike;
mod diffusion_imagines;
mod diffusion_learns;
mod episodes_are_inspected;
mod episodes_survive_damage;
mod eye_equals_plain_cast;
mod eye_sees_colliders;
mod golden_runs;
mod golden_trainings;
mod imagination_is_measured;
mod imaginations_are_open;
#[cfg(feature = "app")]
mod imaginations_are_shown;
mod intervals_are_known;
mod judge_is_fair;
mod latent_diffusion_learns;
mod lewm_trains;
mod losses_pull_the_right_way;
mod nn_equals_pytorch;
mod numbers_are_bounded;
mod one_of_each;
mod outputs_are_tested_first;
#[cfg(feature = "app")]
mod panels;
mod physics_matches_textbook;
mod planners_reach_goals;
mod planners_search_alike;
mod reality_is_disturbed;
mod recordings_are_broken_off;
mod recordings_replay;
mod replay_is_bit_identical;
mod rollouts_are_measured_rightly;
mod scenes_are_checked;
mod stopped_work_goes_on;
mod support;
mod surprise_is_fair;
mod template_is_complete;
mod vandal;
mod vjepa_trains;
mod weights_are_checked;
#[cfg(feature = "app")]
mod window;
mod work_is_not_lost;
mod world_is_sound;
