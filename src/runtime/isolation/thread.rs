//! What the library's threads change about themselves, and only about themselves.

use std::io;

/// While this lives, threads that the calling thread starts have every signal blocked: the host's handlers are the
/// host's code and must not run on the I/O side. SIGXFSZ and SIGPIPE become plain errors of the call that caused them.
pub struct SignalsBlocked {
    before: libc::sigset_t,
}

/// Signals that a thread raises by a fault of its own stay open, so that the host's crash reporter sees them.
const FAULTS: [libc::c_int; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT, libc::SIGTRAP];

impl SignalsBlocked {
    /// Blocks them for the calling thread.
    pub fn new() -> SignalsBlocked {
        // SAFETY: sigfillset and sigdelset initialise `all` before it is read, pthread_sigmask fills `before`; with
        // valid arguments none of them can fail.
        unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&mut all);
            for fault in FAULTS {
                libc::sigdelset(&mut all, fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            SignalsBlocked { before }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: `before` was filled by pthread_sigmask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}

/// The nice value of the pool's threads.
const BACKGROUND_NICE: libc::c_int = 10;
/// IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7): the last of the ordinary readers and writers (ioprio_set(2)).
const BACKGROUND_IO: libc::c_int = (2 << 13) | 7;

/// Makes the calling thread yield to everything else. On Linux both values belong to the thread (setpriority(2),
/// "C library/kernel differences").
pub fn yield_to_host() -> io::Result<()> {
    // SAFETY: who = 0 is the calling thread; no memory is passed.
    unsafe {
        if libc::getpriority(libc::PRIO_PROCESS, 0) < BACKGROUND_NICE
            && libc::setpriority(libc::PRIO_PROCESS, 0, BACKGROUND_NICE) != 0
        {
            return Err(io::Error::last_os_error());
        }
        const IOPRIO_WHO_PROCESS: libc::c_int = 1;
        if libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, BACKGROUND_IO) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
