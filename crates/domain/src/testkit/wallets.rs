//! Personal payment accounts, what their holders do with them, and plans of automatic withdrawals for tests.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Kit, date, sealed};
use crate::account::Owner;
use crate::attempt::Rail;
use crate::block_list::{AddBlock, BlockListCommand, Blocked};
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::ids::{AccountId, BlockEntryId, CustomerId, PayoutId, UserId, WithdrawalBatchId, WithdrawalPlanId};
use crate::limit::{AccountClass, Factors, LimitCommand};
use crate::money::{Currency, Minor};
use crate::payout::{Bank, CreatePayout, PayTo, Receiver};
use crate::sign_up::RequestSignUp;
use crate::top_up::{CreateTopUp, TopUpCommand, TopUpFrom};
use crate::transfer::{MakeTransfer, TransferCommand};
use crate::withdrawal_batch::{Enriched, RunWithdrawalBatch, WithdrawalBatchCommand};
use crate::withdrawal_plan::{CreateWithdrawalPlan, PlanTerms, PlanTo, WithdrawalPlanCommand};

/// A bank as the enrichment names it.
pub(crate) fn bank() -> Bank {
    Bank { name: String::from("Bank of Shanghai"), code: String::from("313290000017") }
}

/// The receiver of an own card with this token.
pub(crate) fn own_card(token: &str) -> Receiver {
    let (account, name) = (sealed("6222**********0002"), sealed("*三"));
    Receiver { account, name, own: true, token: Some(token.to_string()) }
}

/// A transfer with two factors and a certificate, which no day bounds.
pub(crate) fn transfer(from: AccountId, to: AccountId, amount: Minor) -> MakeTransfer {
    let factors = Factors::TwoWithCertificate;
    MakeTransfer { from, to, amount, currency: Currency::Cny, factors, note: None, device: None }
}

/// The command of a transfer.
pub(crate) fn makes(transfer: MakeTransfer) -> Command {
    Command::Transfer(TransferCommand::Make(transfer))
}

/// A withdrawal to the own card `card-1`, sent at once.
pub(crate) fn withdraws(account: AccountId, amount: Minor, fee: Minor) -> CreatePayout {
    let (to, currency) = (PayTo::Bank(own_card("card-1")), Currency::Cny);
    CreatePayout { account, to, amount, fee, currency, send_now: true, bank: None, channel: None }
}

/// The command of a top-up under `agreement-1`.
pub(crate) fn tops_up(account: AccountId, amount: Minor) -> CreateTopUp {
    CreateTopUp { account, from: under("agreement-1"), amount, currency: Currency::Cny, device: None }
}

/// A card that pays a top-up over EPCC under this agreement.
pub(crate) fn under(agreement: &str) -> TopUpFrom {
    let (agreement, mask) = (String::from(agreement), String::from("622202******1234"));
    TopUpFrom::Agreement { rail: Rail::Epcc, agreement, mask, channel: None }
}

/// The command of a top-up at UnionPay's page.
pub(crate) fn tops_up_by_page(account: AccountId, amount: Minor) -> CreateTopUp {
    let from = TopUpFrom::Page { rail: Rail::UnionPay, return_url: None, channel: None };
    CreateTopUp { from, ..tops_up(account, amount) }
}

/// What signs a card over EPCC.
pub(crate) fn asks_to_sign(payer: UserId, token: &str) -> RequestSignUp {
    RequestSignUp {
        merchant: None,
        payer,
        channel: Rail::Epcc.into(),
        bank: String::from("102100099996"),
        credit: false,
        account: sealed("622202******2230"),
        token: String::from(token),
        phone: sealed("138****1234"),
    }
}

/// The command of a top-up.
pub(crate) fn asks(top_up: CreateTopUp) -> Command {
    Command::TopUp(TopUpCommand::Create(top_up))
}

/// The return of a payout on 2026-03-09.
pub(crate) fn return_of(payout: PayoutId) -> Command {
    Command::ReturnPayout { payout, reference: "back-1".to_string(), date: date("2026-03-09") }
}

impl Kit {
    /// A person's 2201 with money on it.
    pub(crate) fn wallet(&mut self, amount: Minor) -> AccountId {
        let user = self.user();
        let account = self.account(Subject::Personal, Owner::User(user));
        if amount > 0 {
            self.fund(account, amount);
        }
        account
    }

    /// The person behind an account.
    #[track_caller]
    pub(crate) fn holder(&self, account: AccountId) -> CustomerId {
        let owner = self.state.account(account, "account").expect("the account is there").owner;
        self.state.customer_of(owner).expect("a person holds it")
    }

    /// Another 2201 of the same person, in another product.
    pub(crate) fn second_wallet(&mut self, first: AccountId, amount: Minor) -> AccountId {
        let (customer, product) = (self.holder(first), format!("second of {first}"));
        let Reply::User(user) = self.given(Command::OpenUser { customer, product }) else {
            panic!("the reply names what was made")
        };
        let account = self.account(Subject::Personal, Owner::User(user));
        self.fund(account, amount);
        account
    }

    /// Classes an account.
    #[track_caller]
    pub(crate) fn classed(&mut self, account: AccountId, class: AccountClass) {
        self.given(Command::Limit(LimitCommand::Classify { account, class }));
    }

    /// Makes a payout.
    #[track_caller]
    pub(crate) fn pays_out(&mut self, command: CreatePayout) -> PayoutId {
        let Reply::Payout(id) = self.given(Command::CreatePayout(command)) else {
            panic!("the reply names what was made")
        };
        id
    }

    /// Puts someone on a list.
    #[track_caller]
    pub(crate) fn blocks(&mut self, blocked: Blocked) -> BlockEntryId {
        let (reason, source) = (String::from("fraud"), String::from("police"));
        let add = AddBlock { blocked, reason, source, until: None };
        let Reply::BlockEntry(id) = self.given(Command::BlockList(BlockListCommand::Add(add))) else {
            panic!("the reply names what was made")
        };
        id
    }

    /// A plan that keeps and costs nothing, to the settlement account of 2203 or the own card `card-1` of others.
    #[track_caller]
    pub(crate) fn plan(&mut self, account: AccountId) -> WithdrawalPlanId {
        let subject = self.state.account(account, "account").expect("the account is there").subject;
        let to =
            if subject == Subject::MerchantAvailable { PlanTo::Settlement } else { PlanTo::Bank(own_card("card-1")) };
        let terms = PlanTerms { keep: 0, minimum: 1, fee: 0 };
        let create = WithdrawalPlanCommand::Create(CreateWithdrawalPlan { account, to, terms });
        let Reply::WithdrawalPlan(id) = self.given(Command::WithdrawalPlan(create)) else {
            panic!("the reply names what was made")
        };
        id
    }

    /// The command of a batch of the current accounting day for which the enrichment named these accounts' banks.
    pub(crate) fn batch(&self, number: u32, named: &[AccountId]) -> Command {
        let enriched =
            named.iter().map(|account| Enriched { account: *account, bank: Some(bank()), channel: None }).collect();
        let date = self.today();
        Command::WithdrawalBatch(WithdrawalBatchCommand::Run(RunWithdrawalBatch { date, number, enriched }))
    }

    /// Runs a batch for which the enrichment named these accounts' banks.
    #[track_caller]
    pub(crate) fn runs(&mut self, number: u32, named: &[AccountId]) -> WithdrawalBatchId {
        let command = self.batch(number, named);
        let Reply::WithdrawalBatch(id) = self.given(command) else { panic!("the reply names what was made") };
        id
    }

    /// The open accounting day.
    pub(crate) fn today(&self) -> Date {
        self.state.days.posting_date(None).expect("a day is open")
    }

    /// Answers every attempt that waits.
    #[track_caller]
    pub(crate) fn answers_all(&mut self, outcome: &crate::attempt::Outcome) -> usize {
        let waiting = self.outbox();
        for attempt in &waiting {
            self.answer(attempt.id, outcome.clone());
        }
        waiting.len()
    }
}
