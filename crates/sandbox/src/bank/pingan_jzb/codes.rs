//! The sandbox's own codes for what the ledger says, as Ping An's with their texts. But for ERR020 the bank's list is not public.

use super::super::ledger::{self, State};
use super::super::{body, names::Verb};

pub(super) const DONE: (&str, &str) = ("000000", "交易成功");
pub(super) const NOT_FOUND: (&str, &str) = ("ERR020", "无此记录");
pub(super) const DUPLICATE: (&str, &str) = ("ERR101", "流水号重复");
/// A payment that came back: the account is closed.
pub(super) const CAME_BACK: (&str, &str) = ("ERR204", "收款账户已销户");
const BUSY: (&str, &str) = ("ERR501", "系统繁忙");

const DECLINES: &[(&str, (&str, &str))] = &[
    ("10000001", ("ERR201", "余额不足")),
    ("10000002", ("ERR202", "子账户不存在或已注销")),
    ("10000003", ("ERR203", "户名不符")),
    ("10000004", CAME_BACK),
    ("20000001", ("ERR301", "风险受限")),
    ("20000002", ("ERR301", "超过当日限额")),
    ("30000001", ("ERR401", "银行系统维护")),
    ("30000002", ("ERR401", "不支持的账户类型")),
    ("40000001", BUSY),
    (ledger::NO_ORIGINAL, ("ERR501", "原交易不存在或状态不正确")),
    (ledger::TOO_MUCH, ("ERR501", "退款金额超过原交易")),
    (body::CURRENCY_NOT_TAKEN, ("ERR501", "不支持的币种")),
];

/// What a code of the ledger is here.
pub(super) fn declined(code: &str) -> (&'static str, &'static str) {
    DECLINES.iter().find(|(own, _)| *own == code).map_or(BUSY, |(_, code)| *code)
}

/// The status of a transaction, with its reason where it failed.
pub(super) fn status(state: &State) -> (&'static str, String) {
    match state {
        State::Lost | State::Open { .. } => ("2", String::new()),
        State::Done { .. } => ("0", String::new()),
        State::Declined { code } => {
            let (code, text) = declined(code);
            ("1", format!("{code}:{text}"))
        }
    }
}

/// The transaction that does it, and what a query calls it.
pub(super) const fn of(verb: Verb) -> Option<(&'static str, &'static str)> {
    match verb {
        Verb::Debit => Some(("6034", "2")),
        Verb::Pay => Some(("6085", "3")),
        Verb::Refund => Some(("6164", "7")),
        Verb::Hold | Verb::Capture | Verb::Release | Verb::Redirect => None,
    }
}
