//! Refusals: the business said no. A refusal is data with a code that never changes its meaning.

use alloc::borrow::Cow;
use alloc::string::String;

use minicbor::{Decode, Encode};

/// Why the business said no, to whom it matters and what would be right. It carries no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct Refusal {
    /// The stable code.
    #[n(0)]
    pub code: RefusalCode,
    /// The parameter that was wrong, as the caller named it.
    #[n(1)]
    pub param: Cow<'static, str>,
    /// What was wrong with which value, and what would be right.
    #[n(2)]
    pub message: String,
}

impl Refusal {
    /// A refusal of `param`, told in `message`.
    pub fn new(code: RefusalCode, param: &'static str, message: impl Into<String>) -> Self {
        Self { code, param: Cow::Borrowed(param), message: message.into() }
    }
}

macro_rules! codes {
    ($($number:literal $name:ident $text:literal $doc:literal;)*) => {
        /// The codes of refusals. Number and name are for ever.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
        #[cbor(index_only)]
        pub enum RefusalCode {
            $(#[doc = $doc] #[n($number)] $name,)*
        }

        impl RefusalCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that callers see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// One line of meaning, for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

codes! {
    0 AccountUnknown "account_unknown" "No account has this id.";
    1 AccountClosed "account_closed" "The account is closed.";
    2 AccountRestricted "account_restricted" "The account is barred for this direction.";
    3 AccountNotEmpty "account_not_empty" "Only an account at zero without holds and freezes can be closed.";
    4 CurrencyUnknown "currency_unknown" "No books are kept in this currency.";
    5 CurrencyMismatch "currency_mismatch" "The amount is in another currency than the account.";
    6 AmountNotPositive "amount_not_positive" "Amounts are above zero.";
    7 AmountOverflow "amount_overflow" "The sum leaves the range of 64-bit minor units.";
    8 VoucherUnbalanced "voucher_unbalanced" "Debits and credits differ in a book or currency.";
    9 VoucherTooShort "voucher_too_short" "A voucher has at least two entries.";
    10 InsufficientFunds "insufficient_funds" "The account's available balance does not cover the amount.";
    11 DayClosed "day_closed" "The accounting day takes no more vouchers.";
    12 DayNotOpen "day_not_open" "The accounting day has not begun.";
    13 DayState "day_state" "The accounting day is not in the state this needs.";
    14 TooManyOpenDays "too_many_open_days" "At most seven accounting days may be open.";
    15 NumberExpired "number_expired" "The stream is past this number and its answer is no longer kept.";
    16 KeyReused "key_reused" "The key was used before with other content.";
    17 HoldUnknown "hold_unknown" "No hold has this id.";
    18 HoldState "hold_state" "The hold is no longer open.";
    19 HoldExceeded "hold_exceeded" "More than the hold still holds.";
    20 HoldExpired "hold_expired" "The hold has expired.";
    21 FreezeUnknown "freeze_unknown" "No freeze has this id.";
    22 FreezeState "freeze_state" "The freeze is no longer in force.";
    23 AuthorityMismatch "authority_mismatch" "Only the authority that froze may release.";
    24 CustomerUnknown "customer_unknown" "No customer has this id.";
    25 UserUnknown "user_unknown" "No user has this id.";
    26 MerchantUnknown "merchant_unknown" "No merchant has this id.";
    27 AgreementUnknown "agreement_unknown" "No agreement has this id.";
    28 ReceiverNotListed "receiver_not_listed" "The agreement does not list this receiver.";
    29 OrderUnknown "order_unknown" "No order has this id.";
    30 OrderState "order_state" "The order's state does not allow this.";
    31 OrderAmount "order_amount" "The items, legs and fee of the order do not add up.";
    32 InstrumentNotAllowed "instrument_not_allowed" "This instrument may not pay such an item.";
    33 LegUnknown "leg_unknown" "No leg has this id.";
    34 LegState "leg_state" "The leg's state does not allow this.";
    35 SplitUnknown "split_unknown" "No split has this id.";
    36 SplitAmount "split_amount" "The parts do not add up to what can be split.";
    37 SplitState "split_state" "The order cannot be split now.";
    38 RefundUnknown "refund_unknown" "No refund has this id.";
    39 RefundState "refund_state" "The refund's state does not allow this.";
    40 RefundExceeded "refund_exceeded" "More than what is left of the payment.";
    41 PayoutUnknown "payout_unknown" "No payout has this id.";
    42 PayoutState "payout_state" "The payout's state does not allow this.";
    43 ReceiverNotAllowed "receiver_not_allowed" "This account may not pay this receiver.";
    44 AttemptUnknown "attempt_unknown" "No attempt has this id.";
    45 AttemptState "attempt_state" "The attempt is already settled.";
    46 ClearingDuplicate "clearing_duplicate" "This clearing file was taken before.";
    47 ClearingUnknown "clearing_unknown" "No clearing file has this id.";
    48 NotCleared "not_cleared" "The payment is not matched in a clearing file yet.";
    49 CalendarUnknown "calendar_unknown" "The calendar does not know this year's working days.";
    298 CalendarYearBegun "calendar_year_begun" "The year has begun in the books, and its working days stay as they are.";
    50 ChecksFailed "checks_failed" "A check at close does not hold.";
    51 SubjectNotAllowed "subject_not_allowed" "An account of this subject cannot be opened or posted so.";
    52 AlreadyExists "already_exists" "It exists already.";
    53 ValueInvalid "value_invalid" "The value is outside what is allowed here.";
    54 ClockBackwards "clock_backwards" "Time does not go back.";
    55 VoucherTooLong "voucher_too_long" "A voucher has at most 1,000 entries, a posting at most 100,000 vouchers.";
    56 BatchAborted "batch_aborted" "Another voucher of this all-or-nothing posting was refused.";
    57 CommandFailed "command_failed" "The command failed inside and changed nothing; it will not be tried again.";
    58 NotInitialised "not_initialised" "The books have no genesis yet.";
    60 SettlementUnknown "settlement_unknown" "No settlement has this id.";
    70 SettlementSuspended "settlement_suspended" "A payout to the settlement account came back; it must be verified first.";
    71 AgreementState "agreement_state" "The agreement's state does not allow this.";
    130 ReserveLineConflict "reserve_line_conflict" "A statement line of this reference was taken before with other content.";
    131 ReserveLineUnmatched "reserve_line_unmatched" "Money left the reserve account and no open instruction awaits it: raise an alarm.";
    132 ArrearsUnknown "arrears_unknown" "There are no such arrears.";
    133 OwnTransferUnknown "own_transfer_unknown" "No transfer between own money and reserve has this id.";
    134 OwnTransferState "own_transfer_state" "The transfer's state does not allow this.";
    135 ChargebackUnknown "chargeback_unknown" "No chargeback has this id.";
    136 ChargebackState "chargeback_state" "The chargeback's state does not allow this.";
    137 AdvanceUnknown "advance_unknown" "No advance has this id.";
    138 AdvanceState "advance_state" "The advance's state does not allow this.";
    139 AdvanceBarred "advance_barred" "The merchant, the order or a quota does not allow this advance.";
    140 Blocked "blocked" "The institution does not carry this out for one of those who take part.";
    141 LimitExceeded "limit_exceeded" "More than the limit of the account or its holder leaves.";
    142 TopUpUnknown "top_up_unknown" "No top-up has this id.";
    143 TransferUnknown "transfer_unknown" "No transfer has this id.";
    144 WithdrawalPlanUnknown "withdrawal_plan_unknown" "No plan of withdrawals has this id.";
    145 WithdrawalPlanState "withdrawal_plan_state" "The plan's state does not allow this.";
    146 WithdrawalBatchUnknown "withdrawal_batch_unknown" "No batch of withdrawals has this id.";
    147 WithdrawalUnknown "withdrawal_unknown" "No automatic withdrawal has this id.";
    148 NoticeUnknown "notice_unknown" "No notice has this id.";
    149 BlockEntryUnknown "block_entry_unknown" "No entry of a block list has this id.";
    150 BlockEntryState "block_entry_state" "The entry was taken from its list already.";
    151 BankCardUnknown "bank_card_unknown" "No bank card that sent money back has this id.";
    152 BankCardState "bank_card_state" "The bank card was verified already.";
    153 CardStopped "card_stopped" "A withdrawal to the bank card came back; it must be verified first.";
    155 LimitPolicyUnknown "limit_policy_unknown" "No version of the limits has this id.";
    220 CertificateUnknown "certificate_unknown" "The merchant has no certificate with this serial number.";
    221 CertificateExists "certificate_exists" "The serial number was used by this merchant before, or the key by anyone.";
    222 CertificateState "certificate_state" "The certificate is revoked already.";
    223 CertificatesTooMany "certificates_too_many" "The merchant has as many certificates as it may; one must be revoked first.";
    240 WebhookUnknown "webhook_unknown" "No webhook has this id.";
    241 WebhookState "webhook_state" "The webhook is removed.";
    242 WebhookUrl "webhook_url" "The address is too long, or is not called here: outside a sandbox it must begin with https://.";
    243 WebhooksTooMany "webhooks_too_many" "The merchant has as many webhooks as it may; one must be removed first.";
    263 SignUpUnknown "sign_up_unknown" "No signing of an agreement has this id.";
    264 SignUpState "sign_up_state" "The signing's state does not allow this, or its agreement is cancelled.";
    265 SignUpExists "sign_up_exists" "The card is signed for this customer at this network already.";
    266 SignUpsTooMany "sign_ups_too_many" "As many signings of the customer wait for a code as may.";
    287 RealNameCheckUnknown "real_name_check_unknown" "No real-name check has this id.";
    288 RealNameCheckState "real_name_check_state" "The real-name check has its answer, or as many of the customer's wait for one as may.";
    294 AccountNotOwn "account_not_own" "The account is not of the user who pays.";
    267 AgreementNotOwn "agreement_not_own" "The agreement was signed by another customer than the one who would pay.";
    268 ApiKeyUnknown "api_key_unknown" "The caller has no old secret of this serial number.";
    269 ApiKeyState "api_key_state" "The secret ended, is the newest, or another one still signs beside it.";
    270 PayPasswordUnknown "pay_password_unknown" "The user has no pay password.";
    271 PayPasswordState "pay_password_state" "The user has a pay password already, or none to change, or it was set anew meanwhile.";
    272 PayPasswordLocked "pay_password_locked" "Five tries of the pay password were wrong; it is locked for a day, or until it is reset.";
    273 PayPasswordProof "pay_password_proof" "The agreement does not reset this pay password: another customer's, signed too long ago, or before the password was last set.";
    154 RetryRuleUnknown "retry_rule_unknown" "No rule of retries has this id.";
    100 FreezeExceeded "freeze_exceeded" "More than the freeze bites on in this account.";
    101 StopPaymentRepeated "stop_payment_repeated" "The authority has had a stop-payment here; a freeze must follow.";
    120 HoldDirection "hold_direction" "The hold is of the other direction: money that goes out, or money announced to come in.";
    121 HoldPlacer "hold_placer" "Only who placed the hold extends it.";
    122 VoucherCurrencies "voucher_currencies" "A voucher has entries of one currency only.";
    123 RuleUnknown "rule_unknown" "The agreement has no rule or condition of this number.";
    124 ConversionState "conversion_state" "The conversion's state does not allow this.";
    125 ConditionNotFulfilled "condition_not_fulfilled" "A condition of the agreement's rule is not fulfilled, or its day has not come.";
    126 RuleExceeded "rule_exceeded" "More than the agreement's rule may pay in all.";
    127 ExchangeRateNotValid "exchange_rate_not_valid" "The exchange rate is not valid now, or not for these currencies.";
    128 ExchangeRateUnknown "exchange_rate_unknown" "No exchange rate has this id.";
    129 ConversionUnknown "conversion_unknown" "No conversion has this id.";
    80 ApprovalRequired "approval_required" "This needs a second person: propose it, and another operator approves it.";
    110 QuotaExceeded "quota_exceeded" "More than the child account's quota leaves for one payment, the day or the month.";
    111 TreeLinkUnknown "tree_link_unknown" "No link between accounts has this id.";
    112 TreeLinkEnded "tree_link_ended" "The link between the accounts has ended.";
    113 AccountLinked "account_linked" "The account stands in a tree; end its links first.";
    114 TreeShape "tree_shape" "The link would make a cycle, or a tree too deep, too broad or too large.";
    115 LinkAgreementNeeded "link_agreement_needed" "Accounts of two customers are linked only by an agreement.";
    116 TreeRunUnknown "tree_run_unknown" "No run of sweeps and allocations has this id.";
    117 NothingToMove "nothing_to_move" "Parent and child stand so that nothing moves.";
    81 OperatorUnknown "operator_unknown" "No operator has this id.";
    82 OperatorState "operator_state" "The operator is suspended, or its state does not allow this.";
    83 RoleMissing "role_missing" "The operator has none of the roles that may do this.";
    84 SamePerson "same_person" "Maker and checker must be two people, and no one checks a change of their own rights.";
    85 ApprovalUnknown "approval_unknown" "No approval has this id.";
    86 ApprovalState "approval_state" "The approval is no longer pending.";
    87 ApprovalExpired "approval_expired" "The approval was not decided within seven days.";
    88 TotpReplayed "totp_replayed" "This one-time code, or a later one, was used before.";
    89 AdministratorsTooFew "administrators_too_few" "Two active administrators must stay.";
    90 NotAnOperator "not_an_operator" "Only a registered operator decides this.";
    91 NotTheMaker "not_the_maker" "Only its maker takes a proposal back.";
    92 EvidenceRequired "evidence_required" "This must name a document and its digest.";
    93 SuspenseUnknown "suspense_unknown" "No suspense item has this id.";
    94 SuspenseState "suspense_state" "The suspense item is no longer open.";
    95 SuspenseExceeded "suspense_exceeded" "More than what is left of the suspense item.";
    96 TemplateUnknown "template_unknown" "No template in use has this id or code.";
    97 TemplateMismatch "template_mismatch" "The template does not allow this side of this subject.";
    98 MirrorBroken "mirror_broken" "2291 and 1291, 2292 and 1151 must move alike.";
    200 CardFeeUnknown "card_fee_unknown" "No plan of card fees has this name, or nobody said what the card's scheme costs, on this day.";
    201 AcquiringUnknown "acquiring_unknown" "No acquiring has this id or merchant number.";
    202 AcquiringState "acquiring_state" "The merchant's acquiring is suspended, or its state does not allow this.";
    203 TerminalUnknown "terminal_unknown" "No terminal has this id.";
    204 TerminalState "terminal_state" "The terminal's state does not allow this.";
    205 TerminalBound "terminal_bound" "The terminal is with a merchant; it must be recovered first.";
    206 CardTransactionUnknown "card_transaction_unknown" "No card transaction has this id, trace, reference or authorisation.";
    207 CardTransactionState "card_transaction_state" "The card transaction's state does not allow this.";
    208 TraceReused "trace_reused" "The terminal used this trace in this batch before, with other content.";
    209 BatchMismatch "batch_mismatch" "The terminal is in another batch; it must sign in.";
    210 CardMismatch "card_mismatch" "The original transaction was made with another card.";
    211 CardAmount "card_amount" "The amount is not the original's, or above what may follow on it.";
    212 PreauthorisationLapsed "preauthorisation_lapsed" "The pre-authorisation holds no longer.";
    213 NotReversible "not_reversible" "A transaction of this kind is never reversed.";
    214 BatchCloseUnknown "batch_close_unknown" "No batch close has this id.";
    215 BatchCloseState "batch_close_state" "No upload of the terminal's batch is awaited.";
    260 ParametersUnknown "parameters_unknown" "No set of terminals' parameters has this id or name.";
    261 ParametersOther "parameters_other" "The terminal took other parameters than those in force; it downloads them again.";
    299 ReceiverUnknown "receiver_unknown" "No receiver of splits has this id.";
    301 ReceiverNotRegistered "receiver_not_registered" "The merchant is not registered to receive from the payee's orders, or was removed.";
    300 OutflowState "outflow_state" "What leaves by the channel is stopped, or is not.";
    302 FeePayerUnsupported "fee_payer_unsupported" "The fee on top of the order cannot be paid so: a provident fund pays rent alone, and through the reserve.";
    303 FeeAboveAmount "fee_above_amount" "The merchant's fee plan takes more than the order's amount.";
    305 FundBatchUnknown "fund_batch_unknown" "No monthly batch of a provident fund has this id.";
    306 FundBatchEmpty "fund_batch_empty" "No payment by a provident fund waits for the batch of this month.";
    307 FundResultRejected "fund_result_rejected" "The centre's result file contradicts itself, its batch or an earlier file; nothing of it is booked.";
    274 FundCutOffPassed "fund_cut_off_passed" "The fund's batch of this month is closed; what comes later waits for another month's.";
    275 FundLeaseUnknown "fund_lease_unknown" "The fund's centre has no lease filed under this number.";
    276 FundMonthsTooFew "fund_months_too_few" "Contributions to the fund were paid for fewer months than the city asks for.";
    277 FundDrawsUsedUp "fund_draws_used_up" "The fund paid for this lease as often as the city allows in that time.";
    278 FundOverQuota "fund_over_quota" "More than the fund pays of this month, by rent, contribution, the city's cap or what is left of the year.";
    289 PartNotTaken "part_not_taken" "Only a fund whose centre may pay a part at once pays less than was asked for, and none more.";
    262 PublicKeyMissing "public_key_missing" "The terminal has no public key that a key could be issued to.";
    297 OrderExpired "order_expired" "The time in which the order could be paid is over.";
    279 TaskState "task_state" "Nothing of it waits for a person, or no channel can be asked again.";
    280 TaskVoucher "task_voucher" "The voucher does not take just the money that waits for a person.";
    286 DifferenceState "difference_state" "The difference has ended, its line cannot stand, or its money may lie in suspense.";
    281 ReserveLineSession "reserve_line_session" "The line may be of a clearing session that has open differences: settle them first, or say that it is suspense.";
    290 DifferenceVoucher "difference_voucher" "The voucher does not leave the rail's clearing account even.";
    282 SplitPlanUnknown "split_plan_unknown" "No plan of splits of this name holds on this accounting day, in the books or in the settings.";
    283 SplitPlanRole "split_plan_role" "The split names a role that its plan does not have, or does not say who had the one that gets what rounding leaves.";
    285 TopUpState "top_up_state" "The top-up has no page that waits for its payer, its page has expired, or it is being closed.";
    99 WaiverMismatch "waiver_mismatch" "The check did not fail in this run, or is waived already.";
}

impl RefusalCode {
    /// Whether the same request may be accepted later, so that its key must stay bound to the refusal. What is wrong in
    /// the request by itself binds nothing: its sender may mend it and use the key.
    #[must_use]
    pub const fn depends_on_state(self) -> bool {
        !matches!(
            self,
            Self::CurrencyUnknown
                | Self::AmountNotPositive
                | Self::VoucherTooShort
                | Self::VoucherTooLong
                | Self::VoucherUnbalanced
                | Self::VoucherCurrencies
                | Self::OrderAmount
                | Self::ValueInvalid
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: alloc::vec::Vec<_> = RefusalCode::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RefusalCode::ALL.len());
    }
}
