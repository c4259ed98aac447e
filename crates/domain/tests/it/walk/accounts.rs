//! Steps on accounts: transfers, bulk postings, holds of both directions, restrictions and freezes.

use domain::book::{Side, Subject};
use domain::bulk::{BulkVoucher, PostBulk};
use domain::freeze::{Measure, PlaceFreeze, ReleaseFreeze};
use domain::hold::{HoldCommand, HoldDirection, NewHold, PlaceHold};
use domain::ids::{AccountId, CustomerId, FreezeId, HoldId};
use domain::money::Currency;
use domain::restriction::Restriction;
use domain::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
use domain::{Command, Reply};

use super::{CNY, DOLLARS, MINUTE_MS, Walk, pick, wide};
use crate::model::{Announced, Payout, Stage};
use crate::step::{Transfer, Twist};

const COURT: &str = "district court";

impl Walk {
    pub(super) fn transfer(&mut self, (from, to, amount): Transfer, twist: Option<Twist>) {
        let (from, to) = self.two(from, to);
        let mut entries = self.entries(from, to, amount);
        let mut date = None;
        match twist {
            Some(Twist::Unbalanced) => entries[1].amount = amount.wrapping_add(1),
            Some(Twist::UnknownAccount) => entries[1].account = AccountId(1_000_000),
            Some(Twist::OtherCurrency) => entries[1].currency = Currency::Hkd,
            Some(Twist::Yesterday) => date = Some(self.model.today.plus_days(-1)),
            Some(Twist::Short) => entries.truncate(1),
            Some(Twist::CentralBank) => entries[0].account = self.own(Subject::CentralBank),
            None => {}
        }
        let expected = twist.is_none() && self.model.may_transfer(from, to, wide(amount));
        self.texts += 1;
        let business = BusinessNumber::Text(format!("t-{}", self.texts).into_boxed_str());
        let event = EventCode::Transfer;
        let result = self.tries(Command::PostVoucher(PostVoucher { business, event, date, entries, dimensions: None }));
        let lines = [from, to].map(|id| (id, self.model.accounts[&id].clone(), self.model.available(id)));
        assert_eq!(result.is_ok(), expected, "{result:?}: {amount} from and to {lines:?}");
        if expected {
            self.model.transfer(from, to, wide(amount));
        }
    }

    /// Both entries in the currency of their own account: two currencies never balance.
    fn entries(&self, from: AccountId, to: AccountId, amount: i64) -> Vec<Entry> {
        vec![Entry::debit(from, amount, self.currency(from)), Entry::credit(to, amount, self.currency(to))]
    }

    pub(super) fn bulk(&mut self, stream: u8, transfers: &[Transfer], atomic: bool) {
        let pairs: Vec<_> = transfers.iter().map(|(from, to, amount)| (self.two(*from, *to), *amount)).collect();
        let mut after = self.model.clone();
        let mut refused = Vec::new();
        for (index, ((from, to), amount)) in (0_u32..).zip(&pairs) {
            if after.may_transfer(*from, *to, wide(*amount)) {
                after.transfer(*from, *to, wide(*amount));
            } else {
                refused.push(index);
            }
        }
        let voucher = |((from, to), amount): &((AccountId, AccountId), i64)| BulkVoucher {
            event: EventCode::Transfer,
            entries: self.entries(*from, *to, *amount),
            dimensions: None,
        };
        let number = self.posted.get(&stream).map_or(0, |last| last.number) + 1;
        let (name, items) = (format!("stream {stream}").into_boxed_str(), pairs.iter().map(voucher).collect());
        let command = PostBulk { stream: name, number, fingerprint: [1; 16], atomic, date: None, items };
        let result = self.tries(Command::PostBulk(command.clone()));
        assert_eq!(result.is_err(), atomic && !refused.is_empty(), "{result:?}");
        if let Ok(Reply::Bulk(reply)) = result {
            assert_eq!(reply.refused.iter().map(|(index, _)| *index).collect::<Vec<_>>(), refused);
            self.model = after;
            self.posted.insert(stream, command);
            self.last_stream = Some(stream);
        }
    }

    pub(super) fn repeat_bulk(&mut self, changed: bool) {
        let Some(command) = self.last_stream.and_then(|stream| self.posted.get(&stream)).cloned() else { return };
        let fingerprint = if changed { [2; 16] } else { command.fingerprint };
        let before = self.digest;
        let result = self.tries(Command::PostBulk(PostBulk { fingerprint, ..command }));
        assert_eq!((result.is_err(), self.digest), (changed, before), "{result:?}");
    }

    pub(super) fn open_account(&mut self, selector: u8) {
        let subjects = [Subject::Personal, Subject::CustodySub, Subject::GuaranteeDeposit];
        let subject = pick(subjects.into_iter(), selector).expect("there are subjects");
        let currency = if selector.is_multiple_of(5) { DOLLARS } else { CNY };
        let id = self.opened(subject, currency);
        self.model.opened(id, subject, currency, false);
        self.accounts.push(id);
    }

    pub(super) fn close_account(&mut self, selector: u8) {
        let id = self.account(selector);
        let line = self.model.accounts[&id].clone();
        let on_their_way = |p: &Payout| p.account == id && matches!(p.stage, Stage::Held | Stage::Sent);
        let expected = line.subject.is_held_by_others()
            && !line.of_agreement
            && !line.closed
            && [line.balance, self.model.held(id), self.model.held_in(id), self.model.frozen(id)] == [0; 4]
            && !self.model.is_linked(id)
            && !self.model.payouts.values().any(on_their_way);
        let result = self.tries(Command::CloseAccount(id));
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if expected {
            self.model.accounts.get_mut(&id).expect("it is known").closed = true;
        }
    }

    pub(super) fn place_hold(&mut self, account: u8, amount: i64, minutes: i64) {
        let account = self.account(account);
        let (expires_at, currency) = (self.now.plus_ms(minutes * MINUTE_MS), self.currency(account));
        let expected = self.model.may_hold(account, wide(amount)) && !self.model.accounts[&account].of_agreement;
        let result = self.tries(Command::PlaceHold(PlaceHold { account, amount, currency, expires_at }));
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if let Ok(Reply::Hold(id)) = result {
            self.model.holds.insert(id, (account, wide(amount), expires_at));
        }
    }

    pub(super) fn hold(&self, selector: u8) -> HoldId {
        pick(self.state.holds.iter().map(|(id, _)| HoldId(id)), selector).unwrap_or(HoldId(1))
    }

    pub(super) fn confirm_hold(&mut self, hold: u8, amount: Option<i64>, to: u8) {
        let (hold, to) = (self.hold(hold), self.account(to));
        if self.tries(Command::ConfirmHold { hold, amount, to }).is_err() {
            return;
        }
        let (account, left, _) = self.model.holds.get_mut(&hold).expect("only a hold by hand is confirmed by hand");
        let (account, amount) = (*account, amount.map_or(*left, wide));
        *left -= amount;
        self.model.holds.retain(|_, (_, left, _)| *left > 0);
        match self.model.accounts[&account].subject.side() {
            Side::Credit => self.model.transfer(account, to, amount),
            Side::Debit => self.model.transfer(to, account, amount),
        }
    }

    pub(super) fn cancel_hold(&mut self, selector: u8) {
        let hold = self.hold(selector);
        let result = self.tries(Command::CancelHold(hold));
        let known = self.model.holds.remove(&hold).is_some() || self.model.announced.remove(&hold).is_some();
        assert_eq!(result.is_ok(), known, "{result:?}");
    }

    pub(super) fn announce(&mut self, account: u8, source: u8, amount: i64, minutes: i64) {
        let (account, source) = (self.account(account), self.account(source));
        let (expires_at, currency) = (self.now.plus_ms(minutes * MINUTE_MS), self.currency(account));
        let expected = self.model.may_announce(account, source, wide(amount));
        let terms = PlaceHold { account, amount, currency, expires_at };
        let new = NewHold { terms, source: Some(source), reference: None };
        let result = self.tries(Command::Hold(HoldCommand::Place(new)));
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if let Ok(Reply::Hold(id)) = result {
            self.model.announced.insert(id, Announced { account, source, left: wide(amount), expires_at });
        }
    }

    pub(super) fn receive(&mut self, selector: u8, amount: Option<i64>) {
        let announced = self.state.holds.iter().filter(|(_, hold)| hold.direction == HoldDirection::In);
        let hold = pick(announced.map(|(id, _)| HoldId(id)), selector).unwrap_or(HoldId(1));
        let moved = self.model.announced.get(&hold).map(|announced| {
            let amount = amount.map_or(announced.left, wide);
            let (debit, credit) = match self.model.accounts[&announced.account].subject.side() {
                Side::Credit => (announced.source, announced.account),
                Side::Debit => (announced.account, announced.source),
            };
            (debit, credit, amount, announced.left)
        });
        let expected = moved.is_some_and(|(debit, credit, amount, left)| {
            (1..=left).contains(&amount) && self.model.may_transfer(debit, credit, amount)
        });
        let result = self.tries(Command::Hold(HoldCommand::Receive { hold, amount }));
        assert_eq!(result.is_ok(), expected, "{result:?}");
        let Some((debit, credit, amount, _)) = moved.filter(|_| expected) else { return };
        self.model.transfer(debit, credit, amount);
        self.model.announced.get_mut(&hold).expect("it was announced").left -= amount;
        self.model.announced.retain(|_, announced| announced.left > 0);
    }

    pub(super) fn restrict(&mut self, account: u8, in_barred: bool, out_barred: bool) {
        let account = self.account(account);
        let restriction = Restriction { in_barred, out_barred };
        if self.tries(Command::RestrictAccount { account, restriction }).is_err() {
            return;
        }
        let line = self.model.accounts.get_mut(&account).expect("it is known");
        (line.in_barred, line.out_barred) = (in_barred, out_barred);
        if out_barred {
            self.model.cancel_unsent(|payout| payout.account == account);
        }
    }

    pub(super) fn freeze(&mut self, account: u8, amount: i64, minutes: Option<i64>) {
        let account = self.account(account);
        let expires_at = minutes.map(|minutes| self.now.plus_ms(minutes * MINUTE_MS));
        let [reason, authority, document] = ["case", COURT, "2026-1"].map(String::from);
        let measure = Measure::Amount { amount, currency: self.currency(account) };
        let (scope, source, priority) = (account.into(), None, 100);
        let freeze = PlaceFreeze { scope, measure, reason, authority, document, source, priority, expires_at };
        if let Ok(Reply::Freeze(id)) = self.tries(Command::PlaceFreeze(freeze)) {
            self.model.freezes.insert(id, (account, wide(amount), expires_at));
            self.model.cancel_unsent(|payout| payout.account == account);
        }
    }

    /// Freezes an amount of the customer whose all accounts are, across those in scope.
    pub(super) fn freeze_customer(&mut self, amount: i64, dollars: bool, minutes: Option<i64>) {
        let expires_at = minutes.map(|minutes| self.now.plus_ms(minutes * MINUTE_MS));
        let [reason, authority, document] = ["case", COURT, "2026-3"].map(String::from);
        let currency = if dollars { DOLLARS } else { CNY };
        let (scope, source, priority) = (CustomerId(1).into(), None, 50);
        let measure = Measure::Amount { amount, currency };
        let freeze = PlaceFreeze { scope, measure, reason, authority, document, source, priority, expires_at };
        if let Ok(Reply::Freeze(id)) = self.tries(Command::PlaceFreeze(freeze)) {
            self.model.customer_freezes.insert(id, (currency, wide(amount), expires_at));
            let scope = self.model.in_scope();
            self.model.cancel_unsent(|payout| scope.contains(&payout.account));
        }
    }

    pub(super) fn release(&mut self, selector: u8, amount: Option<i64>, same_authority: bool) {
        let ids = self.state.freezes.iter().map(|(id, _)| FreezeId(id));
        let freeze = pick(ids, selector).unwrap_or(FreezeId(1));
        let authority = String::from(if same_authority { COURT } else { "another" });
        let on_account = self.model.freezes.get(&freeze).map(|(_, left, _)| *left);
        let left = on_account.or_else(|| self.model.customer_freezes.get(&freeze).map(|(_, left, _)| *left));
        let expected =
            same_authority && left.is_some_and(|left| amount.is_none_or(|amount| (1..=left).contains(&wide(amount))));
        let document = String::from("2026-2");
        let release = Command::ReleaseFreeze(ReleaseFreeze { freeze, authority, document, amount, group: false });
        let result = self.approved(release);
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if let Some((_, left, _)) = self.model.freezes.get_mut(&freeze).filter(|_| expected) {
            *left -= amount.map_or(*left, wide);
            self.model.freezes.retain(|_, (_, left, _)| *left > 0);
        }
        if let Some((_, left, _)) = self.model.customer_freezes.get_mut(&freeze).filter(|_| expected) {
            *left -= amount.map_or(*left, wide);
            self.model.customer_freezes.retain(|_, (_, left, _)| *left > 0);
        }
    }
}
