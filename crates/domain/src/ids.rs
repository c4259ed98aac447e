//! Names of things: dense numbers that `decide` hands out, one series a kind, written `acc_42`.
//!
//! Dense numbers keep the state in slabs (no hash map in the hot loop) and come back the same on every replay.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use minicbor::{Decode, Encode};

/// A text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an id of this kind; it looks like {prefix}_42")]
pub struct IdError {
    /// What was given.
    pub text: String,
    /// The prefix that this kind of id carries.
    pub prefix: &'static str,
}

fn parse(text: &str, prefix: &'static str) -> Result<u64, IdError> {
    let wrong = || IdError { text: format!("{text:.64}"), prefix };
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(wrong)?;
    let canonical = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !canonical {
        return Err(wrong());
    }
    digits.parse().map_err(|_| wrong())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u64);

        impl $name {
            /// What its text form begins with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }
    )*};
}

ids! {
    /// An account (账户): money in one book and currency.
    AccountId = "acc";
    /// A customer (客户): one legal identity. The vault hands these out.
    CustomerId = "cus";
    /// A user (用户): a customer in one product.
    UserId = "usr";
    /// A merchant (商户).
    MerchantId = "mch";
    /// A hold (预占).
    HoldId = "hld";
    /// A freeze (冻结).
    FreezeId = "frz";
    /// An agreement (协议) and its account.
    AgreementId = "agr";
    /// An order (统一订单).
    OrderId = "ord";
    /// One instrument's share of a payment.
    LegId = "leg";
    /// A split (分账) of one order.
    SplitId = "spl";
    /// A version of a plan of splits (分账方案).
    SplitPlanId = "spp";
    /// A refund (退款).
    RefundId = "rfd";
    /// A payout (代付) or withdrawal (提现).
    PayoutId = "pay";
    /// One try at a channel.
    AttemptId = "att";
    /// A stream of bulk postings.
    StreamId = "str";
    /// A settlement (结算) of one merchant for one day.
    SettlementId = "stl";
    /// A clearing file (清算文件) of one channel and day.
    ClearingId = "clr";
    /// A voucher (凭证): its position in the journal.
    VoucherId = "vch";
    /// A line of the reserve account's statement (备付金账户流水).
    ReserveLineId = "rln";
    /// A closing balance of the reserve account's statement.
    ReserveBalanceId = "rbl";
    /// An instruction between the institution's own money and the reserve.
    OwnTransferId = "otr";
    /// What a merchant owes (商户欠款).
    ArrearsId = "arr";
    /// A chargeback (拒付).
    ChargebackId = "cbk";
    /// An advance (垫付), D0.
    AdvanceId = "adv";
    /// A version of the rules for advances.
    AdvancePolicyId = "adp";
    /// A payment out of an agreement account.
    AgreementPaymentId = "agp";
    /// An exchange rate (牌价).
    ExchangeRateId = "fxr";
    /// A conversion between currencies.
    ConversionId = "cnv";
    /// An approval by a second person.
    ApprovalId = "apr";
    /// An operator of the institution.
    OperatorId = "opr";
    /// A top-up (充值).
    TopUpId = "tup";
    /// A transfer between payment accounts (转账).
    TransferId = "trf";
    /// A plan of automatic withdrawals.
    WithdrawalPlanId = "wpl";
    /// A batch of automatic withdrawals.
    WithdrawalBatchId = "wba";
    /// An automatic withdrawal, over all its tries.
    WithdrawalId = "wdr";
    /// A rule of which failures are tried again.
    RetryRuleId = "rtr";
    /// A message that a customer is to be told.
    NoticeId = "ntc";
    /// A version of the limits.
    LimitPolicyId = "lmp";
    /// An entry of a block list.
    BlockEntryId = "blk";
    /// A certificate of a merchant.
    CertificateId = "crt";
    /// A serial number of an API key's secret.
    ApiKeyId = "aky";
    /// A signing of an agreement to debit a card (协议签约).
    SignUpId = "sgn";
    /// A real-name check (实名核验).
    RealNameCheckId = "rnc";
    /// A registered receiver of splits (分账接收方).
    ReceiverId = "rcv";
    /// A webhook (回调) of a merchant.
    WebhookId = "whk";
    /// A bank card that sent a withdrawal back.
    BankCardId = "bcd";
    /// A link between a parent and a child account (母子账户).
    TreeLinkId = "lnk";
    /// A run of sweeps (归集) and allocations (下拨).
    TreeRunId = "trn";
    /// What a hold used of a child's quota (额度).
    QuotaChargeId = "qch";
    /// Money in suspense (挂账).
    SuspenseId = "sus";
    /// A template of manual vouchers.
    TemplateId = "tpl";
    /// A version of the weights of a channel's sites.
    SiteWeightsId = "swt";
    /// What leaves by a channel in a currency.
    OutflowId = "ofl";
    /// A monthly batch of a provident-fund centre (公积金月度批次).
    FundBatchId = "fbt";
    /// A version of a set of terminals' parameters (终端参数).
    ParameterSetId = "pst";
    /// A version of a plan of card fees.
    CardFeePlanId = "cfp";
    /// A version of what a card scheme costs.
    CardCostId = "cco";
    /// A version of what orders, payouts or withdrawals cost.
    FeePlanId = "fpl";
    /// A merchant's acquiring (收单).
    AcquiringId = "acq";
    /// A terminal (终端).
    TerminalId = "trm";
    /// A card transaction at a terminal.
    CardTransactionId = "ctx";
    /// A batch close (批结算) of a terminal.
    BatchCloseId = "bcl";
    /// A part of the network's file of card transactions.
    CardClearingId = "ccl";
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_id_reads_back_what_it_writes() {
        assert_eq!(AccountId(42).to_string(), "acc_42");
        assert_eq!("acc_42".parse(), Ok(AccountId(42)));
    }

    #[test]
    fn other_kinds_and_other_spellings_are_refused() {
        for text in ["ord_42", "acc_042", "acc_", "acc_-1", "42", "acc_+4", "acc_99999999999999999999"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }
}
