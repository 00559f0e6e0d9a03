//! The private descriptor table and its proof.

use crate::error::{Error, Result, Status};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Descriptors below this are standard streams.
const FIRST_OWN: RawFd = 3;
/// Files of the I/O side have this number or a greater one, and smaller ones lead nowhere.
const FIRST_FILE: RawFd = 64;
/// The byte that the host side locks, to be seen as somebody else's by the I/O side.
const HOST_BYTE: libc::off_t = 0;
/// The byte that the I/O side locks, to be seen as somebody else's by the host side.
const IO_BYTE: libc::off_t = 1;

/// The host side's half of the proof that the two sides are strangers to each other: locks on a nameless private file
/// (memfd_create(2)) that both sides have open.
pub struct Proof {
    file: OwnedFd,
}

impl Proof {
    /// On the host side: makes the file and takes the host's lock.
    pub fn prepare() -> Result<Proof> {
        // SAFETY: the name is NUL-terminated; the call has no other precondition.
        let fd = unsafe { libc::memfd_create(c"lb_backup-proof".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(unsupported("memfd_create", io::Error::last_os_error()));
        }
        // SAFETY: `fd` was just returned to us and nobody else owns it.
        let file = above_standard_streams(unsafe { OwnedFd::from_raw_fd(fd) })
            .map_err(|error| unsupported("a descriptor", error))?;
        match try_lock(file.as_raw_fd(), HOST_BYTE) {
            Ok(true) => Ok(Proof { file }),
            Ok(false) => Err(unproven("a lock on a fresh private file was refused")),
            Err(error) => Err(unsupported("a record lock", error)),
        }
    }

    /// The number that the file has in the host's table, by which [`enter`] finds it.
    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// On the host side, after [`enter`] succeeded on the other: the I/O side's lock must be a stranger's here.
    pub fn conclude(self) -> Result<()> {
        match try_lock(self.descriptor(), IO_BYTE) {
            Ok(false) => Ok(()),
            Ok(true) => Err(unproven("the host gets a lock that the library's threads hold")),
            Err(error) => Err(unsupported("a record lock", error)),
        }
    }
}

/// On the I/O side, before anything is opened: leaves the host's table, then checks that the host's lock on `proof` is a
/// stranger's, that closing a descriptor here does not drop it, and takes the lock that [`Proof::conclude`] looks for.
/// What is returned keeps that lock until it is dropped.
pub fn enter(proof: RawFd) -> Result<OwnedFd> {
    leave_host_table(proof).map_err(|error| unsupported("a private descriptor table", error))?;
    // SAFETY: the number is open in this thread's table, which is private now, so nobody else owns it here.
    let file = unsafe { OwnedFd::from_raw_fd(proof) };
    silence_standard_streams().map_err(|error| unsupported("/dev/null", error))?;
    let file = keep_off_low_numbers(file).map_err(|error| unsupported("descriptors", error))?;
    let proof = file.as_raw_fd();
    let locks = |error| unsupported("a record lock", error);
    if try_lock(proof, HOST_BYTE).map_err(locks)? {
        return Err(unproven("the library's threads get a lock that the host holds"));
    }
    drop(file.try_clone().map_err(locks)?);
    if try_lock(proof, HOST_BYTE).map_err(locks)? {
        return Err(unproven("closing a descriptor here drops the host's lock"));
    }
    if !try_lock(proof, IO_BYTE).map_err(locks)? {
        return Err(unproven("a lock on a fresh private file was refused"));
    }
    if crate::hooks::on("proof-fails") {
        return Err(unproven("a test asked for it"));
    }
    Ok(file)
}

/// A host that has closed a standard stream gets its number for the next file, which must not be ours.
fn above_standard_streams(file: OwnedFd) -> io::Result<OwnedFd> {
    if file.as_raw_fd() >= FIRST_OWN { Ok(file) } else { at_least(&file, FIRST_OWN) }
}

/// A call failed: because this system does not have it, or for want of something that may be there the next time.
fn unsupported(what: &str, error: io::Error) -> Error {
    let unproven = unproven(&format!("this system does not give {what}: {error}"));
    let sys_errno = error.raw_os_error().unwrap_or(0);
    let status = match sys_errno {
        libc::EMFILE
        | libc::ENFILE
        | libc::ENOMEM
        | libc::ENOSPC
        | libc::EDQUOT
        | libc::EIO
        | libc::EINTR
        | libc::EAGAIN => Status::from_errno(sys_errno),
        _ => unproven.status,
    };
    Error { status, sys_errno, ..unproven }
}

fn unproven(reason: &str) -> Error {
    let message = format!(
        "cannot separate the library's file locks from the host's: {reason}. If nothing else in this process has the \
         source open, LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS allows to go on"
    );
    Error::new(Status::Unsupported, message)
}

/// True if the lock was granted, false if somebody else holds it.
fn try_lock(fd: RawFd, byte: libc::off_t) -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid `flock`.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = byte;
    lock.l_len = 1;
    // SAFETY: `lock` is a valid `flock` for the whole call, which keeps no pointer to it.
    if unsafe { libc::fcntl(fd, libc::F_SETLK, &lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

/// Gives the calling thread a table of its own that holds only `keep` and the standard streams.
fn leave_host_table(keep: RawFd) -> io::Result<()> {
    // Unsharing and closing in one call (close_range(2)) never even holds a second reference to the host's files.
    if !crate::hooks::on("no-close-range") {
        match close_range(keep + 1, RawFd::MAX, libc::CLOSE_RANGE_UNSHARE) {
            Ok(()) => return close_range(FIRST_OWN, keep - 1, 0),
            // Older than Linux 5.9, or a sandbox that does not know the call.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {}
            Err(error) => return Err(error),
        }
    }
    // SAFETY: CLONE_FILES changes nothing but this thread's table, and no memory is passed.
    if unsafe { libc::unshare(libc::CLONE_FILES) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Collected first: the directory's own descriptor is in the list and is closed by then.
    let open: Vec<RawFd> = std::fs::read_dir("/proc/thread-self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&fd| fd >= FIRST_OWN && fd != keep)
        .collect();
    for fd in open {
        // SAFETY: the table is private, and nothing in this thread owns a descriptor yet. Closing a number that is not
        // open (the directory's) is EBADF and harmless.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // By number, as C libraries before glibc 2.34 have no wrapper.
    // SAFETY: only called with a range of the thread's own table (unshared by this very call or by an earlier one) in
    // which nothing owns a descriptor.
    match unsafe { libc::syscall(libc::SYS_close_range, first as libc::c_uint, last as libc::c_uint, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The I/O side neither reads the host's input nor writes its output; a panic's text may still go to its error stream,
/// if it has one: number 2 must not be given to an archive.
fn silence_standard_streams() -> io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: F_GETFD only looks.
    let has_error_stream = unsafe { libc::fcntl(2, libc::F_GETFD) } >= 0 && null.as_raw_fd() != 2;
    for stream in [0, 1, 2] {
        if stream == 2 && has_error_stream || stream == null.as_raw_fd() {
            continue;
        }
        // SAFETY: the numbers are standard streams of this thread's private table, which no Rust object owns.
        while unsafe { libc::dup2(null.as_raw_fd(), stream) } < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
    if null.as_raw_fd() <= 2 {
        // It took a closed stream's number; there it stays.
        std::mem::forget(null);
    }
    Ok(())
}

/// Fills the table up to [`FIRST_FILE`] with /dev/null, and moves `file` above.
///
/// Some code of the host's runs on every thread: an allocator or a profiler that writes a log, the dynamic linker with
/// LD_DEBUG_OUTPUT. It writes to a number that it remembers from the host's table, most often one of the first, as it was
/// there early. Here that number must not be a database's, which such a message would overwrite.
fn keep_off_low_numbers(file: OwnedFd) -> io::Result<OwnedFd> {
    if crate::hooks::on("low-numbers") {
        return Ok(file);
    }
    let first = FIRST_FILE.min(descriptor_limit()? / 2).max(FIRST_OWN);
    let file = at_least(&file, first)?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    loop {
        let copy = at_least(&null, FIRST_OWN)?;
        if copy.as_raw_fd() >= first {
            break;
        }
        // There it stays, for as long as the table.
        std::mem::forget(copy);
    }
    if null.as_raw_fd() < first {
        std::mem::forget(null);
    }
    Ok(file)
}

/// Another descriptor of the same file: the first free number from `first` on.
fn at_least(file: &impl AsRawFd, first: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes a number and passes no memory.
    let fd = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, first) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just returned to us and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// How many descriptors a table may have.
fn descriptor_limit() -> io::Result<RawFd> {
    // SAFETY: all-zero bytes are a valid `rlimit`.
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    // SAFETY: `limit` is a valid `rlimit` for the whole call, which keeps no pointer to it.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(RawFd::try_from(limit.rlim_cur).unwrap_or(RawFd::MAX))
}
