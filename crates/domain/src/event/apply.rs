//! Folding an event into the state: a table of who does it.

use super::Event;
use crate::account::AccountStatus;
use crate::freeze::Change;
use crate::hold::HoldStatus;
use crate::state::State;
use crate::{
    account, acquiring, advance, agreement, api_key, approval, arrears, attempt, bank_card, batch_close, block_list,
    bulk, business_day, calendar, card_clearing, card_fee, card_transaction, certificate, chargeback, clearing, freeze,
    front_page, hold, initialise, limit, manual_voucher, merchant, notice, operator, order, outflow, own_transfer,
    pay_password, payment, payout, recall, receiver, refund, reserve_line, restriction, settlement, sign_up,
    site_weight, split, suspense, task, terminal, terminal_parameter, top_up, transfer, tree, user, voucher, waiver,
    webhook, withdrawal, withdrawal_batch, withdrawal_plan,
};

/// Folds an event into the state. It adds and sets; it never chooses.
pub fn apply(state: &mut State, event: &Event) {
    state.position += 1;
    match event {
        Event::VoucherPosted(voucher) => voucher::apply_posted(state, voucher),
        Event::Initialised(genesis) => initialise::apply_initialised(state, genesis),
        Event::CalendarSet(calendar) => state.calendar = calendar.clone(),
        Event::CalendarYearSet(set) => calendar::apply_set(state, set),
        Event::DayCut { date, next } => business_day::apply_opened(state, Some(*date), *next),
        Event::DaySealed { date, position } => business_day::apply_sealed(state, *date, *position),
        Event::DayChecksFailed { date, checks } => business_day::apply_checks_failed(state, *date, checks),
        Event::DayClosed { date, checks } => business_day::apply_closed(state, *date, checks),
        Event::Refused | Event::TimeMarked => {}
        Event::Checkpointed { position, generation } => {
            recall::apply_checkpointed(state, *position, *generation);
        }
        Event::Recalled(recalled) => recall::apply_recalled(state, recalled),
        Event::AccountOpened(account) => account::apply_opened(state, account),
        Event::AccountClosed(id) => state.account_row(*id).status = AccountStatus::Closed,
        Event::AccountRestricted { account, restriction } => {
            restriction::apply_restricted(state, *account, *restriction);
        }
        Event::StreamOpened { stream, name } => bulk::apply_opened(state, *stream, name),
        Event::StreamAdvanced { fingerprint, reply } => bulk::apply_advanced(state, **fingerprint, reply),
        Event::HoldPlaced(hold) => hold::apply_placed(state, hold),
        Event::HoldConfirmed { hold, amount } => hold::apply_confirmed(state, *hold, *amount),
        Event::HoldCancelled(id) => hold::apply_ended(state, *id, HoldStatus::Cancelled),
        Event::HoldExpired(id) => hold::apply_ended(state, *id, HoldStatus::Expired),
        Event::CustomerRegistered(customer) => state.customers.insert(customer.id.0, customer.clone()),
        Event::UserOpened(user) => user::apply_opened(state, user),
        Event::MerchantOpened(merchant) => merchant::apply_opened(state, merchant),
        Event::AttemptRequested(attempt) => attempt::apply_requested(state, attempt),
        Event::AttemptAnswered { attempt, outcome } => attempt::apply_answered(state, *attempt, outcome),
        Event::PageHandedOut { attempt, site } => front_page::apply_handed_out(state, *attempt, site),
        Event::OrderCreated(order) => order::expiry::apply_created(state, order),
        Event::OrderTried { order, legs } => payment::apply_tried(state, *order, legs),
        Event::ShortfallAsked(leg) => payment::part::apply_asked(state, leg),
        Event::LegMoved(leg) => state.legs.insert(leg.id.0, leg.clone()),
        Event::OrderSucceeded { order, voucher } => order::apply_succeeded(state, *order, Some(*voucher)),
        Event::OrderTryFailed { order, class, status } => order::apply_try_failed(state, *order, *class, *status),
        Event::OrderClosed(id) => order::apply_closed(state, *id),
        Event::OrderClosing(id) => order::apply_closing(state, *id),
        Event::OrderExpired(id) => order::expiry::apply_expired(state, *id),
        Event::OrdersCleared(orders) => order::apply_cleared(state, orders),
        Event::SplitMade(split) => split::apply_made(state, split),
        Event::SplitReturned { split, given } => split::apply_returned(state, *split, given),
        Event::Receiver(event) => receiver::apply(state, event),
        Event::RefundCreated(refund) => refund::apply_created(state, refund),
        Event::RefundAnswered(answered) => refund::apply_answered(state, answered),
        Event::ClearingTaken { clearing, matched, returned } => {
            clearing::apply_taken(state, clearing, matched, returned);
        }
        Event::Difference(event) => clearing::difference::apply(state, event),
        Event::MerchantSettled(settlement) => settlement::apply_settled(state, settlement),
        Event::PayoutCreated(payout) => payout::apply_created(state, payout),
        Event::PayoutHeld { payout, hold } => payout::apply_held(state, *payout, *hold),
        Event::PayoutSent { payout, voucher, attempt } => payout::apply_sent(state, *payout, *voucher, *attempt),
        Event::PayoutUnknown(id) => payout::apply_unknown(state, *id),
        Event::PayoutSucceeded { payout, reference, .. } => {
            payout::apply_succeeded(state, *payout, reference.as_ref());
        }
        Event::PayoutFailed { payout, failure, .. } => payout::apply_failed(state, *payout, failure),
        Event::PayoutCancelled { payout, reason } => payout::apply_cancelled(state, *payout, *reason),
        Event::PayoutReturned { payout, reference, date, .. } => {
            payout::apply_returned(state, *payout, reference, *date);
        }
        Event::SettlementSuspended(id) => merchant::apply_suspended(state, *id),
        Event::SettlementVerified { merchant, settlement } => merchant::apply_verified(state, *merchant, settlement),
        Event::AgreementCreated(agreement) => agreement::apply_created(state, agreement),
        Event::AgreementPaid { agreement, .. } => agreement::apply_paid(state, *agreement),
        Event::AgreementClosed(id) => agreement::apply_closed(state, *id),
        Event::Hold(event) => hold::apply(state, event),
        Event::Agreement(event) => agreement::apply(state, event),
        Event::ExchangeRate(event) => crate::exchange_rate::apply(state, event),
        Event::Conversion(event) => crate::conversion::apply(state, event),
        Event::FreezePlaced(freeze) => freeze::apply_placed(state, freeze),
        Event::ReserveLine(event) => reserve_line::apply(state, event),
        Event::OwnTransfer(event) => own_transfer::apply(state, event),
        Event::Arrears(event) => arrears::apply(state, event),
        Event::Chargeback(event) => chargeback::apply(state, event),
        Event::Advance(event) => advance::apply(state, event),
        Event::BlockList(event) => block_list::apply(state, event),
        Event::Certificate(event) => certificate::apply(state, event),
        Event::ApiKey(event) => api_key::apply(state, event),
        Event::AttemptBrought { attempt, amount } => attempt::apply_brought(state, *attempt, *amount),
        Event::PayPassword(event) => pay_password::apply(state, event),
        Event::SignUp(event) => sign_up::apply(state, event),
        Event::RealNameCheck(event) => crate::real_name_check::apply(state, event),
        Event::Webhook(event) => webhook::apply(state, event),
        Event::Limit(event) => limit::apply(state, event),
        Event::SiteWeight(event) => site_weight::apply(state, event),
        Event::Outflow(event) => outflow::apply(state, event),
        Event::FundBatch(event) => crate::fund_batch::apply(state, event),
        Event::Parameter(event) => terminal_parameter::apply(state, event),
        Event::TopUp(event) => top_up::apply(state, event),
        Event::Transfer(event) => transfer::apply(state, event),
        Event::BankCard(event) => bank_card::apply(state, event),
        Event::WithdrawalPlan(event) => withdrawal_plan::apply(state, event),
        Event::WithdrawalBatch(event) => withdrawal_batch::apply(state, event),
        Event::Withdrawal(event) => withdrawal::apply(state, event),
        Event::Notice(event) => notice::apply(state, event),
        Event::FreezeReleased { freeze, amount } => {
            freeze::apply_unsigned(state, *freeze, Change::Released { amount: *amount });
        }
        Event::FreezeExpired(id) => freeze::apply_unsigned(state, *id, Change::Expired),
        Event::FreezeChanged { freeze, change } => freeze::apply_changed(state, *freeze, change),
        Event::Tree(event) => tree::apply(state, event),
        Event::Operator(event) => operator::apply(state, event),
        Event::Approval(event) => approval::apply(state, event),
        Event::ManualVoucher(event) => manual_voucher::apply(state, event),
        Event::Waiver(event) => waiver::apply(state, event),
        Event::Suspense(event) => suspense::apply(state, event),
        Event::Task(event) => task::apply(state, event),
        Event::CardFee(event) => card_fee::apply(state, event),
        Event::FeePlan(event) => crate::fee_plan::apply(state, event),
        Event::SplitPlan(event) => crate::split_plan::apply(state, event),
        Event::Acquiring(event) => acquiring::apply(state, event),
        Event::Terminal(event) => terminal::apply(state, event),
        Event::CardTransaction(event) => card_transaction::apply(state, event),
        Event::BatchClose(event) => batch_close::apply(state, event),
        Event::CardClearing(event) => card_clearing::apply(state, event),
    }
    webhook::announce(state, event);
}
