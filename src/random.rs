//! Random bytes of the system's.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// So many bytes. An error where std's RandomState would panic: a sandbox may refuse them.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Errno> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
