//! The models of `src/models.rs` as tests: in the real world they must hold, and in each weakened one of them must fail.
//! docs/RACES.md has what they promise and what they cannot see.

#![cfg(test)]
// A world is the product's code; not every part of it has its turn here.
#![allow(dead_code, unused_imports, unused_variables, unused_mut, clippy::all)]

pub mod named;
pub mod watched;

/// Only for the numbers of its result codes.
mod sqlite {
    pub use libsqlite3_sys as ffi;
}

/// What the product's own switches are without its feature.
mod hooks {
    pub fn on(_switch: &str) -> bool {
        false
    }
}

/// Scrambling is not what is looked at, and two runs must be the same.
mod random {
    pub fn bytes<const N: usize>() -> Result<[u8; N], ()> {
        Ok([0x5a; N])
    }
}

include!(concat!(env!("OUT_DIR"), "/worlds.rs"));

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Every order of steps with at most so many switches from a thread that could go on.
const PREEMPTIONS: usize = 3;

fn explore(name: &str, preemptions: usize, model: fn()) {
    let (start, orders) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&orders);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(preemptions));
    builder.max_branches = 10_000;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{name}: {} orders in {:.1} s", orders.load(Ordering::Relaxed), start.elapsed().as_secs_f64());
}

/// The model must find what a weakened world lacks: a failed assertion, a deadlock, a race, and not that it has run too long.
fn find_out(name: &str, preemptions: usize, model: fn()) {
    let found = std::panic::catch_unwind(|| explore(name, preemptions, model)).expect_err("the weakened world holds");
    let text = found.downcast_ref::<String>().map(String::as_str).or(found.downcast_ref::<&str>().copied());
    let text = text.expect("a panic with a text");
    assert!(!text.contains("maximum number of branches"), "{text}");
}

macro_rules! hold {
    ($($name:ident $(with $preemptions:expr)?;)*) => {$(
        #[test]
        fn $name() {
            explore(stringify!($name), [$($preemptions,)? PREEMPTIONS][0], real::ffi::models::$name);
        }
    )*};
}

mod holds {
    use super::*;
    hold! {
        no_nudge_is_lost_between_look_and_sleep;
        a_cancel_ends_every_wait;
        every_waiter_is_woken_with_the_outcome;
        a_job_that_is_taken_cancelled_and_shut_down_ends_once;
        a_job_that_is_cancelled_during_a_shutdown_is_told;
        a_log_function_that_is_not_told_any_more_has_returned_for_good;
        a_job_is_joined_or_released_never_both;
        progress_of_a_later_job_is_never_seen_through_an_earlier_handle with 1;
        a_late_look_at_an_earlier_job_does_not_end_a_later_one with 1;
        a_used_slot_is_given_on_after_its_jobs_last_write;
        of_several_closers_one_gets_the_job_and_none_a_later_one;
        an_entry_is_popped_removed_or_handed_back_and_never_lost;
        a_push_is_refused_or_its_entry_goes_one_way;
        a_push_wakes_a_thread;
        closing_wakes_every_thread;
        a_large_job_that_waits_for_another_is_woken_when_that_is_done;
        large_and_small_jobs_all_have_their_turn with 2;
    }
}

mod fails {
    use super::*;
    macro_rules! fail {
        ($($world:ident: $name:ident $(with $preemptions:expr)?;)*) => {$(
            mod $world {
                #[test]
                fn $name() {
                    let preemptions = [$($preemptions,)? super::PREEMPTIONS][0];
                    super::find_out(stringify!($name), preemptions, crate::$world::ffi::models::$name);
                }
            }
        )*};
    }
    fail! {
        nudge_without_the_lock: no_nudge_is_lost_between_look_and_sleep;
        cancel_wakes_nobody: a_cancel_ends_every_wait;
        finish_wakes_one: every_waiter_is_woken_with_the_outcome;
        callbacks_go_when_told_to: a_job_that_is_cancelled_during_a_shutdown_is_told;
        log_looks_at_the_lines_alone: a_log_function_that_is_not_told_any_more_has_returned_for_good;
        reset_without_fence: progress_of_a_later_job_is_never_seen_through_an_earlier_handle with 1;
        look_without_fence: progress_of_a_later_job_is_never_seen_through_an_earlier_handle with 1;
        every_job_ends_alike: a_late_look_at_an_earlier_job_does_not_end_a_later_one with 1;
        reuse_without_fence: a_used_slot_is_given_on_after_its_jobs_last_write;
        any_generation_is_good: of_several_closers_one_gets_the_job_and_none_a_later_one;
        close_keeps_the_generation: a_job_is_joined_or_released_never_both;
        close_looks_then_acts: of_several_closers_one_gets_the_job_and_none_a_later_one;
        remove_looks_then_acts: an_entry_is_popped_removed_or_handed_back_and_never_lost;
        push_wakes_nobody: a_push_wakes_a_thread;
        done_wakes_nobody: a_large_job_that_waits_for_another_is_woken_when_that_is_done;
        close_wakes_one: closing_wakes_every_thread;
        close_forgets_what_waits: a_job_that_is_taken_cancelled_and_shut_down_ends_once;
        push_after_the_close: a_push_is_refused_or_its_entry_goes_one_way;
        large_jobs_take_every_thread: large_and_small_jobs_all_have_their_turn with 2;
    }
}
