//! Structures of any size and content, and strings of any bytes, through every C function that takes one. What the header
//! promises of them is said here a second time, in few words.

use super::api::{self, BUSY, INVALID_ARGUMENT, OK, Sized32, Status};
use super::input::Input;
use super::scene::Scene;
use lb_backup::ffi::*;
use std::ffi::{CString, c_char, c_void};
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A database of a few pages.
const DATABASE: &[u8] = include_bytes!("../live.db");

/// Sizes beyond are taken for garbage, and nothing behind the first field is read.
const LARGEST: usize = 65_536;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let call = input.byte();
    let scene = Scene::new();
    match call % 6 {
        0 => backup_options(&scene, &mut input),
        1 => restore_options(&scene, &mut input),
        2 => verify_options(&scene, &mut input),
        3 => config(&mut input),
        4 => outs(&scene, &mut input),
        _ => paths(&scene, &mut input),
    }
}

// ---------------------------------------------------------------------------------------------------------- structures

/// Memory that ends where it ends: the next byte is nobody's.
struct Guarded {
    memory: *mut u8,
    length: usize,
}

impl Guarded {
    const PAGE: usize = 4096;
    const FILL: u8 = 0xA5;

    fn new(length: usize) -> Guarded {
        let room = Self::room(length);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping wherever the kernel likes, of which the last page is taken away again.
        let memory = unsafe {
            let map = libc::mmap(ptr::null_mut(), room + Self::PAGE, protection, flags, -1, 0);
            assert!(map != libc::MAP_FAILED);
            assert_eq!(libc::mprotect(map.byte_add(room), Self::PAGE, libc::PROT_NONE), 0);
            ptr::write_bytes(map.cast::<u8>(), Self::FILL, room);
            map.cast::<u8>()
        };
        Guarded { memory, length }
    }

    fn room(length: usize) -> usize {
        length.next_multiple_of(Self::PAGE) + Self::PAGE
    }

    /// Where `length` bytes begin, aligned for a structure.
    fn start(&self) -> usize {
        Self::room(self.length) - self.length.next_multiple_of(8)
    }

    fn pointer(&self) -> *mut u8 {
        self.memory.wrapping_add(self.start())
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping's, `length` from `start` on; nobody writes while this is looked at.
        unsafe { std::slice::from_raw_parts(self.pointer(), self.length) }
    }

    fn fill(&mut self, content: &[u8]) {
        // SAFETY: no more than `length` bytes of our own mapping.
        unsafe { ptr::copy_nonoverlapping(content.as_ptr(), self.pointer(), content.len().min(self.length)) }
    }

    /// True if what precedes the structure is as it was.
    fn is_intact_before(&self) -> bool {
        // SAFETY: the mapping's beginning.
        let before = unsafe { std::slice::from_raw_parts(self.memory, self.start()) };
        before.iter().all(|byte| *byte == Self::FILL)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`.
        unsafe { libc::munmap(self.memory.cast(), Self::room(self.length) + Self::PAGE) };
    }
}

/// A structure of the size that it claims, as far as that is followed, and how it is handed over.
struct Structure<T> {
    memory: Guarded,
    pointer: *mut T,
    claimed: u32,
    earlier: &'static [u32],
}

impl<T: Sized32> Structure<T> {
    /// Sizes near those that there are, or any.
    fn from(input: &mut Input<'_>, earlier: &'static [u32]) -> Structure<T> {
        let known = size_of::<T>() as u32;
        let how = input.byte();
        let any = input.u32();
        let claimed = match how % 8 {
            0..=2 => known,
            3 => earlier.first().copied().unwrap_or(known),
            4 => known.wrapping_add(any % 256),
            5 => known.wrapping_sub(any % 256),
            6 => any % (LARGEST as u32 + 8),
            _ => any,
        };
        let mut structure = Structure { memory: Guarded::new(4), pointer: ptr::null_mut(), claimed, earlier };
        structure.hold(1);
        structure.pointer = match how >> 3 {
            0 => ptr::null_mut(),
            1 => structure.memory.pointer().wrapping_sub(align_of::<T>() / 2).cast(),
            2 => structure.memory.pointer().wrapping_sub(1).cast(),
            _ => structure.memory.pointer().cast(),
        };
        structure
    }

    /// Memory for so many, one behind the other, the first with its size.
    fn hold(&mut self, count: usize) {
        let claimed = self.claimed as usize;
        let each = if claimed > LARGEST { 4 } else { claimed.max(4) };
        self.memory = Guarded::new(each * count);
        self.memory.fill(&self.claimed.to_ne_bytes());
        self.pointer = self.memory.pointer().cast();
    }

    /// Content behind the size; zeros where the input has ended.
    fn fill(&mut self, input: &mut Input<'_>) {
        let mut content = vec![0; self.memory.length];
        let given = input.bytes(content.len() - 4);
        content[4..][..given.len()].copy_from_slice(given);
        content[..4].copy_from_slice(&self.claimed.to_ne_bytes());
        self.memory.fill(&content);
    }

    /// Sets what must not be any number: a pointer.
    fn put(&mut self, offset: usize, pointer: usize) {
        let mut content = self.memory.bytes().to_vec();
        if let Some(field) = content.get_mut(offset..offset + size_of::<usize>()) {
            field.copy_from_slice(&pointer.to_ne_bytes());
        }
        self.memory.fill(&content);
    }

    fn is_null(&self) -> bool {
        self.pointer.is_null()
    }

    /// True if the library must take it: aligned, and of a size that there is, or larger.
    fn is_possible(&self) -> bool {
        let known = size_of::<T>() as u32;
        self.pointer.is_aligned()
            && !self.is_null()
            && (self.earlier.contains(&self.claimed) || (known..=LARGEST as u32).contains(&self.claimed))
    }

    /// What the library sees of it, if it must take it: with zeros for what the caller does not know, and nothing but zeros
    /// in what the library does not know.
    fn value(&self) -> Option<T> {
        let bytes = self.memory.bytes();
        let known = bytes.len().min(size_of::<T>());
        if !self.is_possible() || bytes[known..].iter().any(|byte| *byte != 0) {
            return None;
        }
        let mut value = T::new();
        // SAFETY: no more than T's size; pointers in it were put there by `put`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut value).cast(), known) };
        Some(value)
    }

    /// True if it was filled: its size as it was, zeros behind what the library knows, nothing touched around it.
    fn is_filled(&self) -> bool {
        let bytes = self.memory.bytes();
        let known = size_of::<T>().min(self.claimed as usize);
        self.memory.is_intact_before()
            && bytes[..4] == self.claimed.to_ne_bytes()
            && bytes[known..self.claimed as usize].iter().all(|byte| *byte == 0)
    }

    /// True if nobody has written to it.
    fn is_untouched(&self) -> bool {
        self.memory.is_intact_before()
            && self.memory.bytes()[..4] == self.claimed.to_ne_bytes()
            && self.memory.bytes()[4..].iter().all(|byte| *byte == Guarded::FILL)
    }
}

// ----------------------------------------------------------------------------------------------------------- callbacks

static COMPLETED: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" fn on_progress(_: *mut lb_job, progress: *const lb_progress, _: *mut c_void) {
    // SAFETY: valid for the call.
    let progress = unsafe { &*progress };
    assert!((0.0..=100.0).contains(&progress.percent));
}

unsafe extern "C" fn on_complete(job: *mut lb_job, result: *const lb_result, _: *mut c_void) {
    assert!(!job.is_null());
    // SAFETY: valid for the call.
    let _ = api::text(unsafe { &(*result).message });
    COMPLETED.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn on_log(_: u32, message: *const c_char, _: *mut c_void) {
    // SAFETY: valid for the call, and it ends.
    assert!(unsafe { std::ffi::CStr::from_ptr(message) }.to_str().is_ok());
}

/// Callbacks of the options, where their bit says so.
fn put_callbacks<T: Sized32>(options: &mut Structure<T>, which: u8, progress: usize, complete: usize) {
    let progress_function = on_progress as unsafe extern "C" fn(_, _, _) as usize;
    let complete_function = on_complete as unsafe extern "C" fn(_, _, _) as usize;
    options.put(progress, if which & 1 != 0 { progress_function } else { 0 });
    options.put(complete, if which & 2 != 0 { complete_function } else { 0 });
}

/// Starts, lets a slow job run, and compares with what the options promise. `told` is what the options alone say.
fn start(told: Option<bool>, completes: bool, start: impl FnOnce(*mut *mut lb_job, *mut lb_error) -> Status) -> bool {
    let before = COMPLETED.load(Ordering::Relaxed);
    let mut started = false;
    let outcome = api::finish(|job, error| {
        let status = start(job, error);
        if status == OK {
            started = true;
            // SAFETY: the handle was just written.
            assert_eq!(lb_backup_set_rate(unsafe { *job }, 0) as Status, OK);
        }
        status
    });
    let status = outcome.as_ref().map_or_else(|failure| failure.status, |_| OK);
    match told {
        Some(true) => assert_eq!(status, OK, "{outcome:?}", outcome = outcome.err()),
        Some(false) => assert_eq!(status, INVALID_ARGUMENT, "{outcome:?}", outcome = outcome.err()),
        None => {}
    }
    let completed = COMPLETED.load(Ordering::Relaxed) - before;
    assert_eq!(completed, u64::from(started && completes));
    started
}

// ------------------------------------------------------------------------------------------------------------- options

/// A string that an input gives, and whether the library can take it for a path.
struct Text {
    text: Option<CString>,
    is_path: bool,
}

impl Text {
    fn none() -> Text {
        Text { text: None, is_path: true }
    }

    fn path(path: &Path) -> Text {
        Text { text: Some(api::c_string(path)), is_path: true }
    }

    fn odd(bytes: &[u8]) -> Text {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let is_path = end > 0 && std::str::from_utf8(&bytes[..end]).is_ok();
        Text { text: CString::new(&bytes[..end]).ok(), is_path }
    }

    fn pointer(&self) -> *const c_char {
        self.text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
    }
}

/// An archive of [`DATABASE`], made once.
fn archive_of(scene: &Scene) -> PathBuf {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    let archive = ARCHIVE.get_or_init(|| {
        let scene = Scene::new();
        let (source, dest) = (scene.write("source.db", DATABASE), scene.path("archive.db.zst"));
        let outcome = api::backup(&source, &dest, &Sized32::new());
        assert!(outcome.is_ok(), "{:?}", outcome.err());
        std::fs::read(dest).expect("it was written")
    });
    scene.write("archive.db.zst", archive)
}

fn backup_options(scene: &Scene, input: &mut Input<'_>) {
    let mut options = Structure::<lb_backup_options>::from(input, &[80]);
    let (callbacks, which) = (input.byte(), input.byte());
    let odd = usize::from(input.byte());
    let reuse = match which % 4 {
        0 | 1 => Text::none(),
        2 => Text::path(&archive_of(scene)),
        _ => Text::odd(input.bytes(odd)),
    };
    options.fill(input);
    put_callbacks(
        &mut options,
        callbacks,
        offset_of!(lb_backup_options, on_progress),
        offset_of!(lb_backup_options, on_complete),
    );
    options.put(offset_of!(lb_backup_options, reuse_path), reuse.pointer().addr());
    let compressed_by_name = callbacks & 4 != 0;
    let is_good = |options: &lb_backup_options| {
        let reuses = !options.reuse_path.is_null();
        let compresses = options.format == LB_FORMAT_ZSTD || options.format == LB_FORMAT_BY_NAME && compressed_by_name;
        options.format <= 2
            && (-7..=19).contains(&options.compression_level)
            && options.existing <= 1
            && options.verify <= 2
            && options.digest <= 1
            && (options.chunk_size == 0 || (65_536..=8_388_608).contains(&options.chunk_size))
            && (!reuses || reuse.is_path && compresses)
    };
    let told = if options.is_null() { Some(true) } else { Some(options.value().is_some_and(|value| is_good(&value))) };
    // What an odd path leads to, the file system knows.
    let reaches = options.value().is_some_and(|value| !value.reuse_path.is_null()) && which % 4 == 3;
    let told = told.filter(|good| !(*good && reaches));
    let completes = options.value().is_some_and(|value| value.on_complete.is_some());
    let source = api::c_string(&scene.write("source.db", DATABASE));
    let dest = api::c_string(&scene.path(if compressed_by_name { "dest.zst" } else { "dest.db" }));
    let options = options.pointer;
    // SAFETY: strings that end; options that are NULL, or memory of the size that they say.
    start(told, completes, |job, error| unsafe {
        lb_backup_start(source.as_ptr(), dest.as_ptr(), options, job, error) as Status
    });
}

fn restore_options(scene: &Scene, input: &mut Input<'_>) {
    let mut options = Structure::<lb_restore_options>::from(input, &[]);
    let (callbacks, which) = (input.byte(), input.byte());
    let odd = usize::from(input.byte());
    let keep = match which % 4 {
        0 | 1 => Text::none(),
        2 => Text::path(&scene.path("kept.db")),
        _ => Text::odd(input.bytes(odd)),
    };
    options.fill(input);
    put_callbacks(
        &mut options,
        callbacks,
        offset_of!(lb_restore_options, on_progress),
        offset_of!(lb_restore_options, on_complete),
    );
    options.put(offset_of!(lb_restore_options, keep_previous), keep.pointer().addr());
    let is_good = |options: &lb_restore_options| {
        options.existing <= 1
            && options.verify <= 2
            && options.reserved == 0
            && (options.keep_previous.is_null() || keep.is_path)
    };
    let told = options.is_null() || options.value().is_some_and(|value| is_good(&value));
    let completes = options.value().is_some_and(|value| value.on_complete.is_some());
    let archive = api::c_string(&archive_of(scene));
    let dest = api::c_string(&scene.path("dest.db"));
    let options = options.pointer;
    // SAFETY: as above.
    start(Some(told), completes, |job, error| unsafe {
        lb_restore_start(archive.as_ptr(), dest.as_ptr(), options, job, error) as Status
    });
    assert!(!scene.path("kept.db").exists());
}

fn verify_options(scene: &Scene, input: &mut Input<'_>) {
    let mut options = Structure::<lb_verify_options>::from(input, &[]);
    let callbacks = input.byte();
    options.fill(input);
    put_callbacks(
        &mut options,
        callbacks,
        offset_of!(lb_verify_options, on_progress),
        offset_of!(lb_verify_options, on_complete),
    );
    let is_good = |options: &lb_verify_options| options.verify <= 1 && options.reserved == 0;
    let told = options.is_null() || options.value().is_some_and(|value| is_good(&value));
    let completes = options.value().is_some_and(|value| value.on_complete.is_some());
    let archive = api::c_string(&archive_of(scene));
    let options = options.pointer;
    // SAFETY: as above.
    start(Some(told), completes, |job, error| unsafe {
        lb_verify_start(archive.as_ptr(), options, job, error) as Status
    });
}

fn config(input: &mut Input<'_>) {
    let mut config = Structure::<lb_config>::from(input, &[]);
    let stopped = input.byte().is_multiple_of(16);
    config.fill(input);
    let log = on_log as unsafe extern "C" fn(_, _, _) as usize;
    config.put(offset_of!(lb_config, on_log), if stopped { log } else { 0 });
    let is_good = |config: &lb_config| {
        config.flags <= LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS
            && config.workers <= 64
            && config.max_concurrent_jobs <= 64
            && config.queue_length <= 65_536
            && config.priority <= LB_PRIORITY_NORMAL
    };
    if stopped {
        assert_eq!(lb_shutdown(u32::MAX) as Status, OK);
    } else {
        assert!(api::inspect(Path::new("/")).is_err(), "this has started the library");
    }
    let told = match config.value() {
        _ if config.is_null() => stopped,
        Some(value) if is_good(&value) => stopped,
        _ => {
            let mut error = lb_error::new();
            // SAFETY: as above.
            let status = unsafe { lb_configure(config.pointer, &mut error) as Status };
            assert_eq!((status, error.status as Status), (INVALID_ARGUMENT, INVALID_ARGUMENT));
            return;
        }
    };
    // SAFETY: as above.
    let status = unsafe { lb_configure(config.pointer, ptr::null_mut()) as Status };
    assert_eq!(status, if told { OK } else { BUSY });
    if stopped {
        // SAFETY: NULL is allowed. The next input finds the defaults.
        assert_eq!(unsafe { lb_configure(ptr::null(), ptr::null_mut()) as Status }, OK);
    }
}

// ---------------------------------------------------------------------------------------------------------------- outs

fn outs(scene: &Scene, input: &mut Input<'_>) {
    let which = input.byte();
    let archive = api::c_string(&archive_of(scene));
    let verify = || {
        let mut job = ptr::null_mut();
        // SAFETY: a string that ends, NULLs that are allowed.
        let status = unsafe { lb_verify_start(archive.as_ptr(), ptr::null(), &mut job, ptr::null_mut()) as Status };
        assert_eq!(status, OK);
        job
    };
    let expected = |possible: bool| if possible { OK } else { INVALID_ARGUMENT };
    match which % 5 {
        0 => {
            let job = verify();
            let out = Structure::<lb_progress>::from(input, &[]);
            // SAFETY: memory of the size that it says.
            let status = unsafe { lb_backup_progress(job, out.pointer) as Status };
            assert_eq!(status, expected(out.is_possible()));
            assert!(if status == OK { out.is_filled() } else { out.is_untouched() });
            assert!(api::join(job).is_ok());
        }
        1 => {
            let job = verify();
            let out = Structure::<lb_result>::from(input, &[1200]);
            // SAFETY: as above.
            let status = unsafe { lb_backup_join(job, out.pointer) as Status };
            assert_eq!(status, expected(out.is_null() || out.is_possible()));
            assert!(if status == OK && !out.is_null() { out.is_filled() } else { out.is_untouched() });
            if status != OK {
                assert!(api::join(job).is_ok(), "the handle stays open");
            }
        }
        2 => {
            let out = Structure::<lb_archive_info>::from(input, &[]);
            // SAFETY: as above.
            let status = unsafe { lb_backup_inspect(archive.as_ptr(), out.pointer, ptr::null_mut()) as Status };
            assert_eq!(status, expected(out.is_possible()));
            assert!(if status == OK { out.is_filled() } else { out.is_untouched() });
        }
        3 => {
            let out = Structure::<lb_error>::from(input, &[]);
            let nowhere = api::c_string(&scene.path("nowhere/archive"));
            let mut job = ptr::without_provenance_mut(1);
            // SAFETY: as above.
            let status = unsafe { lb_verify_start(nowhere.as_ptr(), ptr::null(), &mut job, out.pointer) as Status };
            assert!(job.is_null());
            let takes = out.is_null() || out.is_possible();
            assert_eq!(status, if takes { api::NOT_FOUND } else { INVALID_ARGUMENT });
            assert!(if takes && !out.is_null() { out.is_filled() } else { out.is_untouched() });
        }
        _ => {
            let jobs: Vec<_> = (0..input.byte() % 3).map(|_| verify()).collect();
            let capacity = usize::from(input.byte() % 4);
            let mut out = Structure::<lb_job_info>::from(input, &[]);
            if out.is_possible() {
                out.hold(capacity.max(1));
            }
            let mut count = usize::MAX;
            // SAFETY: as above, `capacity` times.
            let status = unsafe { lb_backup_jobs(out.pointer, capacity, &mut count) as Status };
            assert_eq!(status, expected(capacity == 0 || out.is_possible()));
            assert_eq!(count, if status == OK { jobs.len() } else { usize::MAX });
            if capacity.min(jobs.len()) == 0 || status != OK {
                assert!(out.is_untouched());
            } else {
                assert!(out.memory.is_intact_before());
                let elements = out.memory.bytes().chunks_exact(out.claimed as usize);
                for element in elements.take(jobs.len()) {
                    assert_eq!(element[..4], out.claimed.to_ne_bytes());
                    let job = Input::new(&element[offset_of!(lb_job_info, job)..]).u64() as usize;
                    assert!(jobs.iter().any(|known| known.addr() == job));
                }
            }
            for job in jobs {
                assert!(api::join(job).is_ok());
            }
        }
    }
}

// --------------------------------------------------------------------------------------------------------------- paths

/// Names of any bytes, below the scene.
fn paths(scene: &Scene, input: &mut Input<'_>) {
    let which = input.byte();
    let bytes = input.rest();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let name = &bytes[..end];
    if name.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return;
    }
    let odd = [api::c_string(&scene.path("")).as_bytes(), name].concat();
    let odd = Text::odd(&odd);
    let good = Text::path(&scene.write("source.db", DATABASE));
    let archive = Text::path(&archive_of(scene));
    let dest = Text::path(&scene.path("dest.db"));
    let told = |status: Status| assert!(odd.is_path || status == INVALID_ARGUMENT);
    let outcome = |start: &dyn Fn(*mut *mut lb_job, *mut lb_error) -> Status| {
        told(api::finish(start).map_or_else(|failure| failure.status, |_| OK));
    };
    // SAFETY: strings that end; NULL for the rest.
    unsafe {
        match which % 6 {
            0 => {
                outcome(&|job, error| lb_backup_start(odd.pointer(), dest.pointer(), ptr::null(), job, error) as Status)
            }
            1 => {
                outcome(&|job, error| lb_backup_start(good.pointer(), odd.pointer(), ptr::null(), job, error) as Status)
            }
            2 => outcome(&|job, error| {
                lb_restore_start(odd.pointer(), dest.pointer(), ptr::null(), job, error) as Status
            }),
            3 => outcome(&|job, error| {
                lb_restore_start(archive.pointer(), odd.pointer(), ptr::null(), job, error) as Status
            }),
            4 => outcome(&|job, error| lb_verify_start(odd.pointer(), ptr::null(), job, error) as Status),
            _ => {
                let mut info = lb_archive_info::new();
                told(lb_backup_inspect(odd.pointer(), &mut info, ptr::null_mut()) as Status);
            }
        }
    }
}
