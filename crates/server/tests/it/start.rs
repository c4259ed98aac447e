//! What a server refuses to start on: books that are not what was written, and a vault that does not know its customers.

use rusqlite::Connection;

use crate::open::Books;
use crate::server::{Server, is_embedded};

/// A corrupt row in PostgreSQL is the journal crate's to test: what reads it here is the same.
#[test]
fn a_corrupt_row_is_named_and_stops_the_start() {
    if !is_embedded() {
        return;
    }
    let mut server = Server::start();
    Books::open(&server);
    assert!(server.stop().success(), "{}", server.log());

    let journal = Connection::open(server.directory().join("data/journal.db")).unwrap();
    let of = |sql: &str| journal.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    // One in the middle: neither the first nor the last row is all that is looked at.
    let row = of("SELECT max(row) / 2 FROM journal WHERE count > 0");
    let mut payload: Vec<u8> =
        journal.query_row("SELECT payload FROM journal WHERE row = ?1", [row], |row| row.get(0)).unwrap();
    let middle = payload.len() / 2;
    payload[middle] ^= 1;
    assert_eq!(journal.execute("UPDATE journal SET payload = ?2 WHERE row = ?1", (row, &payload)).unwrap(), 1);
    drop(journal);
    let log = server.start_refused();
    assert!(log.contains(&format!("row {row} ")), "{log}");

    let verified = server.lintel(&["journal", "verify"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&verified.stderr).contains(&format!("row {row} ")), "{verified:?}");
}

#[test]
fn a_vault_behind_the_journal_is_refused_until_it_is_put_back() {
    let mut server = Server::start();
    Books::open(&server);
    assert!(server.stop().success(), "{}", server.log());

    let (data, aside) = (server.directory().join("data"), server.directory().join("aside"));
    std::fs::create_dir(&aside).unwrap();
    let vault = ["vault.db", "vault.db-wal", "vault.db-shm"];
    let present: Vec<_> = vault.into_iter().filter(|name| data.join(name).exists()).collect();
    let put = |from: &std::path::Path, to: &std::path::Path| {
        for name in &present {
            std::fs::rename(from.join(name), to.join(name)).unwrap();
        }
    };
    put(&data, &aside);
    let log = server.start_refused();
    for words in ["cus_2", "cus_0", "vault.db", "keys.db"] {
        assert!(log.contains(words), "no {words} in {log}");
    }
    // The server made a new vault before it looked; what it left goes away with its log.
    for name in vault {
        drop(std::fs::remove_file(data.join(name)));
    }
    put(&aside, &data);
    server.start_again();
    assert_eq!(server.operator().get("/v1/customers/cus_2").status, 200);
}

#[test]
fn a_sandboxs_first_start_says_how_to_get_its_keys_and_a_later_one_does_not() {
    let mut server = Server::start();
    let said = |server: &Server| server.log().matches("`lintel key mch_1 --data-dir ").count();
    assert_eq!(said(&server), 1, "{}", server.log());
    assert!(server.stop().success(), "{}", server.log());
    server.start_again();
    assert_eq!(said(&server), 1, "{}", server.log());
}
