//! The bodies of the fuzz targets: docs/FUZZING.md. libFuzzer calls them from `fuzz_targets/`, on nightly; `tests/fuzz.rs`
//! of the library replays the committed inputs through the same code, on stable.

mod api;
mod archive;
mod calls;
mod input;
mod options;
mod reseal;
mod scene;
mod source;

pub use archive::run as archive;
pub use calls::run as calls;
pub use options::run as options;
pub use source::run as source;

/// An archive of the image that `plan` ends with.
pub fn composed(plan: &[u8]) -> Vec<u8> {
    reseal::composed(&mut input::Input::new(plan))
}
