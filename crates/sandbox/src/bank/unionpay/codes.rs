//! UnionPay's response codes for what the ledger says, with their texts.

use super::super::ledger::State;
use super::super::{body, ledger};

pub(super) const DONE: (&str, &str) = ("00", "成功[0000000]");
pub(super) const IN_PROGRESS: (&str, &str) = ("05", "处理中");
pub(super) const MALFORMED: (&str, &str) = ("10", "报文格式错误");
pub(super) const UNSIGNED: (&str, &str) = ("11", "验证签名失败");
pub(super) const DUPLICATE: (&str, &str) = ("12", "重复交易");
pub(super) const NOT_FOUND: (&str, &str) = ("34", "查无此交易");

/// The sandbox's own codes of declines as UnionPay's.
const DECLINES: &[(&str, (&str, &str))] = &[
    ("10000001", ("64", "余额不足")),
    ("10000002", ("61", "输入的卡号无效")),
    ("10000003", ("66", "输入的姓名有误")),
    ("10000004", ("63", "卡状态不正确")),
    ("20000001", ("38", "风险受限")),
    ("20000002", ("33", "交易金额超限")),
    ("30000001", ("60", "交易失败，详情请咨询您的发卡行")),
    ("30000002", ("68", "不支持")),
    (ledger::NO_ORIGINAL, ("35", "原交易不存在或状态不正确")),
    (ledger::TOO_MUCH, ("36", "与原交易信息不符")),
    (body::CURRENCY_NOT_TAKEN, ("13", "报文交易要素缺失")),
];

/// What a serial number is told with.
pub(super) fn of(state: &State) -> (&'static str, &'static str) {
    match state {
        State::Lost => NOT_FOUND,
        State::Open { .. } => IN_PROGRESS,
        State::Done { .. } => DONE,
        State::Declined { code } => {
            DECLINES.iter().find(|(own, _)| **own == **code).map_or(("01", "交易失败"), |(_, code)| *code)
        }
    }
}
