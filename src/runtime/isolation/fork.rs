//! Knowing a forked child: it has the library's memory but none of its threads.

use crate::error::{Error, Result};
use once_cell::sync::OnceCell;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

static GUARD: OnceCell<&'static AtomicU8> = OnceCell::new();

/// From now on [`in_child`] tells. Called before the first thread is started.
pub fn arm() -> Result<()> {
    GUARD.get_or_try_init(make_guard).map(|_| ())
}

/// True in a process that was forked from one in which the library had been used. One load: cheap enough for every call.
pub fn in_child() -> bool {
    GUARD.get().is_some_and(|guard| guard.load(Ordering::Relaxed) == 0)
}

/// A byte that is 1 here and 0 in every child: its page is wiped by fork (madvise(2), MADV_WIPEONFORK, Linux 4.14),
/// however the child was made.
fn make_guard() -> Result<&'static AtomicU8> {
    let failed = |call: &str| Error::os(call, Path::new("fork guard"), std::io::Error::last_os_error());
    let (size, access) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new private anonymous mapping, at an address of the kernel's choice.
    let page =
        unsafe { libc::mmap(std::ptr::null_mut(), size, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(failed("cannot map memory for the"));
    }
    // SAFETY: the page is ours alone, zeroed, writable, and never unmapped: it is a valid AtomicU8 for ever.
    let guard = unsafe { &*page.cast::<AtomicU8>() };
    guard.store(1, Ordering::Relaxed);
    // SAFETY: the range is the mapping made above.
    if unsafe { libc::madvise(page, size, libc::MADV_WIPEONFORK) } != 0 {
        // Emulators and sandboxes that do not know the advice: fork() itself will tell, though not a bare clone().
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        if unsafe { libc::pthread_atfork(None, None, Some(wipe)) } != 0 {
            return Err(failed("cannot install the"));
        }
    }
    Ok(guard)
}

unsafe extern "C" fn wipe() {
    if let Some(guard) = GUARD.get() {
        guard.store(0, Ordering::Relaxed);
    }
}
