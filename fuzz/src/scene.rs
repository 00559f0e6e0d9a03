//! A directory of its own for each input, in memory where there is such a file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest file that an input may make the library write. The rest is a full disk to it (setrlimit(2), RLIMIT_FSIZE).
const LARGEST_FILE: u64 = 64 << 20;

pub struct Scene {
    directory: PathBuf,
}

impl Scene {
    pub fn new() -> Scene {
        static LIMITED: Once = Once::new();
        LIMITED.call_once(limit_files);
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = parent().join(format!("lb_backup-fuzz-{}-{number}", std::process::id()));
        std::fs::create_dir(&directory).expect("a directory for the scene");
        Scene { directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file of the scene");
        path
    }

    /// Everything that is there, with its content.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(&self.directory).expect("the scene can be listed");
        entries
            .map(|entry| {
                let entry = entry.expect("an entry of the scene");
                let name = entry.file_name().into_string().expect("the library makes names of ASCII");
                (name, std::fs::read(entry.path()).expect("a file of the scene"))
            })
            .collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Released jobs may still be tidying.
        while let Err(error) = std::fs::remove_dir_all(&self.directory) {
            match error.kind() {
                std::io::ErrorKind::NotFound => return,
                std::io::ErrorKind::DirectoryNotEmpty => {}
                _ => panic!("cannot remove {:?}: {error}", self.directory),
            }
        }
    }
}

fn parent() -> PathBuf {
    match std::env::var_os("TMPDIR") {
        None if Path::new("/dev/shm").is_dir() => "/dev/shm".into(),
        _ => std::env::temp_dir(),
    }
}

fn limit_files() {
    let limit = libc::rlimit { rlim_cur: LARGEST_FILE, rlim_max: LARGEST_FILE };
    // SAFETY: plain settings of this process; both arguments are valid.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
}
