//! Test-only switches (cargo feature `test-hooks`): they turn protections off and faults on, so that each protection's
//! test can be seen to fail without it. In an ordinary build every one of them is a constant `false`.

/// True if LB_BACKUP_TEST_HOOKS names `switch`.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub(crate) fn on(_switch: &str) -> bool {
    false
}

#[cfg(feature = "test-hooks")]
pub(crate) use armed::{cancel_at_this_step, on};

#[cfg(feature = "test-hooks")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn switches() -> &'static [String] {
        static SWITCHES: OnceLock<Vec<String>> = OnceLock::new();
        SWITCHES.get_or_init(|| {
            let list = std::env::var("LB_BACKUP_TEST_HOOKS").unwrap_or_default();
            list.split(',').map(|switch| switch.trim().to_owned()).collect()
        })
    }

    pub(crate) fn on(switch: &str) -> bool {
        switches().iter().any(|one| one == switch)
    }

    /// Counts the process's cancellation points; true at the one that `cancel-at-step=N` names.
    pub(crate) fn cancel_at_this_step() -> bool {
        static STEP: AtomicU64 = AtomicU64::new(0);
        static WANTED: OnceLock<Option<u64>> = OnceLock::new();
        let wanted = WANTED
            .get_or_init(|| switches().iter().find_map(|switch| switch.strip_prefix("cancel-at-step=")?.parse().ok()));
        *wanted == Some(STEP.fetch_add(1, Ordering::Relaxed))
    }
}
