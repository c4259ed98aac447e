//! What clients ask for: commands made of what is durable, most of which may succeed and some of which may not.

use std::collections::BTreeMap;

use domain::account::{Account, AccountStatus, OpenAccount, Owner};
use domain::attempt::Rail;
use domain::book::Subject;
use domain::bulk::{BulkConfirm, BulkItem, BulkVoucher, PostBulk};
use domain::calendar::{Calendar, Date, Year};
use domain::customer::{Customer, CustomerKind};
use domain::envelope::Time;
use domain::fee_plan::{FeeOf, FeePayer};
use domain::freeze::{Measure, PlaceFreeze};
use domain::fund_batch::{FundRoute, Monthly};
use domain::hold::{NewHold, PlaceHold};
use domain::ids::{AccountId, CustomerId, HoldId, LegId, MerchantId, UserId};
use domain::initialise::Genesis;
use domain::leg::Instrument;
use domain::limit::Factors;
use domain::merchant::{Merchant, MerchantKind, OpenMerchant, SettlementAccount};
use domain::money::{Currency, Minor};
use domain::order::{CreateOrder, Item, ItemKind, Order, OrderStatus};
use domain::payout::{CreatePayout, PayTo, PayoutStatus, Receiver};
use domain::recall::Leaves;
use domain::receiver::{ReceiverCommand, RegisterReceiver, Relation};
use domain::refund::{CreateRefund, ItemRefund, LegRefund};
use domain::restriction::Restriction;
use domain::split::{MakeSplit, Parts, ReturnSplit, Split, SplitPart};
use domain::task::TaskCommand;
use domain::top_up::{CreateTopUp, TopUpCommand, TopUpFrom};
use domain::transfer::{MakeTransfer, TransferCommand};
use domain::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
use domain::{Command, State};

use crate::by_hand;
use crate::fund_batch::PERIOD;
use crate::random::Random;
use crate::secrets::secrets;

const CNY: Currency = Currency::Cny;

/// The first accounting day.
pub(crate) fn first_day() -> Date {
    Date::new(2026, 3, 5).expect("a date")
}

/// What every run begins with: books, three people with a wallet each, two merchants who may split with each other, two
/// accounts in custody.
pub(crate) fn opening(institution: &str) -> Vec<Command> {
    let calendar = Calendar { years: BTreeMap::from([(2026, Year::default())]) };
    let genesis = Genesis { institution: institution.into(), first_day: first_day(), calendar, sandbox: true };
    let mut commands = vec![Command::Initialise(genesis)];
    for number in 1..=3 {
        let customer = CustomerId(number);
        let (name, certificate) = (secrets().name.clone(), secrets().account.clone());
        let kind = CustomerKind::Person;
        commands.push(Command::RegisterCustomer(Customer {
            id: customer,
            kind,
            name,
            certificate,
            phone: None,
            verification: None,
        }));
        commands.push(Command::OpenUser { customer, product: "rent".into() });
        commands.push(opens(Subject::Personal, UserId(number), false));
    }
    for (number, kind) in [(1, MerchantKind::Landlord), (2, MerchantKind::Agency)] {
        let settlement = SettlementAccount { account: secrets().account.clone(), name: secrets().name.clone() };
        let (customer, name) = (CustomerId(number), format!("Homes {number}"));
        let fee_rate = 2_000;
        commands.push(Command::OpenMerchant(OpenMerchant { customer, kind, name, fee_rate, settlement }));
    }
    for (payee, receiver) in [(MerchantId(1), MerchantId(2)), (MerchantId(2), MerchantId(1))] {
        let register = RegisterReceiver { payee, receiver, relation: Relation::Partner, max_share: None };
        commands.push(Command::Receiver(ReceiverCommand::Register(register)));
    }
    for number in 1..=2 {
        commands.push(opens(Subject::CustodySub, UserId(number), true));
    }
    commands
}

fn opens(subject: Subject, user: UserId, overdraft: bool) -> Command {
    Command::OpenAccount(OpenAccount { subject, currency: CNY, owner: Owner::User(user), overdraft })
}

/// A client's imagination: the durable state it sees, what time it is, and a number of its own for each request.
#[derive(Debug)]
pub(crate) struct Maker<'a> {
    pub(crate) state: &'a State,
    pub(crate) random: &'a mut Random,
    pub(crate) now: Time,
    /// Unique in the run.
    pub(crate) number: u64,
    /// The client's own stream of bulk postings, and the number that follows.
    pub(crate) stream: (String, u64),
}

impl<'a> Maker<'a> {
    /// The next command; nothing if what it would be about is not there yet.
    pub(crate) fn command(&mut self) -> Option<Command> {
        match self.random.below(100) {
            0..12 => self.top_up(),
            12..20 => self.transfer(),
            20..35 => self.order(),
            35..51 => self.pay(),
            51..60 => self.refund(),
            60..64 => self.split(),
            64..66 => self.return_split(),
            66..74 => self.payout(),
            74..77 => self.on_a_payout(),
            77..80 => self.hold(),
            80..83 => self.on_a_hold(),
            83..86 => self.freeze(),
            86..92 => Some(self.bulk()),
            92..94 => self.voucher(),
            94..95 => self.close_order(),
            95..96 => self.restrict(),
            96..98 => self.task(),
            98..99 => Some(opens(Subject::Personal, UserId(1 + self.random.below(3)), false)),
            _ => self.verify(),
        }
    }

    /// Any account, for a read.
    pub(crate) fn any_account(&mut self) -> Option<AccountId> {
        let all: Vec<AccountId> = self.state.accounts.iter().map(|(_, account)| account.id).collect();
        self.random.pick(&all).copied()
    }

    fn accounts(&self, subject: Subject) -> Vec<&'a Account> {
        let all = self.state.accounts.iter().map(|(_, account)| account);
        all.filter(|account| account.subject == subject && account.status == AccountStatus::Open).collect()
    }

    fn account(&mut self, subject: Subject) -> Option<AccountId> {
        let all = self.accounts(subject);
        self.random.pick(&all).map(|account| account.id)
    }

    fn amount(&mut self) -> Minor {
        // Sometimes more than anybody has, sometimes nothing at all.
        match self.random.below(40) {
            0 => 0,
            1 => 90_000_000,
            _ => self.random.between(1, 60_000),
        }
    }

    /// An amount of which several leave the range of a balance.
    fn huge(&mut self) -> Minor {
        self.random.between(i64::MAX / 8, i64::MAX / 3)
    }

    fn top_up(&mut self) -> Option<Command> {
        let account = self.account(Subject::Personal)?;
        let amount = self.random.between(10_000, 500_000);
        let (agreement, mask) = (format!("AG-{}", self.number), "622202******1234".into());
        let from = TopUpFrom::Agreement { rail: Rail::Epcc, agreement, mask, channel: None };
        let top_up = CreateTopUp { account, from, amount, currency: CNY, device: None };
        Some(Command::TopUp(TopUpCommand::Create(top_up)))
    }

    fn transfer(&mut self) -> Option<Command> {
        let (from, to) = (self.account(Subject::Personal)?, self.account(Subject::Personal)?);
        let (amount, factors) = (self.amount(), Factors::TwoWithCertificate);
        let make = MakeTransfer { from, to, amount, currency: CNY, factors, note: None, device: None };
        Some(Command::Transfer(TransferCommand::Make(make)))
    }

    fn merchant(&mut self) -> Option<&'a Merchant> {
        let all: Vec<&'a Merchant> = self.state.merchants.iter().map(|(_, merchant)| merchant).collect();
        self.random.pick(&all).copied()
    }

    fn order(&mut self) -> Option<Command> {
        let (merchant, payer) = (self.merchant()?.id, UserId(1 + self.random.below(3)));
        let mut items = vec![Item { kind: ItemKind::Rent, amount: self.random.between(100, 80_000) }];
        if self.random.chance(400) {
            items.push(Item { kind: ItemKind::Deposit, amount: self.random.between(100, 80_000) });
        }
        let (out_trade_no, tries_allowed) = (format!("R-{}", self.number), 1 + u8::from(self.random.chance(600)));
        let (currency, destination) = (CNY, None);
        let expires_in = self.random.chance(150).then(|| self.random.between(3_000, 120_000));
        // One in five is paid by the command that creates it.
        let instruments = if self.random.chance(200) {
            let total: Minor = items.iter().map(|item| item.amount).sum();
            self.instruments(self.on_top(merchant, total) + total, items[0].amount)
        } else {
            Vec::new()
        };
        let create = CreateOrder {
            merchant,
            out_trade_no,
            payer,
            items,
            currency,
            destination,
            tries_allowed,
            expires_at: expires_in.map(|ms| self.now.plus_ms(ms)),
            instruments,
        };
        Some(Command::CreateOrder(create))
    }

    /// The fee that a merchant's payers pay on top of such an order today.
    fn on_top(&self, merchant: MerchantId, amount: Minor) -> Minor {
        let plan =
            self.state.days.current().and_then(|today| self.state.fee_plan_on(merchant.into(), FeeOf::Order, today));
        let plan = plan.filter(|plan| plan.payer == FeePayer::Payer);
        plan.and_then(|plan| plan.fee_of(amount).ok()).unwrap_or(0)
    }

    fn orders(&self, of: impl Fn(&Order) -> bool) -> Vec<&'a Order> {
        self.state.orders.iter().map(|(_, order)| order).filter(|order| of(order)).collect()
    }

    fn pay(&mut self) -> Option<Command> {
        let open = self.orders(|order| matches!(order.status, OrderStatus::Created | OrderStatus::Paying));
        // The newest most of all: the older are often waiting for an answer.
        let order = if self.random.chance(600) { open.last().copied() } else { self.random.pick(&open).copied() }?;
        let total = order.payable();
        let wallets = self.accounts(Subject::Personal).into_iter();
        let wallets: Vec<&Account> = wallets.filter(|account| account.owner == Owner::User(order.payer)).collect();
        let wallet = self.random.pick(&wallets).map(|account| account.id);
        let instruments = match wallet.filter(|_| self.random.chance(150)) {
            Some(account) => vec![Instrument::Balance { account, amount: total, factors: Factors::TwoWithCertificate }],
            None => self.instruments(total, order.sum_of(ItemKind::Rent)),
        };
        Some(Command::PayOrder { order: order.id, instruments })
    }

    /// A card, a fund, or both together; the fund at once or by its month, where the card may stand by for what it does not pay.
    fn instruments(&mut self, total: Minor, rent: Minor) -> Vec<Instrument> {
        let by_fund = if self.random.chance(450) { self.random.between(1, rent) } else { 0 };
        let by_month = by_fund > 0 && self.random.chance(400);
        let converts = by_month && self.random.chance(600);
        let mut instruments = Vec::new();
        if total > by_fund || converts {
            let rail = if self.random.chance(500) { Rail::Epcc } else { Rail::UnionPay };
            let (agreement, mask) = (format!("AG-{}", self.number), "622202******1234".into());
            instruments.push(Instrument::Card {
                agreement,
                mask,
                rail,
                amount: total - by_fund,
                credit: false,
                bank: None,
                alternatives: Vec::new(),
                channel: None,
            });
        }
        if by_fund > 0 {
            let (contract, route) = (format!("LEASE-{}", self.number), FundRoute::Reserve);
            let period = PERIOD.to_owned();
            let monthly = by_month.then_some(Monthly { period, route, converts, cut_off: None, quota: None });
            // The simulated centre knows no payment at once.
            let (amount, holds) = (by_fund, !by_month);
            instruments.push(Instrument::Fund { contract, amount, holds, monthly, on_part: None });
        }
        instruments
    }

    fn paid(&mut self) -> Option<&'a Order> {
        let paid = self.orders(|order| order.status == OrderStatus::Success);
        self.random.pick(&paid).copied()
    }

    /// All of an order, a part of it, or a part of what it names: some of the items, or the legs that paid.
    fn refund(&mut self) -> Option<Command> {
        let order = self.paid()?;
        let (mut items, mut legs) = (Vec::new(), Vec::new());
        let amount = match self.random.below(10) {
            0..3 => order.amount,
            3..5 => {
                items = self.of_items(order);
                items.iter().map(|part| part.amount).sum()
            }
            5..7 => {
                legs = self.of_legs(order);
                legs.iter().map(|part| part.amount).sum()
            }
            _ => self.random.between(1, order.amount),
        };
        let (out_refund_no, return_fee) = (format!("F-{}", self.number), self.random.chance(500));
        let (order, take_from) = (order.id, Vec::new());
        Some(Command::CreateRefund(CreateRefund { order, out_refund_no, amount, return_fee, take_from, items, legs }))
    }

    fn of_items(&mut self, order: &Order) -> Vec<ItemRefund> {
        let mut items = Vec::new();
        for (item, line) in (0..).zip(&order.items) {
            if items.is_empty() || self.random.chance(500) {
                items.push(ItemRefund { item, amount: self.random.between(1, line.amount) });
            }
        }
        items
    }

    fn of_legs(&mut self, order: &Order) -> Vec<LegRefund> {
        let legs = self.state.legs_of(order, order.tries).filter(|leg| leg.refundable() > 0);
        let legs: Vec<(LegId, Minor)> = legs.map(|leg| (leg.id, leg.refundable())).collect();
        let random = &mut self.random;
        legs.into_iter().map(|(leg, most)| LegRefund { leg, amount: random.between(1, most) }).collect()
    }

    fn split(&mut self) -> Option<Command> {
        let Order { id, merchant, amount, .. } = *self.paid()?;
        let to = if merchant == MerchantId(1) { MerchantId(2) } else { MerchantId(1) };
        let parts = Parts::Amounts(vec![SplitPart { merchant: to, amount: self.random.between(1, amount) }]);
        let out_split_no = format!("S-{}", self.number);
        Some(Command::MakeSplit(MakeSplit { order: id, out_split_no, parts, return_order: Vec::new() }))
    }

    fn return_split(&mut self) -> Option<Command> {
        let splits: Vec<&Split> = self.state.splits.iter().map(|(_, split)| split).collect();
        let split = *self.random.pick(&splits)?;
        let part = *self.random.pick(&split.parts)?;
        let (split, receiver, amount) = (split.id, part.merchant, self.random.between(1, part.amount));
        let out_return_no = format!("B-{}", self.number);
        Some(Command::ReturnSplit(ReturnSplit { split, out_return_no, receiver, amount }))
    }

    /// A person has a channel asked again for what it refused.
    fn task(&mut self) -> Option<Command> {
        let tasks = by_hand::tasks(self.state);
        self.random.pick(&tasks).map(|task| Command::Task(TaskCommand::Retry(*task)))
    }

    fn payout(&mut self) -> Option<Command> {
        let own_card = || {
            let (account, name) = (secrets().account.clone(), secrets().name.clone());
            PayTo::Bank(Receiver { account, name, own: true, token: Some("card-1".into()) })
        };
        let (account, to) = match self.random.below(4) {
            0 => (self.merchant()?.available, PayTo::Settlement),
            1 => (self.merchant()?.available, PayTo::Company),
            _ => (self.account(Subject::Personal)?, own_card()),
        };
        let (amount, fee, send_now) = (self.amount(), self.random.between(0, 2), self.random.chance(700));
        Some(Command::CreatePayout(CreatePayout {
            account,
            to,
            amount,
            fee,
            currency: CNY,
            send_now,
            bank: None,
            channel: None,
        }))
    }

    fn on_a_payout(&mut self) -> Option<Command> {
        let held = self.state.payouts.iter().map(|(_, payout)| payout);
        let held: Vec<_> = held.filter(|payout| payout.status == PayoutStatus::Held).map(|payout| payout.id).collect();
        let id = *self.random.pick(&held)?;
        Some(if self.random.chance(700) { Command::SendPayout(id) } else { Command::CancelPayout(id) })
    }

    fn hold(&mut self) -> Option<Command> {
        self.hold_terms().map(Command::PlaceHold)
    }

    fn hold_terms(&mut self) -> Option<PlaceHold> {
        let account = self.account(Subject::Personal)?;
        let expires_at = self.now.plus_ms(self.random.between(2_000, 90_000));
        Some(PlaceHold { account, amount: self.amount(), currency: CNY, expires_at })
    }

    /// A hold; one in three is over, and may have left memory.
    fn some_hold(&mut self) -> Option<HoldId> {
        let closed = self.random.chance(333);
        let holds = self.state.holds.iter().map(|(_, hold)| hold);
        let holds: Vec<HoldId> = holds.filter(|hold| hold.is_closed() == closed).map(|hold| hold.id).collect();
        self.random.pick(&holds).copied()
    }

    fn on_a_hold(&mut self) -> Option<Command> {
        let hold = self.some_hold()?;
        if self.random.chance(400) {
            return Some(Command::CancelHold(hold));
        }
        let amount = if self.random.chance(500) { None } else { Some(self.amount()) };
        Some(Command::ConfirmHold { hold, amount, to: self.account(Subject::Personal)? })
    }

    fn freeze(&mut self) -> Option<Command> {
        let account = self.account(Subject::Personal)?;
        let [reason, authority, document] = ["case 7", "district court", "2026-1"].map(String::from);
        let measure = Measure::Amount { amount: self.random.between(1, 50_000), currency: CNY };
        let expires_at = Some(self.now.plus_ms(self.random.between(2_000, 90_000)));
        let (scope, source, priority) = (account.into(), None, 100);
        Some(Command::PlaceFreeze(PlaceFreeze {
            scope,
            measure,
            reason,
            authority,
            document,
            source,
            priority,
            expires_at,
        }))
    }

    /// Both entries of a transfer in custody, where accounts may be overdrawn and sums may grow beyond their range.
    fn in_custody(&mut self) -> Vec<Entry> {
        let amount = if self.random.chance(350) { self.huge() } else { self.random.between(1, 10_000) };
        let subs: Vec<AccountId> = self.accounts(Subject::CustodySub).iter().map(|account| account.id).collect();
        let at_the_bank = self.state.institution(Subject::CustodyBank, CNY).unwrap_or(AccountId(0));
        let to = self.random.pick(&subs).copied().unwrap_or(AccountId(0));
        let from = if self.random.chance(600) { at_the_bank } else { self.random.pick(&subs).copied().unwrap_or(to) };
        vec![Entry::debit(from, amount, CNY), Entry::credit(to, amount, CNY)]
    }

    fn bulk(&mut self) -> Command {
        let (count, atomic) = (1 + self.random.below(12), self.random.chance(300));
        let items = (0..count).map(|_| self.item()).collect();
        let mut fingerprint = [0; 16];
        fingerprint[..8].copy_from_slice(&self.number.to_be_bytes());
        let (stream, number) = (self.stream.0.clone().into_boxed_str(), self.stream.1);
        Command::PostBulk(PostBulk { stream, number, fingerprint, atomic, date: None, items })
    }

    /// A voucher mostly; else a hold, or the end of one that an earlier command placed.
    fn item(&mut self) -> BulkItem {
        self.item_of_a_hold().unwrap_or_else(|| {
            let entries = self.in_custody();
            BulkItem::Voucher(BulkVoucher { event: EventCode::Transfer, entries, dimensions: None })
        })
    }

    fn item_of_a_hold(&mut self) -> Option<BulkItem> {
        match self.random.below(8) {
            0 => {
                let terms = self.hold_terms()?;
                Some(BulkItem::Hold(Box::new(NewHold { terms, source: None, reference: None })))
            }
            1 => {
                let (hold, to) = (self.some_hold()?, self.account(Subject::Personal)?);
                let amount = if self.random.chance(500) { None } else { Some(self.amount()) };
                Some(BulkItem::Confirm(Box::new(BulkConfirm { hold, amount, to: Some(to) })))
            }
            2 => self.some_hold().map(BulkItem::Cancel),
            _ => None,
        }
    }

    fn voucher(&mut self) -> Option<Command> {
        let business = BusinessNumber::Text(format!("V-{}", self.number).into_boxed_str());
        let mut entries = self.in_custody();
        if self.random.chance(200) {
            entries.last_mut()?.amount += 1;
        }
        let event = EventCode::Transfer;
        Some(Command::PostVoucher(PostVoucher { business, event, date: None, entries, dimensions: None }))
    }

    fn close_order(&mut self) -> Option<Command> {
        let open = self.orders(|order| matches!(order.status, OrderStatus::Created | OrderStatus::Paying));
        Some(Command::CloseOrder(self.random.pick(&open)?.id))
    }

    fn restrict(&mut self) -> Option<Command> {
        let account = self.account(Subject::Personal)?;
        let restriction = Restriction { in_barred: self.random.chance(150), out_barred: self.random.chance(300) };
        Some(Command::RestrictAccount { account, restriction })
    }

    fn verify(&mut self) -> Option<Command> {
        Some(Command::VerifySettlementAccount { merchant: self.merchant()?.id, replacement: None })
    }
}
