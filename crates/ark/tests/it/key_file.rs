//! The key file: made once, never overwritten, refused with the remedy.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use ark::{Error, key_file, keys, vault};

use crate::support::{customer, new_vault, open, said};

fn write(path: &Path, content: &str) {
    fs::write(path, content).expect("the key file is writable");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode is ours to set");
}

#[test]
fn one_line_and_no_other_file_left() {
    let (directory, _vault) = new_vault();
    let content = fs::read_to_string(directory.path().join(vault::KEY_FILE_NAME)).expect("readable by its owner");
    let words: Vec<_> = content.strip_suffix('\n').expect("one line").split(' ').collect();
    assert_eq!(words[..2], ["LINTEL-ARK-KEY", "1"]);
    assert_eq!((words[2].len(), words[3].len(), words.len()), (32, 8, 4));
    let names = fs::read_dir(directory.path()).expect("the directory lists");
    let keys = names.filter(|name| name.as_ref().expect("an entry").file_name().to_string_lossy().contains(".key"));
    assert_eq!(keys.count(), 1);
}

#[test]
fn creating_never_replaces_a_key() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("ark.key");
    let first = key_file::create(&path).expect("created");
    let sealed = first.seal(b"", b"text").expect("sealed");
    let second = key_file::create(&path).expect("the one that is there");
    assert_eq!(second.open(b"", &sealed).expect("the same key").as_slice(), b"text");
    assert_eq!(fs::read_dir(directory.path()).expect("the directory lists").count(), 1);
}

#[test]
fn a_file_others_can_reach_is_refused_until_it_is_closed() {
    let (directory, vault) = new_vault();
    drop(vault);
    let path = directory.path().join(vault::KEY_FILE_NAME);
    for mode in [0o644, 0o640, 0o602, 0o610] {
        set_mode(&path, mode);
        let error = open(directory.path()).expect_err("too wide");
        assert!(matches!(error, Error::KeyFileMode { mode: found, .. } if found == mode));
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
    set_mode(&path, 0o400);
    open(directory.path()).expect("narrower than asked is fine");
}

#[test]
fn a_damaged_file_is_told_from_a_wrong_one() {
    let (directory, vault) = new_vault();
    drop(vault);
    let path = directory.path().join(vault::KEY_FILE_NAME);
    let sound = fs::read_to_string(&path).expect("readable by its owner");
    let key = sound.split(' ').nth(2).expect("the key").to_owned();
    let other_digit = if key.starts_with('0') { "1" } else { "0" };
    let flipped = sound.replacen(&key, &format!("{other_digit}{}", &key[1..]), 1);
    let damaged = [
        "",
        "\n",
        &sound[..20],
        sound.trim_end(),
        &sound.replace("KEY 1", "KEY 2"),
        &flipped,
        &sound.repeat(9),
        &sound.replace("LINTEL", "LENTIL"),
    ];
    for content in damaged {
        write(&path, content);
        let error = open(directory.path()).expect_err("damaged");
        assert!(matches!(error, Error::KeyFileDamaged { .. }), "{error}");
        let said = said(&error);
        assert!(said.contains(&path.display().to_string()) && !said.contains(&key[1..]), "{said}");
    }
    write(&path, &sound);
    open(directory.path()).expect("the key put back");
}

#[test]
fn the_key_of_another_vault_is_refused_and_changes_nothing() {
    let ((one, first), (two, second)) = (new_vault(), new_vault());
    let id = customer(&first, 1);
    drop((first, second));
    let [path, own] = [one.path(), two.path()].map(|directory| directory.join(vault::KEY_FILE_NAME));
    let kept = fs::read(&path).expect("readable");
    fs::copy(own, &path).expect("copied");
    let error = open(one.path()).expect_err("another directory's key");
    assert!(matches!(error.of_keys(), Some(keys::Error::Root { .. })), "{error}");
    assert!(error.to_string().contains("keys.db"), "{error}");
    fs::write(&path, kept).expect("put back");
    assert_eq!(customer(&open(one.path()).expect("its own key"), 1), id);
}

#[test]
fn a_lost_key_file_is_not_made_anew() {
    let (directory, vault) = new_vault();
    drop(vault);
    let path = directory.path().join(vault::KEY_FILE_NAME);
    fs::remove_file(&path).expect("removed");
    let error = open(directory.path()).expect_err("lost");
    assert!(error.to_string().contains("ark.key") && error.to_string().contains("backup"), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let missing = directory.path().join("missing");
    let error = open(&missing).expect_err("no directory");
    assert!(error.to_string().contains("missing"), "{error}");
}
