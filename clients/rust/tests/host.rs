//! The client beside rusqlite with the system's SQLite, which has the database open in this process.
#![allow(clippy::incompatible_msrv)] // the tests may take a newer Rust than the crate

use std::future::Future;
use std::io::ErrorKind;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, ExitStatus, Output};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lb_backup_client::{
    Check, Control, Error, Format, Job, Library, LogLevel, Phase, Priority, State, Status, VerifyLevel,
};
use rusqlite::Connection;

const ROWS: u32 = 400; // of 1000 bytes
const LATE: u32 = 100;
const STRUCK: i32 = 10;

fn library() -> Library {
    Library::load().unwrap()
}

struct Host {
    directory: PathBuf,
    path: PathBuf,
    sqlite: Connection,
}

impl Host {
    fn open(directory: &Path, journal: &str) -> Self {
        let path = directory.join("game.db");
        let sqlite = Connection::open(&path).unwrap();
        sqlite
            .execute_batch(&format!(
                "PRAGMA journal_mode={journal}; PRAGMA wal_autocheckpoint=0;
                 CREATE TABLE t(id INTEGER PRIMARY KEY, payload);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < {ROWS})
                 INSERT INTO t(payload) SELECT randomblob(1000) FROM n;"
            ))
            .unwrap();
        Self { directory: directory.into(), path, sqlite }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A backup that its throttle holds in mid-copy.
    fn held(&self, dest: &str) -> Job {
        let backup = library().backup(&self.path, self.beside(dest)).rate(1).chunk_size(65536);
        let job = backup.progress_every(Duration::ZERO).start().unwrap();
        assert!(job.updates().any(|progress| progress.bytes_total > 0));
        job
    }
}

/// A statement in another process, which does not wait for locks.
fn outside(database: &Path, statement: &str) -> String {
    let said = Command::new("sqlite3").args(["-batch", "-cmd", ".timeout 0"]).arg(database).arg(statement).output();
    let said = said.unwrap();
    String::from_utf8([said.stdout, said.stderr].concat()).unwrap().trim().into()
}

fn refused(database: &Path) -> bool {
    outside(database, "INSERT INTO t(payload) VALUES('outsider')").contains("database is locked")
}

fn rows(database: &Path) -> String {
    outside(database, "SELECT count(*) FROM t; PRAGMA integrity_check")
}

fn sound(count: u32) -> String {
    format!("{count}\nok")
}

/// As coreutils compute it.
fn sha256(file: &Path) -> String {
    let said = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(said.stdout).unwrap().split(' ').next().unwrap().into()
}

#[test]
fn round_trip() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let (archive, restored) = (host.beside("copy.db.zst"), host.beside("restored.db"));
    let outcome = library().backup(&host.path, &archive).verify(VerifyLevel::Full).run().unwrap();
    assert_eq!(outcome.archive_bytes, archive.metadata().unwrap().len());
    let digest: String = outcome.sha256.unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, sha256(&archive));
    assert_eq!(outcome.format, Format::Zstd);
    assert_eq!(outcome.image_bytes, outcome.pages * u64::from(outcome.page_size));
    assert_eq!(library().inspect(&archive).unwrap().pages, outcome.pages);
    library().verify(&archive).verify(VerifyLevel::Full).run().unwrap();
    library().restore(&archive, &restored).run().unwrap();
    assert_eq!(rows(&restored), sound(ROWS));
    host.sqlite.execute_batch("DELETE FROM t").unwrap();
    library().restore(&archive, &host.path).replace().keep_previous(host.beside("previous.db")).run().unwrap();
    assert_eq!(rows(&host.path), sound(ROWS));
    assert_eq!(rows(&host.beside("previous.db")), sound(0));
}

#[test]
fn progress_reaches_callback_and_iterator() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let (send, receive) = mpsc::channel();
    let backup = library().backup(&host.path, host.beside("copy.db.zst")).rate(1).chunk_size(65536);
    let backup = backup.progress_every(Duration::ZERO).on_progress(move |progress| send.send(*progress).unwrap());
    let job = backup.start().unwrap();
    // The throttle holds it while it is looked at.
    let held = job.updates().filter(|progress| progress.bytes_total > 0).nth(2).unwrap();
    assert_eq!((held.state, held.phase), (State::Running, Phase::Compressing));
    assert!(held.bytes_done < held.bytes_total && held.percent < 100.0, "{held:?}");
    job.set_rate(0).unwrap();
    let last = job.updates().last().unwrap();
    job.wait().unwrap();
    let called: Vec<_> = receive.try_iter().collect();
    assert!(called.len() >= 4, "{called:?}");
    assert_eq!(*called.last().unwrap(), last);
    assert_eq!((last.state, last.phase, last.percent), (State::Succeeded, Phase::Done, 100.0));
    assert_eq!((last.bytes_done, last.eta), (last.bytes_total, Some(Duration::ZERO)));
    assert!(last.bytes_total > 0 && last.bytes_written > 0);
    for two in called.windows(2) {
        let [before, after] = two else { unreachable!() };
        assert!(before.percent <= after.percent && before.elapsed <= after.elapsed, "{before:?}, {after:?}");
        assert!(before.bytes_done <= after.bytes_done && before.bytes_written <= after.bytes_written);
        assert!(before.bytes_total == 0 || before.bytes_total == after.bytes_total);
    }
    assert_eq!(job.progress().unwrap().percent, 100.0);
}

#[test]
fn cancel_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let job = host.held("copy.db.zst");
    job.cancel().unwrap();
    assert_eq!(job.wait().unwrap_err().status, Status::Cancelled);
    assert!(!host.beside("copy.db.zst").exists());
}

#[test]
fn errors_say_what_happened() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let run = |source: &Path, dest: &Path| library().backup(source, dest).run().unwrap_err();
    let missing = run(&host.beside("missing.db"), &host.beside("copy.db"));
    assert_eq!(missing.status, Status::NotFound);
    assert!(missing.message.contains("missing.db"));
    assert_eq!(std::io::Error::from(missing).kind(), ErrorKind::NotFound);
    std::fs::write(host.beside("text"), "x".repeat(5000)).unwrap();
    assert_eq!(run(&host.path, &host.beside("text")).status, Status::AlreadyExists);
    assert_eq!(run(&host.beside("text"), &host.beside("copy.db")).status, Status::NotADatabase);
    assert_eq!(run(Path::new("a\0b"), &host.beside("copy.db")).status, Status::InvalidArgument);
    assert_eq!(Library::open(host.beside("text")).err().unwrap().status, Status::Unsupported);
}

fn damage(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at..at + 64].fill(0xee);
    std::fs::write(file, bytes).unwrap();
}

fn io_kind(error: &Error) -> ErrorKind {
    std::io::Error::from(error.clone()).kind()
}

#[test]
fn damage_is_told_with_its_place_and_with_what_was_known() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let (archive, image) = (host.beside("copy.db.zst"), host.beside("copy.db"));
    let whole = library().backup(&host.path, &archive).chunk_size(65536).run().unwrap();
    damage(&archive, archive.metadata().unwrap().len() as usize / 2);
    let error = library().verify(&archive).run().unwrap_err();
    assert_eq!((error.status, io_kind(&error)), (Status::Corrupt, ErrorKind::InvalidData), "{error}");
    assert_eq!((error.check, error.page), (Check::Frame, None));
    assert!(error.chunk.is_some_and(|chunk| chunk > 0 && chunk < whole.image_bytes.div_ceil(65536)), "{error:?}");
    assert_eq!(error.outcome.unwrap().pages, whole.pages);

    library().backup(&host.path, &image).run().unwrap();
    damage(&image, 6 * whole.page_size as usize);
    let error = library().verify(&image).run().unwrap_err();
    assert_eq!((error.status, error.check), (Status::Corrupt, Check::Integrity), "{error}");
    assert_eq!((error.chunk, error.page), (None, Some(7)));
}

#[test]
fn locked_source_is_busy_once_the_timeout_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "DELETE");
    host.sqlite.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = library().backup(&host.path, host.beside("copy.db")).busy_timeout(Duration::ZERO).run().unwrap_err();
    assert_eq!((error.status, io_kind(&error)), (Status::Busy, ErrorKind::ResourceBusy), "{error}");
    assert_eq!(error.sqlite_code & 0xff, 5);
    assert!(error.message.contains("game.db") && error.outcome.is_some(), "{error:?}");
    assert_eq!((error.check, error.chunk, error.page), (Check::None, None, None));
    host.sqlite.execute_batch("COMMIT").unwrap();
    assert!(!host.beside("copy.db").exists());
}

#[test]
fn detached_job_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "DELETE");
    // The lock holds it until nobody has the job any more.
    host.sqlite.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (send, receive) = mpsc::channel();
    let backup = library().backup(&host.path, host.beside("copy.db")).busy_timeout(Duration::from_secs(300));
    let job = backup.on_progress(move |progress| send.send(*progress).unwrap()).start().unwrap();
    let control = job.control();
    job.detach();
    assert_eq!(control.cancel().unwrap_err().status, Status::InvalidHandle);
    host.sqlite.execute_batch("COMMIT").unwrap();
    assert_eq!(receive.iter().last().unwrap().state, State::Succeeded);
    assert_eq!(rows(&host.beside("copy.db")), sound(ROWS));
}

#[test]
fn stale_handle() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let job = library().backup(&host.path, host.beside("copy.db")).start().unwrap();
    assert_eq!(job.wait(), job.wait());
    let control = job.control();
    drop(job);
    assert_eq!(control.progress().unwrap_err().status, Status::InvalidHandle);
    assert_eq!(control.cancel().unwrap_err().status, Status::InvalidHandle);
    let told = control.set_rate(0).unwrap_err();
    assert_eq!(told.status, Status::InvalidHandle);
    assert!(told.message.starts_with("set_rate: the handle was"), "{told}");
}

#[test]
fn callback_that_panics_cancels_and_goes_on_in_the_waiter() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let backup = library().backup(&host.path, host.beside("copy.db.zst")).rate(1).chunk_size(65536);
    let job = backup.progress_every(Duration::ZERO).on_progress(|_| panic!("of the callback")).start().unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| job.wait())).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "of the callback");
    assert_eq!(job.wait().unwrap_err().status, Status::Cancelled);
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("of the captured value");
    }
}

// In a process of its own, which a panic that goes through the library would end.
#[test]
fn callback_that_panics_and_again_when_it_is_dropped_ends_its_job_only() {
    let directory = tempfile::tempdir().unwrap();
    assert!(become_child("panics-twice", directory.path(), &[]).success());
}

#[test]
fn waiting_in_a_callback_would_deadlock() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let held = host.held("held.db.zst");
    let (send, receive) = mpsc::channel();
    let control: Control = held.control();
    let backup = library().backup(&host.path, host.beside("copy.db"));
    backup.on_progress(move |_| send.send(held.wait()).unwrap()).run().unwrap();
    assert_eq!(receive.recv().unwrap().unwrap_err().status, Status::WouldDeadlock);
    // The closure, and the job in it, went with the job that called it.
    while control.progress().is_ok() {
        std::thread::yield_now();
    }
}

/// What an executor that polls inside `wake` comes to: the task runs on the thread for callbacks, and waits there.
struct WaitInWake(Mutex<(Job, mpsc::Sender<Option<Status>>)>);

impl Wake for WaitInWake {
    fn wake(self: Arc<Self>) {
        let (held, send) = &mut *self.0.lock().unwrap();
        assert!(Pin::new(&mut *held).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        held.updates().for_each(drop);
        send.send(held.wait().err().map(|error| error.status)).unwrap();
    }
}

#[test]
fn waiting_in_a_task_that_its_waker_polls_would_deadlock() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let mut job = host.held("copy.db.zst");
    let (send, receive) = mpsc::channel();
    let waker = Waker::from(Arc::new(WaitInWake(Mutex::new((host.held("held.db.zst"), send)))));
    assert!(Pin::new(&mut job).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    job.set_rate(0).unwrap();
    assert_eq!(receive.recv().unwrap(), Some(Status::WouldDeadlock));
    job.wait().unwrap();
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn fifty_jobs_at_once_are_futures() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let start = |i| library().backup(&host.path, host.beside(&format!("{i}.db"))).start().unwrap();
    let mut jobs: Vec<_> = (0..50).map(start).collect();
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    while !jobs.is_empty() {
        jobs.retain_mut(|job| match Pin::new(job).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => outcome.map(|_| false).unwrap(),
            Poll::Pending => true,
        });
        if !jobs.is_empty() {
            std::thread::park();
        }
    }
    let one = std::fs::read(host.beside("0.db")).unwrap();
    assert_eq!(rows(&host.beside("0.db")), sound(ROWS));
    assert!((1..50).all(|i| std::fs::read(host.beside(&format!("{i}.db"))).unwrap() == one));
}

#[test]
fn forgotten_job_is_collected() {
    struct Dropped(mpsc::Sender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let (send, receive) = mpsc::channel();
    let dropped = Dropped(send);
    let backup = library().backup(&host.path, host.beside("copy.db.zst")).rate(1).chunk_size(65536);
    let hold = move |_: &_| assert!(!std::ptr::addr_of!(dropped).is_null());
    drop(backup.on_progress(hold).start().unwrap());
    receive.recv().unwrap();
    assert!(!host.beside("copy.db.zst").exists());
}

#[test]
fn jobs_are_listed_while_they_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    let listed = |name: &str| {
        let jobs = library().jobs().unwrap();
        jobs.into_iter().filter(|job| job.dest_name.starts_with(name)).collect::<Vec<_>>()
    };
    let job = host.held("listed.db.zst");
    let one = listed("listed.db.zst").pop().unwrap();
    assert_eq!(one.state, State::Running);
    assert!(one.bytes_total > 0 && one.bytes_done <= one.bytes_total && one.percent < 100.0);
    drop(job);
    assert_eq!(listed("listed.db.zst"), []);
    // More than there is room for at the first try.
    let jobs: Vec<_> =
        (0..40).map(|i| library().backup(&host.path, host.beside(&format!("many{i}"))).start()).collect();
    assert_eq!(listed("many").len(), 40);
    drop(jobs);
}

fn transaction(directory: &Path, journal: &str) -> Result<(), String> {
    let host = Host::open(directory, journal);
    host.sqlite.execute_batch("BEGIN IMMEDIATE; INSERT INTO t(payload) VALUES('host')").unwrap();
    assert!(refused(&host.path), "the host has no lock before any backup");
    // Cancelled in mid-copy, then one that succeeds: both close what they had opened.
    let job = host.held("cancelled.db.zst");
    if !refused(&host.path) {
        return Err("an outsider wrote in mid-backup".into());
    }
    job.cancel().unwrap();
    job.wait().unwrap_err();
    library().backup(&host.path, host.beside("copy.db")).run().unwrap();
    if !refused(&host.path) {
        return Err("an outsider wrote after the backup".into());
    }
    host.sqlite.execute_batch("COMMIT").map_err(|error| error.to_string())?;
    let (path, copy) = (host.path.clone(), host.beside("copy.db"));
    drop(host);
    assert_eq!((rows(&path), rows(&copy)), (sound(ROWS + 1), sound(ROWS)));
    Ok(())
}

#[test]
fn open_transaction_then_an_outsider_is_refused() {
    for journal in ["DELETE", "WAL"] {
        transaction(tempfile::tempdir().unwrap().path(), journal).unwrap();
    }
}

/// Runs an example, which cargo builds beside the tests.
fn example(name: &str, source: &Path, dest: &Path) -> Output {
    let tests = std::env::current_exe().unwrap();
    let built = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    Command::new(built).args([source, dest]).output().unwrap()
}

#[test]
fn examples_show_progress_then_what_came_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::open(directory.path(), "WAL");
    for name in ["ten_lines", "progress_bar"] {
        let dest = host.beside(&format!("{name}.db"));
        let said = example(name, &host.path, &dest);
        let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert!(said.status.success(), "{name}: {err}");
        let bytes = dest.metadata().unwrap().len();
        if name == "ten_lines" {
            assert!(
                out.starts_with('\r') && out.ends_with(&format!("\r100.0 %  {bytes} bytes, verified\n")),
                "{out:?}"
            );
        } else {
            assert!(err.contains(&format!("[{}] 100.0 %", "#".repeat(40))), "{err:?}");
            assert_eq!(out, format!("{}: {bytes} bytes in {bytes}\n", dest.display()));
        }
        assert_eq!(rows(&dest), sound(ROWS));
        let again = example(name, &host.path, &dest);
        assert_eq!(again.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&again.stderr).contains(dest.to_str().unwrap()));
    }
}

/// Another process of this program, to lead the life that `child` knows.
fn become_child(life: &str, directory: &Path, environment: &[(&str, &str)]) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact"]).env("LB_TEST_CHILD", life).env("LB_TEST_DIRECTORY", directory);
    command.envs(environment.iter().copied()).output().unwrap().status
}

#[test]
fn child() {
    let Ok(life) = std::env::var("LB_TEST_CHILD") else { return };
    let directory = PathBuf::from(std::env::var_os("LB_TEST_DIRECTORY").unwrap());
    match life.as_str() {
        "commits-and-is-killed" => {
            let host = Host::open(&directory, "WAL");
            library().backup(&host.path, host.beside("copy.db")).run().unwrap();
            // A visitor who took himself for the last user would unlink the -wal.
            outside(&host.path, "SELECT count(*) FROM t");
            for _ in 0..LATE {
                host.sqlite.execute_batch("INSERT INTO t(payload) VALUES('late')").unwrap();
            }
            Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap();
        }
        "panics-twice" => {
            let host = Host::open(&directory, "WAL");
            let backup = library().backup(&host.path, host.beside("copy.db.zst")).rate(1).chunk_size(65536);
            let captured = PanicsWhenDropped;
            let panics = move |_: &_| {
                let _ = &captured;
                panic!("of the callback");
            };
            let job = backup.on_progress(panics).start().unwrap();
            let payload = catch_unwind(AssertUnwindSafe(|| job.wait())).unwrap_err();
            assert_eq!(*payload.downcast::<&str>().unwrap(), "of the callback");
            assert_eq!(job.wait().unwrap_err().status, Status::Cancelled);
        }
        "exits-with-a-job" => {
            let host = Host::open(&directory, "WAL");
            let _job = host.held("copy.db");
            std::process::exit(7);
        }
        "forks" => {
            let host = Host::open(&directory, "WAL");
            let mut job = host.held("copy.db");
            // SAFETY: the child ends by _exit, and the C library keeps its allocator usable across a fork.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: both take a number. A child that waits for ever is ended by the alarm.
                unsafe { libc::alarm(10) };
                let kept = all_is_wrong_process(&host, &mut job);
                unsafe { libc::_exit(if kept { 0 } else { 1 }) };
            }
            let mut status = 0;
            // SAFETY: the status outlives the call.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0, "the child: exit status {}, signal {}", status >> 8, status & 0x7f);
            job.cancel().unwrap();
            assert_eq!(job.wait().unwrap_err().status, Status::Cancelled);
        }
        "configures" => {
            let host = Host::open(&directory, "WAL");
            let (send, receive) = mpsc::channel();
            let log = move |level, line: &str| send.send((level, line.to_owned())).unwrap();
            library().configure().workers(1).priority(Priority::Normal).on_log(log).apply().unwrap();
            let warned = |dest: &str| library().backup(&host.path, host.beside(dest)).reuse(&host.path).run().unwrap();
            warned("copy.db.zst");
            let (level, line) = receive.recv().unwrap();
            assert!(level == LogLevel::Warning && line.contains("game.db"), "{line}");
            let refused = library().configure().on_log(|_, _| ()).apply().unwrap_err();
            assert_eq!(refused.status, Status::Busy);
            library().shutdown(Duration::MAX).unwrap();
            let wrong = library().configure().workers(65).apply().unwrap_err();
            assert!(wrong.status == Status::InvalidArgument && wrong.message.contains("workers"), "{wrong}");
            let (send, receive) = mpsc::channel();
            let panics = move |_, _: &str| {
                send.send(()).unwrap();
                panic!("of the log");
            };
            library().configure().max_concurrent_jobs(1).queue_length(1).on_log(panics).apply().unwrap();
            warned("again.db.zst");
            receive.recv().unwrap();
            let _one = host.held("one.db");
            let _two = library().backup(&host.path, host.beside("two.db")).start().unwrap();
            let full = library().backup(&host.path, host.beside("three.db")).start().err().unwrap();
            assert_eq!(full.status, Status::QueueFull);
        }
        journal => {
            if transaction(&directory, journal).is_err() {
                std::process::exit(STRUCK);
            }
        }
    }
}

/// In the child of a fork, with a job of its parent.
fn all_is_wrong_process(host: &Host, job: &mut Job) -> bool {
    let mut told = vec![
        job.wait().map(drop),
        job.progress().map(drop),
        job.cancel(),
        library().inspect(&host.path).map(drop),
        library().backup(&host.path, host.beside("child.db")).start().map(drop),
    ];
    job.updates().for_each(drop);
    if let Poll::Ready(outcome) = Pin::new(job).poll(&mut Context::from_waker(Waker::noop())) {
        told.push(outcome.map(drop));
    }
    told.len() == 6 && told.iter().all(|one| one.as_ref().is_err_and(|error| error.status == Status::WrongProcess))
}

#[test]
fn child_after_fork_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    assert!(become_child("forks", directory.path(), &[]).success());
}

#[test]
fn configure_sets_limits_and_passes_the_log_on() {
    let directory = tempfile::tempdir().unwrap();
    assert!(become_child("configures", directory.path(), &[]).success());
}

#[test]
fn commit_after_backup_then_crash_keeps_all_rows() {
    use std::os::unix::process::ExitStatusExt;
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(become_child("commits-and-is-killed", directory.path(), &[]).signal(), Some(9));
    assert_eq!(rows(&directory.path().join("game.db")), sound(ROWS + LATE));
    assert_eq!(rows(&directory.path().join("copy.db")), sound(ROWS));
}

#[test]
fn exit_with_a_job_running_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(become_child("exits-with-a-job", directory.path(), &[]).code(), Some(7));
    for entry in directory.path().read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with("game.db"), "left: {name}");
    }
    assert_eq!(rows(&directory.path().join("game.db")), sound(ROWS));
}

// The tests above see what they are there to see: with the library's protection off the hazard strikes.
#[test]
fn without_isolation_the_outsider_gets_in_and_rows_are_lost() {
    let Ok(hooks) = std::env::var("LB_BACKUP_HOOKS_LIBRARY") else { return };
    for (switch, code) in [("", 0), ("no-isolation", STRUCK)] {
        for journal in ["DELETE", "WAL"] {
            let directory = tempfile::tempdir().unwrap();
            let environment = [("LB_BACKUP_LIBRARY", hooks.as_str()), ("LB_BACKUP_TEST_HOOKS", switch)];
            let ended = become_child(journal, directory.path(), &environment);
            assert_eq!(ended.code(), Some(code), "{journal} with {switch:?}");
        }
        // Without its locks the host may also find its shared memory cut short by the visitor, and end of that.
        let directory = tempfile::tempdir().unwrap();
        let environment = [("LB_BACKUP_LIBRARY", hooks.as_str()), ("LB_BACKUP_TEST_HOOKS", switch)];
        let ended = become_child("commits-and-is-killed", directory.path(), &environment);
        assert!(!ended.success());
        let left = outside(&directory.path().join("game.db"), "SELECT count(*) FROM t");
        assert_eq!(left == (ROWS + LATE).to_string(), code == 0, "{left} rows with {switch:?}");
    }
}
