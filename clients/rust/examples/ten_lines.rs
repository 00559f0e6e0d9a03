//! ten_lines SOURCE DEST

use std::io::Write;

fn backup(source: &str, dest: &str) -> Result<(), Box<dyn std::error::Error>> {
    let job = lb_backup_client::Library::load()?.backup(source, dest).start()?;
    for progress in job.updates() {
        print!("\r{:5.1} %", progress.percent);
        std::io::stdout().flush()?;
    }
    println!("\r100.0 %  {} bytes, verified", job.wait()?.archive_bytes);
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Err(error) = backup(&arguments[1], &arguments[2]) {
        eprintln!("\n{error}"); // the operation, the path, the reason
        std::process::exit(1);
    }
}
