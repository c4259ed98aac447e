//! Events encoded and read back: what is short, what is whole, what is refused.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::voucher::Dimensions;

fn voucher(index: u32, amounts: &[i64]) -> Voucher {
    let entry = |(at, amount): (usize, &i64)| {
        let account = AccountId(7 + 1_000 * u64::from(index) + at as u64);
        let currency = Currency::ALL[at % Currency::ALL.len()];
        if at % 2 == 0 { Entry::debit(account, *amount, currency) } else { Entry::credit(account, *amount, currency) }
    };
    let entries = amounts.iter().enumerate().map(entry).collect();
    let business = BusinessNumber::Bulk { stream: StreamId(3), number: 70_000, index };
    Voucher { business, event: EventCode::Transfer, date: Date(20_517), entries, dimensions: None, contra_of: None }
}

fn emitted(events: &[Event]) -> Emitted {
    let mut emitted = Emitted::default();
    events.iter().for_each(|event| emitted.push(event));
    emitted
}

#[track_caller]
fn come_back(events: &[Event]) {
    let emitted = emitted(events);
    let mut decoder = Decoder::new(emitted.bytes());
    let back: Vec<Event> = Events::new(&mut decoder, emitted.count()).map(|event| event.expect("it reads")).collect();
    assert_eq!(back, events);
    assert_eq!(decoder.position(), emitted.bytes().len());
}

#[test]
fn a_first_voucher_has_the_derived_code() {
    let event = Event::VoucherPosted(voucher(0, &[5, 5]));
    assert_eq!(emitted(core::slice::from_ref(&event)).bytes(), minicbor::to_vec(&event).expect("it encodes"));
}

#[test]
fn neighbours_are_their_entries() {
    let events: Vec<Event> = (0..3).map(|index| Event::VoucherPosted(voucher(index, &[500, 500]))).collect();
    come_back(&events);
    let (one, three) = (emitted(&events[..1]).bytes().len(), emitted(&events).bytes().len());
    // Tag and array, then twice: account of 3 bytes, kind of 1, amount of 3.
    assert_eq!(three - one, 2 * (2 + 2 * 7));
}

#[test]
fn what_is_no_plain_neighbour_is_written_in_full() {
    let plain = |index| Event::VoucherPosted(voucher(index, &[9, 9]));
    let gap = [plain(0), plain(2), plain(3)];
    let otherwise = |change: &dyn Fn(&mut Voucher)| {
        let mut other = voucher(1, &[9, 9]);
        change(&mut other);
        [plain(0), Event::VoucherPosted(other), plain(2)]
    };
    come_back(&gap);
    come_back(&[plain(0), Event::Refused, plain(1)]);
    come_back(&otherwise(&|voucher| voucher.date = Date(20_518)));
    come_back(&otherwise(&|voucher| voucher.event = EventCode::HoldConfirmed));
    come_back(&otherwise(&|voucher| voucher.dimensions = Some(Box::new(Dimensions::default()))));
    come_back(&otherwise(&|voucher| voucher.contra_of = Some(crate::ids::VoucherId(1))));
    come_back(&otherwise(&|voucher| voucher.business = BusinessNumber::Text("rent".into())));
}

#[test]
fn every_currency_side_and_size_comes_back() {
    let amounts = [1, i64::MAX, 23, 24, 255, 256, 65_535, 65_536, i64::from(u32::MAX), 1 << 40, 2, 3];
    let many: Vec<i64> = (1..=1_000).collect();
    come_back(&[voucher(0, &[1, 1]), voucher(1, &amounts), voucher(2, &many)].map(Event::VoucherPosted));
}

#[test]
fn what_was_never_written_is_refused() {
    let read = |bytes: &[u8]| Events::new(&mut Decoder::new(bytes), 1).next().expect("one was asked for");
    assert!(read(&[0xc8, 0x86, 1, 0, 1, 2, 1, 1]).unwrap_err().to_string().contains("without the one before"));
    let first = emitted(&[Event::VoucherPosted(voucher(0, &[5, 5]))]).bytes().to_vec();
    for (next, words) in [
        (vec![0xc7, 0x86, 1, 0, 1, 2, 1, 1], "entries of a bulk voucher"),
        (vec![0xc8, 0x85, 1, 0, 1, 2, 1], "entries of a bulk voucher"),
        (vec![0xc8, 0x9b, 255, 255, 255, 255, 255, 255, 255, 255], "entries of a bulk voucher"),
        (vec![0xc8, 0x86, 1, 12, 1, 2, 1, 1], "no currency"),
        (vec![0xc8, 0x86, 1, 0], "end of input"),
    ] {
        let bytes = [first.clone(), next].concat();
        let mut decoder = Decoder::new(&bytes);
        let error = Events::new(&mut decoder, 2).nth(1).expect("two were asked for").unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
