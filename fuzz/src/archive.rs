//! A hostile backup file: inspected, verified, restored.

use super::api::{self, CORRUPT, Failure, NOT_A_DATABASE, Outcome, Sized32, Status, UNSUPPORTED};
use super::input::Input;
use super::reseal;
use super::scene::Scene;
use lb_backup::ffi::*;
use std::io::Write;

/// What a file has to have against itself, and nobody else.
const OF_THE_FILE: [Status; 3] = [CORRUPT, NOT_A_DATABASE, UNSUPPORTED];

/// A database in use for restores to end in: 512-byte pages, journal mode DELETE.
const LIVE: &[u8] = include_bytes!("../live.db");

/// The first byte says what is done, the second what the rest is.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let wanted = input.byte();
    let Some(file) = backup_file(&mut input) else { return };
    let scene = Scene::new();
    let archive = scene.write("archive", &file);
    let unchanged = |what: &str| {
        let files = scene.files();
        assert!(files.len() == 1 && files["archive"] == file, "{what} left {:?}", files.keys());
    };

    let told = api::inspect(&archive);
    let quick = of_the_file(api::verify(&archive, false));
    let full = of_the_file(api::verify(&archive, true));
    unchanged("verifying");
    // Whoever looks closer finds more.
    assert!(told.is_ok() || quick.is_err(), "inspect: {:?}, verify: OK", told.err());
    assert!(quick.is_ok() || full.is_err(), "quick verification: {:?}, full: OK", quick.err());
    if let (Ok(info), Ok(verified)) = (&told, &full) {
        let known = [(info.pages, verified.pages), (info.image_bytes, verified.image_bytes)];
        assert!(known.iter().all(|(told, found)| *told == 0 || told == found), "{known:?}");
    }

    let strictly = u32::from(wanted % 3);
    let restored = scene.path("restored.db");
    let options = lb_restore_options { verify: strictly, busy_timeout_ms: 1, ..Sized32::new() };
    let outcome = of_the_file(api::restore(&archive, &restored, &options));
    agrees(strictly, &outcome, &quick, &full);
    match outcome {
        Err(_) => unchanged("a restore that failed"),
        Ok(result) => {
            let image = std::fs::read(&restored).expect("a restore has made a file");
            assert_eq!(image.len() as u64, result.image_bytes);
            round_trip(&scene, &image, full.is_ok());
        }
    }

    if wanted & 0x80 != 0 {
        restore_onto_live(&scene, strictly, &file, &quick, &full);
    }
}

fn backup_file(input: &mut Input<'_>) -> Option<Vec<u8>> {
    Some(match input.byte() % 6 {
        0 => input.rest().to_vec(),
        1 => reseal::archive(input.rest(), true)?,
        2 => reseal::archive(input.rest(), false)?,
        3 => reseal::composed(input),
        4 => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(input.rest()).ok()?;
            gzip.finish().ok()?
        }
        _ => zstd::encode_all(input.rest(), 1).ok()?,
    })
}

/// An outcome that the system has no part in: but for the limit of what may be written.
fn of_the_file(outcome: Outcome) -> Outcome {
    if let Err(Failure { status, message, .. }) = &outcome {
        assert!(OF_THE_FILE.contains(status) || is_too_large(*status), "{status}: {message}");
    }
    outcome
}

fn is_too_large(status: Status) -> bool {
    status == api::NO_SPACE
}

fn error_of(outcome: &Outcome) -> Option<&Failure> {
    outcome.as_ref().err()
}

/// A restore demands no more and no less than the verification that it says it makes.
fn agrees(strictly: u32, restored: &Outcome, quick: &Outcome, full: &Outcome) {
    let refused_for_size = restored.as_ref().is_err_and(|failure| is_too_large(failure.status));
    assert!(
        full.is_err() || restored.is_ok() || refused_for_size,
        "verified, and not restored: {:?}",
        error_of(restored)
    );
    let demanded = match strictly {
        LB_VERIFY_QUICK => quick,
        LB_VERIFY_FULL => full,
        _ => restored,
    };
    let is_met = demanded.as_ref().map_or_else(Failure::is_of_check_constraints, |_| true);
    assert!(is_met || restored.is_err(), "restored, and not verified: {:?}", error_of(demanded));
}

/// What was restored is a database like any other: backed up and restored again it is the same. One whose image was not
/// judged may be one that SQLite does not take.
fn round_trip(scene: &Scene, image: &[u8], judged: bool) {
    let (restored, again) = (scene.path("restored.db"), scene.path("again.db"));
    let archive = scene.path("again.db.zst");
    let options = lb_backup_options { busy_timeout_ms: 1, ..Sized32::new() };
    match api::backup(&restored, &archive, &options) {
        Err(failure) => {
            let unjudged = !judged || failure.is_of_check_constraints();
            assert!(unjudged && OF_THE_FILE.contains(&failure.status), "{failure:?}");
            assert!(!archive.exists());
        }
        Ok(_) => {
            let result = api::restore(&archive, &again, &Sized32::new());
            assert!(result.is_ok(), "{:?}", result.err());
            assert!(std::fs::read(&again).expect("it was restored") == image, "the round trip changed the image");
        }
    }
}

fn restore_onto_live(scene: &Scene, strictly: u32, file: &[u8], quick: &Outcome, full: &Outcome) {
    let live = scene.write("live.db", LIVE);
    let archive = scene.path("archive");
    let options =
        lb_restore_options { existing: LB_EXISTING_REPLACE, verify: strictly, busy_timeout_ms: 1, ..Sized32::new() };
    let outcome = of_the_file(api::restore(&archive, &live, &options));
    agrees(strictly, &outcome, quick, full);
    let left = scene.files();
    assert!(left["archive"] == file);
    if outcome.is_err() {
        assert!(left["live.db"] == LIVE, "a restore that failed changed its destination");
        let beside: Vec<_> = left.keys().filter(|name| name.starts_with("live.db-") || name.starts_with('.')).collect();
        assert!(beside.is_empty(), "a restore that failed left {beside:?}");
    } else if full.is_ok() {
        let judged = api::verify(&live, true);
        let is_sound = judged.as_ref().map_or_else(Failure::is_of_check_constraints, |_| true);
        assert!(is_sound, "what was restored is damaged: {:?}", error_of(&judged));
    }
}
