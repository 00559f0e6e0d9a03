//! Parts of the product that what is under test only names, hands on, or does without.

use std::ffi::c_void;

pub type Work = Box<dyn FnOnce() + Send>;

#[derive(Clone, Copy)]
pub struct UserData(pub *mut c_void);

// SAFETY: never dereferenced.
unsafe impl Send for UserData {}
// SAFETY: never dereferenced.
unsafe impl Sync for UserData {}

#[allow(non_camel_case_types)]
pub struct lb_job(());
