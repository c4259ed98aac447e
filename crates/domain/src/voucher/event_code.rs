//! Event codes (事件码): which step of the business a voucher books.

use minicbor::{Decode, Encode};

macro_rules! event_codes {
    ($($number:literal $name:ident $text:literal $doc:literal;)*) => {
        /// The event code (事件码): which step of the business a voucher books. Number and name are for ever.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
        #[cbor(index_only)]
        pub enum EventCode {
            $(#[doc = $doc] #[n($number)] $name,)*
        }

        impl EventCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that callers and statements see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Its number in files.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }
        }
    };
}

event_codes! {
    0 Transfer "transfer" "A posting by the caller's own words.";
    1 PaymentCaptured "payment_captured" "A payment came in by one instrument.";
    2 LegCaptured "leg_captured" "One leg of a combined payment came in.";
    3 OrderPaid "order_paid" "Every leg of a combined payment is in.";
    4 LegReversed "leg_reversed" "A finished leg was taken back.";
    5 FeeIncome "fee_income" "The institution's fee, mirrored in its own books.";
    6 SplitPaid "split_paid" "One part of a split.";
    7 SplitReturned "split_returned" "One part of a split, returned for a refund or by its receiver.";
    8 RefundStarted "refund_started" "A refund left the merchant.";
    9 RefundSucceeded "refund_succeeded" "A refund reached the payer.";
    10 RefundFailed "refund_failed" "A refund did not; the contra of its start.";
    11 PayoutSent "payout_sent" "A payout left the account.";
    12 PayoutSucceeded "payout_succeeded" "A payout reached the bank account.";
    13 PayoutFailed "payout_failed" "A payout did not; the contra of its sending.";
    14 PayoutReturned "payout_returned" "A payout came back after success.";
    15 SuspenseAllocated "suspense_allocated" "Money in suspense found its account.";
    16 ClearingSession "clearing_session" "The net of a clearing session reached the central bank account.";
    17 Settled "settled" "A merchant's matched payments became available.";
    18 RefundDue "refund_due" "Money that no order and no top-up can use.";
    19 AgreementDeposit "agreement_deposit" "Money into an agreement account.";
    20 AgreementPayment "agreement_payment" "Money out of an agreement account to a listed receiver.";
    21 TopUp "top_up" "Money into a payment account.";
    22 HoldConfirmed "hold_confirmed" "Held money moved.";
    23 Opening "opening" "A balance brought in from another system.";
    24 FeeReturned "fee_returned" "A fee given back, mirrored in the institution's own books.";
    30 SplitRestored "split_restored" "Returned parts of a split went to their receivers again, as the refund failed.";
    40 ManualVoucher "manual_voucher" "A voucher that two people made by a template.";
    50 FreezeDeducted "freeze_deducted" "Frozen money left the account for its authority.";
    60 SweptUp "swept_up" "Money of a child account was pooled in its parent.";
    61 AllocatedDown "allocated_down" "Money of a parent account was allotted to its child.";
    70 HoldReceived "hold_received" "Announced money came in.";
    71 ConversionSold "conversion_sold" "The currency that a customer gave in a conversion.";
    72 ConversionBought "conversion_bought" "The currency that a customer got in a conversion.";
    73 ConversionSoldReversed "conversion_sold_reversed" "What was given in a conversion, back; the contra of its voucher.";
    74 ConversionBoughtReversed "conversion_bought_reversed" "What was got in a conversion, back; the contra of its voucher.";
    75 AgreementRest "agreement_rest" "What was left on an agreement account, back to its party.";
    80 IncomeSwept "income_swept" "The institution's own income left the reserve.";
    81 ShortfallInjected "shortfall_injected" "Own money came into the reserve to cover a shortfall.";
    82 AdvanceSent "advance_sent" "Own money was advanced to a merchant against what is to be settled.";
    83 AdvanceFailed "advance_failed" "An advance did not reach the merchant; the contra of its sending.";
    84 AdvanceRepaid "advance_repaid" "The reserve paid an advance back to own money.";
    85 ChargedBack "charged_back" "A card's bank took a payment back.";
    86 ChargebackWon "chargeback_won" "A chargeback was won: the card's bank gave the payment back.";
    87 ArrearsCollected "arrears_collected" "A merchant's arrears were taken from its available money.";
    88 ReserveLineSuspended "reserve_line_suspended" "Money came to the reserve account that no instruction awaited.";
    100 AccountTransfer "account_transfer" "A payment account paid another by its holder's order.";
    101 TopUpSuspended "top_up_suspended" "A top-up came in and its account takes no money: suspense.";
    130 CardPaid "card_paid" "A card was debited at a terminal: a sale, or what a pre-authorisation came to.";
    131 CardVoided "card_voided" "A card payment was voided in its batch; the contra of it.";
    132 CardReversed "card_reversed" "A card transaction was taken back by a reversal; the contra of it.";
    133 CardRefunded "card_refunded" "Money of a card payment went back to the card.";
    134 CardAdjusted "card_adjusted" "A card payment was adjusted, as by a tip.";
    135 CardCostDiffered "card_cost_differed" "The network's file took other fees than were reckoned.";
    226 AdvanceReturned "advance_returned" "An advance came back after success.";
    229 AdvanceClaimed "advance_claimed" "A bank paid an advance after it had refused it; own money left, and is owed.";
    233 AdvanceFeeEarned "advance_fee_earned" "An advance arrived, and its fee is the institution's.";
    234 TopUpReturnedLate "top_up_returned_late" "A channel took back what it had refused to, of a top-up: it left suspense.";
    244 LegReversedTwice "leg_reversed_twice" "What a leg gave back went back a second time; its bank owes it.";
    245 RefundedLate "refunded_late" "A refund that its channel had refused reached the payer; its money was taken again.";
    247 ClaimedLate "claimed_late" "A channel carried out what it had refused, and its money was gone; its bank owes it.";
    120 Imported "imported" "A movement brought in from another system's books.";
}

impl EventCode {
    /// The code of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// The code of a number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }
}
