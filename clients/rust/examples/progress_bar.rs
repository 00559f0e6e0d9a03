//! progress_bar SOURCE DEST: a backup with a progress bar. Ctrl-C ends the program; under the destination's name is then
//! nothing, or the whole backup.

use std::path::PathBuf;
use std::process::ExitCode;

use lb_backup_client::{Error, Library, Outcome, Progress};

const WIDTH: usize = 40;

fn draw(progress: &Progress) {
    let full = (progress.percent / 100.0 * WIDTH as f64) as usize;
    let left = progress.eta.map_or(String::new(), |eta| format!("{:4} s left", eta.as_secs()));
    let bar = "#".repeat(full) + &".".repeat(WIDTH - full);
    eprint!("\r{:11} [{bar}] {:5.1} % {left:11}", format!("{:?}", progress.phase).to_lowercase(), progress.percent);
}

fn backup(source: &PathBuf, dest: &PathBuf) -> Result<Outcome, Error> {
    Library::load()?.backup(source, dest).on_progress(draw).run()
}

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, dest] = arguments.as_slice() else {
        eprintln!("usage: progress_bar SOURCE DEST");
        return ExitCode::from(2);
    };
    match backup(source, dest) {
        Ok(outcome) => {
            eprintln!();
            println!("{}: {} bytes in {}", dest.display(), outcome.image_bytes, outcome.archive_bytes);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\n{error}");
            ExitCode::FAILURE
        }
    }
}
