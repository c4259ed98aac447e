//! The root key of the key service in a file of the data directory, for development: custodians hold it elsewhere.
//!
//! One line: `LINTEL-ARK-KEY 1 <key, 32 hex digits> <check, 8 hex digits>`, the check being the start of SM3 of the
//! key, so that a damaged file is told from a wrong one.
//!
//! Invariants: a key file is never overwritten and appears whole or not at all; it is not used while others than its
//! owner can reach it; it is made only where no vault is yet, because a new key opens nothing of an old vault.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use zeroize::Zeroizing;

use crate::{
    error::Error,
    hash::Sm3,
    random::random_bytes,
    sm4_gcm::{KEY_LENGTH, Sm4Key},
};

/// What `serve` says at start while the root key lies in a file.
pub const KEY_FILE_WARNING: &str = "the root key lies in the file ark.key beside the data: whoever copies the data \
     directory can read personal data and sign as anyone. Keep its backup elsewhere, without it no sealed field opens \
     again; where keys matter, deal the root key among custodians with `lintel ark init`";

const MAGIC: &str = "LINTEL-ARK-KEY";
const VERSION: &str = "1";
/// Far above the one line; a larger file is not a key file.
const SIZE_MAX: u64 = 256;
const RESTORE: &str = "its content is not a whole key line; put the file back from its backup";

/// The mode of a file that others than its owner may read, write or run; `None` of one that is its owner's alone.
#[must_use]
pub fn shared_mode(metadata: &fs::Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

/// The key in the file, or `None` if there is no file.
///
/// # Errors
/// [`Error::KeyFileMode`] if others than the owner have any permission, [`Error::KeyFileDamaged`] if it is not a whole
/// key file of this version, [`Error::File`] if it cannot be read.
pub fn read(path: &Path) -> Result<Option<Sm4Key>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error("open key file", path)(error)),
    };
    // Asked of the open file, not of the path: the answer is about the bytes read below.
    let metadata = file.metadata().map_err(file_error("read the mode of key file", path))?;
    if let Some(mode) = shared_mode(&metadata) {
        return Err(Error::KeyFileMode { path: path.to_owned(), mode });
    }
    let mut content = Zeroizing::new(Vec::with_capacity(SIZE_MAX as usize));
    file.take(SIZE_MAX).read_to_end(&mut content).map_err(file_error("read key file", path))?;
    parse(&content).map(Some).map_err(|reason| Error::KeyFileDamaged { path: path.to_owned(), reason })
}

/// Makes a key file with a random key; if another process made one meanwhile, that one's key is returned.
///
/// # Errors
/// [`Error::Random`] without random bytes, [`Error::File`] if the file cannot be written or synced, and those of
/// [`read`].
pub fn create(path: &Path) -> Result<Sm4Key, Error> {
    let key = Sm4Key::generate()?;
    // Written aside and linked into place: unlike a rename, a link never replaces a key that is already there.
    let aside = path.with_extension(format!("key.{}", hex::encode(random_bytes::<8>()?)));
    let written = write_new(&aside, &key);
    let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(file_error("link the new key into place as", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    });
    let removed = fs::remove_file(&aside).map_err(file_error("remove", &aside));
    linked.and(removed)?;
    sync_directory_of(path)?;
    read(path)?.ok_or_else(|| file_error("read back key file", path)(io::ErrorKind::NotFound.into()))
}

fn write_new(path: &Path, key: &Sm4Key) -> Result<(), Error> {
    let line = Zeroizing::new(format!("{MAGIC} {VERSION} {} {}\n", *hex_of(key), check_of(key.expose())));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(file_error("create key file", path))?;
    file.write_all(line.as_bytes()).map_err(file_error("write key file", path))?;
    file.sync_all().map_err(file_error("sync key file", path))
}

/// A new name is durable only once its directory is.
pub(crate) fn sync_directory_of(path: &Path) -> Result<(), Error> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(file_error("sync directory", directory))
}

fn parse(content: &[u8]) -> Result<Sm4Key, &'static str> {
    let line = std::str::from_utf8(content).ok().and_then(|text| text.strip_suffix('\n')).ok_or(RESTORE)?;
    let [magic, version, key, check] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(RESTORE) };
    if magic != MAGIC {
        return Err(RESTORE);
    }
    if version != VERSION {
        return Err("its version is not 1; run the program that wrote it");
    }
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    hex::decode_to_slice(key, &mut *bytes).map_err(|_| RESTORE)?;
    if check != check_of(&bytes) {
        return Err("its checksum does not fit its key; put the file back from its backup");
    }
    Ok(Sm4Key::from_bytes(*bytes))
}

fn hex_of(key: &Sm4Key) -> Zeroizing<String> {
    Zeroizing::new(hex::encode(key.expose()))
}

fn check_of(key: &[u8; KEY_LENGTH]) -> String {
    hex::encode(&Sm3::new().update(b"lintel/ark-key/1/").update(key).finish()[..4])
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { action, path, source }
}
