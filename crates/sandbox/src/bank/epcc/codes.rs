//! The sandbox's own codes for what the ledger says, as EPCC's with their texts. EPCC's list is not public.

use super::super::ledger::{self, State};
use super::super::{body, names::Verb};

/// Done, and: the message was understood.
pub(super) const DONE: (&str, &str) = ("00000000", "成功");
/// The message was refused for a fault of the system.
pub(super) const BUSY: (&str, &str) = ("PS400001", "系统繁忙");
pub(super) const DUPLICATE: (&str, &str) = ("PS400002", "交易流水号重复");
pub(super) const NOT_FOUND: (&str, &str) = ("PS400003", "交易不存在");
pub(super) const WRONG_CODE: (&str, &str) = ("PB100005", "短信验证码错误");
/// What was signed up for is no card that can be.
pub(super) const NO_CARD: (&str, &str) = ("PB100002", "卡号无效");
/// The elements are not one person's.
pub(super) const ANOTHERS: (&str, &str) = ("PB100003", "户名不符");
pub(super) const NO_AGREEMENT: &str = "10000002";
/// A payment that came back: the account is closed.
pub(super) const CAME_BACK: (&str, &str) = ("PB100004", "收款账户已销户");

const DECLINES: &[(&str, (&str, &str))] = &[
    ("10000001", ("PB100001", "余额不足")),
    (NO_AGREEMENT, ("PB100002", "协议不存在或已失效")),
    ("10000003", ANOTHERS),
    ("10000004", CAME_BACK),
    ("20000001", ("PR300001", "风险受限")),
    ("20000002", ("PR300001", "超过当日限额")),
    ("30000001", ("PB200001", "银行系统维护")),
    ("30000002", ("PB200001", "不支持的账户类型")),
    ("40000001", BUSY),
    (ledger::NO_ORIGINAL, ("PS400001", "原交易不存在或状态不正确")),
    (ledger::TOO_MUCH, ("PS400001", "退款金额超过原交易")),
    (body::CURRENCY_NOT_TAKEN, ("PS400001", "不支持的币种")),
];

/// The status of a transaction, with its code where it has ended.
pub(super) fn of(state: &State) -> (&'static str, Option<(&'static str, &'static str)>) {
    match state {
        State::Lost | State::Open { .. } => ("02", None),
        State::Done { .. } => ("00", Some(DONE)),
        State::Declined { code } => {
            let known = DECLINES.iter().find(|(own, _)| **own == **code).map_or(BUSY, |(_, code)| *code);
            ("01", Some(known))
        }
    }
}

/// The message that asks for a verb, and the one that answers.
pub(super) const fn types(verb: Verb) -> Option<(&'static str, &'static str)> {
    match verb {
        Verb::Debit => Some(("epcc.201.001.01", "epcc.202.001.01")),
        Verb::Pay => Some(("epcc.211.001.01", "epcc.212.001.01")),
        Verb::Refund => Some(("epcc.231.001.01", "epcc.232.001.01")),
        // A browser brings it: it is answered by a page.
        Verb::Redirect => Some(("epcc.221.001.01", "")),
        Verb::Hold | Verb::Capture | Verb::Release => None,
    }
}
