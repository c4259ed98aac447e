//! A small world: books in which every kind of row stands, made by commands alone.

use std::collections::BTreeMap;

use domain::account::{OpenAccount, Owner};
use domain::agreement::{CreateAgreement, PayFromAgreement};
use domain::approval::{ApprovalCommand, Approved, DigestAlgorithm, Evidence, Proposal, Propose};
use domain::attempt::{Outcome, Rail};
use domain::book::{Book, Side, Subject};
use domain::bulk::{BulkVoucher, PostBulk};
use domain::calendar::{Calendar, Date, Year};
use domain::clearing::{ClearingLine, LineKind, TakeClearingFile};
use domain::conversion::{ConversionCommand, Convert};
use domain::customer::{Customer, CustomerKind};
use domain::envelope::Time;
use domain::exchange_rate::{ExchangeRateCommand, RateDirection, SetExchangeRate};
use domain::freeze::{Measure, PlaceFreeze};
use domain::hold::{HoldCommand, NewHold, PlaceHold};
use domain::ids::{
    AccountId, AgreementId, ApprovalId, AttemptId, CustomerId, ExchangeRateId, MerchantId, OrderId, UserId,
};
use domain::initialise::Genesis;
use domain::leg::Instrument;
use domain::manual_voucher::{ManualVoucher, TemplateCommand, TemplateLine};
use domain::merchant::{Merchant, MerchantKind, OpenMerchant, SettlementAccount};
use domain::money::Currency;
use domain::operator::{OperatorCommand, Role};
use domain::order::{CreateOrder, Item, ItemKind};
use domain::payout::{CreatePayout, PayTo};
use domain::receiver::{ReceiverCommand, RegisterReceiver, Relation};
use domain::refund::CreateRefund;
use domain::sealed::{DataClass, Sealed};
use domain::split::{MakeSplit, Parts, SplitPart};
use domain::state::Changes;
use domain::tree::{LinkAccounts, Quota, RuleKind, SweepRule, TreeCommand};
use domain::voucher::{Entry, EventCode};
use domain::{Actor, Command, Context, Draft, Origin, Reply, State, decide};
use store::{Checkpoint, Database, StoreError, checkpoint};

/// Books and the store's place in them.
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) previous: Option<Checkpoint>,
    now: Time,
}

/// A day of 2026.
pub(crate) fn date(month: i8, day: i8) -> Date {
    Date::new(2026, month, day).unwrap()
}

fn nine_o_clock(day: Date) -> Time {
    day.starts_at().plus_ms(9 * 3_600_000)
}

pub(crate) fn sealed(mask: &str) -> Sealed {
    Sealed { ciphertext: vec![0xa5; 32], key: 7, mask: mask.into(), class: DataClass::C2 }
}

/// The checkpoint at a position; the hash is made up of it.
pub(crate) fn at(position: u64) -> Checkpoint {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&position.to_le_bytes());
    Checkpoint { position, hash, epoch: 1 }
}

fn register(login: &str, role: Role) -> OperatorCommand {
    OperatorCommand::Register { login: login.into(), roles: vec![role] }
}

fn propose(proposal: Proposal, evidence: Option<Evidence>) -> Command {
    Command::Approval(ApprovalCommand::Propose(Box::new(Propose { proposal, reason: "new".into(), evidence })))
}

fn propose_register(login: &str, role: Role) -> Command {
    propose(Proposal::Operator(register(login, role)), None)
}

fn success() -> Outcome {
    Outcome::Success { reference: "ref".into(), clearing_date: date(3, 5), part: None }
}

impl World {
    /// Begun books.
    pub(crate) fn new() -> Self {
        let mut world = Self { state: State::default(), previous: None, now: nine_o_clock(date(3, 5)) };
        let calendar = Calendar { years: BTreeMap::from([(2026, Year::default())]) };
        let institution = "示例支付".into();
        world.given(Command::Initialise(Genesis { institution, first_day: date(3, 5), calendar, sandbox: true }));
        world
    }

    /// Books with at least one row of every kind.
    pub(crate) fn full() -> Self {
        let mut world = Self::new();
        let person = world.customer(CustomerKind::Person);
        let user = world.user(person, "wallet");
        let personal = world.account(Subject::Personal, Owner::User(user));
        let merchant = world.merchant(MerchantKind::Agency, "安居房产");
        let company = world.state.merchant(merchant).unwrap().company.unwrap();
        world.fund("opening", 1, &[(personal, 50_000), (company, 80_000)]);
        let expires_at = world.now.plus_ms(9);
        let hold = PlaceHold { account: personal, amount: 1_000, currency: Currency::Cny, expires_at };
        world.given(Command::PlaceHold(hold));
        world.given(Command::CreateAgreement(CreateAgreement {
            number: "HT-2026-001".into(),
            party: Owner::Merchant(merchant),
            purpose: "earnest money".into(),
            book: Book::Reserve,
            currency: Currency::Cny,
            receivers: vec![company],
        }));
        world.converted(user, personal, company);
        world.frozen(personal);
        world.paid_out(company);
        world.ordered(user, merchant);
        world.decided();
        world.pooled(merchant);
        world
    }

    fn frozen(&mut self, account: AccountId) {
        self.given(Command::PlaceFreeze(PlaceFreeze {
            scope: account.into(),
            measure: Measure::Amount { amount: 700, currency: Currency::Cny },
            reason: "case".into(),
            authority: "court".into(),
            document: "(2026)沪01执1号".into(),
            source: None,
            priority: 100,
            expires_at: Some(self.now.plus_ms(60_000)),
        }));
        let customer = self.state.customer_of(self.state.account(account, "account").unwrap().owner).unwrap();
        self.given(Command::PlaceFreeze(PlaceFreeze {
            scope: customer.into(),
            measure: Measure::StopPayment,
            reason: "fraud".into(),
            authority: "police".into(),
            document: "S-1".into(),
            source: None,
            priority: 100,
            expires_at: None,
        }));
    }

    /// The merchant's 2203 under its 2206: a quota that a hold uses, and a run that sweeps the rest.
    fn pooled(&mut self, merchant: MerchantId) {
        let Merchant { available, company, .. } = self.state.merchant(merchant).unwrap().clone();
        let parent = company.unwrap();
        let link = LinkAccounts { parent, child: available, agreement: None };
        let Reply::TreeLink(link) = self.given(TreeCommand::link(link)) else { panic!("not a link") };
        let quota = Some(Quota { single: None, day: Some(900), month: None });
        self.given(Command::Tree(TreeCommand::SetQuota { link, quota }));
        let rule = Some(SweepRule { kind: RuleKind::SweepAll, minimum: 1, minute_of_day: Some(1_380) });
        self.given(Command::Tree(TreeCommand::SetRule { link, rule }));
        let expires_at = self.now.plus_ms(9);
        let hold = PlaceHold { account: available, amount: 900, currency: Currency::Cny, expires_at };
        self.given(Command::PlaceHold(hold));
        self.given(Command::Tree(TreeCommand::RunRules { parent, number: "1".into() }));
    }

    /// Operators, a proposal that waits, a template, and a manual voucher by it that lies in suspense.
    fn decided(&mut self) {
        for login in ["administrator-1", "administrator-2"] {
            self.given(Command::Operator(register(login, Role::Administrator)));
        }
        for login in ["auditor-1", "auditor-2"] {
            self.given_by("administrator-1", propose_register(login, Role::Auditor));
        }
        self.approved(ApprovalId(1), "administrator-2", 1);
        for (login, approval) in [("accountant-1", 3), ("accountant-2", 4)] {
            self.given_by("administrator-1", propose_register(login, Role::Accountant));
            self.approved(ApprovalId(approval), "administrator-2", approval);
        }
        let line = |subject, side| TemplateLine { subject, side };
        let lines = vec![line(Subject::ClearingEpcc, Side::Debit), line(Subject::Suspense, Side::Credit)];
        let (code, title, event) = ("unknown".into(), "unknown money".into(), EventCode::ManualVoucher);
        let template = Proposal::VoucherTemplate(TemplateCommand::Set { code, title, event, lines });
        self.given_by("accountant-1", propose(template, None));
        self.approved(ApprovalId(5), "accountant-2", 1);
        let own = |state: &State, subject| state.institution(subject, Currency::Cny).unwrap();
        let debit = Entry::debit(own(&self.state, Subject::ClearingEpcc), 77, Currency::Cny);
        let credit = Entry::credit(own(&self.state, Subject::Suspense), 77, Currency::Cny);
        let (template, entries) = ("unknown".into(), vec![debit, credit]);
        let voucher = ManualVoucher { template, entries, contra_of: None, dimensions: None };
        let evidence = Evidence { name: "memo".into(), algorithm: DigestAlgorithm::Sm3, digest: [3; 32].into() };
        self.given_by("accountant-1", propose(Proposal::ManualVoucher(voucher), Some(evidence)));
        self.approved(ApprovalId(6), "accountant-2", 2);
    }

    fn approved(&mut self, approval: ApprovalId, checker: &str, totp_step: u64) {
        let approve = ApprovalCommand::Approve { approval, totp_step, remark: None };
        self.given_by(checker, Command::Approval(approve));
    }

    /// Money announced to the first account, 100 paid from the agreement, and 500 of yuan made yen at a rate that two
    /// people set.
    fn converted(&mut self, user: UserId, personal: AccountId, company: AccountId) {
        let expires_at = self.now.plus_ms(99_000_000);
        let terms = PlaceHold { account: personal, amount: 3, currency: Currency::Cny, expires_at };
        let new = NewHold { terms, source: Some(company), reference: Some("合同 7".into()) };
        self.given(Command::Hold(HoldCommand::Place(new)));
        let agreement = AgreementId(1);
        let account = self.state.agreement(agreement).unwrap().account;
        self.fund("agreement", 1, &[(account, 100)]);
        self.given(Command::PayFromAgreement(PayFromAgreement { agreement, to: company, amount: 100 }));
        let open = OpenAccount {
            subject: Subject::Personal,
            currency: Currency::Jpy,
            owner: Owner::User(user),
            overdraft: false,
        };
        let Reply::Account(yen) = self.given(Command::OpenAccount(open)) else { panic!("not an account") };
        let set = ExchangeRateCommand::Set(SetExchangeRate {
            base: Currency::Jpy,
            quote: Currency::Cny,
            direction: RateDirection::QuoteToBase,
            value: 478,
            decimals: 4,
            source: "中国银行".into(),
            document: [7; 32].into(),
            valid_from: self.now,
            valid_until: expires_at,
        });
        self.as_approved(Command::ExchangeRate(set));
        let convert = Convert { rate: ExchangeRateId(1), from: personal, to: yen, amount: 500 };
        self.given(Command::Conversion(ConversionCommand::Convert(convert)));
    }

    /// As [`Self::given`], as if a second person had approved it.
    pub(crate) fn as_approved(&mut self, command: Command) {
        let actor = Actor::Operator("test".into());
        let context = Context { now: self.now, actor, approval: None, origin: Origin::Cli, epoch: 1 };
        let mut draft = Draft::begin(&mut self.state, &context, true);
        draft.approved = Some(Approved { id: ApprovalId(9), maker: "maker".into(), checker: "checker".into() });
        decide(&mut draft, command).unwrap();
        let _events = draft.commit();
    }

    /// A withdrawal whose answer did not come.
    fn paid_out(&mut self, account: AccountId) {
        let (to, currency) = (PayTo::Settlement, Currency::Cny);
        self.given(Command::CreatePayout(CreatePayout {
            account,
            to,
            amount: 10_000,
            fee: 1,
            currency,
            send_now: true,
            bank: None,
            channel: None,
        }));
        self.answered(&Outcome::Unknown);
    }

    /// An order paid by card, split, part refunded, cleared, the day cut, and settled the day after.
    fn ordered(&mut self, payer: UserId, merchant: MerchantId) {
        let agent = self.merchant(MerchantKind::Agent, "王*");
        let (order, currency) = (OrderId(1), Currency::Cny);
        self.given(Command::CreateOrder(CreateOrder {
            merchant,
            out_trade_no: "R-1".into(),
            payer,
            items: vec![Item { kind: ItemKind::Commission, amount: 500_000 }],
            currency,
            destination: None,
            tries_allowed: 3,
            expires_at: None,
            instruments: Vec::new(),
        }));
        let card = Instrument::Card {
            agreement: "AG-1".into(),
            mask: "622202******0001".into(),
            rail: Rail::Epcc,
            amount: 500_000,
            credit: false,
            bank: None,
            alternatives: Vec::new(),
            channel: None,
        };
        self.given(Command::PayOrder { order, instruments: vec![card] });
        let serial = self.answered(&success());
        self.receiver(merchant, agent);
        let parts = Parts::Amounts(vec![SplitPart { merchant: agent, amount: 100_000 }]);
        let (out_split_no, return_order) = ("S-1".into(), vec![]);
        self.given(Command::MakeSplit(MakeSplit { order, out_split_no, parts, return_order }));
        let (out_refund_no, take_from, items, legs) = ("F-1".into(), vec![], vec![], vec![]);
        let refund = CreateRefund { order, out_refund_no, amount: 20_000, return_fee: true, take_from, items, legs };
        self.given(Command::CreateRefund(refund));
        self.answered(&success());
        let line = ClearingLine { serial, kind: LineKind::Debit, amount: 500_000, currency, reference: None };
        let (rail, lines) = (Rail::Epcc, vec![line]);
        let file = TakeClearingFile { rail, date: date(3, 5), part: 1, last: true, lines, channel: None };
        self.given(Command::TakeClearingFile(file));
        self.now = nine_o_clock(date(3, 6));
        self.given(Command::CutDay { next: None });
        self.given(Command::Settle { merchant, today: date(3, 6) });
    }

    /// Lets a merchant receive from splits of the payee's orders.
    pub(crate) fn receiver(&mut self, payee: MerchantId, receiver: MerchantId) {
        let register = RegisterReceiver { payee, receiver, relation: Relation::Agent, max_share: Some(500_000) };
        self.given(Command::Receiver(ReceiverCommand::Register(register)));
    }

    /// Answers the attempt that was requested last, and gives its serial.
    pub(crate) fn answered(&mut self, outcome: &Outcome) -> String {
        let attempt = AttemptId(self.state.attempts.next_id() - 1);
        self.given(Command::AnswerAttempt { attempt, outcome: outcome.clone() });
        self.state.attempt(attempt).unwrap().serial()
    }

    /// Carries a command out that must succeed.
    pub(crate) fn given(&mut self, command: Command) -> Reply {
        self.given_by("test", command)
    }

    /// As [`Self::given`], in the name of an operator.
    pub(crate) fn given_by(&mut self, login: &str, command: Command) -> Reply {
        let actor = Actor::Operator(login.into());
        let context = Context { now: self.now, actor, approval: None, origin: Origin::Cli, epoch: 1 };
        self.state.now = context.now;
        let mut draft = Draft::begin(&mut self.state, &context, true);
        let reply = decide(&mut draft, command).unwrap();
        let _events = draft.commit();
        reply
    }

    pub(crate) fn customer(&mut self, kind: CustomerKind) -> CustomerId {
        let id = CustomerId(self.state.customers.next_id());
        let (name, certificate, phone) = (sealed("张*"), sealed("110***"), None);
        self.given(Command::RegisterCustomer(Customer { id, kind, name, certificate, phone, verification: None }));
        id
    }

    pub(crate) fn user(&mut self, customer: CustomerId, product: &str) -> UserId {
        let Reply::User(id) = self.given(Command::OpenUser { customer, product: product.into() }) else {
            panic!("not a user")
        };
        id
    }

    pub(crate) fn account(&mut self, subject: Subject, owner: Owner) -> AccountId {
        let command = OpenAccount { subject, currency: Currency::Cny, owner, overdraft: false };
        let Reply::Account(id) = self.given(Command::OpenAccount(command)) else { panic!("not an account") };
        id
    }

    pub(crate) fn merchant(&mut self, kind: MerchantKind, name: &str) -> MerchantId {
        let customer = self.customer(CustomerKind::Company);
        let settlement = SettlementAccount { account: sealed("6222***"), name: sealed("安*") };
        let (name, fee_rate) = (name.into(), 2_000);
        let command = OpenMerchant { customer, kind, name, fee_rate, settlement };
        let Reply::Merchant(id) = self.given(Command::OpenMerchant(command)) else { panic!("not a merchant") };
        id
    }

    /// Money from clearing to accounts, by one bulk posting.
    pub(crate) fn fund(&mut self, stream: &str, number: u64, accounts: &[(AccountId, i64)]) {
        let clearing = self.state.institution(Subject::ClearingEpcc, Currency::Cny).unwrap();
        let voucher = |&(account, amount)| BulkVoucher {
            event: EventCode::TopUp,
            entries: vec![Entry::debit(clearing, amount, Currency::Cny), Entry::credit(account, amount, Currency::Cny)],
            dimensions: None,
        };
        self.given(Command::PostBulk(PostBulk {
            stream: stream.into(),
            number,
            fingerprint: [number.to_le_bytes()[0]; 16],
            atomic: true,
            date: None,
            items: accounts.iter().map(voucher).collect(),
        }));
    }

    /// Commits what changed since the last time.
    pub(crate) fn store(&mut self, database: &Database) {
        let changes = self.state.take_changes();
        self.commit(database, &changes).unwrap();
    }

    /// Commits `changes` as those up to the state's position.
    pub(crate) fn commit(&mut self, database: &Database, changes: &Changes) -> Result<(), StoreError> {
        let next = at(self.state.position);
        checkpoint::commit(database, self.previous.as_ref(), &next, &self.state.core(), changes, &[], &[])?;
        self.previous = Some(next);
        Ok(())
    }
}
