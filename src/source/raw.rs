//! SQLite's own open files, used directly: reading through them needs no descriptor of ours, whose closing would drop
//! SQLite's locks. File controls: <https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html>.

use rusqlite::{Connection, ffi};
use rustix::fs::{Advice, Dir, Mode, OFlags, Stat, fadvise};
use rustix::io::Errno;
use std::cell::UnsafeCell;
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::num::NonZeroU64;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

/// Which of a connection's files.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// The database.
    Database,
    /// Its write-ahead log or rollback journal.
    Journal,
}

/// A failed call.
pub(super) struct Failure {
    /// SQLite's extended result code.
    pub(super) code: c_int,
    /// errno of the system call behind it, or 0.
    pub(super) errno: i32,
}

impl From<c_int> for Failure {
    /// A failure without a system call behind it.
    fn from(code: c_int) -> Failure {
        Failure { code, errno: 0 }
    }
}

/// Reads `buffer.len()` bytes at `offset`. What lies beyond the end of the file becomes zeros; false if there was such.
pub(super) fn read_at(connection: &Connection, which: Which, buffer: &mut [u8], offset: u64) -> Result<bool, Failure> {
    let amount = c_int::try_from(buffer.len()).map_err(|_| ffi::SQLITE_TOOBIG)?;
    let offset = i64::try_from(offset).map_err(|_| ffi::SQLITE_TOOBIG)?;
    let Some((file, methods)) = file(connection, which)? else {
        buffer.fill(0);
        return Ok(buffer.is_empty());
    };
    let read = methods.xRead.ok_or(ffi::SQLITE_MISUSE)?;
    // SAFETY: `file` is open (see `file`), `buffer` is writable for `amount` bytes, and xRead keeps no pointer.
    match unsafe { read(file, buffer.as_mut_ptr().cast(), amount, offset) } {
        ffi::SQLITE_OK => Ok(true),
        // The VFS has filled the rest with zeros (https://sqlite.org/c3ref/io_methods.html).
        ffi::SQLITE_IOERR_SHORT_READ => Ok(false),
        code => Err(failure(file, methods, code)),
    }
}

/// The file's size in bytes; 0 if there is none.
pub(super) fn size(connection: &Connection, which: Which) -> Result<u64, Failure> {
    let Some((file, methods)) = file(connection, which)? else { return Ok(0) };
    let file_size = methods.xFileSize.ok_or(ffi::SQLITE_MISUSE)?;
    let mut size = 0i64;
    // SAFETY: `file` is open (see `file`), and `size` outlives the call.
    match unsafe { file_size(file, &mut size) } {
        ffi::SQLITE_OK => Ok(u64::try_from(size).unwrap_or(0)),
        code => Err(failure(file, methods, code)),
    }
}

/// Where SQLite has found the database, links followed; rusqlite tells only what is UTF-8.
pub(super) fn path(connection: &Connection) -> Option<&Path> {
    // SAFETY: the handle is open, and the schema name is NUL-terminated.
    let name = unsafe { ffi::sqlite3_db_filename(connection.handle(), c"main".as_ptr()) };
    if name.is_null() {
        return None;
    }
    // SAFETY: a NUL-terminated string that stays as it is until the connection is closed.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}

/// True if the database's name no longer leads to the file that is open.
pub(super) fn has_moved(connection: &Connection) -> Result<bool, Failure> {
    let mut moved: c_int = 0;
    control(connection, ffi::SQLITE_FCNTL_HAS_MOVED, (&raw mut moved).cast())?;
    Ok(moved != 0)
}

/// errno of the connection's last failed system call.
pub(super) fn system_errno(connection: &Connection) -> i32 {
    // SAFETY: the handle is open for as long as the connection lives.
    unsafe { ffi::sqlite3_system_errno(connection.handle()) }
}

/// errno by which reading one of the connection's files has failed; 0 if it has not. SQLite takes such a failure for damage
/// of the file (os_unix.c, unixRead: SQLITE_IOERR_CORRUPTFS, which becomes SQLITE_CORRUPT).
pub(super) fn read_errno(connection: &Connection) -> i32 {
    let last = |which| match file(connection, which) {
        Ok(Some((file, methods))) => failure(file, methods, 0).errno,
        _ => 0,
    };
    let errnos = [last(Which::Database), last(Which::Journal)];
    errnos.into_iter().find(|errno| matches!(*errno, libc::EIO | libc::ENXIO | libc::ERANGE)).unwrap_or(0)
}

/// A failed method of `file`, which keeps the errno itself: the connection knows only of calls that it made.
fn failure(file: *mut ffi::sqlite3_file, methods: &ffi::sqlite3_io_methods, code: c_int) -> Failure {
    let mut errno: c_int = 0;
    if let Some(file_control) = methods.xFileControl {
        // SAFETY: `file` is open, as its caller has just used it, and the operation fills an int.
        unsafe { file_control(file, ffi::SQLITE_FCNTL_LAST_ERRNO, (&raw mut errno).cast()) };
    }
    Failure { code, errno }
}

/// SQLite's own VFS, but for [`open_file`].
struct Vfs {
    own: UnsafeCell<ffi::sqlite3_vfs>,
    open:
        unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *const c_char, *mut ffi::sqlite3_file, c_int, *mut c_int) -> c_int,
}

// SAFETY: what it points to is static and never changes, but for its place in SQLite's list of VFSes, which SQLite's mutex
// guards.
unsafe impl Send for Vfs {}
// SAFETY: as above.
unsafe impl Sync for Vfs {}

static VFS: OnceLock<Vfs> = OnceLock::new();
const VFS_NAME: &CStr = c"lb_backup";

/// The name of the VFS that connections to databases use.
pub(super) fn vfs() -> rusqlite::Result<&'static CStr> {
    let refused = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
    if VFS.get().is_none() {
        // SAFETY: no name asks for the default one; what is found is static. None before SQLite could be initialised.
        let found = unsafe { ffi::sqlite3_vfs_find(ptr::null()).as_ref() }.ok_or_else(|| refused(ffi::SQLITE_NOMEM))?;
        let open = found.xOpen.ok_or_else(|| refused(ffi::SQLITE_MISUSE))?;
        let own = ffi::sqlite3_vfs { zName: VFS_NAME.as_ptr(), xOpen: Some(open_file), ..*found };
        // Another thread may have been first, with the same.
        let _ = VFS.set(Vfs { own: UnsafeCell::new(own), open });
    }
    let vfs = VFS.get().ok_or_else(|| refused(ffi::SQLITE_MISUSE))?;
    // SAFETY: it is static. To register it again changes nothing.
    match unsafe { ffi::sqlite3_vfs_register(vfs.own.get(), 0) } {
        ffi::SQLITE_OK => Ok(VFS_NAME),
        code => Err(refused(code)),
    }
}

/// Opens what SQLite opens by paths of its caller, and nothing by a path in a file. Whoever rolls back a journal with the name
/// of a super-journal in it reads that, and each journal that it lists, to see whether it can be removed (pager.c,
/// pager_delsuper). The names may be anybody's: a FIFO, which nobody would ever write to; a file that fills the memory;
/// a database that is at work, whose locks go when it is closed. An empty super-journal lists nothing, and stays. One that is of no
/// use any more does no harm (<https://sqlite.org/atomiccommit.html>, 5.5).
unsafe extern "C" fn open_file(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let name = if flags & ffi::SQLITE_OPEN_SUPER_JOURNAL == 0 { name } else { c"/dev/null".as_ptr() };
    match VFS.get() {
        // SAFETY: the arguments are SQLite's own, to the function that they are for.
        Some(own) => unsafe { (own.open)(vfs, name, file, flags, out_flags) },
        None => ffi::SQLITE_MISUSE,
    }
}

/// True if this SQLite was compiled with the table that gives pages as the pager sees them.
pub(super) fn has_page_table() -> bool {
    // SAFETY: the name is NUL-terminated; the function only compares it with a static list.
    unsafe { ffi::sqlite3_compileoption_used(c"ENABLE_DBPAGE_VTAB".as_ptr()) != 0 }
}

/// The open file and its methods; None if the connection has none of the kind.
///
/// The methods live as long as SQLite; the file is only valid until the connection is used again, so that callers use it
/// at once.
fn file(
    connection: &Connection,
    which: Which,
) -> Result<Option<(*mut ffi::sqlite3_file, &'static ffi::sqlite3_io_methods)>, Failure> {
    let operation = match which {
        Which::Database => ffi::SQLITE_FCNTL_FILE_POINTER,
        Which::Journal => ffi::SQLITE_FCNTL_JOURNAL_POINTER,
    };
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    control(connection, operation, (&raw mut file).cast())?;
    if file.is_null() {
        return Ok(None);
    }
    // SAFETY: SQLite gave a pointer to its file object, which is live; pMethods is NULL while it is not open, and
    // otherwise points to a static table of the VFS.
    let methods = unsafe { (*file).pMethods.as_ref::<'static>() };
    Ok(methods.map(|methods| (file, methods)))
}

fn control(connection: &Connection, operation: c_int, argument: *mut std::ffi::c_void) -> Result<(), Failure> {
    // SAFETY: the handle is open, the schema name is NUL-terminated, and every caller passes the out-pointer that its
    // operation is documented to fill.
    match unsafe { ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), operation, argument) } {
        ffi::SQLITE_OK => Ok(()),
        code => Err(code.into()),
    }
}

/// The numbers that are looked at where the table cannot be listed. The kernel gives the lowest that is free (open(2)), so
/// that none is much higher than what was open at one time: of the I/O side's own table, a few for each job at work.
const UNLISTED: RawFd = 1 << 16;

/// The number of SQLite's own descriptor of a file, for advice about its pages and nothing else. It may be another
/// connection's, and be closed and given to another file at any time: so each use looks again, and what may still come
/// between is advice about a wrong file, which changes no byte of it.
pub(super) struct Descriptor {
    number: RawFd,
    identity: (u64, u64),
}

impl Descriptor {
    /// Looks through this thread's table; its listing is the thread's own, not the host's.
    pub(super) fn of(stat: &Stat) -> Result<Option<Descriptor>, Errno> {
        let identity = (stat.st_dev, stat.st_ino);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let table = match rustix::fs::open("/proc/thread-self/fd", flags, Mode::empty()) {
            Ok(table) => table,
            // A chroot without /proc, or a sandbox that keeps from it.
            Err(Errno::NOENT | Errno::ACCESS) => {
                return (0..UNLISTED).find_map(|number| Descriptor::at(number, identity).transpose()).transpose();
            }
            Err(error) => return Err(error),
        };
        // Not std's: that panics where the directory cannot be closed.
        for entry in Dir::new(table)? {
            if let Some(number) = entry?.file_name().to_str().ok().and_then(|name| name.parse().ok())
                && let Some(descriptor) = Descriptor::at(number, identity)?
            {
                return Ok(Some(descriptor));
            }
        }
        Ok(None)
    }

    /// None if the number is not of that file.
    fn at(number: RawFd, identity: (u64, u64)) -> Result<Option<Descriptor>, Errno> {
        let descriptor = Descriptor { number, identity };
        match descriptor.get() {
            Ok(Some(_)) => Ok(Some(descriptor)),
            // Another thread may have closed it by now.
            Ok(None) | Err(Errno::BADF) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// None if the number has come to mean something else.
    fn get(&self) -> Result<Option<BorrowedFd<'_>>, Errno> {
        // SAFETY: fstat and fadvise of a number that is not open fail with EBADF and do nothing; why another file's number
        // does no harm is said above. The number is that of an entry of the table, or counted from 0: not negative.
        let fd = unsafe { BorrowedFd::borrow_raw(self.number) };
        let stat = rustix::fs::fstat(fd)?;
        Ok(((stat.st_dev, stat.st_ino) == self.identity).then_some(fd))
    }

    fn advise(&self, offset: u64, bytes: u64, advice: Advice) {
        if let Ok(Some(fd)) = self.get() {
            // Advice: whoever does not take it has his reasons.
            let _ = fadvise(fd, offset, NonZeroU64::new(bytes), advice);
        }
    }

    /// No read-ahead by the kernel's own judgement.
    pub(super) fn expect_random_reads(&self) {
        self.advise(0, 0, Advice::Random);
    }

    /// Has the disk fetch a range.
    pub(super) fn fetch(&self, offset: u64, bytes: u64) {
        self.advise(offset, bytes, Advice::WillNeed);
    }

    /// Takes a range out of the page cache, but for what is dirty or mapped by anybody.
    pub(super) fn forget(&self, offset: u64, bytes: u64) {
        self.advise(offset, bytes, Advice::DontNeed);
    }

    /// True if no page of the range is in the page cache. False where the system does not tell (mincore(2): a reader
    /// that may not write the file).
    pub(super) fn is_absent(&self, offset: u64, bytes: u64) -> bool {
        let Ok(Some(fd)) = self.get() else { return false };
        let Ok(length) = usize::try_from(bytes) else { return false };
        // SAFETY: a new mapping at an address of the kernel's choice, which is never accessed (PROT_NONE).
        let map = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_NONE,
                libc::MAP_SHARED,
                std::os::fd::AsRawFd::as_raw_fd(&fd),
                offset as libc::off_t,
            )
        };
        if map == libc::MAP_FAILED {
            return false;
        }
        // The smallest page that Linux has anywhere.
        let mut pages = vec![1u8; length / 4096];
        // SAFETY: the mapping was just made with this length; the vector has a byte for each of its pages.
        let told = unsafe { libc::mincore(map, length, pages.as_mut_ptr()) } == 0;
        // SAFETY: the mapping made above, which nobody else knows of.
        unsafe { libc::munmap(map, length) };
        // Of larger pages there are fewer, and the rest of the vector tells of none.
        told && pages.iter().take(length / rustix::param::page_size()).all(|page| page & 1 == 0)
    }
}
