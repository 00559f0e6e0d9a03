//! Copies the sources under test into worlds: modules that hold the same code, once as it is and once for each protection
//! that is taken away, so that each model can be seen to fail. A text that is to be replaced and is not there, or not as
//! often as is said, ends the build: the sources have changed, and the models must follow.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What is under test, with the places in the world's tree.
const SOURCES: [&str; 10] = [
    "error.rs",
    "job/control.rs",
    "job/mod.rs",
    "job/patience.rs",
    "job/progress.rs",
    "job/report.rs",
    "job/throttle.rs",
    "runtime/callbacks.rs",
    "runtime/queue.rs",
    "ffi/handles.rs",
];

/// In every world, wherever it is found: loom's types for those that it has to watch, and no tests, which are others'.
const EVERYWHERE: [(&str, &str); 11] = [
    ("#[cfg(test)]", "#[cfg(any())]"),
    ("use parking_lot::", "use crate::watched::"),
    ("use std::sync::atomic::", "use crate::watched::"),
    // What is shared whole, and never again changed, is not watched.
    ("Arc<dyn Observer>", "std::sync::Arc<dyn Observer>"),
    ("Arc<dyn Fn", "std::sync::Arc<dyn Fn"),
    ("Arc::clone(observer)", "observer.clone()"),
    ("Arc::clone(&watch.observer)", "watch.observer.clone()"),
    ("Arc<str>", "std::sync::Arc<str>"),
    ("use std::sync::{Arc, OnceLock, Weak};", "use crate::watched::{Arc, Weak};\nuse std::sync::OnceLock;"),
    ("use std::sync::Arc;", "use crate::watched::Arc;"),
    ("rusqlite::ffi", "crate::sqlite::ffi"),
];

/// In every world, exactly once: loom's types have no constant constructors, and a table of all sizes would be too large.
const ONCE: [(&str, &str, &str); 6] = [
    ("ffi/handles.rs", "pub(super) static HANDLES: Table = Table::new();", ""),
    ("ffi/handles.rs", "pub(super) const fn new() -> Table", "pub(super) fn new() -> Table"),
    ("ffi/handles.rs", "const SLOT_BITS: u32 = 16;", "const SLOT_BITS: u32 = 2;"),
    ("ffi/handles.rs", "const SEGMENT: usize = 256;", "const SEGMENT: usize = 1;"),
    ("ffi/handles.rs", "/// The handles of this process.\n", ""),
    ("job/control.rs", "        #[cfg(feature = \"test-hooks\")]\n", "        #[cfg(any())]\n"),
];

/// World, file, what is taken away, what stands there instead.
const WEAKENED: [(&str, &str, &str, &str); 19] = [
    ("nudge_without_the_lock", "job/control.rs", "drop(self.lock.lock());", ""),
    (
        "cancel_wakes_nobody",
        "job/control.rs",
        "self.cancelled.store(true, Ordering::Release);\n        self.nudge();",
        "self.cancelled.store(true, Ordering::Release);",
    ),
    ("finish_wakes_one", "job/mod.rs", "self.advanced.notify_all();", "self.advanced.notify_one();"),
    ("reset_without_fence", "job/progress.rs", "fence(Ordering::Release);", ""),
    (
        "look_without_fence",
        "ffi/handles.rs",
        "fence(Ordering::Acquire);\n        if slot.generation",
        "if slot.generation",
    ),
    ("every_job_ends_alike", "job/progress.rs", "UNENDED | job", "UNENDED | (job & 0)"),
    ("reuse_without_fence", "ffi/handles.rs", "fence(Ordering::Acquire);\n                    return", "return"),
    (
        "any_generation_is_good",
        "ffi/handles.rs",
        "Holder::Open(open) if self.generation.load(Ordering::Relaxed) == generation => Ok(open),",
        "Holder::Open(open) => Ok((open, generation).0),",
    ),
    (
        "close_looks_then_acts",
        "ffi/handles.rs",
        "let mut holder = slot.holder.lock();\n        let job = Arc::clone(&slot.opened(&holder, generation)?.job);",
        "let job = Arc::clone(&slot.opened(&slot.holder.lock(), generation)?.job);\n        let mut holder = slot.holder.lock();",
    ),
    (
        "close_keeps_the_generation",
        "ffi/handles.rs",
        "slot.generation.fetch_add(1, Ordering::Release);\n        *holder",
        "*holder",
    ),
    (
        "remove_looks_then_acts",
        "runtime/queue.rs",
        "let index = state.waiting.iter().position(|entry| Arc::ptr_eq(&entry.job, job))?;",
        "let index = state.waiting.iter().position(|entry| Arc::ptr_eq(&entry.job, job))?;\n        drop(state);\n        let mut state = self.state.lock();",
    ),
    (
        "push_wakes_nobody",
        "runtime/queue.rs",
        "state.waiting.push_back(entry);\n        self.available.notify_one();",
        "state.waiting.push_back(entry);",
    ),
    (
        "done_wakes_nobody",
        "runtime/queue.rs",
        "// A large one may have waited for that on another thread.\n        self.available.notify_one();",
        "",
    ),
    ("callbacks_go_when_told_to", "runtime/callbacks.rs", "state.closed && state.expected == 0", "state.closed"),
    ("log_looks_at_the_lines_alone", "runtime/callbacks.rs", "state.logging || !", "!"),
    ("close_wakes_one", "runtime/queue.rs", "self.available.notify_all();", "self.available.notify_one();"),
    (
        "close_forgets_what_waits",
        "runtime/queue.rs",
        "std::mem::take(&mut state.waiting)",
        "state.waiting.drain(..).for_each(drop);\n        VecDeque::new()",
    ),
    ("push_after_the_close", "runtime/queue.rs", "if state.closed {", "if false {"),
    (
        "large_jobs_take_every_thread",
        "runtime/queue.rs",
        "{ threads } else { threads - 1 }",
        "{ threads } else { threads }",
    ),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/models.rs");
    let models = fs::read_to_string("src/models.rs").expect("src/models.rs");
    let product = Path::new("../src");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("OUT_DIR"));

    let mut worlds = String::new();
    for (world, weakness) in [("real", None)].into_iter().chain(WEAKENED.iter().map(|w| (w.0, Some(w)))) {
        for file in SOURCES {
            let source = product.join(file);
            println!("cargo::rerun-if-changed={}", source.display());
            let mut text = fs::read_to_string(&source).unwrap_or_else(|error| panic!("{source:?}: {error}"));
            if let Some((_, _, from, to)) = weakness.filter(|weakness| weakness.1 == file) {
                text = replaced_once(&text, file, from, to);
            }
            for (_, from, to) in ONCE.iter().filter(|once| once.0 == file) {
                text = replaced_once(&text, file, from, to);
            }
            write_to(&out.join(world).join(file), world, text);
        }
        write_to(&out.join(world).join("models.rs"), world, models.clone());
        let root = out.join(world);
        let root = root.display();
        // The parts of the product that are only named by what is under test.
        write!(
            worlds,
            r#"
pub mod {world} {{
    #[path = "{root}/error.rs"] pub mod error;
    #[path = "{root}/job/mod.rs"] pub mod job;
    pub mod runtime {{
        pub use crate::named::Work;
        pub use callbacks::Observer;
        #[path = "{root}/runtime/callbacks.rs"] pub mod callbacks;
        #[path = "{root}/runtime/queue.rs"] pub mod queue;
    }}
    pub mod ffi {{
        pub use crate::named as callbacks;
        pub use crate::named as types;
        #[path = "{root}/ffi/handles.rs"] pub mod handles;
        #[path = "{root}/models.rs"] pub mod models;
    }}
}}
"#
        )
        .expect("a text");
    }
    fs::write(out.join("worlds.rs"), worlds).expect("worlds.rs");
}

fn replaced_once(text: &str, file: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "src/{file} has changed; the models look for once: {from}");
    text.replace(from, to)
}

fn write_to(path: &Path, world: &str, mut text: String) {
    for (from, to) in EVERYWHERE {
        text = text.replace(from, to);
    }
    for part in ["error", "job", "runtime", "ffi"] {
        text = text.replace(&format!("crate::{part}"), &format!("crate::{world}::{part}"));
    }
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}
