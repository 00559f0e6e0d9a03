//! Structures that carry their size: the kernel's rule for clone3(2) and openat2(2). A caller that knows fewer fields
//! than we gets defaults for the rest; one that knows more must leave them zero.

use super::types::*;
use crate::error::{Error, Result};
use std::mem::{align_of, size_of};

/// No structure of ours comes near this; a size beyond it is garbage and is not followed.
const LARGEST: u32 = 65_536;

/// A structure of the C interface whose first field is `struct_size`.
///
/// # Safety
/// Implementors are `repr(C)`, begin with a `u32`, contain no padding that must keep a value, and are valid for every
/// pattern that a C program may legally leave in them, all zeros included; outs are only ever written.
pub(super) unsafe trait Sized32: Copy {
    /// Its sizes in all versions of the interface that had it, the present one last.
    const SIZES: &'static [u32];
}

macro_rules! sized {
    ($($name:ident: $($earlier:literal,)* now $now:literal;)*) => { $(
        // SAFETY: see the definition: repr(C), plain data, `struct_size` first.
        unsafe impl Sized32 for $name { const SIZES: &'static [u32] = &[$($earlier,)* $now]; }
        const _: () = assert!(size_of::<$name>() == $now && std::mem::offset_of!($name, struct_size) == 0);
    )* };
}

sized! {
    lb_error: now 1040;
    lb_progress: now 72;
    lb_result: 1200, now 1224;
    lb_backup_options: 80, now 88;
    lb_restore_options: now 64;
    lb_verify_options: now 48;
    lb_archive_info: now 208;
    lb_job_info: now 304;
    lb_config: now 40;
}

/// The caller's `struct_size` at `pointer`, checked.
fn size_at<T: Sized32>(pointer: *const T, name: &str) -> Result<u32> {
    if pointer.is_null() {
        return Err(Error::invalid(format!("{name} is NULL")));
    }
    if !pointer.addr().is_multiple_of(align_of::<T>()) {
        return Err(Error::invalid(format!("{name} is misaligned")));
    }
    // SAFETY: not NULL, aligned, and the caller promises that it points to a structure that begins with its size.
    let size = unsafe { pointer.cast::<u32>().read() };
    // Between two versions' sizes, a field would be cut through.
    if !T::SIZES.contains(&size) && !(size_of::<T>() as u32..=LARGEST).contains(&size) {
        let message = format!("{name}: struct_size is {size}, this library knows {} bytes", size_of::<T>());
        return Err(Error::invalid(message));
    }
    Ok(size)
}

/// Copies a structure in.
///
/// # Safety
/// `pointer` is NULL or points to memory that is readable for as many bytes as its first field says.
pub(super) unsafe fn read<T: Sized32>(pointer: *const T, name: &str) -> Result<T> {
    let size = size_at(pointer, name)? as usize;
    let known = size.min(size_of::<T>());
    let bytes = pointer.cast::<u8>();
    // SAFETY: the caller promises `size` readable bytes.
    let tail = unsafe { std::slice::from_raw_parts(bytes.add(known), size - known) };
    if tail.iter().any(|&byte| byte != 0) {
        let message = format!("{name}: struct_size is {size}, and what is beyond the {known} known bytes is not zero");
        return Err(Error::invalid(message));
    }
    // SAFETY: all zeros are a valid T, `known` bytes fit into it and are readable, and the copy is a fresh object.
    unsafe {
        let mut value = std::mem::zeroed::<T>();
        std::ptr::copy_nonoverlapping(bytes, (&raw mut value).cast::<u8>(), known);
        Ok(value)
    }
}

/// What NULL means: a structure of zeros.
pub(super) fn defaults<T: Sized32>() -> T {
    // SAFETY: all zeros are a valid T, as its trait demands.
    unsafe { std::mem::zeroed() }
}

/// Where a structure goes that the caller provides, checked before there is anything to write.
pub(super) struct Out<T> {
    pointer: *mut T,
    size: u32,
}

impl<T: Sized32> Out<T> {
    /// # Safety
    /// `pointer` is NULL or points to memory that is writable, until [`Out::write`], for as many bytes as its first field
    /// says.
    pub(super) unsafe fn new(pointer: *mut T, name: &str) -> Result<Out<T>> {
        Ok(Out { pointer, size: size_at(pointer.cast_const(), name)? })
    }

    /// As [`Out::new`], but NULL means that the caller does not want it.
    ///
    /// # Safety
    /// As [`Out::new`].
    pub(super) unsafe fn optional(pointer: *mut T, name: &str) -> Result<Option<Out<T>>> {
        // SAFETY: passed on.
        if pointer.is_null() { Ok(None) } else { unsafe { Out::new(pointer, name).map(Some) } }
    }

    /// The element `index` of an array that begins here.
    pub(super) fn element(&self, index: usize) -> Out<T> {
        Out { pointer: self.pointer.wrapping_byte_add(index * self.size as usize), size: self.size }
    }

    /// Fills it in; fields that only the caller knows become zero.
    pub(super) fn write(&self, value: T) {
        let (size, known) = (self.size as usize, (self.size as usize).min(size_of::<T>()));
        let bytes = self.pointer.cast::<u8>();
        // SAFETY: `new` was promised `size` writable bytes; the value is a separate object; the first field keeps the
        // caller's size.
        unsafe {
            std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), bytes, known);
            std::ptr::write_bytes(bytes.add(known), 0, size - known);
            bytes.cast::<u32>().write(self.size);
        }
    }
}
