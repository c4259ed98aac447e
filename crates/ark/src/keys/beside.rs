//! The keys beside the process that has them: read, never written.

use std::{
    fs,
    path::Path,
    sync::{Arc, PoisonError},
};

use zeroize::Zeroizing;

use super::{
    By, Context, Error, Home, KeyService, TOMBSTONES_NAME,
    place::{self, Place, PlaceError},
    upkeep::create_new,
};
use crate::{
    ceremony::RootKey,
    key_file::sync_directory_of,
    provider::{KeyKind, Provider},
    soft::Soft,
};

/// Decrypts one value of a key for whoever has the root key, while another process may have the key service. The trail, which
/// is that process's, does not see it.
///
/// # Errors
/// [`Error::Root`] if it is another's root key; those of [`KeyService::decrypt`]; [`Error::File`] if there is no keys file.
pub fn open_beside(
    home: impl Into<Home>,
    root: &RootKey,
    name: &str,
    context: &Context,
    text: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let home = home.into();
    let mut place = Place::beside(&home)?;
    let soft = Arc::new(Soft::new()?);
    let handle = soft.import(KeyKind::Sm4, root.expose())?;
    // One moment of the rows for all that is read.
    let seen = place.read()?;
    let found = seen.first("SELECT check_value FROM root", &[])?.and_then(|row| row.get::<Vec<u8>>(0));
    if soft.check_value(handle)?.as_slice() != found.ok_or(PlaceError::Missing("the check value of the root key"))? {
        return Err(Error::Root { path: home.name() });
    }
    let provider: Arc<dyn Provider> = Arc::clone(&soft) as _;
    let service = KeyService::around(home, provider, Some(soft), Place::none()?, None);
    let open = service.load(&seen, handle)?;
    let keys = service.load_keys(&seen, &open, Some(name))?;
    *open.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    let key = service.key(&open, name)?;
    service.open_under(&By::new("", "", 0), &key, &mut 0, context, text)
}

/// Copies the keys into a file like `keys.db`, and the tombstones if there are any, both new and of mode 0600, while another process
/// may have the key service. As secret as the keys: worthless without the root key.
///
/// # Errors
/// [`Error::Io`] if a target exists or cannot be made; [`Error::File`] if there is no keys file; [`Error::Database`].
pub fn copy(home: impl Into<Home>, keys: &Path, tombstones: &Path) -> Result<bool, Error> {
    let home = home.into();
    // Before the tombstones: what is destroyed between the two has its tombstone in the copy.
    let mut place = Place::beside(&home)?;
    create_new(keys)?;
    place::backup(&mut place, keys)?;
    let stones = home.directory().join(TOMBSTONES_NAME);
    let there = stones.exists();
    if there {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { action, path, source }
        };
        let bytes = fs::read(&stones).map_err(failed("read", &stones))?;
        let mut to = create_new(tombstones)?;
        std::io::Write::write_all(&mut to, &bytes).map_err(failed("write", tombstones))?;
    }
    sync_directory_of(keys)?;
    Ok(there)
}
