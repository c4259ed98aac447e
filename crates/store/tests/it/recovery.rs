//! What was stored comes back as it was, and agrees with the books it came from.

use domain::Command;
use domain::account::{Account, Owner};
use domain::batch_close::{BatchCloseCommand, BatchTotals};
use domain::book::Subject;
use domain::card_transaction::{CardAnswer, CardTransactionCommand};
use domain::customer::CustomerKind;
use domain::ids::{AccountId, CardTransactionId, ReceiverId, UserId};
use domain::money::Currency;
use domain::recall::{Kind, Leaves, Row, RowId};
use domain::refund::{RefundKind, RefundStatus};
use domain::state::Changes;
use store::recall;
use store::recovery::{self, DifferenceKind};
use store::refund::RefundFilter;
use store::{Loaded, StoreError, list};

use crate::place::{Place, on_both};
use crate::world::{World, at};

on_both! {
    every_kind_of_row_comes_back_as_it_was
    a_row_changed_later_comes_back_as_it_is_last
    a_start_reads_what_was_in_memory
    rows_that_an_older_program_left_unmarked_are_marked_by_their_content
    card_transactions_that_an_older_program_left_unmarked_are_marked_too
    refunds_that_an_older_program_left_unmarked_are_marked_too
    the_store_agrees_with_the_books
    each_difference_is_named
    an_empty_store_loads_as_nothing
    a_store_that_is_behind_is_not_believed
    an_older_store_gives_no_number_twice
}

/// Accounts without what history holds.
fn as_stored(mut changes: Changes) -> Changes {
    for (_, account) in &mut changes.accounts {
        (account.balance, account.entries) = (0, 0);
    }
    changes
}

/// Compares every table, and that the world has a row in each. A table that is new in the domain does not compile here
/// until it is named.
macro_rules! assert_every_table {
    ($loaded:expr, $stored:expr, $($table:ident)*) => {
        let Changes { announced: _, ended_tries: _, $($table,)* } = $loaded;
        $(assert!(!$table.is_empty(), "the world has no row in {}", stringify!($table));
        assert_eq!($table, $stored.$table);)*
    };
}

fn every_kind_of_row_comes_back_as_it_was(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.wallets();
    world.funded();
    world.own_money();
    world.cards();
    world.certified();
    world.hooked();
    world.signed_up();
    world.checked();
    world.rotated();
    world.passworded();
    world.priced();
    let changes = world.state.take_changes();
    world.commit(&database, &changes).unwrap();
    drop(database);
    let loaded = recovery::load_all(&place.open()).unwrap();
    assert_eq!(loaded.checkpoint, Some(at(world.state.position)));
    assert_eq!(loaded.core, Some(world.state.core()));
    let mut stored = as_stored(changes);
    stored.holds.retain(|(_, hold)| !hold.is_closed());
    assert_every_table!(
        loaded.rows, stored,
        days accounts holds customers users merchants streams attempts orders legs splits refunds clearings settlements
        payouts agreements freezes
        tree_links tree_runs quota_charges
        operators approvals voucher_templates suspense_items
        agreement_payments exchange_rates conversions
        block_entries limit_policies account_limits customer_uses top_ups transfers bank_cards withdrawal_plans
        withdrawal_batches withdrawals retry_rules notices
        certificates api_keys pay_passwords sign_ups real_name_checks split_receivers webhooks site_weights outflows fund_batches parameter_sets reserve_lines reserve_balances own_transfers arrears chargebacks advances advance_policies
        fee_plans card_fee_plans card_costs acquirings terminals card_transactions batch_closes card_clearings
    );
}

fn a_row_changed_later_comes_back_as_it_is_last(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    let hold = domain::ids::HoldId(1);
    world.given(Command::CancelHold(hold));
    world.store(&database);
    let loaded = recovery::load_all(&database).unwrap();
    assert!(loaded.rows.holds.iter().all(|(id, _)| *id != 1), "what is over does not come back to memory by itself");
    let found = recall::find(&database, hold.into(), world.state.position).unwrap();
    assert_eq!(found, Some(Row::Hold(world.state.hold(hold).unwrap().clone())));
    assert_eq!(loaded.checkpoint, world.previous);
    assert_eq!(loaded.core, Some(world.state.core()));
}

fn ids<V>(rows: &[(u64, V)]) -> Vec<u64> {
    let mut ids: Vec<u64> = rows.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids
}

/// Rows of kinds that leave memory, by kind.
fn leaving(rows: &Changes) -> [Vec<u64>; 11] {
    let Changes { holds, orders, legs, attempts, splits, refunds, .. } = rows;
    let Changes { payouts, settlements, top_ups, transfers, agreement_payments, .. } = rows;
    [
        ids(holds),
        ids(orders),
        ids(legs),
        ids(attempts),
        ids(splits),
        ids(refunds),
        ids(payouts),
        ids(settlements),
        ids(top_ups),
        ids(transfers),
        ids(agreement_payments),
    ]
}

fn a_start_reads_what_was_in_memory(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    let whole = leaving(&recovery::load_all(&database).unwrap().rows);
    let position = world.state.position;
    domain::apply(&mut world.state, &domain::Event::Checkpointed { position, generation: domain::recall::GENERATION });
    world.store(&database);
    let left = leaving(&recovery::load_all(&database).unwrap().rows);
    assert_ne!(left, whole);
    let state = &world.state;
    let in_memory = [
        state.holds.iter().map(|(id, _)| id).collect::<Vec<_>>(),
        state.orders.iter().map(|(id, _)| id).collect(),
        state.legs.iter().map(|(id, _)| id).collect(),
        state.attempts.iter().map(|(id, _)| id).collect(),
        state.splits.iter().map(|(id, _)| id).collect(),
        state.refunds.iter().map(|(id, _)| id).collect(),
        state.payouts.iter().map(|(id, _)| id).collect(),
        state.settlements.iter().map(|(id, _)| id).collect(),
        state.top_ups.iter().map(|(id, _)| id).collect(),
        state.transfers.iter().map(|(id, _)| id).collect(),
        state.agreement_payments.iter().map(|(id, _)| id).collect(),
    ];
    assert_eq!(left, in_memory);
    assert!(state.splits.is_empty(), "splits are over once they are made");
    // One that closes now is in memory until the next checkpoint, and so is one that came back.
    let back = recall::find(&database, RowId { kind: Kind::Split, id: 1 }, position).unwrap().unwrap();
    domain::apply(&mut world.state, &domain::Event::Recalled(domain::recall::Recalled { as_of: position, row: back }));
    world.given(Command::CancelHold(domain::ids::HoldId(1)));
    world.store(&database);
    let loaded = recovery::load_all(&database).unwrap();
    assert_eq!((ids(&loaded.rows.splits), ids(&loaded.rows.holds).first().copied()), (vec![1], Some(1)));
    let at = world.state.position;
    assert!(loaded.written.contains(&(RowId { kind: Kind::Split, id: 1 }, at)), "and leaves once the store is there");
}

/// What 0066 gave refunds, 0068 payouts, 0069 items of suspense and 0070 advances: their list of those that wait for a person. And
/// what 0071 gave clearing files: their list of those with open differences.
const LISTS_BEFORE: [&str; 10] = [
    "DROP INDEX refunds_by_needs_person",
    "ALTER TABLE refunds DROP COLUMN needs_person",
    "DROP INDEX payouts_by_needs_person",
    "ALTER TABLE payouts DROP COLUMN needs_person",
    "DROP INDEX suspense_items_by_needs_person",
    "ALTER TABLE suspense_items DROP COLUMN needs_person",
    "DROP INDEX advances_by_needs_person",
    "ALTER TABLE advances DROP COLUMN needs_person",
    "DROP INDEX clearings_by_open_differences",
    "ALTER TABLE clearings DROP COLUMN open_differences",
];

/// The tables that files behind this one make, which do nothing else but for [`LISTS_BEFORE`].
fn made_after(file: &str) -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schema");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes() > file.as_bytes());
    let texts = files.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect::<String>();
    let named = |with: &'static str| {
        texts.lines().filter_map(move |line| Some(line.strip_prefix(with)?.split(' ').next()?.to_owned()))
    };
    let made: Vec<String> = named("CREATE TABLE ").collect();
    let undone = |table: &str| ["refunds", "payouts", "suspense_items", "advances", "clearings"].contains(&table);
    let changed = named("ALTER TABLE ").find(|table| !undone(table) && !made.contains(table));
    assert_eq!(changed, None, "a later file changes a table: undo that here too");
    made
}

fn rows_that_an_older_program_left_unmarked_are_marked_by_their_content(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    let run = |sql: &str| assert!(database.execute(sql, &[]).is_ok(), "{sql}");
    // As the schema before had it.
    run("DROP INDEX holds_closed");
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Hold) {
        let table = kind.name();
        run(&format!("DROP INDEX {table}_open"));
        run(&format!("DROP INDEX {table}_closed"));
        run(&format!("ALTER TABLE {table} DROP COLUMN closed"));
    }
    LISTS_BEFORE.into_iter().for_each(run);
    for table in made_after("0045_recall.sql") {
        run(&format!("DROP TABLE {table}"));
    }
    run("DELETE FROM schema_version WHERE name >= '0045_recall.sql'");
    drop(database);
    // The world splits an order, which that program did without registered receivers.
    let database = place.open();
    let (payee, receiver) = world.state.split_receiver(ReceiverId(1)).map(|row| (row.payee, row.receiver)).unwrap();
    world.receiver(payee, receiver);
    world.store(&database);
    assert!(recovery::verify(&database, &world.state).unwrap().is_empty());
}

fn card_transactions_that_an_older_program_left_unmarked_are_marked_too(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    let (_, terminal) = world.cards();
    // Its refund is over now; the sale is to be settled.
    let (transaction, answer) = (CardTransactionId(2), CardAnswer::Declined { code: "05".into() });
    world.given(Command::CardTransaction(CardTransactionCommand::Answer { transaction, answer }));
    let theirs = BatchTotals::default();
    world.given(Command::BatchClose(BatchCloseCommand::Close { terminal, batch: 2, theirs }));
    world.store(&database);
    let run = |sql: &str| assert!(database.execute(sql, &[]).is_ok(), "{sql}");
    for sql in [
        "DROP INDEX card_transactions_open",
        "DROP INDEX card_transactions_closed",
        "ALTER TABLE card_transactions DROP COLUMN closed",
        // What later files made.
        "DROP TABLE sign_ups",
        "DROP TABLE real_name_checks",
        "DROP TABLE api_keys",
        "DROP TABLE pay_passwords",
        "DROP TABLE outflows",
        "DROP TABLE fund_batches",
        "DROP TABLE split_receivers",
        "DROP TABLE fee_plans",
    ] {
        run(sql);
    }
    LISTS_BEFORE.into_iter().for_each(run);
    run("DELETE FROM schema_version WHERE name >= '0058_recall.sql'");
    drop(database);
    let database = place.open();
    assert!(recovery::verify(&database, &world.state).unwrap().is_empty());
    let closed = database.query("SELECT closed FROM card_transactions ORDER BY id", &[]).unwrap();
    let closed: Vec<i64> = closed.iter().map(|row| row.int(0).unwrap()).collect();
    let expected: Vec<i64> = world.state.card_transactions.iter().map(|(_, row)| i64::from(row.is_closed())).collect();
    assert_eq!(closed, expected);
    assert!(closed.contains(&0) && closed.contains(&1), "{closed:?}");
}

fn refunds_that_an_older_program_left_unmarked_are_marked_too(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    // Its source refused it: it is money that no order can use.
    let id = world.state.refunds.iter().last().unwrap().0;
    let refund = world.state.refunds.get_mut(id).unwrap();
    (refund.kind, refund.status) = (RefundKind::Useless, RefundStatus::Failed);
    assert!(refund.needs_person());
    world.store(&database);
    for sql in LISTS_BEFORE.into_iter().chain(["DROP TABLE real_name_checks"]) {
        assert!(database.execute(sql, &[]).is_ok(), "{sql}");
    }
    database.execute("DELETE FROM schema_version WHERE name >= '0066_task.sql'", &[]).unwrap();
    drop(database);
    let database = place.open();
    assert!(recovery::verify(&database, &world.state).unwrap().is_empty());
    let stuck = RefundFilter { needs_person: Some(true), ..Default::default() };
    let found = list(&database, &stuck, None, 10).unwrap().data;
    assert_eq!(found.iter().map(|refund| refund.id.0).collect::<Vec<_>>(), [id]);
}

fn a_store_that_is_behind_is_not_believed(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    let (hold, before) = (domain::ids::HoldId(1), world.state.position);
    let open = recall::find(&database, hold.into(), before).unwrap_err();
    assert!(open.to_string().contains("is open"), "what is open never left: {open}");
    world.given(Command::CancelHold(hold));
    let after = world.state.position;
    assert_eq!(recall::find(&database, hold.into(), after), Ok(None), "it has the hold as it was");
    let new = RowId::from(domain::ids::HoldId(world.state.holds.next_id()));
    assert_eq!(recall::find(&database, new, after), Ok(None), "and what it does not have it may get");
    world.store(&database);
    let closed = recall::find(&database, hold.into(), after).unwrap();
    assert_eq!(closed, Some(Row::Hold(world.state.hold(hold).unwrap().clone())));
    let lost = recall::find(&database, new, after).unwrap_err();
    assert!(matches!(lost, StoreError::Corrupt { table: "holds", .. }), "{lost}");
    database.execute("UPDATE holds SET checksum = checksum + 1 WHERE id = 1", &[]).unwrap();
    let damaged = recall::find(&database, hold.into(), after).unwrap_err();
    assert!(matches!(damaged, StoreError::Corrupt { table: "holds", .. }), "{damaged}");
}

fn an_older_store_gives_no_number_twice(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    let last = world.state.last_ids();
    let there = Kind::ALL.into_iter().filter(|kind| last.get(*kind) > Some(0)).count();
    assert!(there > 6, "rows of {there} kinds");
    let mut core = world.state.core();
    core.last_ids = None;
    let checkpoint = world.previous;
    let (next, changes) = (at(world.state.position + 1), Changes::default());
    store::checkpoint::commit(&database, checkpoint.as_ref(), &next, &core, &changes, &[], &[]).unwrap();
    let loaded = recovery::load_all(&database).unwrap();
    assert_eq!(loaded.core.unwrap().last_ids, Some(last));
}

fn the_store_agrees_with_the_books(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    assert_eq!(recovery::verify(&database, &world.state), Ok(vec![]));
    world.fund("opening", 2, &[(AccountId(world.state.holds.get(1).unwrap().account.0), 5)]);
    let store = world.previous.unwrap().position;
    let state = world.state.position;
    assert_eq!(recovery::verify(&database, &world.state), Err(StoreError::WrongPosition { store, state }));
    world.store(&database);
    assert_eq!(recovery::verify(&database, &world.state), Ok(vec![]), "balances are not of the store");
}

fn each_difference_is_named(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    for _ in 0..3 {
        let customer = world.customer(CustomerKind::Person);
        world.user(customer, "wallet");
    }
    let mut stranger: Account = world.state.account(AccountId(1), "account").unwrap().clone();
    let mut changes = world.state.take_changes();
    // A row that is lost, one that is altered, one that nobody knows.
    changes.users.retain(|(id, _)| *id != 2);
    changes.users[1].1.product = "altered".into();
    stranger.id = AccountId(999);
    (stranger.owner, stranger.subject) = (Owner::User(UserId(1)), Subject::Personal);
    stranger.currency = Currency::Hkd;
    changes.accounts.push((999, stranger));
    world.commit(&database, &changes).unwrap();
    database.execute("UPDATE users SET customer = $1 WHERE id = $2", &[9.into(), 1.into()]).unwrap();
    let differences = recovery::verify(&database, &world.state).unwrap();
    let named: Vec<_> = differences.iter().map(|it| (it.table, it.id, it.kind)).collect();
    assert_eq!(
        named,
        [
            ("accounts", 999, DifferenceKind::Unknown),
            ("users", 1, DifferenceKind::Column("customer")),
            ("users", 2, DifferenceKind::Missing),
            ("users", 3, DifferenceKind::Changed),
        ]
    );
    assert_eq!(differences[2].to_string(), "table users, row 2 is missing from the store");
}

fn an_empty_store_loads_as_nothing(place: &Place) {
    let Loaded { checkpoint, core, rows, written: _, segments } = recovery::load_all(&place.open()).unwrap();
    assert_eq!((checkpoint, core, rows.is_empty(), segments.len()), (None, None, true, 0));
}
