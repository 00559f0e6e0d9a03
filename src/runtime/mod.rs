//! Threads: the root that isolates itself, the job and pool threads that it starts, the host-side callback thread; their
//! beginning, their end, and what a fork means.

mod callbacks;
mod descriptors;
mod isolation;
mod pool;
mod queue;

pub use callbacks::{LogLevel, LogSink, Observer, in_callback, is_completing};
pub use descriptors::{Connection, GuardedFile};
pub use isolation::disk::write_out;
pub use isolation::fork::in_child;
pub use pool::{Pool, Window};

use crate::error::{Error, Result, Status};
use crate::job::{Job, Report};
use callbacks::Callbacks;
use isolation::thread::{SignalsBlocked, yield_to_host};
use isolation::{Proof, enter, fork};
use parking_lot::{Condvar, Mutex};
pub use queue::Entry;
use queue::Queue;
use std::os::fd::{OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// A moment at which any other thread that waits for this processor gets it. Linux lets a thread that has begun to compute
/// go on for some milliseconds when one with a better priority wakes up (sched(7)): too late for a frame. Called every
/// fraction of a millisecond by whoever computes for long.
pub fn give_way() {
    std::thread::yield_now();
}

/// What a job does, on the I/O side. The report is told whatever the result.
pub type Work = Box<dyn FnOnce(&Context, &mut Report) -> Result<()> + Send>;

/// One kind of job: what was asked for, checked and done.
pub trait Operation: Send + 'static {
    /// Finds what can be told on the host side, without opening anything. Tells the size of what is to be read, in bytes.
    fn check(&self) -> Result<u64>;
    /// The file that the job is about, for lists of jobs.
    fn target(&self) -> &Path;
    /// The job, on the I/O side.
    fn run(&self, context: &Context, report: &mut Report) -> Result<()>;
}

/// Tasks beyond which [`Context::later`] puts nothing off: each holds a file open, and its disk space.
const LATER_LIMIT: usize = 16;

/// What a running job has at hand.
pub struct Context {
    /// Itself.
    pub job: Arc<Job>,
    shared: Arc<Shared>,
}

impl Context {
    /// Threads for computing.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.shared.pool
    }

    /// For tasks that compute: as many as keep every thread busy while one result is being used.
    pub fn window<T: Send + 'static>(&self) -> Window<'_, T> {
        Window::new(&self.shared.pool, &self.job, self.shared.pool.workers() + 1)
    }

    /// For tasks that may block for long, at most `capacity` at a time.
    pub fn blocking_window<T: Send + 'static>(&self, capacity: usize) -> Window<'_, T> {
        Window::new(&self.shared.blocking, &self.job, capacity)
    }

    /// Does what may block for long (an fsync), on another thread of the I/O side; an error as soon as the job is
    /// cancelled, while that goes on.
    pub fn blocking<T: Send + 'static>(&self, body: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let mut window = self.blocking_window(1);
        window.submit(body);
        let lost = || Error::new(Status::Internal, "a task of the blocking threads was lost");
        window.next()?.ok_or_else(lost)
    }

    /// Does on another thread of the I/O side what nobody has to wait for; here and now if too much waits there already.
    pub fn later(&self, body: impl FnOnce() + Send + 'static) {
        if self.shared.blocking.pending() < LATER_LIMIT {
            self.shared.blocking.submit(Some(&self.job), body);
        } else {
            body();
        }
    }

    /// A line for the host's log.
    pub fn log(&self, level: LogLevel, message: impl Into<String>) {
        self.shared.callbacks.log(level, message.into());
    }
}

/// Settings of the whole library; `Default` is what nobody asked otherwise.
#[derive(Clone)]
pub struct Config {
    /// Threads for computing.
    pub workers: usize,
    /// Jobs at the same time.
    pub max_concurrent_jobs: usize,
    /// Jobs that may wait.
    pub queue_length: usize,
    /// The pool yields to the host.
    pub background: bool,
    /// Go on without isolation: the caller knows that no other SQLite of this process has a source open.
    pub source_not_open_in_process: bool,
    /// Where warnings go.
    pub log: Option<LogSink>,
}

impl Default for Config {
    fn default() -> Config {
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        Config {
            workers: processors.min(64),
            // Small jobs wait for the disk most of the time.
            max_concurrent_jobs: (processors + 2).clamp(4, 8),
            queue_length: 4096,
            background: true,
            source_not_open_in_process: false,
            log: None,
        }
    }
}

enum State {
    Idle,
    Running(Arc<Runtime>),
    /// What ran, if anything did; those whose start has failed end with it.
    ShuttingDown(Option<Arc<Runtime>>),
}

struct Global {
    config: Option<Config>,
    state: State,
    /// Those whose start has failed, until their threads have ended.
    failed: Vec<Arc<Runtime>>,
}

static GLOBAL: Mutex<Global> = Mutex::new(Global { config: None, state: State::Idle, failed: Vec::new() });

/// Sets the configuration for the next start.
pub fn configure(config: Config) -> Result<()> {
    let mut global = GLOBAL.lock();
    match global.state {
        State::Idle if global.failed.iter().any(|runtime| runtime.shared.callbacks.is_logging()) => {
            let message =
                "lb_configure: the log function is still told of a start that failed; lb_shutdown waits until it was";
            return Err(Error::new(Status::Busy, message));
        }
        State::Idle => global.config = Some(config),
        _ => {
            let message =
                "lb_configure: the library already runs; configure it before its first job or after lb_shutdown";
            return Err(Error::new(Status::Busy, message));
        }
    }
    Ok(())
}

/// Puts a job into the queue; starts the threads if there are none.
pub fn submit(entry: Entry) -> Result<()> {
    let runtime = running()?;
    let (queue, callbacks) = (&runtime.shared.queue, &runtime.shared.callbacks);
    if entry.observer.is_none() {
        return queue.push(entry);
    }
    callbacks.expect();
    queue.push(entry).inspect_err(|_| callbacks.expect_no_more())
}

/// Does something short on a thread of the I/O side, and waits for it; starts the threads if there are none.
pub fn on_io_side<T: Send + 'static>(body: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let runtime = running()?;
    let (sender, receiver) = channel();
    let task = move || {
        let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Error::from_panic(&*panic)));
        // Somebody waits for it below.
        let _ = sender.send(result);
    };
    runtime.shared.blocking.submit(None, task);
    // Without a thread left to do it, the task is dropped, and its end of the channel.
    drop(runtime);
    receiver.recv().unwrap_or_else(|_| Err(Error::new(Status::ShutDown, "the library is shutting down")))
}

fn running() -> Result<Arc<Runtime>> {
    let mut global = GLOBAL.lock();
    match &global.state {
        State::Running(runtime) => Ok(Arc::clone(runtime)),
        State::ShuttingDown(_) => Err(Error::new(Status::ShutDown, "the library is shutting down")),
        State::Idle => {
            let config = global.config.clone().unwrap_or_default();
            let (runtime, started) = Runtime::start(&config, global.failed.clone())?;
            let runtime = Arc::new(runtime);
            match started {
                Ok(()) => global.state = State::Running(Arc::clone(&runtime)),
                // Nobody waits for its threads here: the host's log function may be running, and want this lock.
                Err(error) => {
                    runtime.shared.callbacks.close();
                    global.failed.retain(|earlier| !earlier.has_ended());
                    global.failed.push(runtime);
                    return Err(error);
                }
            }
            Ok(runtime)
        }
    }
}

/// Asks a job to stop. One that still waits in the queue ends at once.
pub fn cancel(job: &Arc<Job>) {
    job.control.cancel();
    let runtime = match &GLOBAL.lock().state {
        State::Idle | State::ShuttingDown(None) => return,
        State::Running(runtime) | State::ShuttingDown(Some(runtime)) => Arc::clone(runtime),
    };
    if let Some(entry) = runtime.shared.queue.remove(job) {
        runtime.shared.end_unbegun(entry);
    }
}

/// Cancels every job, joins every thread, and forgets the configuration. False if `deadline` came first; the threads go on
/// ending.
pub fn shutdown(deadline: Option<Instant>) -> bool {
    let ending = {
        let mut global = GLOBAL.lock();
        global.failed.retain(|earlier| !earlier.has_ended());
        let runtime = match &global.state {
            State::Idle if global.failed.is_empty() => {
                global.config = None;
                return true;
            }
            State::Idle => None,
            State::Running(runtime) => Some(Arc::clone(runtime)),
            State::ShuttingDown(runtime) => runtime.clone(),
        };
        global.state = State::ShuttingDown(runtime.clone());
        global.failed.iter().cloned().chain(runtime).collect::<Vec<_>>()
    };
    for runtime in &ending {
        runtime.shared.close();
    }
    if !ending.iter().all(|runtime| runtime.join(deadline)) {
        return false;
    }
    let mut global = GLOBAL.lock();
    let is_gone = |runtime: &Arc<Runtime>| ending.iter().any(|other| Arc::ptr_eq(other, runtime));
    global.failed.retain(|runtime| !is_gone(runtime));
    // Unless another call has ended this shutdown, and a later one goes on.
    if global.failed.is_empty()
        && matches!(&global.state, State::ShuttingDown(runtime) if runtime.as_ref().is_none_or(is_gone))
    {
        global.state = State::Idle;
        // With its log function, whose data the host may free from here on.
        global.config = None;
    }
    true
}

struct Runtime {
    shared: Arc<Shared>,
    /// The root and the callback thread; the root joins all others.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    config: Config,
    queue: Queue,
    pool: Arc<Pool>,
    /// As many threads as jobs, for what may block for long.
    blocking: Pool,
    callbacks: Callbacks,
    io_side_gone: Flag,
    host_side_gone: Flag,
}

impl Shared {
    /// A job's life on a job thread.
    fn run(self: &Arc<Self>, entry: Entry) {
        let Entry { job, work, observer, .. } = entry;
        let mut report = Report { waiting: job.accepted().0.elapsed(), ..Report::default() };
        job.progress.set_running();
        if let Some(observer) = &observer {
            self.callbacks.watch(&job, observer);
        }
        let context = Context { job: Arc::clone(&job), shared: Arc::clone(self) };
        let result = catch_unwind(AssertUnwindSafe(|| {
            if crate::hooks::on("panic-in-job") {
                panic!("a test asked for it");
            }
            work(&context, &mut report)
        }))
        .unwrap_or_else(|panic| Err(Error::from_panic(&*panic)));
        self.queue.done(&job);
        self.end(job, observer, result, report);
    }

    /// Tells a job's outcome to everybody.
    fn end(&self, job: Arc<Job>, observer: Option<Arc<dyn Observer>>, result: Result<()>, report: Report) {
        job.end(result, report);
        match observer {
            Some(observer) => self.callbacks.end(job, observer),
            None => job.finish(),
        }
    }

    /// The same, of a job that was cancelled in the queue.
    fn end_unbegun(&self, entry: Entry) {
        let report = Report { waiting: entry.job.accepted().0.elapsed(), ..Report::default() };
        self.end(entry.job, entry.observer, Err(Error::cancelled()), report);
    }

    /// Accepts nothing more and cancels everything.
    fn close(&self) {
        for entry in self.queue.close() {
            entry.job.control.cancel();
            self.end_unbegun(entry);
        }
    }
}

impl Runtime {
    /// Called on the host side. The threads inherit that side, until the root leaves it. Once there are threads, they come
    /// with what has become of the start. No callback before the last one of those that have failed.
    fn start(config: &Config, failed: Vec<Arc<Runtime>>) -> Result<(Runtime, Result<()>)> {
        fork::arm()?;
        let shared = Arc::new(Shared {
            queue: Queue::new(config.queue_length, config.max_concurrent_jobs),
            pool: Arc::new(Pool::new(config.workers)),
            blocking: Pool::new(config.max_concurrent_jobs),
            callbacks: Callbacks::new(config.log.clone()),
            io_side_gone: Flag::default(),
            host_side_gone: Flag::default(),
            config: config.clone(),
        });
        let proof = if crate::hooks::on("no-isolation") { None } else { Some(Proof::prepare()) };
        let proof = match proof {
            Some(Err(error)) if !config.source_not_open_in_process => return Err(error),
            Some(Err(_)) | None => None,
            Some(Ok(proof)) => Some(proof),
        };
        let (to_root, from_host) = channel();
        let (to_host, from_root) = channel();
        let threads = {
            let _blocked = SignalsBlocked::new();
            let host_side = Arc::clone(&shared);
            let callback_thread = spawn("lb-callbacks".into(), move || {
                for earlier in failed {
                    earlier.shared.host_side_gone.wait(None);
                }
                host_side.callbacks.run();
                host_side.host_side_gone.set();
            })?;
            let io_side = Arc::clone(&shared);
            let descriptor = proof.as_ref().map(Proof::descriptor);
            let root = spawn("lb-root".into(), move || {
                root(&io_side, descriptor, &to_host, &from_host);
                io_side.io_side_gone.set();
            });
            let root = root.inspect_err(|_| shared.callbacks.close())?;
            vec![callback_thread, root]
        };
        let runtime = Runtime { shared, threads: Mutex::new(threads) };
        // Without this end of the channel the root gives up.
        let started = runtime.greet_root(proof, &to_root, &from_root);
        Ok((runtime, started))
    }

    /// True if nothing of it goes on but the threads' own exit.
    fn has_ended(&self) -> bool {
        self.shared.io_side_gone.is_set() && self.shared.host_side_gone.is_set()
    }

    /// Waits for every thread, the callback thread at last. False if `deadline` came first.
    fn join(&self, deadline: Option<Instant>) -> bool {
        if !self.shared.io_side_gone.wait(deadline) {
            return false;
        }
        self.shared.callbacks.close();
        if !self.shared.host_side_gone.wait(deadline) {
            return false;
        }
        for thread in self.threads.lock().drain(..) {
            // Its body has returned; what remains is the thread's own exit. A panic was reported when it happened.
            let _ = thread.join();
        }
        true
    }

    /// The host side's half of the start: the root isolates itself, the proof is concluded, the pool is started.
    fn greet_root(&self, proof: Option<Proof>, to_root: &Sender<()>, from_root: &Receiver<Result<()>>) -> Result<()> {
        let lost = |_| Error::new(Status::Internal, "the library's root thread ended at its start");
        let isolated = from_root.recv().map_err(lost)?.and_then(|()| proof.map_or(Ok(()), Proof::conclude));
        match isolated {
            Err(error) if !self.shared.config.source_not_open_in_process => return Err(error),
            Err(error) => self.shared.callbacks.log(LogLevel::Warning, error.message),
            Ok(()) => {}
        }
        // A root that is gone says so by its silence.
        let _ = to_root.send(());
        from_root.recv().map_err(lost)?
    }
}

/// The root's life: the first thread of the I/O side, and the parent of all others there, so that they share its table
/// (SQLite keeps its descriptors in one list per process).
fn root(shared: &Arc<Shared>, proof: Option<RawFd>, to_host: &Sender<Result<()>>, from_host: &Receiver<()>) {
    let isolated: Result<Option<OwnedFd>> = proof.map(enter).transpose();
    let (lock, told) = match isolated {
        Ok(lock) => (lock, to_host.send(Ok(()))),
        Err(error) => (None, to_host.send(Err(error))),
    };
    if told.is_err() || from_host.recv().is_err() {
        return;
    }
    drop(lock);
    let mut pool_threads = Vec::new();
    let mut job_threads = Vec::new();
    let started = start_threads(shared, &mut pool_threads, &mut job_threads);
    if started.is_err() {
        shared.close();
    }
    let _ = to_host.send(started);
    // The jobs first: they wait for what the pool does for them.
    for thread in job_threads {
        let _ = thread.join();
    }
    shared.pool.close();
    shared.blocking.close();
    for thread in pool_threads {
        let _ = thread.join();
    }
}

fn start_threads(
    shared: &Arc<Shared>,
    pool_threads: &mut Vec<JoinHandle<()>>,
    job_threads: &mut Vec<JoinHandle<()>>,
) -> Result<()> {
    if shared.config.background {
        // Threads inherit it. A system that refuses leaves them at the host's own priority: no reason to refuse a backup.
        if let Err(error) = yield_to_host() {
            shared
                .callbacks
                .log(LogLevel::Warning, format!("cannot lower the priority of the pool's threads: {error}"));
        }
    }
    for index in 0..shared.config.workers {
        let shared = Arc::clone(shared);
        pool_threads.push(spawn(format!("lb-pool-{index}"), move || shared.pool.work())?);
    }
    for index in 0..shared.config.max_concurrent_jobs {
        let blocking = Arc::clone(shared);
        pool_threads.push(spawn(format!("lb-sync-{index}"), move || blocking.blocking.work())?);
        let shared = Arc::clone(shared);
        job_threads.push(spawn(format!("lb-job-{index}"), move || {
            while let Some(entry) = shared.queue.pop() {
                shared.run(entry);
            }
        })?);
    }
    Ok(())
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(body).map_err(|error| Error {
        sys_errno: error.raw_os_error().unwrap_or(0),
        ..Error::new(Status::OutOfMemory, format!("cannot start a thread: {error}"))
    })
}

/// Set once; can be waited for.
#[derive(Default)]
struct Flag {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Flag {
    fn set(&self) {
        *self.set.lock() = true;
        self.changed.notify_all();
    }

    fn is_set(&self) -> bool {
        *self.set.lock()
    }

    /// False if `deadline` came first.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut set = self.set.lock();
        while !*set {
            match deadline {
                None => self.changed.wait(&mut set),
                Some(deadline) if self.changed.wait_until(&mut set, deadline).timed_out() => return *set,
                Some(_) => {}
            }
        }
        true
    }
}
