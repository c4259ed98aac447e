//! Every column of an entry comes back from a segment as it went in.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::book::Side;
use domain::envelope::Time;
use domain::ids::{AccountId, MerchantId, StreamId, VoucherId};
use domain::voucher::{BusinessKind, BusinessNumber, Dimensions, EventCode, PostedEntry};
use history::{Chunk, History, Movement, Snapshot, StatementQuery};
use proptest::prelude::*;

use crate::model::{day, noon};

const KINDS: [BusinessKind; 23] = [
    BusinessKind::TopUp,
    BusinessKind::Transfer,
    BusinessKind::Order,
    BusinessKind::Leg,
    BusinessKind::Split,
    BusinessKind::Refund,
    BusinessKind::Payout,
    BusinessKind::Settlement,
    BusinessKind::Clearing,
    BusinessKind::Hold,
    BusinessKind::Agreement,
    BusinessKind::Attempt,
    BusinessKind::TreeRun,
    BusinessKind::Suspense,
    BusinessKind::Approval,
    BusinessKind::Conversion,
    BusinessKind::ReserveLine,
    BusinessKind::OwnTransfer,
    BusinessKind::Arrears,
    BusinessKind::Chargeback,
    BusinessKind::CardTransaction,
    BusinessKind::CardClearing,
    BusinessKind::Advance,
];

fn business() -> impl Strategy<Value = BusinessNumber> {
    prop_oneof![
        (any::<u64>(), any::<u64>(), any::<u32>()).prop_map(|(stream, number, index)| BusinessNumber::Bulk {
            stream: StreamId(stream),
            number,
            index
        }),
        (0..KINDS.len(), any::<u64>()).prop_map(|(kind, id)| BusinessNumber::Object { kind: KINDS[kind], id }),
        (0..KINDS.len(), any::<u64>(), 1..u32::MAX).prop_map(|(kind, id, step)| BusinessNumber::Step {
            kind: KINDS[kind],
            id,
            step
        }),
        ".{0,20}".prop_map(|text| BusinessNumber::Text(text.into_boxed_str())),
    ]
}

fn dimensions() -> impl Strategy<Value = Option<Box<Dimensions>>> {
    let some = (
        proptest::option::of(any::<u16>()),
        proptest::option::of(".{0,8}"),
        proptest::option::of(any::<u32>()),
        proptest::option::of("[a-z]{0,8}"),
        proptest::option::of(any::<u64>()),
        proptest::option::of(-3..3_i32),
    )
        .prop_map(|(legal_entity, product, region, channel, merchant, clearing_date)| Dimensions {
            legal_entity,
            product,
            region,
            channel,
            merchant: merchant.map(MerchantId),
            clearing_date: clearing_date.map(day),
        })
        // Dimensions without a value are read back as none.
        .prop_filter_map("empty", |some| (some != Dimensions::default()).then(|| Some(Box::new(some))));
    prop_oneof![2 => Just(None), 1 => some]
}

prop_compose! {
    /// An entry of account 7 (the highest id there is, for the unsigned columns), its number to be given.
    fn entry()(
        posted_at in any::<i64>(),
        credit in any::<bool>(),
        event in 0..EventCode::ALL.len(),
        amount in 1..=i64::from(u32::MAX),
        balance in any::<i64>(),
        counterpart in any::<u64>(),
        business in business(),
        dimensions in dimensions(),
    ) -> PostedEntry {
        PostedEntry {
            account: AccountId(u64::MAX - 7),
            number: 0,
            voucher: VoucherId(0),
            posted_at: Time(posted_at),
            date: day(0),
            side: if credit { Side::Credit } else { Side::Debit },
            event: EventCode::ALL[event],
            amount,
            balance,
            counterpart: AccountId(counterpart),
            business,
            dimensions,
        }
    }
}

fn written_and_read(entries: &[PostedEntry]) -> Vec<PostedEntry> {
    let directory = tempfile::tempdir().unwrap();
    let history = History::new(directory.path());
    let chunk = Arc::new(Chunk::new(entries.to_vec()).unwrap());
    let rows = history.cut(&[chunk], 0..=u64::MAX).unwrap();
    let accounts: BTreeSet<AccountId> = entries.iter().map(|entry| entry.account).collect();
    let dates: BTreeSet<_> = entries.iter().map(|entry| entry.date).collect();
    assert_eq!(rows.len(), dates.len());
    let mut found = Vec::new();
    for account in accounts {
        let query = StatementQuery {
            account,
            side: Side::Credit,
            from: *dates.first().unwrap(),
            to: *dates.last().unwrap(),
            after: None,
            limit: usize::MAX,
        };
        let statement = history.statement(&query, &Snapshot::default(), &rows).unwrap();
        found.extend(statement.lines.into_iter().map(|line| line.entry));
    }
    let movements: Vec<Movement> =
        rows.iter().flat_map(|row| history.movements(row).unwrap()).collect::<Result<_, _>>().unwrap();
    let mut expected: Vec<Movement> = entries.iter().map(Movement::from).collect();
    expected.sort_by_key(|movement| (movement.account, movement.number));
    assert!(rows.len() > 1 || movements == expected, "movements are the entries, sorted");
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_column_comes_back(mut entries in proptest::collection::vec(entry(), 1..40)) {
        for (number, entry) in (1..).zip(&mut entries) {
            entry.number = number;
            entry.voucher = VoucherId(u64::MAX - 100 + number);
        }
        prop_assert_eq!(written_and_read(&entries), entries);
    }
}

#[test]
fn the_file_holds_the_rows_of_each_account_together() {
    let entry = |account: u64, number: u64, position: u64| PostedEntry {
        account: AccountId(account),
        number,
        voucher: VoucherId(position),
        posted_at: noon(day(0)),
        date: day(0),
        side: Side::Credit,
        event: EventCode::Opening,
        amount: 5,
        balance: 5 * i64::try_from(number).unwrap(),
        counterpart: AccountId(1),
        business: BusinessNumber::Text("账 \"户\"".into()),
        dimensions: None,
    };
    // Ids far apart, and one beyond the range of signed numbers.
    let accounts = [u64::MAX, 3, 1 << 40];
    let mut entries = Vec::new();
    for number in 1..=3_000 {
        for account in accounts {
            entries.push(entry(account, number, entries.len() as u64 + 1));
        }
    }
    let found = written_and_read(&entries);
    entries.sort_by_key(|entry| (entry.account, entry.number));
    assert_eq!(found, entries);
}
