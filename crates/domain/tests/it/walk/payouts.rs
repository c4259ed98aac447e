//! Steps of payouts and agreements.

use domain::account::Owner;
use domain::agreement::{CreateAgreement, PayFromAgreement};
use domain::attempt::{FailureClass, Outcome, Purpose};
use domain::book::{Book, Subject};
use domain::ids::{AccountId, AgreementId, AttemptId, MerchantId, PayoutId, UserId};
use domain::payout::{CreatePayout, PayTo, Receiver};
use domain::{Command, Reply};

use super::{CNY, Walk, pick, sealed, wide};
use crate::model::{Payout, Stage};
use crate::step::Answer;

impl Walk {
    pub(super) fn create_payout(&mut self, account: u8, to: u8, amount: i64, fee: i64, send_now: bool) {
        // Mostly one that pays, sometimes any.
        let payers = [2, 3, 4, 5, 7];
        let at = if account.is_multiple_of(8) { account } else { payers[usize::from(account) % payers.len()] };
        let account = self.account(at);
        let own = to.is_multiple_of(2);
        let bank = PayTo::Bank(Receiver { account: sealed(), name: sealed(), own, token: None });
        let to = match (to / 2 % 8, self.merchants.contains_key(&account)) {
            (0, _) | (1..4, true) => PayTo::Settlement,
            (4, _) => PayTo::Company,
            _ => bank,
        };
        let merchant = self.merchants.get(&account).copied();
        let trusted = merchant.is_some_and(|(merchant, _)| !self.suspended.contains(&merchant));
        let company = merchant.and_then(|(_, company)| company);
        let allowed = match (self.model.accounts[&account].subject, &to) {
            (Subject::Personal, PayTo::Bank(_)) => own,
            (Subject::Company, PayTo::Bank(_)) => true,
            (Subject::Company | Subject::MerchantAvailable, PayTo::Settlement) => trusted,
            (Subject::MerchantAvailable, PayTo::Company) => company.is_some(),
            (_, PayTo::Bank(_) | PayTo::Settlement | PayTo::Company) => false,
        };
        let total = wide(amount) + wide(fee);
        let expected = allowed && amount > 0 && self.currency(account) == CNY && self.model.may_hold(account, total);
        let payout = Payout {
            account,
            amount: wide(amount),
            fee: wide(fee),
            stage: Stage::Held,
            settles: to == PayTo::Settlement,
            within: company.filter(|_| to == PayTo::Company),
        };
        let command = CreatePayout { account, to, amount, fee, currency: CNY, send_now, bank: None, channel: None };
        let result = self.tries(Command::CreatePayout(command));
        // Sending may yet fail on sums out of range or a 2206 that takes no money; holding may not.
        assert!(if send_now { expected || result.is_err() } else { expected == result.is_ok() }, "{result:?}");
        if let Ok(Reply::Payout(id)) = result {
            self.model.payouts.insert(id, payout);
            if send_now {
                self.sent(id);
            }
        }
    }

    pub(super) fn payout(&self, selector: u8) -> PayoutId {
        pick(self.model.payouts.keys().copied(), selector).unwrap_or(PayoutId(1))
    }

    pub(super) fn stage(&mut self, id: PayoutId, stage: Stage) -> Payout {
        let payout = self.model.payouts.get_mut(&id).expect("the model knows the payout");
        payout.stage = stage;
        payout.clone()
    }

    pub(super) fn send_payout(&mut self, selector: u8) {
        let id = self.payout(selector);
        let held = self.model.payouts.get(&id).filter(|payout| payout.stage == Stage::Held);
        // A 2206 may be barred or closed; nothing stands in a bank's way.
        let certain = held.is_some_and(|payout| payout.within.is_none()) && self.model.is_small();
        let possible = held.is_some();
        let result = self.tries(Command::SendPayout(id));
        assert!(if result.is_ok() { possible } else { !certain }, "{result:?}");
        if result.is_ok() {
            self.sent(id);
        }
    }

    pub(super) fn sent(&mut self, id: PayoutId) {
        let payout = self.stage(id, Stage::Sent);
        self.model.transfer(payout.account, self.own(Subject::PayoutTransit), payout.amount + payout.fee);
        if payout.within.is_some() {
            self.arrived(id);
        }
    }

    pub(super) fn arrived(&mut self, id: PayoutId) {
        // A payout within these books does not come back.
        let within = self.model.payouts[&id].within;
        let payout = self.stage(id, if within.is_some() { Stage::Over } else { Stage::Arrived });
        let transit = self.own(Subject::PayoutTransit);
        let to = within.unwrap_or(self.own(Subject::ClearingEpcc));
        self.model.transfer(transit, to, payout.amount);
        if payout.fee > 0 {
            self.model.transfer(transit, self.own(Subject::DueToOwn), payout.fee);
            self.model.transfer(self.own(Subject::DueFromReserve), self.own(Subject::FeeIncome), payout.fee);
        }
    }

    pub(super) fn cancel_payout(&mut self, selector: u8) {
        let id = self.payout(selector);
        let expected = self.model.payouts.get(&id).is_some_and(|payout| payout.stage == Stage::Held);
        let result = self.tries(Command::CancelPayout(id));
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if expected {
            self.stage(id, Stage::Over);
        }
    }

    pub(super) fn return_payout(&mut self, selector: u8) {
        let (payout, reference, date) = (self.payout(selector), String::from("back"), self.model.today);
        let stage = self.model.payouts.get(&payout).map(|payout| payout.stage);
        let arrived = matches!(stage, Some(Stage::Arrived | Stage::Owed));
        let result = self.tries(Command::ReturnPayout { payout, reference, date });
        assert!(if result.is_ok() { arrived } else { !arrived || !self.model.is_small() }, "{result:?}");
        if result.is_err() {
            return;
        }
        let payout = self.stage(payout, Stage::Over);
        let suspense = self.own(Subject::Suspense);
        self.model.transfer(self.own(Subject::ClearingEpcc), suspense, payout.amount);
        let line = &self.model.accounts[&payout.account];
        // Of one that was paid after it had failed the account has the money already.
        if !line.closed && !line.in_barred && stage != Some(Stage::Owed) {
            self.model.transfer(suspense, payout.account, payout.amount);
        }
        if payout.settles {
            let (merchant, _) = self.merchants[&payout.account];
            self.suspended.push(merchant);
            let of_merchant = |account: &AccountId| self.merchants.get(account).is_some_and(|(id, _)| *id == merchant);
            self.model.cancel_unsent(|other| other.settles && of_merchant(&other.account));
        }
    }

    pub(super) fn verify(&mut self, selector: u8) {
        let ids = self.state.merchants.iter().map(|(id, _)| MerchantId(id));
        let merchant = pick(ids, selector).expect("there are merchants");
        self.given(Command::VerifySettlementAccount { merchant, replacement: None });
        self.suspended.retain(|suspended| *suspended != merchant);
    }

    pub(super) fn answer(&mut self, selector: u8, answer: Answer) {
        let ids = self.state.attempts.iter().map(|(id, _)| AttemptId(id));
        let Some(attempt) = pick(ids, selector) else { return };
        let outcome = match answer {
            Answer::Success => {
                Outcome::Success { reference: String::from("ref"), clearing_date: self.model.today, part: None }
            }
            Answer::Declined => Outcome::Declined { class: FailureClass::Bank, code: String::from("51") },
            Answer::NotFound => Outcome::NotFound,
            Answer::Unknown => Outcome::Unknown,
        };
        let Purpose::Payout(id) = self.state.attempt(attempt).expect("it was picked").purpose else {
            panic!("only payouts go to a channel here")
        };
        let stage = self.model.payouts[&id].stage;
        let late = stage == Stage::Refused && matches!(answer, Answer::Success);
        let taken = stage == Stage::Sent || late;
        let result = self.tries(Command::AnswerAttempt { attempt, outcome });
        assert!(if result.is_ok() { taken } else { !taken || !self.model.is_small() }, "{result:?}");
        match answer {
            Answer::Success if result.is_ok() && late => {
                // It is claimed from the bank; what its account has stays there.
                let payout = self.stage(id, Stage::Owed);
                self.model.transfer(self.own(Subject::ReceivableFund), self.own(Subject::ClearingEpcc), payout.amount);
            }
            Answer::Success if result.is_ok() => self.arrived(id),
            Answer::Declined | Answer::NotFound if result.is_ok() => {
                let payout = self.stage(id, Stage::Refused);
                let back = payout.amount + payout.fee;
                self.model.transfer(self.own(Subject::PayoutTransit), payout.account, back);
            }
            Answer::Success | Answer::Declined | Answer::NotFound | Answer::Unknown => {}
        }
    }

    pub(super) fn create_agreement(&mut self, receiver: u8) {
        let receivers = vec![self.account(receiver)];
        self.texts += 1;
        let (number, purpose) = (format!("A-{}", self.texts), String::from("deposit"));
        let (party, book) = (Owner::User(UserId(1)), Book::Reserve);
        let command = CreateAgreement { number, party, purpose, book, currency: CNY, receivers };
        if let Ok(Reply::Agreement(id)) = self.tries(Command::CreateAgreement(command)) {
            let account = self.state.agreement(id).expect("it was created").account;
            self.model.opened(account, Subject::Agreement, CNY, true);
            self.accounts.push(account);
            if receiver.is_multiple_of(2) {
                let newest = u8::try_from(self.accounts.len() - 1).expect("there are few accounts");
                self.transfer((0, newest, 300), None);
            }
        }
    }

    pub(super) fn agreement(&self, selector: u8) -> Option<(AgreementId, AccountId)> {
        pick(self.state.agreements.iter().map(|(_, agreement)| (agreement.id, agreement.account)), selector)
    }

    pub(super) fn pay_from_agreement(&mut self, selector: u8, to: u8, amount: i64) {
        let Some((agreement, from)) = self.agreement(selector) else { return };
        // Often the listed receiver, sometimes another.
        let listed = self.state.agreement(agreement).expect("it was picked").receivers[0];
        let to = if to.is_multiple_of(4) { self.account(to) } else { listed };
        let result = self.tries(Command::PayFromAgreement(PayFromAgreement { agreement, to, amount }));
        if result.is_ok() {
            assert_eq!(to, listed);
            assert!(wide(amount) <= self.model.available(from));
            self.model.transfer(from, to, wide(amount));
        }
    }

    pub(super) fn close_agreement(&mut self, selector: u8) {
        let Some((agreement, account)) = self.agreement(selector) else { return };
        let line = &self.model.accounts[&account];
        let expected =
            !line.closed && line.balance == 0 && self.model.frozen(account) == 0 && !self.model.is_linked(account);
        let result = self.tries(Command::CloseAgreement(agreement));
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if expected {
            self.model.accounts.get_mut(&account).expect("it is known").closed = true;
        }
    }
}
