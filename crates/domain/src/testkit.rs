//! Given, when, then: a small world to test features in.
//!
//! Every command that a test gives is checked beyond what the test asks: its events go through CBOR and into a second
//! state, which must show the same changed rows (so each event encodes, decodes and replays), the checks at close must
//! hold after it, and a refusal must leave every balance as it was.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::account::{OpenAccount, Owner};
use crate::approval::Approved;
use crate::attempt::{Attempt, FailureClass, Outcome};
use crate::book::{Side, Subject};
use crate::calendar::{Calendar, Date, Year};
use crate::checks;
use crate::command::{Command, Reply, decide};
use crate::customer::{Customer, CustomerKind};
use crate::draft::Draft;
use crate::envelope::{Actor, Context, Origin, Time};
use crate::event::{Event, apply};
use crate::freeze::{FreezeScope, Measure, PlaceFreeze};
use crate::ids::{AccountId, ApprovalId, AttemptId, CustomerId, MerchantId, UserId};
use crate::initialise::Genesis;
use crate::merchant::{MerchantKind, OpenMerchant, SettlementAccount};
use crate::money::{Currency, Minor};
use crate::outflow;
use crate::rates::channel::EndedTry;
use crate::recall::{self, RowId};
use crate::refusal::{Refusal, RefusalCode};
use crate::restore::RestoredAccount;
use crate::sealed::{DataClass, Sealed};
use crate::state::{Changes, State};
use crate::voucher::{BusinessNumber, Entry, EventCode, PostVoucher, Voucher};
use crate::webhook::Announcement;

pub(crate) mod cards;
mod leaving;
pub(crate) mod orders;
pub(crate) mod own_money;
pub(crate) mod people;
pub(crate) mod script;
pub(crate) mod wallets;

/// A day in the tests' calendar.
pub(crate) fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

/// A sealed field that shows `mask`.
pub(crate) fn sealed(mask: &str) -> Sealed {
    Sealed { ciphertext: vec![7; 40], key: 1, mask: mask.to_string(), class: DataClass::C2 }
}

/// A freeze of so many fen of an account or a customer by the district court.
pub(crate) fn court(scope: impl Into<FreezeScope>, amount: Minor) -> PlaceFreeze {
    PlaceFreeze {
        scope: scope.into(),
        measure: Measure::Amount { amount, currency: Currency::Cny },
        reason: "case 7".to_string(),
        authority: "district court".to_string(),
        document: "2026-0001".to_string(),
        source: None,
        priority: 100,
        expires_at: None,
    }
}

/// The channel did it, with this clearing date.
pub(crate) fn success(clearing_date: &str) -> Outcome {
    Outcome::Success { reference: String::from("ref"), clearing_date: date(clearing_date), part: None }
}

/// The channel did a part of it, with this clearing date.
pub(crate) fn in_part(clearing_date: &str, part: Minor) -> Outcome {
    Outcome::Success { reference: String::from("ref"), clearing_date: date(clearing_date), part: Some(part) }
}

/// The channel refused it.
pub(crate) fn declined(class: FailureClass) -> Outcome {
    Outcome::Declined { class, code: String::from("51") }
}

/// Books that began on Thursday 2026-03-05 at 09:00 in Shanghai.
#[derive(Debug)]
pub(crate) struct Kit {
    /// What the commands add up to.
    pub(crate) state: State,
    /// Every event so far.
    pub(crate) events: Vec<Event>,
    /// What time it is.
    pub(crate) now: Time,
    replayed: State,
    /// Every row there is, as a store would hold it.
    pub(crate) rows: Changes,
    /// When it wrote those that leave memory.
    written: Vec<(RowId, u64)>,
    /// What webhooks were to be told so far.
    pub(crate) announced: Vec<Announcement>,
    /// Tries at channels that ended so far.
    pub(crate) ended_tries: Vec<EndedTry>,
    numbers: u64,
    unchecked: bool,
    hurried: bool,
}

impl Kit {
    /// Initialised books.
    pub(crate) fn new() -> Self {
        let first_day = date("2026-03-05");
        let now = first_day.starts_at().plus_ms(9 * 3_600_000);
        let mut kit = Self {
            state: State::default(),
            events: Vec::new(),
            now,
            replayed: State::default(),
            rows: Changes::default(),
            written: Vec::new(),
            announced: Vec::new(),
            ended_tries: Vec::new(),
            numbers: 0,
            unchecked: false,
            hurried: false,
        };
        let holidays = vec![date("2026-04-06")];
        let calendar = Calendar { years: BTreeMap::from([(2026, Year { holidays, ..Year::default() })]) };
        kit.given(Command::Initialise(Genesis {
            institution: String::from("Test Pay"),
            first_day,
            calendar,
            sandbox: true,
        }));
        kit
    }

    /// Tries a command.
    pub(crate) fn when(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.tries("tester", command, None)
    }

    /// Tries a command in the name of an operator.
    pub(crate) fn when_by(&mut self, login: &str, command: Command) -> Result<Reply, Refusal> {
        self.tries(login, command, None)
    }

    /// Does a command that must succeed, as if a second person had approved it.
    #[track_caller]
    pub(crate) fn approved(&mut self, command: Command) -> Reply {
        let what = format!("{command:?}");
        self.when_approved(command).unwrap_or_else(|refusal| panic!("{refusal} for {what}"))
    }

    /// Tries a command as if a second person had approved it.
    pub(crate) fn when_approved(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.when_approved_as(ApprovalId(1), command)
    }

    /// As [`Self::when_approved`], by an approval of this number: what is posted for one bears it.
    pub(crate) fn when_approved_as(&mut self, id: ApprovalId, command: Command) -> Result<Reply, Refusal> {
        let (maker, checker) = (String::from("maker"), String::from("checker"));
        self.tries("tester", command, Some(Approved { id, maker, checker }))
    }

    /// Asserts that no voucher bears business number and event code of another.
    #[track_caller]
    pub(crate) fn posted_once(&self) {
        let mut numbers = BTreeSet::new();
        for voucher in self.posted() {
            let number = (voucher.business.clone(), voucher.event);
            assert!(numbers.insert(number), "{:?} of {} was posted twice", voucher.event, voucher.business);
        }
    }

    /// From now on neither runs the checks nor decides each command a second time: for a test that asks where walks lead, while
    /// another one takes the same walks with both.
    pub(crate) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Does a command after which a check at close may fail.
    #[track_caller]
    pub(crate) fn when_broken(&mut self, command: Command) -> Reply {
        self.unchecked = true;
        let reply = self.given(command);
        self.unchecked = false;
        reply
    }

    /// Tries a command; rows that it misses, after a restore, come back first, as the engine brings them back.
    fn tries(&mut self, login: &str, command: Command, approved: Option<Approved>) -> Result<Reply, Refusal> {
        loop {
            match self.tries_once(login, command.clone(), approved.clone()) {
                Ok(tried) => return tried,
                Err(rows) => rows.into_iter().for_each(|row| self.recall(row)),
            }
        }
    }

    fn tries_once(
        &mut self,
        login: &str,
        command: Command,
        approved: Option<Approved>,
    ) -> Result<Result<Reply, Refusal>, Vec<RowId>> {
        let before = self.balances();
        self.state.now = self.now;
        let context = Context {
            now: self.now,
            actor: Actor::Operator(String::from(login)),
            approval: None,
            origin: Origin::Api,
            epoch: 1,
        };
        let wanted = recall::wanted(&self.state, &command);
        if !wanted.is_empty() {
            return Err(wanted);
        }
        let recording = command.needs_undo();
        let without_closed = self.decides_without_closed(&context, &command, approved.as_ref());
        let mut draft = Draft::begin(&mut self.state, &context, recording);
        draft.approved = approved;
        let decided = decide(&mut draft, command);
        let missed = draft.state.missed();
        if !missed.is_empty() {
            assert!(recording, "`recall::wanted` names what a command asks for that is not taken back");
            draft.rollback();
            return Err(missed);
        }
        if let Some((result, events)) = without_closed {
            assert_eq!(result, decided, "what is in memory changes no answer");
            let here = draft.events();
            assert!(result.is_err() || events == here, "what is in memory changes no event: {events:?} and {here:?}");
        }
        match decided {
            Ok(reply) => {
                let events = draft.commit().events();
                self.replay(&events);
                self.agrees(&events);
                self.events.extend(events);
                if !self.unchecked && !self.hurried {
                    self.checks_hold();
                }
                Ok(Ok(reply))
            }
            Err(refusal) => {
                draft.rollback();
                assert_eq!(self.balances(), before, "a refusal changes nothing: {refusal}");
                let _ = self.state.take_changes();
                Ok(Err(refusal))
            }
        }
    }

    /// The books agree with every attempt that was asked for, as whoever sends it asks them.
    fn agrees(&self, events: &[Event]) {
        for event in events {
            let Event::AttemptRequested(Attempt { id, .. }) = event else { continue };
            let agreed = outflow::agree(&self.state, self.state.attempt(*id).expect("it was asked for"));
            let away = !self.state.missed().is_empty();
            self.state.forget_missed();
            assert!(agreed.is_ok() || away, "{id}: {agreed:?}");
        }
    }

    /// Does a command that must succeed.
    #[track_caller]
    pub(crate) fn given(&mut self, command: Command) -> Reply {
        let what = format!("{command:?}");
        self.when(command).unwrap_or_else(|refusal| panic!("{refusal} for {what}"))
    }

    /// Tries a command that must be refused with this code.
    #[track_caller]
    pub(crate) fn refused(&mut self, command: Command, code: RefusalCode) {
        let what = format!("{command:?}");
        match self.when(command) {
            Ok(reply) => panic!("{reply:?} in place of {} for {what}", code.name()),
            Err(refusal) => assert_eq!(refusal.code, code, "{refusal} for {what}"),
        }
    }

    /// Goes on with a state restored from rows, balances and turnovers; the second state stays as it is.
    pub(crate) fn restore(&mut self) {
        let live = &self.state;
        let balances = live.accounts.iter().map(|(_, account)| RestoredAccount {
            account: account.id,
            balance: account.balance,
            entries: account.entries,
        });
        let of_day = |date| {
            let turnover = move |account| live.days.turnover(account, date).expect("the day is open");
            live.accounts.iter().map(move |(_, account)| (date, account.id, turnover(account.id)))
        };
        let turnovers = live.days.open_days().flat_map(of_day);
        let rows = self.rows.clone().in_memory(live);
        let restored = State::restore(live.core(), rows, &self.written, balances, turnovers).expect("it fits together");
        assert_eq!(restored.differing(live), Vec::<&str>::new());
        self.state = restored;
        assert!(self.state.take_changes().is_empty(), "nothing restored counts as changed");
    }

    fn replay(&mut self, events: &[Event]) {
        self.replayed.now = self.now;
        for event in events {
            let bytes = minicbor::to_vec(event).expect("events encode");
            let back: Event = minicbor::decode(&bytes).expect("events decode");
            assert_eq!(&back, event);
            apply(&mut self.replayed, &back);
        }
        let mut changes = self.state.take_changes();
        assert_eq!(format!("{changes:?}"), format!("{:?}", self.replayed.take_changes()));
        self.announced.append(&mut changes.announced);
        self.ended_tries.append(&mut changes.ended_tries);
        let position = self.state.position;
        self.written.retain(|(row, _)| changes.row(*row).is_none());
        self.written.extend(changes.leaving().into_iter().map(|row| (row, position)));
        self.rows.extend(changes);
        self.rows.keep_last();
        assert_eq!(self.state.posted, self.replayed.posted);
        self.state.posted.clear();
        self.replayed.posted.clear();
    }

    fn checks_hold(&self) {
        for day in self.state.days.open_days() {
            for check in checks::run(&self.state, day) {
                assert!(check.holds, "{}: {}", check.name, check.detail);
            }
        }
    }

    fn balances(&self) -> Vec<(u64, Minor, [Minor; 2], Minor)> {
        self.state
            .accounts
            .iter()
            .map(|(id, account)| (id, account.balance, [account.held_out, account.rare.held_in], account.rare.frozen))
            .collect()
    }

    /// Moves the clock.
    pub(crate) fn later(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
    }

    /// Moves the clock to 09:00 of a day and the accounting day to it.
    pub(crate) fn on(&mut self, day: &str) {
        self.now = date(day).starts_at().plus_ms(9 * 3_600_000);
        self.given(Command::CutDay { next: Some(date(day)) });
    }

    /// A person.
    pub(crate) fn customer(&mut self) -> CustomerId {
        let id = CustomerId(self.state.customers.next_id());
        self.given(Command::RegisterCustomer(Customer {
            id,
            kind: CustomerKind::Person,
            name: sealed("*三"),
            certificate: sealed("1101**********1234"),
            phone: Some(sealed("138****0000")),
            verification: None,
        }));
        id
    }

    /// A person in the product `rent`.
    pub(crate) fn user(&mut self) -> UserId {
        let customer = self.customer();
        let Reply::User(id) = self.given(Command::OpenUser { customer, product: String::from("rent") }) else {
            panic!("the reply names what was made")
        };
        id
    }

    /// A merchant with its fee in millionths.
    pub(crate) fn merchant(&mut self, kind: MerchantKind, fee_rate: Minor) -> MerchantId {
        let customer = self.customer();
        let settlement = SettlementAccount { account: sealed("6222**********0001"), name: sealed("*四") };
        let name = format!("merchant of {customer}");
        let Reply::Merchant(id) =
            self.given(Command::OpenMerchant(OpenMerchant { customer, kind, name, fee_rate, settlement }))
        else {
            panic!("the reply names what was made")
        };
        id
    }

    /// A landlord at 0.2 %: 10 of 5,000.
    pub(crate) fn landlord(&mut self) -> MerchantId {
        self.merchant(MerchantKind::Landlord, 2_000)
    }

    /// An account in yuan.
    pub(crate) fn account(&mut self, subject: Subject, owner: Owner) -> AccountId {
        let open = OpenAccount { subject, currency: Currency::Cny, owner, overdraft: false };
        let Reply::Account(id) = self.given(Command::OpenAccount(open)) else {
            panic!("the reply names what was made")
        };
        id
    }

    /// Puts money on a credit account of the reserve, against 1121.
    pub(crate) fn fund(&mut self, account: AccountId, amount: Minor) {
        let from = self.state.institution(Subject::ClearingEpcc, Currency::Cny).expect("genesis opened it");
        let entries = vec![Entry::debit(from, amount, Currency::Cny), Entry::credit(account, amount, Currency::Cny)];
        self.numbers += 1;
        self.given(Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text(format!("fund-{}", self.numbers).into_boxed_str()),
            event: EventCode::TopUp,
            date: None,
            entries,
            dimensions: None,
        }));
    }

    /// An account's balance.
    #[track_caller]
    pub(crate) fn balance(&self, account: AccountId) -> Minor {
        self.state.account(account, "account").expect("the account is there").balance
    }

    /// What the institution's own account of a subject holds in yuan.
    #[track_caller]
    pub(crate) fn own(&self, subject: Subject) -> Minor {
        self.balance(self.state.institution(subject, Currency::Cny).expect("genesis opened it"))
    }

    /// Asserts the balances of the institution's own accounts by subject code; every other one must be at zero.
    #[track_caller]
    pub(crate) fn books(&self, expected: &[(u16, Minor)]) {
        let mut found: Vec<(u16, Minor)> = Vec::new();
        for (_, account) in self.state.accounts.iter() {
            if account.owner == Owner::Institution && account.balance != 0 {
                found.push((account.subject.code(), account.balance));
            }
        }
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    /// 2202 of a merchant.
    #[track_caller]
    pub(crate) fn pending(&self, merchant: MerchantId) -> Minor {
        self.balance(self.state.merchant(merchant).expect("the merchant is there").pending)
    }

    /// 2203 of a merchant.
    #[track_caller]
    pub(crate) fn available(&self, merchant: MerchantId) -> Minor {
        self.balance(self.state.merchant(merchant).expect("the merchant is there").available)
    }

    /// The attempts whose answer is not certain, oldest first.
    pub(crate) fn outbox(&self) -> Vec<Attempt> {
        self.state.outbox.iter().map(|(id, ())| self.state.attempt(*id).expect("it is in the outbox").clone()).collect()
    }

    /// The only attempt whose answer is not certain.
    #[track_caller]
    pub(crate) fn waiting(&self) -> Attempt {
        let mut outbox = self.outbox();
        assert_eq!(outbox.len(), 1, "{outbox:?}");
        outbox.remove(0)
    }

    /// Answers an attempt.
    #[track_caller]
    pub(crate) fn answer(&mut self, attempt: AttemptId, outcome: Outcome) {
        self.given(Command::AnswerAttempt { attempt, outcome });
    }

    /// Answers the only attempt that waits, and says which it was.
    #[track_caller]
    pub(crate) fn answered(&mut self, outcome: Outcome) -> Attempt {
        let attempt = self.waiting();
        self.answer(attempt.id, outcome);
        attempt
    }

    /// Every voucher so far.
    pub(crate) fn posted(&self) -> impl Iterator<Item = &Voucher> {
        self.events
            .iter()
            .filter_map(|event| if let Event::VoucherPosted(voucher) = event { Some(voucher) } else { None })
    }

    /// The entries of the last voucher as (account, side, amount).
    #[track_caller]
    pub(crate) fn last_voucher(&self) -> Vec<(AccountId, Side, Minor)> {
        let voucher = self.posted().last().expect("a voucher was posted");
        voucher.entries.iter().map(|entry| (entry.account, entry.side, entry.amount)).collect()
    }
}

#[test]
fn a_new_world_is_balanced_and_replays() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let pending = kit.state.merchant(merchant).unwrap().pending;
    kit.fund(pending, 500);
    assert_eq!(kit.pending(merchant), 500);
    kit.books(&[(1121, 500)]);
    kit.refused(Command::CloseAccount(pending), RefusalCode::AccountNotEmpty);
}
