//! bench [ROUNDS]: what this client costs over C, for a database of 1 MiB; and what loading the library costs.
//!
//!   LB_BACKUP_LIBRARY=... cargo run --release --example bench
//!
//! Backups by clients/bench.c and by each way of this client in turn, so that whatever disturbs the machine disturbs all;
//! each in a process of its own that is asked through a pipe, so that the scheduler treats all alike.

use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::pin::Pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

use lb_backup_client::{Job, Library, Outcome};

const WARM_UP: usize = 3; // the first ones start threads and fill caches
const PROCESSES: usize = 100;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn awaited(mut job: Job) -> Outcome {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match Pin::new(&mut job).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome.unwrap(),
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Median, least and most.
fn spread(times: &mut [f64]) -> (f64, f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0], times[times.len() - 1])
}

/// What clients/bench.c does, by this client.
fn serve(wait: fn(Job) -> Outcome, source: &str, dest: &str) {
    let library = Library::load().unwrap();
    for _ in std::io::stdin().lines() {
        let before = Instant::now();
        wait(library.backup(source, dest).start().unwrap());
        let taken = before.elapsed();
        std::fs::remove_file(dest).unwrap();
        println!("{}", taken.as_nanos());
    }
}

struct Way {
    name: &'static str,
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    taken: Vec<f64>,
}

impl Way {
    fn start(name: &'static str, command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (asks, answers) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { name, process, asks, answers, taken: Vec::new() }
    }

    fn milliseconds(&mut self) -> f64 {
        self.asks.write_all(b"\n").unwrap();
        let mut nanoseconds = String::new();
        self.answers.read_line(&mut nanoseconds).unwrap();
        nanoseconds.trim().parse::<f64>().unwrap() / 1e6
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["load"] => {
            let before = Instant::now();
            Library::load().unwrap();
            println!("{}", before.elapsed().as_nanos());
        }
        ["wait", source, dest] => serve(|job| job.wait().unwrap(), source, dest),
        ["await", source, dest] => serve(awaited, source, dest),
        [] => measure(200),
        [rounds] => measure(rounds.parse().unwrap()),
        _ => panic!("usage: bench [ROUNDS]"),
    }
}

fn measure(rounds: usize) {
    let path = std::env::var("LB_BACKUP_LIBRARY").expect("LB_BACKUP_LIBRARY names the library");
    let directory = tempfile::tempdir().unwrap();
    let [source, dest, program] = ["source.db", "dest.db", "bench"].map(|name| directory.path().join(name));
    let clients = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-O2", "-I", &format!("{clients}/../include"), &format!("{clients}/bench.c"), "-o"]);
    assert!(cc.arg(&program).status().unwrap().success());
    let sqlite = rusqlite::Connection::open(&source).unwrap();
    sqlite
        .execute_batch(
            "CREATE TABLE t(x);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000)
             INSERT INTO t SELECT randomblob(1000) FROM n;",
        )
        .unwrap();
    println!("database of {} bytes, {rounds} rounds", source.metadata().unwrap().len());

    let this = std::env::current_exe().unwrap();
    let mut ways = vec![Way::start("C", Command::new(&program).arg(path).arg(&source).arg(&dest))];
    for name in ["wait", "await"] {
        ways.push(Way::start(name, Command::new(&this).arg(name).arg(&source).arg(&dest)));
    }
    for round in 0..rounds + WARM_UP {
        ways.rotate_left(1); // none is always the first
        for way in &mut ways {
            let ms = way.milliseconds();
            if round >= WARM_UP {
                way.taken.push(ms);
            }
        }
    }
    ways.sort_by_key(|way| way.name);
    let (base, ..) = spread(&mut ways[0].taken);
    for Way { name, mut process, asks, mut taken, .. } in ways {
        drop(asks);
        process.wait().unwrap();
        let (median, least, _) = spread(&mut taken);
        println!("{name:5} median {median:.3} ms, {:+.3} ms over C; least {least:.3} ms", median - base);
    }

    let mut loads: Vec<f64> = Vec::new();
    for _ in 0..PROCESSES {
        let said = Command::new(&this).arg("load").output().unwrap().stdout;
        loads.push(String::from_utf8(said).unwrap().trim().parse::<f64>().unwrap() / 1e6);
    }
    let (median, least, most) = spread(&mut loads);
    println!("load  median {median:.3} ms, least {least:.3} ms, most {most:.3} ms, of {PROCESSES} new processes");
}
