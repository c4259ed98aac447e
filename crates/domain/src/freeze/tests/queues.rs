//! Tables of queues: balances and freezes, and beside them what each freeze bites on and what is available.

use super::*;

/// A freeze of a table: which account (or the customer), how much, its priority.
type Line = (Option<usize>, Minor, u16);

/// Balance, held, freezes as (amount, priority); then places, bites, effective and available.
type OfAccount = (Minor, Minor, &'static [(Minor, u16)], &'static [usize], &'static [Minor], Minor, Minor);

/// Balances of two accounts, freezes; then bites, and available of each.
type OfCustomer = ([Minor; 2], &'static [Line], &'static [Minor], [Minor; 2]);

struct Table {
    kit: Kit,
    accounts: Vec<AccountId>,
    freezes: Vec<FreezeId>,
}

impl Table {
    /// Accounts with these balances and what is held on them, frozen so.
    fn new(balances: &[(Minor, Minor)], lines: &[Line]) -> Self {
        let (mut kit, first) = world(0);
        let rest = (1..balances.len()).map(|_| sibling(&mut kit, first, 0)).collect::<Vec<_>>();
        let accounts: Vec<_> = core::iter::once(first).chain(rest).collect();
        for (account, (balance, held)) in accounts.iter().zip(balances) {
            if *balance > 0 {
                kit.fund(*account, *balance);
            }
            if *held > 0 {
                let expires_at = kit.now.plus_ms(1_000);
                let hold = crate::hold::PlaceHold { account: *account, amount: *held, currency: CNY, expires_at };
                kit.given(Command::PlaceHold(hold));
            }
        }
        let of_customer = customer(&kit, first);
        let scope = |at: Option<usize>| match at {
            Some(at) => FreezeScope::Account(accounts[at]),
            None => FreezeScope::Customer(of_customer),
        };
        let commands: Vec<_> =
            lines.iter().map(|&(at, amount, priority)| PlaceFreeze { priority, ..court(scope(at), amount) }).collect();
        let freezes = commands.into_iter().map(|command| place(&mut kit, command)).collect();
        kit.restore();
        Self { kit, accounts, freezes }
    }

    fn bites(&self) -> Vec<Minor> {
        self.freezes.iter().map(|id| bites(&self.kit, *id)).collect()
    }

    fn available(&self) -> Vec<Minor> {
        self.accounts.iter().map(|account| available(&self.kit, *account)).collect()
    }

    fn places(&self) -> Vec<usize> {
        let place = |id: &FreezeId| self.kit.state.place_in_queue(self.kit.state.freeze(*id).unwrap()).unwrap();
        self.freezes.iter().map(place).collect()
    }
}

#[test]
fn the_balance_covers_the_queue_of_an_account_in_order() {
    // (balance, held, freezes as (amount, priority)) → (places, bites, effective, available)
    #[rustfmt::skip]
    let table: [OfAccount; 8] = [
        (  0,   0, &[(200, 100)],                       &[1],       &[0],           0,   0),
        (300,   0, &[(200, 100), (500, 100)],           &[1, 2],    &[200, 100],    300, 0),
        (300,   0, &[(200, 100), (500, 50)],            &[2, 1],    &[0, 300],      300, 0),
        (800,   0, &[(200, 100), (500, 50)],            &[2, 1],    &[200, 500],    700, 100),
        (800, 300, &[(200, 100), (500, 50)],            &[2, 1],    &[0, 500],      500, 0),
        (800, 800, &[(200, 100)],                       &[1],       &[0],           0,   0),
        (600,   0, &[(100, 9), (100, 9), (100, 1)],     &[2, 3, 1], &[100, 100, 100], 300, 300),
        (150,   0, &[(100, 9), (100, 9), (100, 1)],     &[2, 3, 1], &[50, 0, 100],  150, 0),
    ];
    for (balance, held, freezes, places, bites, effective, left) in table {
        let lines: Vec<Line> = freezes.iter().map(|&(amount, priority)| (Some(0), amount, priority)).collect();
        let queue = Table::new(&[(balance, held)], &lines);
        let effective_now = row(&queue.kit, queue.accounts[0]).effective_frozen();
        assert_eq!((queue.places(), queue.bites()), (places.to_vec(), bites.to_vec()), "{balance} {freezes:?}");
        assert_eq!((effective_now, queue.available()), (effective, vec![left]), "{balance} {freezes:?}");
    }
}

#[test]
fn a_customers_freeze_takes_what_no_later_freeze_needs_and_then_the_rest_by_account() {
    const C: Option<usize> = None;
    const A: Option<usize> = Some(0);
    const B: Option<usize> = Some(1);
    // (balances of A and B, freezes) → (bites, available of A and B)
    #[rustfmt::skip]
    let table: [OfCustomer; 10] = [
        ([100, 100], &[(C,  50, 1)],                                 &[50],            [100, 100]),
        ([100, 100], &[(C, 150, 1)],                                 &[150],           [50, 50]),
        ([100, 100], &[(C, 300, 1)],                                 &[200],           [0, 0]),
        ([  0,   0], &[(C, 300, 1)],                                 &[0],             [0, 0]),
        ([100, 100], &[(C, 120, 1), (A, 100, 2)],                    &[120, 80],       [0, 0]),
        ([100, 100], &[(C,  60, 1), (A, 100, 2)],                    &[60, 100],       [0, 40]),
        ([100, 100], &[(C,  60, 2), (A, 100, 1)],                    &[60, 100],       [0, 40]),
        ([100, 100], &[(C, 120, 2), (A, 100, 1)],                    &[100, 100],      [0, 0]),
        ([100, 100], &[(B,  30, 1), (C, 120, 2), (A, 100, 3)],       &[30, 120, 50],   [0, 0]),
        ([100, 100], &[(C,  40, 5), (C,  70, 5), (B,  20, 1)],       &[40, 70, 20],    [70, 70]),
    ];
    for (balances, freezes, bites, left) in table {
        let queue = Table::new(&balances.map(|balance| (balance, 0)), freezes);
        assert_eq!((queue.bites(), queue.available()), (bites.to_vec(), left.to_vec()), "{balances:?} {freezes:?}");
    }
}

#[test]
fn an_accounts_freeze_queues_with_its_customers_and_not_with_its_siblings() {
    let lines = [(Some(0), 1, 3), (Some(1), 1, 2), (None, 1, 1), (Some(1), 1, 1)];
    assert_eq!(Table::new(&[(9, 0), (9, 0)], &lines).places(), [2, 3, 1, 2]);
}

#[test]
fn a_freeze_bites_on_what_is_there_and_on_what_arrives() {
    let (mut kit, account) = world(300);
    let first = place(&mut kit, court(account, 200));
    let second = place(&mut kit, court(account, 500));
    // (arrives, balance, bites, effective, available)
    for (arrives, balance, bitten, effective, left) in
        [(0, 300, (200, 100), 300, 0), (250, 550, (200, 350), 550, 0), (250, 800, (200, 500), 700, 100)]
    {
        if arrives > 0 {
            kit.fund(account, arrives);
        }
        let found = row(&kit, account);
        assert_eq!((found.balance, found.effective_frozen(), found.available()), (balance, effective, left));
        assert_eq!((bites(&kit, first), bites(&kit, second)), bitten);
    }
    let too_much = pay_out(&kit, account, 101);
    kit.refused(too_much, RefusalCode::InsufficientFunds);
    let free = pay_out(&kit, account, 100);
    kit.given(free);
    assert_eq!(available(&kit, account), 0);
    kit.approved(release(first, None));
    assert_eq!((bites(&kit, first), bites(&kit, second), available(&kit, account)), (0, 500, 200));
}

#[test]
fn ending_one_lets_the_next_bite() {
    let (mut kit, account) = world(300);
    let expires_at = Some(kit.now.plus_ms(1_000));
    let first = place(&mut kit, PlaceFreeze { expires_at, ..court(account, 250) });
    let second = place(&mut kit, court(account, 250));
    let third = place(&mut kit, court(account, 250));
    let bitten = |kit: &Kit| [first, second, third].map(|id| bites(kit, id));
    assert_eq!(bitten(&kit), [250, 50, 0]);
    kit.later(1_000);
    kit.given(Command::Tick);
    assert_eq!(bitten(&kit), [0, 250, 50]);
    kit.approved(release(second, Some(100)));
    assert_eq!(bitten(&kit), [0, 150, 150]);
    kit.approved(release(second, None));
    assert_eq!((bitten(&kit), available(&kit, account)), ([0, 0, 250], 50));
}

#[test]
fn one_voucher_over_several_accounts_takes_no_more_than_the_customer_has_left() {
    let mut queue = Table::new(&[(100, 0), (100, 0)], &[(None, 150, 1)]);
    let (kit, accounts) = (&mut queue.kit, &queue.accounts);
    let clearing = kit.state.institution(Subject::ClearingEpcc, CNY).unwrap();
    let both = |from: [Minor; 2]| {
        let debits = accounts.iter().zip(from).map(|(account, amount)| Entry::debit(*account, amount, CNY));
        let credit = Entry::credit(clearing, from.iter().sum(), CNY);
        Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("both".into()),
            event: EventCode::Transfer,
            date: None,
            entries: debits.chain([credit]).collect(),
            dimensions: None,
        })
    };
    kit.refused(both([26, 25]), RefusalCode::InsufficientFunds);
    kit.given(both([25, 25]));
    kit.refused(both([1, 1]), RefusalCode::InsufficientFunds);
}

#[test]
fn money_moves_between_accounts_in_scope_but_not_out_of_it() {
    let mut queue = Table::new(&[(100, 0), (100, 0)], &[(None, 200, 1)]);
    let (kit, [first, second]) = (&mut queue.kit, [queue.accounts[0], queue.accounts[1]]);
    assert_eq!(available(kit, first), 0);
    kit.given(transfer(first, second, 100));
    assert_eq!((kit.balance(first), kit.balance(second)), (0, 200));
    let deposit = kit.account(Subject::GuaranteeDeposit, row(kit, first).owner);
    kit.refused(transfer(second, deposit, 1), RefusalCode::InsufficientFunds);
    let other = kit.user();
    let stranger = kit.account(Subject::Personal, Owner::User(other));
    kit.refused(transfer(second, stranger, 1), RefusalCode::InsufficientFunds);
    let expires_at = kit.now.plus_ms(1);
    let hold = crate::hold::PlaceHold { account: second, amount: 1, currency: CNY, expires_at };
    kit.refused(Command::PlaceHold(hold), RefusalCode::InsufficientFunds);
    kit.fund(stranger, 10);
    kit.given(transfer(stranger, second, 5));
    kit.given(transfer(second, stranger, 5));
}

#[test]
fn money_does_not_move_to_where_another_freeze_would_take_it_from_the_customers() {
    // B is frozen for more than it has: what comes there is no longer free for the customer's freeze.
    let mut queue = Table::new(&[(100, 0), (0, 0)], &[(None, 60, 1), (Some(1), 100, 2)]);
    let (kit, [first, second]) = (&mut queue.kit, [queue.accounts[0], queue.accounts[1]]);
    kit.refused(transfer(first, second, 41), RefusalCode::InsufficientFunds);
    kit.given(transfer(first, second, 40));
    assert_eq!([FreezeId(1), FreezeId(2)].map(|id| bites(kit, id)), [60, 40]);
}

#[test]
fn currencies_and_other_customers_do_not_matter_to_each_other() {
    let (mut kit, account) = world(100);
    let of_customer = customer(&kit, account);
    let open = crate::account::OpenAccount {
        subject: Subject::Personal,
        currency: Currency::Usd,
        owner: row(&kit, account).owner,
        overdraft: false,
    };
    let Reply::Account(dollars) = kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
    let clearing = kit.state.institution(Subject::ClearingEpcc, Currency::Usd).unwrap();
    let move_usd = |debit, credit, amount| {
        let usd = Currency::Usd;
        Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("usd".into()),
            event: EventCode::Transfer,
            date: None,
            entries: vec![Entry::debit(debit, amount, usd), Entry::credit(credit, amount, usd)],
            dimensions: None,
        })
    };
    kit.given(move_usd(clearing, dollars, 70));
    let yuan = place(&mut kit, court(of_customer, 500));
    assert_eq!((available(&kit, account), available(&kit, dollars), bites(&kit, yuan)), (0, 70, 100));
    kit.given(move_usd(dollars, clearing, 70));
    let other = kit.user();
    let stranger = kit.account(Subject::Personal, Owner::User(other));
    kit.fund(stranger, 5);
    assert_eq!(available(&kit, stranger), 5);
}

#[test]
fn an_account_shows_what_its_customers_freezes_take_from_it() {
    let queue = Table::new(&[(100, 0), (100, 0)], &[(Some(0), 30, 1), (None, 110, 2)]);
    let taken = queue.accounts.iter().map(|account| queue.kit.state.frozen_by_customer(row(&queue.kit, *account)));
    assert_eq!(taken.collect::<Vec<_>>(), [70, 40]);
    assert_eq!(queue.available(), [60, 60]);
}
