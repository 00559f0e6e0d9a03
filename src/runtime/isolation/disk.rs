//! A system call that no safe library offers.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Has the disk write a range of a file, and waits until it has (sync_file_range(2)). That is no fsync: what the file
/// system knows about the file, and the disk's own cache, are left out. Where the call is missing nothing is done; an
/// fsync then has more to do.
pub fn write_out(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    loop {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and no memory is passed.
        if unsafe { libc::sync_file_range(file.as_raw_fd(), offset as libc::off64_t, bytes as libc::off64_t, flags) }
            == 0
        {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ENOSYS | libc::EINVAL | libc::ESPIPE | libc::EOPNOTSUPP) => return Ok(()),
            _ => return Err(error),
        }
    }
}
