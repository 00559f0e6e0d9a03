//! The rule that keeps users' data alive (ARCHITECTURE.md, "Two SQLites in one process"): the library's threads have a
//! descriptor table of their own, and prove it before they touch a database.
//!
//! POSIX record locks belong to the descriptor table (Linux: `files_struct`), and closing any descriptor of a file drops
//! all locks that the table's owner holds on it (fcntl(2), "Advisory record locking"). So nothing that the I/O side
//! opens or closes may ever pass through the host's table.

pub mod disk;
pub mod fork;
mod table;
pub mod thread;

pub use table::{Proof, enter};
