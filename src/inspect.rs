//! What a backup file says about itself.

use crate::archive::{Damage, ImageHeader, Input, Kind, Manifest, Versions};
use crate::error::Result;
use std::path::Path;
use std::time::SystemTime;

/// All that can be told from a few kilobytes of a backup file.
pub struct About {
    /// What it is.
    pub kind: Kind,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Of an archive of ours.
    pub manifest: Option<Manifest>,
    /// Of an archive of ours, and of a plain database.
    pub image: Option<ImageHeader>,
    /// What wrote it, as far as it says so.
    pub versions: Versions,
    /// When it was made; of anything but an archive of ours, when it was last modified.
    pub created: Option<SystemTime>,
}

/// On the I/O side.
pub fn read(path: &Path) -> Result<About> {
    let input = Input::open(path).map_err(Damage::into_error)?;
    let manifest = input.index().map(|index| index.manifest.clone());
    let image = input.image_header();
    Ok(About {
        kind: input.kind(),
        file_bytes: input.file_bytes(),
        versions: match (&manifest, &image) {
            (Some(manifest), _) => manifest.written_by.clone(),
            (None, Some(image)) => Versions { sqlite: image.sqlite_version(), ..Versions::default() },
            (None, None) => Versions::default(),
        },
        created: manifest.as_ref().map_or_else(|| input.modified(), |manifest| Some(manifest.created)),
        manifest,
        image,
    })
}
