//! Who is there on the day, and what they ask for: orders that are created and paid by one request, and payouts.

use std::collections::BTreeMap;

use domain::Command;
use domain::account::{OpenAccount, Owner};
use domain::attempt::Rail;
use domain::book::Subject;
use domain::calendar::{Calendar, Year};
use domain::customer::{Customer, CustomerKind};
use domain::ids::{CustomerId, UserId};
use domain::initialise::Genesis;
use domain::leg::{Alternative, Instrument};
use domain::merchant::{MerchantKind, OpenMerchant, SettlementAccount};
use domain::money::{Currency, Minor};
use domain::order::{CreateOrder, Item, ItemKind};
use domain::payout::{CreatePayout, PayTo, Receiver};
use domain::top_up::{CreateTopUp, TopUpCommand, TopUpFrom};

use super::Day;
use super::plan::{Mix, Plan, WHOLE};
use crate::client;
use crate::commands;
use crate::operator::Chore;
use crate::random::Random;
use crate::secrets::secrets;
use crate::world::{CUSTOMERS, Event, World};

const CNY: Currency = Currency::Cny;
/// What each wallet is filled with, in fen: more than its payouts of a day.
const FILLED: Minor = 1_000_000_000;
/// What the customer's network takes to bring a request, in milliseconds.
const WAY_MS: (i64, i64) = (5, 60);

/// Books, people with a wallet each, merchants.
fn opening(plan: &Plan) -> Vec<Command> {
    let calendar = Calendar { years: BTreeMap::from([(2026, Year::default())]) };
    let first_day = commands::first_day();
    let genesis = Genesis { institution: "Sim Pay".into(), first_day, calendar, sandbox: true };
    let mut opening = vec![Command::Initialise(genesis)];
    for number in 1..=plan.people {
        let (customer, kind) = (CustomerId(number), CustomerKind::Person);
        let (name, certificate) = (secrets().name.clone(), secrets().account.clone());
        opening.push(Command::RegisterCustomer(Customer {
            id: customer,
            kind,
            name,
            certificate,
            phone: None,
            verification: None,
        }));
        opening.push(Command::OpenUser { customer, product: "rent".into() });
        let owner = Owner::User(UserId(number));
        let account = OpenAccount { subject: Subject::Personal, currency: CNY, owner, overdraft: false };
        opening.push(Command::OpenAccount(account));
    }
    for number in 1..=plan.merchants {
        let settlement = SettlementAccount { account: secrets().account.clone(), name: secrets().name.clone() };
        let customer = CustomerId(1 + (number - 1) % plan.people);
        let (kind, name, fee_rate) = (MerchantKind::Landlord, format!("Homes {number}"), 2_000);
        opening.push(Command::OpenMerchant(OpenMerchant { customer, kind, name, fee_rate, settlement }));
    }
    opening
}

fn card(rail: Rail, amount: Minor, number: u64) -> Instrument {
    let agreement = |rail: Rail| format!("{}-{number}", rail.name());
    let other = if rail == Rail::Epcc { Rail::UnionPay } else { Rail::Epcc };
    Instrument::Card {
        agreement: agreement(rail),
        mask: "622202******1234".into(),
        rail,
        amount,
        credit: false,
        bank: Some("102".into()),
        alternatives: vec![Alternative { rail: other, agreement: agreement(other), channel: None }],
        channel: None,
    }
}

impl Day {
    /// What the customer with this number asks for.
    fn asks(&self, number: u64, random: &mut Random) -> Option<Command> {
        let Mix { card_by_epcc, card_by_unionpay, fund_and_card, .. } = self.plan.mix;
        let drawn = random.below(WHOLE);
        let amount = random.between(20_000, 900_000);
        if drawn >= card_by_epcc + card_by_unionpay + fund_and_card {
            return self.payout(random);
        }
        let instruments = if drawn < card_by_epcc {
            vec![card(Rail::Epcc, amount, number)]
        } else if drawn < card_by_epcc + card_by_unionpay {
            vec![card(Rail::UnionPay, amount, number)]
        } else {
            let by_fund = random.between(1, amount - 1);
            let fund = Instrument::Fund {
                contract: format!("LEASE-{number}"),
                amount: by_fund,
                holds: true,
                monthly: None,
                on_part: None,
            };
            vec![card(Rail::Epcc, amount - by_fund, number), fund]
        };
        Some(Command::CreateOrder(CreateOrder {
            merchant: *random.pick(&self.merchants)?,
            out_trade_no: format!("D-{number}"),
            payer: UserId(1 + random.below(self.plan.people)),
            items: vec![Item { kind: ItemKind::Rent, amount }],
            currency: CNY,
            destination: None,
            tries_allowed: 1,
            expires_at: None,
            instruments,
        }))
    }

    fn payout(&self, random: &mut Random) -> Option<Command> {
        let (account, name) = (secrets().account.clone(), secrets().name.clone());
        let to = PayTo::Bank(Receiver { account, name, own: true, token: Some("card-1".into()) });
        let (account, amount) = (*random.pick(&self.wallets)?, random.between(1_000, 100_000));
        Some(Command::CreatePayout(CreatePayout {
            account,
            to,
            amount,
            fee: 0,
            currency: CNY,
            send_now: true,
            bank: None,
            channel: None,
        }))
    }
}

impl World {
    /// The opening of a day: everything that must be there before it.
    pub(crate) fn opens_day(&mut self) {
        let Some(day) = &self.day else { return };
        for command in opening(&day.plan) {
            self.chore(Chore::Ask(Box::new(command)));
        }
    }

    /// Fills the wallets through the channel, as their owners would.
    pub(crate) fn fills_wallets(&mut self) {
        let accounts = self.follower.state().accounts.iter().map(|(_, account)| account);
        let wallets: Vec<_> =
            accounts.filter(|account| account.subject == Subject::Personal).map(|account| account.id).collect();
        for (number, account) in wallets.iter().copied().enumerate() {
            let (agreement, mask) = (format!("wallet-{number}"), "622202******1234".into());
            let from = TopUpFrom::Agreement { rail: Rail::Epcc, agreement, mask, channel: None };
            let top_up = CreateTopUp { account, from, amount: FILLED, currency: CNY, device: None };
            self.chore(Chore::Ask(Box::new(Command::TopUp(TopUpCommand::Create(top_up)))));
        }
    }

    /// Draws when orders come, and lets the first one. Wallets that a bank refused to fill pay nothing out.
    pub(crate) fn opens_doors(&mut self) {
        let state = self.follower.state();
        let filled = state.accounts.iter().map(|(_, account)| account);
        let filled = filled.filter(|account| account.subject == Subject::Personal && account.balance >= FILLED);
        let wallets = filled.map(|account| account.id).collect();
        let merchants = state.merchants.iter().map(|(_, merchant)| merchant.id).collect();
        let Some(day) = &mut self.day else { return };
        (day.wallets, day.merchants) = (wallets, merchants);
        day.arrivals = super::curve::arrivals(&day.plan.curve, day.plan.orders, &mut self.random);
        self.awaits(0);
    }

    fn awaits(&mut self, order: usize) {
        let Some(day) = &self.day else { return };
        if let Some(at) = day.arrivals.get(order) {
            let at = day.starts_at + at;
            self.after((at - self.now).max(0), Event::Buys(order));
        }
    }

    /// A customer comes, and the next one is awaited.
    pub(crate) fn buys(&mut self, order: usize) {
        let number = self.next_number();
        let Some(day) = &self.day else { return };
        let Some(command) = day.asks(number, &mut self.random) else { return };
        let request = client::request(CUSTOMERS, number, command);
        let outstanding = self.outstanding(request, false);
        if let Some(day) = &mut self.day {
            day.waiting.insert(outstanding.number);
        }
        let called = client::name(&outstanding.request.command);
        self.trace.say(self.now, "customer", format_args!("asks {number}: {called}"));
        self.soon(WAY_MS.0, WAY_MS.1, Event::Arrives(CUSTOMERS, Box::new(outstanding)));
        self.awaits(order + 1);
    }

    /// A customer hears an answer.
    pub(crate) fn customer_hears(&mut self, number: u64, answer: &engine::Answer) {
        self.stats.answered += 1;
        self.stats.refused += u64::from(answer.result.is_err());
        let told = client::told(&answer.result);
        self.trace.say(self.now, "customer", format_args!("hears {number}: {told}"));
        if let Some(day) = &mut self.day {
            day.hears(number, &answer.result);
        }
    }
}
