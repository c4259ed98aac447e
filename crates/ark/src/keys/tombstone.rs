//! Destroyed versions, in a file beside `keys.db` that only grows: put back from an older backup, the keys file would
//! have them again, so they are destroyed again before service.
//!
//! A line each: `UID VERSION TIME MAC`, the MAC (HMAC-SM3 of the row key) over the line and the MAC before it.
//!
//! Invariants: a tombstone is on disk before its version's row is emptied; a line that was altered or taken out of the
//! middle stops the unsealing. A line cut short at the end is one whose destruction never came about.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{Error, row::RowKey};
use crate::key_file::sync_directory_of;

/// Name of the file beside the keys file.
pub const TOMBSTONES_NAME: &str = "keys.tombstones";

pub(super) struct Tombstone {
    pub(super) uid: [u8; 16],
    pub(super) version: u32,
}

fn body(stone: &Tombstone, at: i64) -> String {
    format!("{} {} {at}", hex::encode(stone.uid), stone.version)
}

fn message(body: &str, before: &str) -> Vec<u8> {
    format!("lintel/ark/tombstone/1/{before}/{body}").into_bytes()
}

fn content(path: &Path) -> Result<String, Error> {
    match fs::read(path) {
        // A line that was cut short ends the file; what stands before it counts.
        Ok(bytes) => {
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            String::from_utf8(bytes[..whole].to_vec()).map_err(|_| damaged(path, 1))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(Error::Io { action: "read", path: path.to_owned(), source }),
    }
}

fn damaged(path: &Path, line: usize) -> Error {
    Error::Damaged { row: format!("line {line}"), path: path.to_owned() }
}

pub(super) fn read(path: &Path, key: RowKey<'_>) -> Result<Vec<Tombstone>, Error> {
    let text = content(path)?;
    let mut before = String::new();
    let mut stones = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let wrong = || damaged(path, place + 1);
        let (body, mac) = line.rsplit_once(' ').ok_or_else(wrong)?;
        if !key.fits(&message(body, &before), &hex::decode(mac).map_err(|_| wrong())?) {
            return Err(wrong());
        }
        let [uid, version, _] = body.split(' ').collect::<Vec<_>>()[..] else { return Err(wrong()) };
        let mut bytes = [0; 16];
        hex::decode_to_slice(uid, &mut bytes).map_err(|_| wrong())?;
        stones.push(Tombstone { uid: bytes, version: version.parse().map_err(|_| wrong())? });
        before = mac.to_owned();
    }
    Ok(stones)
}

/// Appends one, durably.
pub(super) fn append(path: &PathBuf, key: RowKey<'_>, stone: &Tombstone, at: i64) -> Result<(), Error> {
    let text = content(path)?;
    let before = text.lines().last().and_then(|line| line.rsplit_once(' ')).map_or("", |(_, mac)| mac);
    let body = body(stone, at);
    let line = format!("{body} {}\n", hex::encode(key.tag(&message(&body, before))?));
    let failed = |action| move |source| Error::Io { action, path: path.clone(), source };
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed("open"))?;
    // Over a line that was cut short, if there is one.
    file.set_len(text.len() as u64).map_err(failed("cut"))?;
    io::Seek::seek(&mut file, io::SeekFrom::End(0)).map_err(failed("append to"))?;
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed("append to"))?;
    sync_directory_of(path).map_err(Error::KeyFile)
}
