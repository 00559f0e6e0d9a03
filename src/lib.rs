//! Asynchronous, verified backups of live SQLite databases, behind a C ABI. See ARCHITECTURE.md for the map.
//!
//! The product is the shared library and `include/lb_backup.h`; the Rust items are public for this project's own tests
//! only and promise nothing.

pub mod ffi;

mod archive;
mod backup;
mod error;
mod hooks;
mod inspect;
mod job;
mod publish;
mod random;
mod restore;
mod runtime;
mod source;
mod temporary;
mod verify;
