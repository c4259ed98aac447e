//! A random walk: each step becomes a command, is decided on the state and told to the model.

use std::collections::BTreeMap;

use domain::account::{OpenAccount, Owner};
use domain::approval::Approved;
use domain::book::{Book, Subject};
use domain::bulk::PostBulk;
use domain::business_day::DayStatus;
use domain::calendar::{Calendar, Date};
use domain::checks;
use domain::customer::{Customer, CustomerKind};
use domain::envelope::Time;
use domain::ids::{AccountId, ApprovalId, CustomerId, MerchantId, UserId};
use domain::initialise::Genesis;
use domain::merchant::{MerchantKind, OpenMerchant, SettlementAccount};
use domain::money::Currency;
use domain::sealed::{DataClass, Sealed};
use domain::{Actor, Command, Context, Draft, Event, Origin, Refusal, Reply, State, apply, decide};

use crate::books::{assert_agree, assert_sound, digest};
use crate::kept::Kept;
use crate::model::Model;
use crate::step::Step;

mod accounts;
mod payouts;
mod trees;

const CNY: Currency = Currency::Cny;
const DOLLARS: Currency = Currency::Usd;
const MINUTE_MS: i64 = 60_000;

/// The walk so far.
pub(crate) struct Walk {
    state: State,
    /// A second state that only ever sees the events.
    shadow: State,
    /// What a store and history would hold.
    kept: Kept,
    events: Vec<(Time, Vec<u8>)>,
    model: Model,
    now: Time,
    digest: u64,
    /// What steps may name.
    accounts: Vec<AccountId>,
    /// Whose settlement account each merchant's account pays, and its 2206.
    merchants: BTreeMap<AccountId, (MerchantId, Option<AccountId>)>,
    suspended: Vec<MerchantId>,
    posted: BTreeMap<u8, PostBulk>,
    last_stream: Option<u8>,
    texts: u64,
}

fn sealed() -> Sealed {
    Sealed { ciphertext: vec![7; 24], key: 1, mask: String::from("6222**********0001"), class: DataClass::C2 }
}

fn pick<T: Copy>(from: impl Iterator<Item = T>, selector: u8) -> Option<T> {
    let all: Vec<T> = from.collect();
    all.get(usize::from(selector) % all.len().max(1)).copied()
}

fn wide(amount: i64) -> i128 {
    i128::from(amount)
}

impl Walk {
    /// Books with two merchants, two personal accounts in yuan and two in dollars, and custody.
    pub(crate) fn begin() -> Self {
        let first_day = Date::new(2026, 3, 5).expect("a date");
        let mut walk = Self {
            state: State::default(),
            shadow: State::default(),
            kept: Kept::default(),
            events: Vec::new(),
            model: Model { today: first_day, ..Model::default() },
            now: first_day.starts_at(),
            digest: 0,
            accounts: Vec::new(),
            merchants: BTreeMap::new(),
            suspended: Vec::new(),
            posted: BTreeMap::new(),
            last_stream: None,
            texts: 0,
        };
        let (institution, calendar) = (String::from("Test Pay"), Calendar::default());
        walk.given(Command::Initialise(Genesis { institution, first_day, calendar, sandbox: true }));
        let customer = CustomerId(1);
        let (kind, name, certificate) = (CustomerKind::Person, sealed(), sealed());
        walk.given(Command::RegisterCustomer(Customer {
            id: customer,
            kind,
            name,
            certificate,
            phone: None,
            verification: None,
        }));
        walk.given(Command::OpenUser { customer, product: String::from("rent") });
        for kind in [MerchantKind::Agency, MerchantKind::Landlord] {
            let settlement = SettlementAccount { account: sealed(), name: sealed() };
            let open = OpenMerchant { customer, kind, name: String::from("Homes"), fee_rate: 2_000, settlement };
            walk.given(Command::OpenMerchant(open));
        }
        let personal = [(); 2].map(|()| walk.opened(Subject::Personal, CNY));
        let sub = walk.opened(Subject::CustodySub, CNY);
        let dollars = [(); 2].map(|()| walk.opened(Subject::Personal, DOLLARS));
        let merchants: Vec<_> = walk.state.merchants.iter().map(|(_, merchant)| merchant.clone()).collect();
        walk.accounts = [Subject::ClearingEpcc, Subject::ClearingUnionPay].map(|subject| walk.own(subject)).to_vec();
        walk.accounts.extend(personal);
        for merchant in merchants {
            let of_it = [Some(merchant.available), merchant.company, Some(merchant.pending)];
            walk.accounts.extend(of_it.iter().flatten());
            for account in [Some(merchant.available), merchant.company].into_iter().flatten() {
                walk.merchants.insert(account, (merchant.id, merchant.company));
            }
        }
        walk.accounts.extend([walk.own(Subject::CustodyBank), sub]);
        walk.accounts.push(walk.own_in(Subject::ClearingEpcc, DOLLARS));
        walk.accounts.extend(dollars);
        for (_, account) in walk.state.accounts.iter() {
            walk.model.opened(account.id, account.subject, account.currency, false);
        }
        walk.fund();
        walk
    }

    /// Gives every account of others in reserve something to spend.
    fn fund(&mut self) {
        let dollars = self.own_in(Subject::ClearingEpcc, DOLLARS);
        let dollars = self.accounts.iter().position(|account| *account == dollars).expect("steps may name it");
        let dollars = u8::try_from(dollars).expect("there are few accounts");
        for at in 2..self.accounts.len() {
            if at != usize::from(dollars) && self.model.accounts[&self.accounts[at]].subject.book() == Book::Reserve {
                let to = u8::try_from(at).expect("there are few accounts");
                let from = if self.currency(self.accounts[at]) == CNY { 0 } else { dollars };
                self.transfer((from, to, 2_000), None);
            }
        }
    }

    fn opened(&mut self, subject: Subject, currency: Currency) -> AccountId {
        let owner = Owner::User(UserId(1));
        let open = OpenAccount { subject, currency, owner, overdraft: false };
        let Reply::Account(id) = self.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
        id
    }

    fn own(&self, subject: Subject) -> AccountId {
        self.own_in(subject, CNY)
    }

    fn own_in(&self, subject: Subject, currency: Currency) -> AccountId {
        self.state.institution(subject, currency).expect("its books were opened")
    }

    fn currency(&self, account: AccountId) -> Currency {
        self.model.accounts[&account].currency
    }

    fn given(&mut self, command: Command) -> Reply {
        self.tries(command).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// Decides a command. Its events go through CBOR to the shadow; a refusal must have changed nothing.
    fn tries(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.tries_as(command, None)
    }

    /// As [`Self::tries`], for a command that a second person approved.
    fn approved(&mut self, command: Command) -> Result<Reply, Refusal> {
        let (maker, checker) = (String::from("maker"), String::from("checker"));
        self.tries_as(command, Some(Approved { id: ApprovalId(1), maker, checker }))
    }

    fn tries_as(&mut self, command: Command, approved: Option<Approved>) -> Result<Reply, Refusal> {
        let context = self.context();
        self.state.now = self.now;
        self.shadow.now = self.now;
        let recording = command.needs_undo();
        let moves_time = matches!(command, Command::Tick);
        let mut draft = Draft::begin(&mut self.state, &context, recording);
        draft.approved = approved;
        let result = decide(&mut draft, command);
        if result.is_ok() {
            for event in draft.commit().events() {
                let bytes = minicbor::to_vec(&event).expect("events encode");
                apply(&mut self.shadow, &minicbor::decode::<Event>(&bytes).expect("events decode"));
                self.events.push((self.now, bytes));
            }
        } else {
            draft.rollback();
        }
        assert_eq!(self.state.posted, self.shadow.posted);
        self.kept.take(&mut self.state);
        let after = settled(&mut self.state, &context);
        assert_eq!(after, settled(&mut self.shadow, &context), "what the events say is what the state is");
        if let Err(refusal) = &result {
            assert!(!moves_time, "a tick is never refused");
            assert_eq!(after, self.digest, "a refusal changes nothing: {refusal}");
        }
        self.digest = after;
        result
    }

    /// Takes a step and holds every law after it.
    pub(crate) fn step(&mut self, step: &Step) {
        self.take(step);
        assert_sound(&self.state);
        assert_agree(&self.state, &self.model);
    }

    /// Takes a step.
    pub(crate) fn take(&mut self, step: &Step) {
        match *step {
            Step::Transfer(transfer, twist) => self.transfer(transfer, twist),
            Step::Bulk { stream, ref transfers, atomic } => self.bulk(stream % 2, transfers, atomic),
            Step::RepeatBulk { changed } => self.repeat_bulk(changed),
            Step::OpenAccount(selector) => self.open_account(selector),
            Step::CloseAccount(selector) => self.close_account(selector),
            Step::PlaceHold { account, amount, minutes } => self.place_hold(account, amount, minutes),
            Step::ConfirmHold { hold, amount, to } => self.confirm_hold(hold, amount, to),
            Step::CancelHold(selector) => self.cancel_hold(selector),
            Step::Announce { account, source, amount, minutes } => self.announce(account, source, amount, minutes),
            Step::Receive { hold, amount } => self.receive(hold, amount),
            Step::Link { parent, child } => self.link(parent, child),
            Step::Unlink(selector) => self.unlink(selector),
            Step::MoveInTree { link, up, amount } => self.move_in_tree(link, up, amount),
            Step::Restrict { account, in_barred, out_barred } => self.restrict(account, in_barred, out_barred),
            Step::Freeze { account, amount, minutes } => self.freeze(account, amount, minutes),
            Step::FreezeCustomer { amount, dollars, minutes } => self.freeze_customer(amount, dollars, minutes),
            Step::Release { freeze, amount, same_authority } => self.release(freeze, amount, same_authority),
            Step::CreatePayout { account, to, amount, fee, send_now } => {
                self.create_payout(account, to, amount, fee, send_now);
            }
            Step::SendPayout(selector) => self.send_payout(selector),
            Step::CancelPayout(selector) => self.cancel_payout(selector),
            Step::ReturnPayout(selector) => self.return_payout(selector),
            Step::Verify(selector) => self.verify(selector),
            Step::Answer(selector, answer) => self.answer(selector, answer),
            Step::CreateAgreement { receiver } => self.create_agreement(receiver),
            Step::PayFromAgreement { agreement, to, amount } => self.pay_from_agreement(agreement, to, amount),
            Step::CloseAgreement(selector) => self.close_agreement(selector),
            Step::Cut => self.cut(),
            Step::Seal => self.seal(),
            Step::Close { sound } => self.close(sound),
            Step::Tick { minutes } => self.tick(minutes),
            Step::Restore => self.restore(),
        }
    }

    /// All events from genesis give the same state again.
    pub(crate) fn replay_from_genesis(&mut self) {
        let mut fresh = State::default();
        for (now, bytes) in &self.events {
            fresh.now = *now;
            apply(&mut fresh, &minicbor::decode(bytes).expect("events decode"));
            fresh.posted.clear();
        }
        fresh.now = self.now;
        assert_eq!(fresh.differing(&self.state), Vec::<&str>::new());
    }

    /// What was kept gives the state again, and the walk goes on with that.
    fn restore(&mut self) {
        let mut restored = self.kept.restore(&self.state);
        assert_eq!(restored.differing(&self.state), Vec::<&str>::new());
        assert!(restored.take_changes().is_empty(), "nothing restored counts as changed");
        self.digest = settled(&mut restored, &self.context());
        self.shadow = restored.clone();
        self.state = restored;
    }

    fn context(&self) -> Context {
        Context { now: self.now, actor: Actor::Timer, approval: None, origin: Origin::Api, epoch: 1 }
    }

    /// How many events of each kind there were.
    pub(crate) fn kinds(&self) -> BTreeMap<String, u32> {
        let mut kinds = BTreeMap::new();
        for (_, bytes) in &self.events {
            let event = format!("{:?}", minicbor::decode::<Event>(bytes).expect("events decode"));
            let mut words = event.split(['(', ' ', ')']);
            let kind = words.next().unwrap_or_default();
            *kinds.entry(kind.to_string()).or_default() += 1;
            if let ("Tree" | "Hold", Some(step)) = (kind, words.next()) {
                *kinds.entry(format!("{kind} {step}")).or_default() += 1;
            }
        }
        kinds
    }

    fn account(&self, selector: u8) -> AccountId {
        pick(self.accounts.iter().copied(), selector).expect("there are accounts")
    }

    /// Two different accounts.
    fn two(&self, from: u8, to: u8) -> (AccountId, AccountId) {
        let (from, to) = (self.account(from), self.account(to));
        if from != to {
            return (from, to);
        }
        let at = self.accounts.iter().position(|account| *account == to).expect("it was picked among them");
        (from, self.accounts[(at + 1) % self.accounts.len()])
    }

    fn cut(&mut self) {
        let expected = self.state.days.open_days().count() < domain::business_day::MAX_OPEN_DAYS;
        let result = self.tries(Command::CutDay { next: None });
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if expected {
            self.model.cut(self.model.today.plus_days(1));
        }
    }

    fn seal(&mut self) {
        let oldest = self.state.days.open_days().next().expect("a day is open");
        let result = self.tries(Command::SealDay(oldest));
        assert_eq!(result.is_ok(), oldest != self.model.today, "{result:?}");
    }

    fn close(&mut self, sound: bool) {
        let date = self.state.days.open_days().next().expect("a day is open");
        let sealed = self.state.days.get(date).and_then(|day| day.sealed);
        let mut checks = checks::run(&self.state, date);
        checks[0].holds &= sound;
        let result = self.tries(Command::CloseDay { date, position: sealed.unwrap_or_default(), checks });
        assert_eq!(result.is_ok(), sealed.is_some(), "{result:?}");
        let closed = self.state.days.get(date).is_some_and(|day| day.status == DayStatus::Closed);
        assert_eq!(closed, sound && sealed.is_some());
        if closed {
            self.model.closed(date);
        }
    }

    fn tick(&mut self, minutes: i64) {
        self.now = self.now.plus_ms(minutes * MINUTE_MS);
        self.given(Command::Tick);
        self.model.expire(self.now);
    }
}

/// The digest of a state whose lists of recent changes are emptied.
fn settled(state: &mut State, context: &Context) -> u64 {
    let _ = state.take_changes();
    state.posted.clear();
    Draft::begin(state, context, true).rollback();
    digest(state)
}
