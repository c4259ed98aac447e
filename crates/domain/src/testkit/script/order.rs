//! Orders that can be paid until a time: `order`, `pay-order`, `hand-out`, `late`, `close-order`, `order-is`. See
//! [`crate::order::expiry`].

use alloc::{format, vec};

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::front_page::PageOf;
use crate::ids::{AttemptId, MerchantId, OrderId};
use crate::order::ItemKind;
use crate::order::expiry::CloseReason;
use crate::testkit::orders::{card, fund, redirect};
use crate::testkit::success;

/// Reads a verb of orders.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let command = match *words {
        // Rent, with three tries.
        ["order", name, merchant, amount, "for", duration] => {
            let (merchant, expires_at) = (MerchantId(script.id(merchant)), script.at(duration));
            let mut create = script.kit.create_order(merchant, &[(ItemKind::Rent, minor(amount))]);
            (create.tries_allowed, create.expires_at) = (3, Some(expires_at));
            return Some(Step::named(name, Command::CreateOrder(create)));
        }
        // All of it, by a debit card over EPCC, at UnionPay's page, or by a provident fund.
        ["pay-order", name, "by", how] => {
            let order = OrderId(script.id(name));
            let payable = script.kit.state.order(order).expect("the script created it").payable();
            let instrument = match how {
                "page" => redirect(payable),
                "fund" => fund(payable),
                _ => card(payable),
            };
            let next = script.kit.state.attempts.next_id();
            script.bind(&format!("{name}.attempt"), next);
            Command::PayOrder { order, instruments: vec![instrument] }
        }
        ["hand-out", name] => Command::HandOutPage { of: PageOf::Order(OrderId(script.id(name))), site: None },
        // The channel did carry out the order's last try after all; the clearing date is 2026-03-05.
        ["late", name] => {
            let attempt = AttemptId(script.id(&format!("{name}.attempt")));
            Command::AnswerAttempt { attempt, outcome: success("2026-03-05") }
        }
        ["close-order", name] => Command::CloseOrder(OrderId(script.id(name))),
        ["order-is", name, status, ref reason @ ..] => {
            let order = script.kit.state.order(OrderId(script.id(name))).expect("the script created it");
            let found = order.close_reason().map(CloseReason::name);
            assert_eq!((order.status.name(), found), (status, reason.first().copied()), "{name}");
            return Some(Step::Done);
        }
        _ => return None,
    };
    Some(Step::of(command))
}
