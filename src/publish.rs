//! From a temporary file to a durable name: whoever looks at the name sees nothing, the old file, or the new one, whole.
//!
//! The file has no name while it is written (O_TMPFILE, open(2)), so that not even a killed process leaves one behind.
//! Where the file system cannot do that, or a name is needed before the end, it is a hidden one that only its owner may
//! open; the owner keeps it locked (flock(2)), and a later job removes those that nobody holds.

use crate::error::{Error, Result, Status};
use crate::runtime::GuardedFile;
use parking_lot::Mutex;
use rustix::fs::{
    self, AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat, fchmod, flock, fremovexattr, fstat,
    fsync, getxattr, linkat, openat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const HIDDEN_PREFIX: &str = ".lb_backup-";
const HIDDEN_SUFFIX: &str = ".tmp";
const HIDDEN_DIGITS: usize = 16;

const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Directories of which it is remembered that they were swept.
const MOST_REMEMBERED: usize = 64;

/// Tries to find a name, or a moment, that nobody else takes.
const TRIES: usize = 16;

/// What to do about a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and is an error.
    Refuse,
    /// It is exchanged for the new one in one step.
    Replace,
}

/// A directory that files are published in. Everything goes through its descriptor: a directory that is renamed
/// meanwhile still gets its file, and one put in its place does not.
pub struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens the directory, which must exist.
    pub fn open(path: &Path) -> Result<Arc<Directory>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::open(path, flags, Mode::empty())
            .map_err(|error| Error::os("cannot open the destination's directory", path, error))?;
        Ok(Arc::new(Directory { fd, path: path.to_owned() }))
    }

    /// Where it was when it was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path that leads here wherever the directory is by now, whatever has its path; for the threads of this side.
    fn present_path(&self) -> PathBuf {
        let path = descriptor_path(&self.fd);
        if fs::access(&path, fs::Access::EXISTS).is_ok() { path.into() } else { self.path.clone() }
    }

    /// Removes a name; false if it was not there.
    pub fn remove(&self, name: &OsStr) -> Result<bool> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(Error::os("cannot remove", &self.path.join(name), error)),
        }
    }

    /// The status of the file that has `name` here, if there is one; a symbolic link is not followed.
    fn look_at(&self, name: &OsStr) -> Result<Option<Stat>> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::os("cannot look at", &self.path.join(name), error)),
        }
    }

    /// The kind of the file that has `name` here, if there is one.
    fn kind_of(&self, name: &OsStr) -> Result<Option<FileType>> {
        Ok(self.look_at(name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
    }

    /// Refuses what must not be replaced: anything but a regular file, and that only if asked.
    pub fn check_free(&self, name: &OsStr, existing: Existing) -> Result<()> {
        let path = || self.path.join(name);
        match (self.kind_of(name)?, existing) {
            (None, _) | (Some(FileType::RegularFile), Existing::Replace) => Ok(()),
            (Some(_), Existing::Refuse) => {
                Err(Error::new(Status::AlreadyExists, format!("the destination {:?} exists already", path())))
            }
            (Some(_), Existing::Replace) => Err(Error::new(
                Status::AlreadyExists,
                format!("the destination {:?} exists and is not a regular file; it is not replaced", path()),
            )),
        }
    }

    /// Removes the hidden files that nobody holds any more, and tells their names. What cannot be removed is left for
    /// next time: it costs space, never a backup. Looks at a directory once a second at most: a thousand jobs that write
    /// there need not each read it through.
    pub fn sweep(&self) -> Vec<String> {
        if crate::hooks::on("no-sweep") || self.was_swept_lately() {
            return Vec::new();
        }
        let Ok(entries) = fs::Dir::read_from(&self.fd) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned));
        names.filter(|name| is_hidden_name(name)).filter(|name| self.remove_if_abandoned(name).is_ok()).collect()
    }

    /// True if this process has swept the same directory just now; if not, it counts as swept now.
    fn was_swept_lately(&self) -> bool {
        /// The last few directories, each with the moment at which it was swept.
        static SWEPT: Mutex<Vec<(u64, u64, Instant)>> = Mutex::new(Vec::new());
        let Ok(stat) = fstat(&self.fd) else { return false };
        let mut swept = SWEPT.lock();
        swept.retain(|(_, _, at)| at.elapsed() < SWEEP_INTERVAL);
        if swept.iter().any(|(device, inode, _)| (*device, *inode) == (stat.st_dev, stat.st_ino)) {
            return true;
        }
        if swept.len() < MOST_REMEMBERED {
            swept.push((stat.st_dev, stat.st_ino, Instant::now()));
        }
        false
    }

    fn remove_if_abandoned(&self, name: &str) -> std::result::Result<(), Errno> {
        // Guarded: what somebody has planted under such a name may be another name of a database that SQLite has open.
        let open = |access| {
            GuardedFile::open_at(&self.fd, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW, access)?.ok_or(Errno::STALE)
        };
        let lock = |file: &GuardedFile| flock(file, FlockOperation::NonBlockingLockExclusive);
        let mut file = open(OFlags::RDONLY)?;
        match lock(&file) {
            // NFS makes a record lock of it, which wants a file that is open for writing (flock(2), "NFS details").
            Err(Errno::BADF) => {
                file = open(OFlags::RDWR)?;
                lock(&file)?;
            }
            result => result?,
        }
        // The name may have come to mean another file between its opening and the lock.
        if !same_file(file.stat(), &statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?) {
            return Err(Errno::STALE);
        }
        unlinkat(&self.fd, name, AtFlags::empty())
    }

    /// Makes durable what has happened to names.
    pub fn sync(&self) -> Result<()> {
        match fsync(&self.fd) {
            // Some file systems have no fsync for directories; their names are as durable as they get.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(Error::os("cannot sync the directory", &self.path, error)),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn same_file(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

fn is_hidden_name(name: &str) -> bool {
    name.strip_prefix(HIDDEN_PREFIX).and_then(|rest| rest.strip_suffix(HIDDEN_SUFFIX)).is_some_and(|digits| {
        digits.len() == HIDDEN_DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The name only has to be new: O_EXCL sees to the rest.
fn hidden_name() -> std::result::Result<OsString, Errno> {
    let random = u64::from_ne_bytes(crate::random::bytes()?);
    Ok(format!("{HIDDEN_PREFIX}{random:016x}{HIDDEN_SUFFIX}").into())
}

/// Locks a file that has a hidden name, or is about to have one. Without locks (flock(2) on a kernel, a sandbox or a file
/// system that has none) it goes on all the same: a sweep removes only what it has locked. One that has locks where this
/// process has none, as on another machine, may take the name; then the job fails.
fn keep_from_sweeps(file: &GuardedFile) -> std::result::Result<(), Errno> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::NOSYS | Errno::NOLCK | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What has lost its name to a new file, and may get it back.
struct Old {
    /// The name that it has for now; None if it has none, and is gone.
    hidden: Option<OsString>,
    /// Its lock, for which a sweep leaves it alone. None if it cannot be had: then a sweep may come first.
    _held: Option<GuardedFile>,
}

impl Old {
    fn at(hidden: OsString, directory: &Directory) -> Old {
        let file = GuardedFile::open_at(&directory.fd, &hidden, AtFlags::SYMLINK_NOFOLLOW, OFlags::RDONLY);
        let file = file.ok().flatten();
        let held = file.filter(|file| flock(file, FlockOperation::NonBlockingLockShared).is_ok());
        Old { hidden: Some(hidden), _held: held }
    }

    /// Failing to remove it is not failing to back up: its lock goes, so that the next sweep takes it.
    fn remove(self, directory: &Directory) {
        if let Some(hidden) = &self.hidden {
            let _ = unlinkat(&directory.fd, hidden, AtFlags::empty());
        }
    }
}

/// A file on its way; removed when dropped. Until it is complete, only its owner may open it.
pub struct Unpublished {
    directory: Arc<Directory>,
    file: Arc<GuardedFile>,
    /// The name that it has for now, if any.
    hidden: Option<OsString>,
}

impl Unpublished {
    /// An empty file in `directory`.
    pub fn create(directory: &Arc<Directory>) -> Result<Unpublished> {
        let failed = |error| Error::os("cannot create a file in", &directory.path, error);
        if !crate::hooks::on("no-tmpfile") {
            let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
            match openat(&directory.fd, ".", flags, Mode::RUSR | Mode::WUSR) {
                Ok(fd) if fs::access(descriptor_path(&fd), fs::Access::EXISTS).is_ok() => {
                    return Ok(Unpublished {
                        directory: Arc::clone(directory),
                        file: Arc::new(GuardedFile::of(fd.into()).map_err(failed)?),
                        hidden: None,
                    });
                }
                // No /proc to give the file its name by, or no nameless files here.
                Ok(_) | Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let mut last = Errno::EXIST;
        for _ in 0..TRIES {
            let name = hidden_name().map_err(failed)?;
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = match openat(&directory.fd, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(fd) => fd,
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(failed(error)),
            };
            let file = Arc::new(GuardedFile::of(fd.into()).map_err(failed)?);
            let file = Unpublished { directory: Arc::clone(directory), file, hidden: Some(name) };
            // A sweep may have come between: then it holds the lock, or the name is gone.
            match keep_from_sweeps(&file.file) {
                Ok(()) if fstat(&*file.file).map_err(failed)?.st_nlink == 1 => return Ok(file),
                Ok(()) | Err(Errno::WOULDBLOCK) => last = Errno::WOULDBLOCK,
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(last))
    }

    /// The open file.
    pub fn file(&self) -> &Arc<GuardedFile> {
        &self.file
    }

    /// Where the file is meant to be, for messages.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Refuses what cannot fit, before the disk is full and the host's own writes fail. What may fit is found out by
    /// writing. Nothing is reserved: that alone takes a disk as long as a cancel may last.
    pub fn check_space(&self, bytes: u64) -> Result<()> {
        // A file system that does not tell is asked by writing, too.
        let Ok(space) = fs::fstatvfs(&*self.file) else { return Ok(()) };
        let free = space.f_bfree.saturating_mul(space.f_frsize);
        if bytes <= free {
            return Ok(());
        }
        let operation = format!("cannot write {bytes} bytes, with {free} bytes free, to a file in");
        Err(Error::os(&operation, &self.directory.path, Errno::NOSPC))
    }

    /// Gives the complete file its permissions, these and no others, and makes both durable; may be called on any thread
    /// that has the same descriptor table.
    pub fn sync(file: &GuardedFile, directory: &Directory, mode: Mode) -> Result<()> {
        remove_access_list(file)
            .and_then(|()| fchmod(file, mode))
            .and_then(|()| fsync(file))
            .map_err(|error| Error::os("cannot sync a file in", &directory.path, error))
    }

    /// Takes the temporary name away, if there is one; what was published stays.
    pub fn discard(&mut self) {
        if let Some(hidden) = self.hidden.take() {
            // The next sweep gets what this cannot.
            let _ = unlinkat(&self.directory.fd, hidden, AtFlags::empty());
        }
    }

    /// A path by which SQLite can open the file, under a hidden name.
    pub fn hidden_path(&mut self) -> Result<PathBuf> {
        let name = self.give_hidden_name()?;
        Ok(self.directory.present_path().join(name))
    }

    /// A path by which this very file can be opened again, whoever has its name by then. Not for SQLite, which wants to
    /// know where a link leads.
    pub fn descriptor_path(&mut self) -> Result<PathBuf> {
        let path = descriptor_path(&*self.file);
        if fs::access(&path, fs::Access::EXISTS).is_ok() { Ok(path.into()) } else { self.hidden_path() }
    }

    fn give_hidden_name(&mut self) -> Result<OsString> {
        if let Some(name) = &self.hidden {
            return Ok(name.clone());
        }
        let failed = |error| Error::os("cannot name a file in", &self.directory.path, error);
        // Before it can be found: a sweep leaves alone what is locked.
        keep_from_sweeps(&self.file).map_err(failed)?;
        for _ in 0..TRIES {
            let name = hidden_name().map_err(failed)?;
            match self.link(&name) {
                Ok(()) => return Ok(self.hidden.insert(name).clone()),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(Errno::EXIST))
    }

    /// Gives the nameless file a name that must be free (open(2), "O_TMPFILE").
    fn link(&self, name: &OsStr) -> std::result::Result<(), Errno> {
        linkat(CWD, descriptor_path(&*self.file), &self.directory.fd, name, AtFlags::SYMLINK_FOLLOW)
    }

    /// Gives the file its name, durably, after [`Unpublished::sync`]. On failure the name is what it was, or what somebody
    /// else has made it meanwhile. Where a file system can neither exchange names nor link them, a failure after the old
    /// file is replaced leaves the new one, whole, and says so.
    pub fn publish(&mut self, name: &OsStr, existing: Existing) -> Result<()> {
        if crate::hooks::on("write-in-place") {
            let path = self.directory.path.join(name);
            return self.write_in_place(&path).map_err(|error| Error::os("cannot publish", &path, error));
        }
        let old = self.give(name, existing)?;
        self.settle(name, old)
    }

    /// Gives the file its name; tells what has lost it.
    fn give(&mut self, name: &OsStr, existing: Existing) -> Result<Option<Old>> {
        let path = self.directory.path.join(name);
        let failed = |error| Error::os("cannot publish", &path, error);
        let mut last = Errno::BUSY;
        for _ in 0..TRIES {
            self.directory.check_free(name, existing)?;
            let exchange = existing == Existing::Replace && self.directory.kind_of(name)?.is_some();
            let moved = match (&self.hidden, exchange) {
                (None, false) => self.link(name).map(|()| None),
                (None, true) => {
                    self.give_hidden_name()?;
                    continue;
                }
                (Some(hidden), _) if !self.has(hidden)? => {
                    return Err(self.changed(name, "replaced its temporary file"));
                }
                (Some(hidden), false) => self.rename(hidden, name, existing).map(|()| None),
                (Some(hidden), true) => self.exchange(hidden, name).map(Some),
            };
            match moved {
                Ok(old) => {
                    self.hidden = None;
                    return Ok(old);
                }
                // The directory is gone, if this goes on.
                Err(Errno::NOENT) if !exchange => last = Errno::NOENT,
                // Somebody made or removed it since the check.
                Err(Errno::EXIST | Errno::NOENT) => last = Errno::BUSY,
                Err(Errno::OPNOTSUPP) if self.hidden.is_some() && existing == Existing::Refuse => {
                    let message =
                        format!("cannot publish {path:?}: this file system can give no name without replacing");
                    return Err(Error::new(Status::Unsupported, message));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(last))
    }

    /// As programs do that think of no crash: for tests, which must notice.
    fn write_in_place(&self, path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::FileExt;
        let to = std::fs::File::create(path)?;
        let (mut piece, mut offset) = ([0; 4096], 0);
        loop {
            let length = self.file.read_at(&mut piece, offset)?;
            if length == 0 {
                return Ok(());
            }
            to.write_all_at(&piece[..length], offset)?;
            offset += length as u64;
        }
    }

    /// Renames the file to a name that must be free; where that cannot be made sure, OPNOTSUPP, unless what comes there
    /// meanwhile may be replaced.
    fn rename(&self, hidden: &OsStr, name: &OsStr, existing: Existing) -> std::result::Result<(), Errno> {
        let directory = &self.directory.fd;
        match renameat_with(directory, hidden, directory, name, RenameFlags::NOREPLACE) {
            // A file system without the flag (renameat2(2), EINVAL). A link never replaces.
            Err(Errno::INVAL) => {}
            result => return result,
        }
        match linkat(directory, hidden, directory, name, AtFlags::empty()) {
            // The name is given. The next sweep gets what this cannot.
            Ok(()) => {
                let _ = unlinkat(directory, hidden, AtFlags::empty());
                Ok(())
            }
            // Nor links (link(2)).
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => match existing {
                Existing::Refuse => Err(Errno::OPNOTSUPP),
                Existing::Replace => fs::renameat(directory, hidden, directory, name),
            },
            result => result,
        }
    }

    /// Renames the file to the name of another, which gets a hidden one.
    fn exchange(&self, hidden: &OsStr, name: &OsStr) -> std::result::Result<Old, Errno> {
        let directory = &self.directory.fd;
        match renameat_with(directory, hidden, directory, name, RenameFlags::EXCHANGE) {
            // A file system without the flag. A plain rename replaces in one step.
            Err(Errno::INVAL) => {
                let old = self.keep(name)?;
                match fs::renameat(directory, hidden, directory, name) {
                    Ok(()) => Ok(old),
                    Err(error) => {
                        old.remove(&self.directory);
                        Err(error)
                    }
                }
            }
            result => result.map(|()| Old::at(hidden.to_owned(), &self.directory)),
        }
    }

    /// Gives a hidden name to what is about to lose its own, if it can have two.
    fn keep(&self, name: &OsStr) -> std::result::Result<Old, Errno> {
        let (directory, hidden) = (&self.directory.fd, hidden_name()?);
        match linkat(directory, name, directory, &hidden, AtFlags::empty()) {
            Ok(()) => Ok(Old::at(hidden, &self.directory)),
            // A file system without links, or a file that gets no more of them (link(2)).
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => Ok(Old { hidden: None, _held: None }),
            Err(error) => Err(error),
        }
    }

    /// The name is given: makes sure of it, and makes it durable, or takes it back.
    fn settle(&mut self, name: &OsStr, old: Option<Old>) -> Result<()> {
        if let Err(mut error) = self.check_given(name, old.as_ref()).and_then(|()| self.directory.sync()) {
            if let Err(undo) = self.take_back(name, old) {
                error.message = format!("{error}; {undo}");
            }
            return Err(error);
        }
        if let Some(old) = old {
            old.remove(&self.directory);
        }
        Ok(())
    }

    /// Takes the name from this file, for the old one if there is one. A file that has replaced this one is somebody's
    /// success, and stays; then the old one is left to a sweep. The look comes right before, as there is no call that takes
    /// a name from one file only; where it fails, nothing is known of another. Where the old one is gone, this one stays.
    fn take_back(&mut self, name: &OsStr, old: Option<Old>) -> Result<()> {
        if let Ok(false) = self.has(name) {
            return Ok(());
        }
        let Some(old) = old else { return self.directory.remove(name).map(drop) };
        let Some(hidden) = old.hidden else {
            return Err(Error::new(
                Status::Io,
                "the new file stays, published and whole: the old one could not be kept",
            ));
        };
        let directory = &self.directory.fd;
        match renameat_with(directory, &hidden, directory, name, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL) => fs::renameat(directory, &hidden, directory, name),
            result => result,
        }
        .map_err(|undo| Error::os("after a failure, cannot put back", &self.directory.path.join(name), undo))?;
        self.hidden = Some(hidden);
        Ok(())
    }

    /// In a directory where strangers may rename, a name can come to mean something else at any moment. What has `name`
    /// must be this file, and what it was exchanged for a regular one. Or another regular file of the same owner has
    /// replaced this one at once, as a job does that publishes the same name: this one is published all the same, as if
    /// the other had come a moment later.
    fn check_given(&self, name: &OsStr, old: Option<&Old>) -> Result<()> {
        let named = statat(&self.directory.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| Error::os("cannot look at", &self.directory.path.join(name), error))?;
        let own = self.file.stat();
        let is_of_owner = FileType::from_raw_mode(named.st_mode) == FileType::RegularFile && named.st_uid == own.st_uid;
        if !same_file(own, &named) && !is_of_owner {
            return Err(self.changed(name, "put another file in its place"));
        }
        let hidden = old.and_then(|old| old.hidden.as_ref());
        match hidden.map(|hidden| self.directory.kind_of(hidden)).transpose()?.flatten() {
            None | Some(FileType::RegularFile) => Ok(()),
            Some(_) => Err(self.changed(name, "put something else than a file there")),
        }
    }

    /// True if it is this file that has `name`.
    fn has(&self, name: &OsStr) -> Result<bool> {
        Ok(self.directory.look_at(name)?.is_some_and(|stat| same_file(self.file.stat(), &stat)))
    }

    fn changed(&self, name: &OsStr, what: &str) -> Error {
        let path = self.directory.path.join(name);
        Error::new(Status::Io, format!("cannot publish {path:?}: somebody has {what}"))
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        self.discard();
    }
}

/// Where this thread's table shows a descriptor; "/proc/self" would be the host's table.
fn descriptor_path(fd: &impl AsFd) -> String {
    format!("/proc/thread-self/fd/{}", fd.as_fd().as_raw_fd())
}

/// The access list of a file (acl(5)), which its permission bits do not tell.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Takes away what the file has got from its directory's default list (acl(5), "Object creation and default ACLs").
fn remove_access_list(file: &GuardedFile) -> std::result::Result<(), Errno> {
    match fremovexattr(file, ACCESS_LIST) {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The permission bits for a copy of the file at `path`: nobody but the copy's owner may read it who cannot read the
/// original. Where the copy belongs to another group, everybody else gets what both the group and the others have there;
/// of a file with an access list only the owner has a copy.
pub fn copied_mode(path: &Path, source: &Stat, copy: &Unpublished) -> Result<Mode> {
    let failed = |error| Error::os("cannot look at a file in", &copy.directory.path, error);
    let has_list =
        !matches!(getxattr(path, ACCESS_LIST, &mut [0; 0][..]), Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS));
    // A directory may give its files another group.
    let own = fstat(&*copy.file).map_err(failed)?;
    Ok(narrowed(Mode::from_raw_mode(source.st_mode), own.st_gid == source.st_gid, has_list))
}

fn narrowed(source: Mode, same_group: bool, has_list: bool) -> Mode {
    let owner = source & (Mode::RUSR | Mode::WUSR);
    let shift = Mode::RWXG.as_raw_mode().trailing_zeros();
    let group = source.as_raw_mode() >> shift & Mode::RWXO.as_raw_mode() & 0o6;
    let others = source.as_raw_mode() & 0o6;
    match (has_list, same_group) {
        (true, _) => owner,
        (false, true) => owner | Mode::from_raw_mode(group << shift | others),
        (false, false) => owner | Mode::from_raw_mode((group & others) << shift | (group & others)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs as std_fs;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    fn names(path: &Path) -> Vec<String> {
        let entries = std_fs::read_dir(path).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// As "a.db".
    fn publish(file: &mut Unpublished, mode: u32, existing: Existing) -> Result<()> {
        Unpublished::sync(file.file(), file.directory(), Mode::from_raw_mode(mode))?;
        file.publish("a.db".as_ref(), existing)
    }

    /// A file with `content`, nameless or with a hidden name.
    fn unpublished(directory: &Arc<Directory>, content: &str, named: bool) -> Unpublished {
        let mut file = Unpublished::create(directory).unwrap();
        if named {
            file.hidden_path().unwrap();
        }
        (&***file.file()).write_all(content.as_bytes()).unwrap();
        file
    }

    #[test]
    fn nothing_is_seen_before_it_is_published() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        let mut file = unpublished(&directory, "new", false);
        assert!(names(temp.path()).is_empty());
        publish(&mut file, 0o640, Existing::Refuse).unwrap();
        assert_eq!(names(temp.path()), ["a.db"]);
        assert_eq!(std_fs::read(temp.path().join("a.db")).unwrap(), b"new");
        assert_eq!(std_fs::metadata(temp.path().join("a.db")).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn an_existing_file_is_only_replaced_when_asked_and_nothing_else_remains() {
        for named in [false, true] {
            let temp = tempfile::tempdir().unwrap();
            let directory = Directory::open(temp.path()).unwrap();
            let path = temp.path().join("a.db");
            std_fs::write(&path, "old").unwrap();
            let refused = publish(&mut unpublished(&directory, "new", named), 0o600, Existing::Refuse).unwrap_err();
            assert_eq!(refused.status, Status::AlreadyExists);
            assert!(refused.message.contains("a.db"));
            assert_eq!((std_fs::read(&path).unwrap(), names(temp.path()).len()), (b"old".to_vec(), 1));
            publish(&mut unpublished(&directory, "new", named), 0o600, Existing::Replace).unwrap();
            assert_eq!((std_fs::read(&path).unwrap(), names(temp.path()).len()), (b"new".to_vec(), 1));
        }
    }

    #[test]
    fn a_symbolic_link_at_the_destination_is_never_followed() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        std_fs::write(temp.path().join("victim"), "precious").unwrap();
        std::os::unix::fs::symlink("victim", temp.path().join("a.db")).unwrap();
        for existing in [Existing::Refuse, Existing::Replace] {
            let mut file = unpublished(&directory, "new", false);
            let error = publish(&mut file, 0o600, existing).unwrap_err();
            assert_eq!(error.status, Status::AlreadyExists);
        }
        assert_eq!(std_fs::read(temp.path().join("victim")).unwrap(), b"precious");
        assert_eq!(names(temp.path()), ["a.db", "victim"]);
    }

    #[test]
    fn dropping_leaves_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        let file = unpublished(&directory, "new", true);
        assert_eq!(names(temp.path()).len(), 1);
        drop(file);
        assert!(names(temp.path()).is_empty());
    }

    #[test]
    fn a_sweep_takes_what_nobody_holds_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        let held = unpublished(&directory, "held", true);
        let abandoned = ".lb_backup-0123456789abcdef.tmp";
        let strangers = [".lb_backup-0123456789ABCDEF.tmp", ".lb_backup-0123.tmp", "lb_backup-0123456789abcdef.tmp"];
        for name in [&[abandoned], &strangers[..]].concat() {
            std_fs::write(temp.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(strangers[0], temp.path().join(".lb_backup-00000000000000aa.tmp")).unwrap();
        assert_eq!(directory.sweep(), [abandoned]);
        let left = names(temp.path());
        assert_eq!(left.len(), 2 + strangers.len());
        assert!(strangers.iter().all(|stranger| left.iter().any(|name| name == stranger)));
        drop(held);
    }

    #[test]
    fn one_of_many_publishers_of_one_name_wins() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        let publishers: Vec<_> = (0..8)
            .map(|index| {
                let directory = Arc::clone(&directory);
                std::thread::spawn(move || {
                    let mut file = unpublished(&directory, &index.to_string(), index % 2 == 0);
                    publish(&mut file, 0o600, Existing::Refuse).is_ok()
                })
            })
            .collect();
        let won = publishers.into_iter().map(|publisher| publisher.join().unwrap()).filter(|won| *won).count();
        assert_eq!((won, names(temp.path()).len()), (1, 1));
    }

    #[test]
    fn a_directory_that_is_gone_is_told_as_not_found() {
        for existing in [Existing::Refuse, Existing::Replace] {
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path().join("gone");
            std_fs::create_dir(&path).unwrap();
            let mut file = unpublished(&Directory::open(&path).unwrap(), "new", false);
            std_fs::remove_dir(&path).unwrap();
            let error = publish(&mut file, 0o600, existing).unwrap_err();
            assert_eq!((error.status, error.sys_errno), (Status::NotFound, libc::ENOENT), "{error}");
        }
    }

    /// What a sweep takes, however lately one has been.
    fn sweep_each(directory: &Directory) -> usize {
        let hidden = names(&directory.path).into_iter().filter(|name| is_hidden_name(name));
        hidden.filter(|name| directory.remove_if_abandoned(name).is_ok()).count()
    }

    /// Each combination of how the first of two publishers of one name gives it: by a link or a rename, or by an exchange.
    /// The second comes right after.
    fn replaced_at_once(judge: impl Fn(&Path, Unpublished, Option<Old>, bool)) {
        for (named, exchanged) in [(false, false), (true, false), (false, true), (true, true)] {
            let temp = tempfile::tempdir().unwrap();
            let directory = Directory::open(temp.path()).unwrap();
            if exchanged {
                std_fs::write(temp.path().join("a.db"), "old").unwrap();
            }
            let mut first = unpublished(&directory, "first", named);
            let old = first.give("a.db".as_ref(), Existing::Replace).unwrap();
            assert_eq!(old.is_some(), exchanged);
            publish(&mut unpublished(&directory, "second", false), 0o600, Existing::Replace).unwrap();
            judge(temp.path(), first, old, exchanged);
            assert_eq!(std_fs::read(temp.path().join("a.db")).unwrap(), b"second");
        }
    }

    #[test]
    fn a_file_that_another_replaces_at_once_is_published_and_the_other_stays() {
        replaced_at_once(|path, mut first, old, _| {
            first.settle("a.db".as_ref(), old).unwrap();
            drop(first);
            assert_eq!(names(path), ["a.db"]);
        });
    }

    #[test]
    fn a_failure_takes_nothing_back_from_whoever_came_later() {
        replaced_at_once(|path, mut first, old, exchanged| {
            first.take_back("a.db".as_ref(), old).unwrap();
            drop(first);
            assert_eq!(sweep_each(&Directory::open(path).unwrap()), usize::from(exchanged));
            assert_eq!(names(path), ["a.db"]);
        });
    }

    #[test]
    fn a_failure_takes_the_name_back_whatever_is_swept_meanwhile() {
        for (named, exchanged) in [(false, false), (true, false), (false, true), (true, true)] {
            let temp = tempfile::tempdir().unwrap();
            let directory = Directory::open(temp.path()).unwrap();
            let path = temp.path().join("a.db");
            if exchanged {
                std_fs::write(&path, "old").unwrap();
            }
            let mut file = unpublished(&directory, "new", named);
            let old = file.give("a.db".as_ref(), Existing::Replace).unwrap();
            assert_eq!(std_fs::read(&path).unwrap(), b"new");
            assert_eq!(sweep_each(&directory), 0);
            file.take_back("a.db".as_ref(), old).unwrap();
            drop(file);
            assert_eq!(std_fs::read(&path).ok(), exchanged.then(|| b"old".to_vec()));
            assert_eq!(names(temp.path()).len(), usize::from(exchanged));
        }
    }

    /// A link, and where the test may give it away a file of another user.
    #[test]
    fn what_a_stranger_puts_there_at_once_is_told_and_stays() {
        for link in [true, false] {
            let temp = tempfile::tempdir().unwrap();
            let directory = Directory::open(temp.path()).unwrap();
            let (path, planted) = (temp.path().join("a.db"), temp.path().join("planted"));
            let mut file = unpublished(&directory, "new", false);
            if link {
                std::os::unix::fs::symlink("nowhere", &planted).unwrap();
            } else {
                std_fs::write(&planted, "planted").unwrap();
                if std::os::unix::fs::chown(&planted, Some(file.file().stat().st_uid + 1), None).is_err() {
                    continue;
                }
            }
            let old = file.give("a.db".as_ref(), Existing::Refuse).unwrap();
            std_fs::rename(&planted, &path).unwrap();
            assert_eq!(file.settle("a.db".as_ref(), old).unwrap_err().status, Status::Io);
            drop(file);
            assert_eq!(names(temp.path()), ["a.db"]);
            assert_eq!(std_fs::read_link(&path).is_ok(), link);
        }
    }

    #[test]
    fn a_copy_for_another_group_gives_nobody_more_than_the_original() {
        let narrowed =
            |bits, same_group, list| super::narrowed(Mode::from_raw_mode(bits), same_group, list).as_raw_mode();
        for (bits, same, another) in
            [(0o664, 0o664, 0o644), (0o4660, 0o660, 0o600), (0o604, 0o604, 0o600), (0o755, 0o644, 0o644)]
        {
            assert_eq!((narrowed(bits, true, false), narrowed(bits, false, false)), (same, another), "{bits:o}");
            assert_eq!(narrowed(bits, true, true), bits & 0o600, "{bits:o}");
        }
    }

    /// As somebody does it who may rename in the directory.
    #[test]
    fn a_file_put_in_the_place_of_the_temporary_one_is_not_published() {
        for existing in [Existing::Refuse, Existing::Replace] {
            let temp = tempfile::tempdir().unwrap();
            let directory = Directory::open(temp.path()).unwrap();
            let path = temp.path().join("a.db");
            if existing == Existing::Replace {
                std_fs::write(&path, "old").unwrap();
            }
            let mut file = unpublished(&directory, "new", true);
            let hidden = temp.path().join(names(temp.path()).swap_remove(0));
            std_fs::write(temp.path().join("planted"), "planted").unwrap();
            std_fs::rename(temp.path().join("planted"), hidden).unwrap();
            assert_eq!(publish(&mut file, 0o600, existing).unwrap_err().status, Status::Io);
            drop(file);
            let old = std_fs::read(&path).ok();
            assert_eq!(old, (existing == Existing::Replace).then(|| b"old".to_vec()));
            assert_eq!(names(temp.path()).len(), usize::from(old.is_some()));
        }
    }

    #[test]
    fn a_directory_that_moves_takes_the_hidden_file_along() {
        let temp = tempfile::tempdir().unwrap();
        let (first, second) = (temp.path().join("first"), temp.path().join("second"));
        std_fs::create_dir(&first).unwrap();
        let directory = Directory::open(&first).unwrap();
        let mut file = unpublished(&directory, "new", true);
        std_fs::rename(&first, &second).unwrap();
        std_fs::create_dir(temp.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", &first).unwrap();
        assert_eq!(std_fs::read(file.hidden_path().unwrap()).unwrap(), b"new");
        assert_eq!(std_fs::read(file.descriptor_path().unwrap()).unwrap(), b"new");
        publish(&mut file, 0o600, Existing::Refuse).unwrap();
        assert_eq!(names(&second), ["a.db"]);
        assert!(names(&first).is_empty());
    }
}
