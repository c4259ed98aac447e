//! Rent that own money acts on: `rent`, `card-rent`, `receiver`, `split`, `refund`, `clear`, `clear-nothing`, `difference`,
//! `settle`. What own money does: `line`, `statement`, `sweep-income`, `inject`, `cancel-transfer`, `chargeback`, `book`, `win`,
//! `cover`, `collect`, `owes`, `rules`, `advance`, `repay`, `return-advance`, `shows`. See [`crate::clearing`],
//! [`crate::reserve_line`], [`crate::own_transfer`], [`crate::chargeback`], [`crate::arrears`] and [`crate::advance`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use super::{Read, Script, Step, minor};
use crate::advance::{AdvanceCommand, RequestAdvance, ReturnAdvance, SetAdvancePolicy};
use crate::arrears::{Arrears, ArrearsCommand};
use crate::attempt::Rail;
use crate::calendar::Date;
use crate::chargeback::{ChargebackCommand, ReceiveChargeback};
use crate::clearing::TakeClearingFile;
use crate::clearing::difference::SettleDifference;
use crate::command::Command;
use crate::ids::{AdvanceId, ChargebackId, LegId, MerchantId, OrderId, OwnTransferId};
use crate::money::{Currency, Minor};
use crate::own_transfer::{InstructTransfer, OwnTransferCommand};
use crate::receiver::{ReceiverCommand, RegisterReceiver, Relation};
use crate::refund::CreateRefund;
use crate::reserve_line::{LineDirection, LineTarget, ReserveLineCommand, TakeReserveBalance, TakeReserveLine};
use crate::split::{MakeSplit, Parts, SplitPart};
use crate::testkit::date;

/// Reads a verb of own money.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let read = orders(script, words).or_else(|| transfers(script, words));
    read.or_else(|| shortfalls(script, words)).or_else(|| advances(script, words))
}

/// Just enough of orders: rent that is paid at once, its refund, the network's file and the merchant's settlement.
fn orders(script: &mut Script, words: &[&str]) -> Read {
    let command = match *words {
        // By a debit card over EPCC; the clearing date is 2026-03-05.
        ["rent", name, merchant, amount] => {
            let order = script.kit.paid_rent(MerchantId(script.id(merchant)), minor(amount));
            script.bind(name, order.0);
            return Some(Step::Done);
        }
        // By a debit card over UnionPay.
        ["card-rent", name, merchant, amount] => {
            let (order, leg) = script.kit.paid_by_union_card(MerchantId(script.id(merchant)), minor(amount));
            script.bind(name, order.0);
            script.bind(&format!("{name}.leg"), leg.0);
            return Some(Step::Done);
        }
        ["refund", name, order, amount, fee] => {
            return Some(Step::named(name, Command::CreateRefund(refund(script, order, amount, fee))));
        }
        // Who may receive from the payee's orders.
        ["receiver", payee, receiver] => {
            let (payee, receiver) = (MerchantId(script.id(payee)), MerchantId(script.id(receiver)));
            let register = RegisterReceiver { payee, receiver, relation: Relation::Agent, max_share: None };
            Command::Receiver(ReceiverCommand::Register(register))
        }
        // So much of an order to one receiver.
        ["split", name, order, receiver, amount] => {
            let (order, out_split_no) = (OrderId(script.id(order)), name.to_string());
            let part = SplitPart { merchant: MerchantId(script.id(receiver)), amount: minor(amount) };
            let (parts, return_order) = (Parts::Amounts(vec![part]), Vec::new());
            let split = MakeSplit { order, out_split_no, parts, return_order };
            return Some(Step::named(name, Command::MakeSplit(split)));
        }
        // The file of a rail that matches all that succeeded up to its day.
        ["clear", network, day] => {
            let (rail, lines) = (rail(network), script.kit.clearing_lines(rail(network), day));
            let (date, channel) = (date(day), None);
            Command::TakeClearingFile(TakeClearingFile { rail, date, part: 1, last: true, lines, channel })
        }
        // The file of a rail that leaves out all that succeeded.
        ["clear-nothing", network, day] => {
            let (rail, date, lines) = (rail(network), date(day), Vec::new());
            Command::TakeClearingFile(TakeClearingFile { rail, date, part: 1, last: true, lines, channel: None })
        }
        ["difference", id, how] => {
            let (difference, accepted) = (id.parse().expect("a difference"), how == "stands");
            Command::SettleDifference(SettleDifference { difference, accepted, voucher: None })
        }
        ["settle", merchant] => {
            Command::Settle { merchant: MerchantId(script.id(merchant)), today: Date::in_shanghai(script.kit.now) }
        }
        _ => return None,
    };
    Some(Step::of(command))
}

fn rail(name: &str) -> Rail {
    if name == "unionpay" { Rail::UnionPay } else { Rail::Epcc }
}

fn refund(script: &Script, order: &str, amount: &str, fee: &str) -> CreateRefund {
    script.kit.create_refund(OrderId(script.id(order)), minor(amount), fee == "fee-returned")
}

/// The reserve account's statement, and what an operator instructs.
fn transfers(script: &Script, words: &[&str]) -> Read {
    let command = match *words {
        ["line", reference, direction, amount, ref rest @ ..] => {
            Command::ReserveLine(ReserveLineCommand::TakeLine(line(script, reference, direction, amount, rest)))
        }
        ["statement", day, balance] => {
            let (balance, currency) = money(balance);
            let take = TakeReserveBalance { date: date(day), balance, currency };
            Command::ReserveLine(ReserveLineCommand::TakeBalance(take))
        }
        ["sweep-income", name, amount] => {
            let sweep = OwnTransferCommand::SweepIncome(instruct(amount));
            return Some(Step::named(name, Command::OwnTransfer(sweep)));
        }
        ["inject", name, amount] => {
            return Some(Step::named(name, Command::OwnTransfer(OwnTransferCommand::Inject(instruct(amount)))));
        }
        ["cancel-transfer", name] => Command::OwnTransfer(OwnTransferCommand::Cancel(OwnTransferId(script.id(name)))),
        _ => return None,
    };
    Some(Step::of(command))
}

/// `line REFERENCE in|out AMOUNT [of DAY] [for TRANSFER | for-clearing RAIL DAY | suspense]`; today's unless a day is named.
fn line(script: &Script, reference: &str, direction: &str, amount: &str, rest: &[&str]) -> TakeReserveLine {
    let after = |word: &str| {
        let at = rest.iter().position(|other| *other == word);
        at.and_then(|at| rest.get(at.saturating_add(1)..))
    };
    let day = after("of").and_then(|rest| rest.first()).map(|day| date(day));
    let transfer = after("for").and_then(|rest| rest.first());
    let transfer = transfer.map(|name| LineTarget::Transfer(OwnTransferId(script.id(name))));
    let session = after("for-clearing").map(|rest| {
        let [network, day, ..] = *rest else { panic!("a session is a rail and a day: {rest:?}") };
        LineTarget::Clearing { rail: rail(network), date: date(day) }
    });
    let direction = LineDirection::ALL.into_iter().find(|it| it.name() == direction).expect("in or out");
    let (amount, currency) = money(amount);
    let date = day.unwrap_or_else(|| Date::in_shanghai(script.kit.now));
    TakeReserveLine {
        reference: String::from(reference),
        date,
        direction,
        amount,
        currency,
        target: transfer.or(session),
        suspense: rest.contains(&"suspense"),
    }
}

/// An amount with its currency behind a colon unless yuan.
fn money(text: &str) -> (Minor, Currency) {
    let (amount, currency) = text.split_once(':').unwrap_or((text, "CNY"));
    (minor(amount), Currency::parse(currency).expect("a currency"))
}

fn instruct(amount: &str) -> InstructTransfer {
    let (amount, currency) = money(amount);
    InstructTransfer { amount, currency }
}

/// Chargebacks, covered refunds and the arrears that they leave.
fn shortfalls(script: &Script, words: &[&str]) -> Read {
    let case = |name: &str| ChargebackId(script.id(name));
    let command = match *words {
        ["chargeback", name, order, case, amount] => {
            let (leg, (amount, currency)) = (LegId(script.id(&format!("{order}.leg"))), money(amount));
            let (case_number, reason) = (case.to_string(), String::from("4837"));
            let receive = ReceiveChargeback { leg, case_number, reason, amount, currency };
            return Some(Step::named(name, Command::Chargeback(ChargebackCommand::Receive(receive))));
        }
        ["book", name] => Command::Chargeback(ChargebackCommand::Book(case(name))),
        ["win", name] => Command::Chargeback(ChargebackCommand::Win(case(name))),
        ["cover", name, order, amount, fee] => {
            let cover = ArrearsCommand::CoverRefund(refund(script, order, amount, fee));
            return Some(Step::named(name, Command::Arrears(cover)));
        }
        ["collect", merchant] => Command::Arrears(ArrearsCommand::Collect(MerchantId(script.id(merchant)))),
        // What is left of each of a merchant's arrears, oldest first.
        ["owes", merchant, ref amounts @ ..] => {
            let found: Vec<Minor> =
                script.kit.state.arrears_of(MerchantId(script.id(merchant))).map(Arrears::left).collect();
            assert_eq!(found, amounts.iter().map(|amount| minor(amount)).collect::<Vec<_>>(), "{merchant}");
            return Some(Step::Done);
        }
        _ => return None,
    };
    Some(Step::of(command))
}

/// Advances and their rules.
fn advances(script: &Script, words: &[&str]) -> Read {
    let command = match *words {
        ["rules", "fee", fee, "merchant", merchant, "total", total, "days", days, "trading", trading] => {
            let number = |text: &str| text.parse().expect("a number of days");
            AdvanceCommand::SetPolicy(SetAdvancePolicy {
                fee_rate: minor(fee),
                merchant_quota: minor(merchant),
                total_quota: minor(total),
                min_days: number(days),
                min_trading_days: number(trading),
            })
        }
        ["advance", name, merchant, ref orders @ ..] => {
            let orders = orders.iter().map(|order| OrderId(script.id(order))).collect();
            let request = AdvanceCommand::Request(RequestAdvance { merchant: MerchantId(script.id(merchant)), orders });
            return Some(Step::named(name, Command::Advance(request)));
        }
        ["repay", name, advance] => {
            let repay = AdvanceCommand::Repay(AdvanceId(script.id(advance)));
            return Some(Step::named(name, Command::Advance(repay)));
        }
        ["return-advance", advance, day] => AdvanceCommand::Return(ReturnAdvance {
            advance: AdvanceId(script.id(advance)),
            reference: String::from("back"),
            date: date(day),
        }),
        // Where a chargeback, a transfer or an advance stands.
        ["shows", kind, name, status] => {
            let (state, id) = (&script.kit.state, script.id(name));
            let found = match kind {
                "chargeback" => state.chargeback(ChargebackId(id)).map(|row| row.status.name()),
                "transfer" => state.own_transfer(OwnTransferId(id)).map(|row| row.status.name()),
                _ => state.advance(AdvanceId(id)).map(|row| row.status.name()),
            };
            assert_eq!(found.expect("the script named it"), status, "{name}");
            return Some(Step::Done);
        }
        _ => return None,
    };
    Some(Step::of(Command::Advance(command)))
}
