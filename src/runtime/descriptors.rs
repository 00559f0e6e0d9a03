//! Files of which nobody knows beforehand whether they are databases that the I/O side has open through SQLite. Closing any
//! descriptor of such a file would drop SQLite's own locks on it (fcntl(2), "Advisory record locking"), just as the
//! host's would be dropped without isolation; so the closing waits until the last connection to it has gone. What waits is
//! used again, so that no more of them wait than were in use at one time. SQLite does the same among its own connections
//! (os_unix.c, "Posix Advisory Locking" and findReusableFd).

use crate::error::{Error, Result, Status};
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, SeekFrom, Stat, fcntl_getfl, fstat, openat, seek, statat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Device and inode.
type Identity = (u64, u64);

type Files = BTreeMap<Identity, Connected>;

/// Files with connections to them, or that are just being closed.
static CONNECTED: Mutex<Files> = Mutex::new(BTreeMap::new());
/// A file has been closed.
static CLOSED: Condvar = Condvar::new();

/// Either has connections or is being closed, never both.
#[derive(Default)]
struct Connected {
    connections: usize,
    /// What is to be closed after the last of them.
    waiting: Vec<File>,
    /// Threads that are closing descriptors of it.
    closing: usize,
}

/// Drops descriptors of a file without connections. Nobody connects to it before they are closed; of all other files
/// anything can be done meanwhile: with its last descriptor a file without a name is freed, and a large one takes long.
fn close<T>(connected: &mut MutexGuard<'_, Files>, identity: Identity, descriptors: T) {
    connected.entry(identity).or_default().closing += 1;
    MutexGuard::unlocked(connected, || drop(descriptors));
    if let Some(file) = connected.get_mut(&identity) {
        file.closing -= 1;
        if file.closing == 0 {
            connected.remove(&identity);
            CLOSED.notify_all();
        }
    }
}

/// Stands for a connection of SQLite's to a file: made before it is opened, dropped after it is closed.
pub struct Connection(Identity);

impl Connection {
    /// To the file that `stat` tells of.
    pub fn to(stat: &Stat) -> Connection {
        let identity = (stat.st_dev, stat.st_ino);
        let mut connected = CONNECTED.lock();
        while connected.get(&identity).is_some_and(|file| file.closing > 0) {
            CLOSED.wait(&mut connected);
        }
        connected.entry(identity).or_default().connections += 1;
        Connection(identity)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut connected = CONNECTED.lock();
        if let Some(file) = connected.get_mut(&self.0) {
            file.connections -= 1;
            if file.connections == 0 {
                let waiting = std::mem::take(&mut file.waiting);
                close(&mut connected, self.0, waiting);
            }
        }
    }
}

/// A descriptor with this access to the file that `stat` tells of, if one waits.
fn take_waiting(stat: &Stat, access: OFlags) -> Option<File> {
    let mut connected = CONNECTED.lock();
    let waiting = &mut connected.get_mut(&(stat.st_dev, stat.st_ino))?.waiting;
    // Those of temporary files are for writing, too.
    let has_access = |file: &File| fcntl_getfl(file).is_ok_and(|flags| flags & OFlags::ACCMODE == access);
    let index = waiting.iter().position(has_access)?;
    Some(waiting.swap_remove(index))
}

/// A regular file, closed when that drops no lock of SQLite's.
pub struct GuardedFile {
    /// Only None while it is dropped.
    file: Option<File>,
    stat: Stat,
}

impl GuardedFile {
    /// Opens what must be a regular file, for reading. In messages it is `name`.
    pub fn open(path: &Path, name: &Path) -> Result<GuardedFile> {
        GuardedFile::open_at(CWD, path.as_os_str(), AtFlags::empty(), OFlags::RDONLY)
            .map_err(|error| Error::os("cannot open", name, error))?
            .ok_or_else(|| Error::new(Status::NotADatabase, format!("{name:?} is not a regular file")))
    }

    /// The same of a name in `directory`, for `access`; with [`AtFlags::SYMLINK_NOFOLLOW`] it must not be a symbolic link.
    /// None if it is something else than a regular file: that is not even opened, which a device might take as an order, and
    /// the other end of a FIFO is not waited for.
    pub fn open_at(
        directory: impl AsFd,
        name: &OsStr,
        links: AtFlags,
        access: OFlags,
    ) -> std::result::Result<Option<GuardedFile>, Errno> {
        let is_file = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let stat = statat(&directory, name, links)?;
        if !is_file(&stat) {
            return Ok(None);
        }
        if let Some(file) = take_waiting(&stat, access) {
            let file = GuardedFile { file: Some(file), stat };
            seek(&file, SeekFrom::Start(0))?;
            return Ok(Some(file));
        }
        let mut flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        if links.contains(AtFlags::SYMLINK_NOFOLLOW) {
            flags |= OFlags::NOFOLLOW;
        }
        let file = GuardedFile::of(openat(directory, name, flags, Mode::empty())?.into())?;
        // It may have become another since it was looked at.
        Ok(is_file(&file.stat).then_some(file))
    }

    /// A file that is open already.
    pub fn of(file: File) -> std::result::Result<GuardedFile, Errno> {
        let stat = fstat(&file)?;
        Ok(GuardedFile { file: Some(file), stat })
    }

    /// Its status when it was opened.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }
}

impl AsFd for GuardedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.deref().as_fd()
    }
}

impl Deref for GuardedFile {
    type Target = File;
    fn deref(&self) -> &File {
        match &self.file {
            Some(file) => file,
            None => unreachable!("the file is taken only by drop"),
        }
    }
}

impl Drop for GuardedFile {
    fn drop(&mut self) {
        let identity = (self.stat.st_dev, self.stat.st_ino);
        let mut connected = CONNECTED.lock();
        match connected.get_mut(&identity).filter(|file| file.connections > 0) {
            Some(file) => file.waiting.extend(self.file.take()),
            None => close(&mut connected, identity, self.file.take()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    fn open_count(path: &Path) -> usize {
        let wanted = std::fs::canonicalize(path).unwrap();
        let entries = std::fs::read_dir("/proc/thread-self/fd").unwrap();
        entries
            .filter(|entry| std::fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|file| file == wanted))
            .count()
    }

    #[test]
    fn a_file_with_connections_is_closed_after_the_last_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("game.db");
        std::fs::write(&path, "x").unwrap();
        let file = GuardedFile::open(&path, &path).unwrap();
        let (first, second) = (Connection::to(file.stat()), Connection::to(file.stat()));
        drop(file);
        drop(first);
        drop(GuardedFile::open(&path, &path).unwrap());
        assert_eq!(open_count(&path), 1);
        drop(second);
        assert_eq!(open_count(&path), 0);
        drop(GuardedFile::open(&path, &path).unwrap());
        assert_eq!(open_count(&path), 0);
    }

    #[test]
    fn a_file_that_was_written_is_closed_after_the_last_connection() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("game.db");
        let file = GuardedFile::of(File::create(&path).unwrap()).unwrap();
        let connection = Connection::to(file.stat());
        drop(file);
        assert_eq!(open_count(&path), 1);
        drop(connection);
        assert_eq!(open_count(&path), 0);
    }

    /// What is closed is a stand-in: its drop goes on until the other threads have shown what they can do meanwhile.
    #[test]
    fn while_a_file_is_closed_nobody_connects_to_it_and_others_are_not_held_up() {
        struct Slow<'a, F: FnMut()>(&'a mut F);
        impl<F: FnMut()> Drop for Slow<'_, F> {
            fn drop(&mut self) {
                (self.0)();
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let [closed, other] = ["game.db", "other.db"].map(|name| {
            let path = directory.path().join(name);
            std::fs::write(&path, "x").unwrap();
            path
        });
        let stat = rustix::fs::stat(&closed).unwrap();
        let is_connected = AtomicBool::new(false);
        thread::scope(|threads| {
            let mut closing = || {
                assert!(CONNECTED.try_lock_for(Duration::from_secs(60)).is_some(), "the lock is held");
                let other = GuardedFile::open(&other, &other).unwrap();
                drop(Connection::to(other.stat()));
                drop(other);
                threads.spawn(|| {
                    let connection = Connection::to(&stat);
                    is_connected.store(true, Ordering::Relaxed);
                    drop(connection);
                });
                // True if somebody waits; who does looks again, and goes on waiting.
                while !CLOSED.notify_one() {
                    assert!(!is_connected.load(Ordering::Relaxed), "connected before it was closed");
                    thread::yield_now();
                }
                // A further descriptor of it.
                drop(GuardedFile::open(&closed, &closed).unwrap());
                assert!(!is_connected.load(Ordering::Relaxed), "connected before it was closed");
            };
            close(&mut CONNECTED.lock(), (stat.st_dev, stat.st_ino), Slow(&mut closing));
        });
        assert!(is_connected.load(Ordering::Relaxed));
        assert!(!CONNECTED.lock().contains_key(&(stat.st_dev, stat.st_ino)));
    }

    #[test]
    fn no_more_wait_to_be_closed_than_were_open_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("game.db");
        let written = GuardedFile::of(File::create(&path).unwrap()).unwrap();
        (&*written).write_all(b"content").unwrap();
        let connection = Connection::to(written.stat());
        drop(written);
        for _ in 0..100 {
            let at_once = [(); 2].map(|()| GuardedFile::open(&path, &path).unwrap());
            for file in &at_once {
                assert_eq!(std::io::read_to_string(&**file).unwrap(), "content");
            }
        }
        assert_eq!(open_count(&path), 3);
        drop(connection);
        assert_eq!(open_count(&path), 0);
    }

    #[test]
    fn only_regular_files_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        let error = GuardedFile::open(directory.path(), directory.path()).err().unwrap();
        assert_eq!(error.status, Status::NotADatabase);
        let absent = directory.path().join("absent");
        let error = GuardedFile::open(&absent, &absent).err().unwrap();
        assert_eq!(error.status, Status::NotFound);
    }
}
