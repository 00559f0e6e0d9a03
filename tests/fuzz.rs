//! The fuzz targets without a fuzzer: every committed input, and some mutations of each by a fixed seed. docs/FUZZING.md.

// Each of the two that compile it uses some of it.
#[allow(dead_code)]
#[path = "../fuzz/src/lib.rs"]
mod targets;

#[path = "../fuzz/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const SEED: u64 = 20_260_901;

/// One target at a time: one of them shuts the library down.
static TURN: Mutex<()> = Mutex::new(());

fn directory(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target)
}

fn inputs(kind: &str, target: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(directory(kind, target)) else { return BTreeMap::new() };
    let paths = entries.map(|entry| entry.expect("an entry of the corpus").path());
    paths.map(|path| (path.clone(), std::fs::read(path).expect("an input"))).collect()
}

/// splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A few changes of the kinds that fuzzers make.
    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(4) {
            let at = self.below(input.len());
            match self.below(6) {
                0 if !input.is_empty() => input[at] ^= 1 << self.below(8),
                1 if !input.is_empty() => input[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                2 => input.insert(at, self.next() as u8),
                3 => {
                    let end = input.len().min(at + 1 + self.below(64));
                    drop(input.drain(at..end));
                }
                4 => {
                    let end = input.len().min(at + 4);
                    for byte in &mut input[at..end] {
                        *byte = self.next() as u8;
                    }
                }
                _ => {
                    let (from, length) = (self.below(other.len()), self.below(256));
                    let piece = &other[from..other.len().min(from + length)];
                    drop(input.splice(at..input.len().min(at + piece.len()), piece.iter().copied()));
                }
            }
        }
    }
}

/// The input in work, kept for whoever reads that it has failed.
struct Kept<'a> {
    origin: &'a Path,
    mutation: u64,
    input: &'a [u8],
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-input");
            let kept = std::fs::write(&path, self.input);
            let Kept { origin, mutation, .. } = self;
            eprintln!("input: {origin:?}, mutation {mutation} by seed {SEED}; {path:?}: {kept:?}");
        }
    }
}

fn replay(target: &str, run: fn(&[u8]), mutations: u64) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let corpus = inputs("corpus", target);
    assert!(!corpus.is_empty(), "no corpus in {:?}", directory("corpus", target));
    for (path, input) in corpus.iter().chain(&inputs("regressions", target)) {
        let _kept = Kept { origin: path, mutation: 0, input };
        run(input);
    }
    let all: Vec<_> = corpus.iter().collect();
    let mut random = Random(SEED);
    for number in 1..=mutations {
        let (path, input) = all[random.below(all.len())];
        let (_, other) = all[random.below(all.len())];
        let mut input = input.clone();
        random.mutate(&mut input, other);
        let _kept = Kept { origin: path, mutation: number, input: &input };
        run(&input);
    }
    println!("{target}: {} inputs, {mutations} mutations by seed {SEED}", corpus.len());
}

#[test]
fn hostile_backup_files_are_told_and_nothing_is_left() {
    replay("archive", targets::archive, 2000);
}

#[test]
fn hostile_sources_are_backed_up_as_they_are_or_told() {
    replay("source", targets::source, 2000);
}

#[test]
fn structures_of_any_size_and_content_are_taken_as_promised() {
    replay("options", targets::options, 8000);
}

#[test]
fn calls_in_any_order_answer_as_the_model_says() {
    replay("calls", targets::calls, 2000);
}

/// Writes the seeds when asked to; in any other run, makes sure that they are there.
#[test]
fn seeds_are_committed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let update = std::env::var_os("LB_UPDATE_CORPUS").is_some();
    for (target, name, content) in seeds::all(scratch.path()) {
        let path = directory("corpus", target).join(format!("seed_{name}"));
        if update {
            std::fs::create_dir_all(directory("corpus", target)).expect("a directory of the corpus");
            std::fs::write(&path, &content).expect("a seed");
        }
        assert!(path.is_file(), "{path:?} is missing: LB_UPDATE_CORPUS=1 cargo test --release --test fuzz");
    }
}
