//! The keys file beside the process that has it: read, never written.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use super::{By, Context, Error, KEYS_NAME, KeyService, TOMBSTONES_NAME, service::format, upkeep::create_new};
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
    directory: &Path,
    root: &RootKey,
    name: &str,
    context: &Context,
    text: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (path, file) = reader(directory)?;
    file.execute_batch("PRAGMA query_only = ON")?;
    format(&file, &path)?;
    let soft = Arc::new(Soft::new()?);
    let handle = soft.import(KeyKind::Sm4, root.expose())?;
    let expected: Vec<u8> = file.query_row("SELECT check_value FROM root", [], |row| row.get(0))?;
    if soft.check_value(handle)?.as_slice() != expected {
        return Err(Error::Root { path });
    }
    let provider: Arc<dyn Provider> = Arc::clone(&soft) as _;
    let service = KeyService::around(path, provider, Some(soft), Connection::open_in_memory()?, None);
    // One moment of the file for all that is read.
    let seen = file.unchecked_transaction()?;
    let open = service.load(&seen, handle)?;
    let keys = service.load_keys(&seen, &open, Some(name))?;
    *open.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    let key = service.key(&open, name)?;
    service.open_under(&By::new("", "", 0), &key, &mut 0, context, text)
}

/// Copies the keys file of a directory, and the tombstones if there are any, into new files of mode 0600, while another process
/// may have the key service. As secret as the file: worthless without the root key.
///
/// # Errors
/// [`Error::Io`] if a target exists or cannot be made; [`Error::File`] if there is no keys file; [`Error::Database`].
pub fn copy(directory: &Path, keys: &Path, tombstones: &Path) -> Result<bool, Error> {
    // Before the tombstones: what is destroyed between the two has its tombstone in the copy.
    let (_, file) = reader(directory)?;
    create_new(keys)?;
    file.execute("VACUUM INTO ?1", [keys.to_string_lossy()])?;
    let stones = directory.join(TOMBSTONES_NAME);
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

fn reader(directory: &Path) -> Result<(PathBuf, Connection), Error> {
    let path = directory.join(KEYS_NAME);
    if !path.exists() {
        return Err(Error::File { path, reason: "there is no key service here yet; make one" });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok((path.clone(), Connection::open_with_flags(&path, flags)?))
}
