//! All integration tests in one binary: a module a promise.
#![allow(clippy::disallowed_methods)]
#[cfg(feature = "app")]
mod bad_starts_of_the_window_are_told;
mod baselines_are_fair;
mod beliefs_are_carried;
mod beliefs_are_measured;
mod command_line;
mod contestants_are_treated_alike;
mod critics_choose;
mod diffusion_imagines;
mod diffusion_learns;
mod doctor_says_what_is_there;
mod edits_break_what_they_say;
mod episodes_are_inspected;
mod episodes_survive_damage;
mod examples_run;
mod eye_equals_plain_cast;
mod eye_sees_colliders;
mod failures_have_a_cause;
mod faults_are_as_described;
mod figures_come_from_results;
mod file_vandal;
mod files_are_read_as_people_have_them;
mod films_are_read;
mod films_go_by_jumps;
mod golden_runs;
mod golden_trainings;
mod ground_truth_holds;
mod hybrids_imagine;
mod imagination_is_measured;
mod imaginations_are_open;
#[cfg(feature = "app")]
mod imaginations_are_shown;
mod intervals_are_known;
mod judge_is_fair;
mod judge_sees_physics;
#[cfg(feature = "app")]
mod keys_and_numbers_mean_what_was_typed;
mod latent_diffusion_learns;
mod lewm_trains;
mod losses_pull_the_right_way;
mod nn_equals_pytorch;
#[cfg(feature = "app")]
mod nobody_drives_for_another;
mod numbers_are_bounded;
mod one_of_each;
mod options_are_all_tested;
mod options_are_applied_or_refused;
mod outputs_are_tested_first;
#[cfg(feature = "app")]
mod panels;
mod physics_matches_textbook;
mod planners_reach_goals;
mod planners_search_alike;
mod plans_are_their_own;
mod races_are_evaluations;
mod reality_is_disturbed;
mod recordings_are_broken_off;
mod recordings_replay;
mod replay_is_bit_identical;
mod rollouts_are_measured_rightly;
mod rooms_stand_in_order;
mod scenes_are_checked;
#[cfg(feature = "app")]
mod screens_show_what_they_say;
mod stations_lead_to_goals;
mod steps_measure_plans;
mod stopped_work_goes_on;
mod support;
mod surprise_is_fair;
mod template_is_complete;
mod tokens_are_imagined;
mod trainings_keep_their_order;
mod vandal;
mod vjepa_trains;
mod weights_are_checked;
#[cfg(feature = "app")]
mod window;
#[cfg(feature = "app")]
mod window_shows_what_it_says;
mod work_is_not_lost;
mod world_is_sound;
