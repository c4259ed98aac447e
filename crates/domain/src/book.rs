//! The chart of accounts: books, subjects and their sides (科目表).
//!
//! A voucher balances per book and currency, so money of the institution can never be posted against customers' reserve.

use minicbor::{Decode, Encode};

/// One of the three sets of books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Book {
    /// Customers' money at the central bank (备付金).
    #[n(0)]
    Reserve,
    /// The institution's own money.
    #[n(1)]
    Own,
    /// The bank's liability, mirrored (存管).
    #[n(2)]
    Custody,
}

impl Book {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Reserve, Self::Own, Self::Custody];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "RESERVE",
            Self::Own => "OWN",
            Self::Custody => "CUSTODY",
        }
    }
}

/// Debit (借) or credit (贷).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Side {
    /// Debit (借).
    #[n(0)]
    Debit,
    /// Credit (贷).
    #[n(1)]
    Credit,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

macro_rules! chart {
    ($($code:literal $name:ident $book:ident $side:ident $overdraft:literal $text:literal $zh:literal;)*) => {
        /// A subject of the general ledger (总账科目). Its number is its code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
        #[cbor(index_only)]
        pub enum Subject {
            $(#[doc = concat!($text, " (", $zh, ")")] #[n($code)] $name,)*
        }

        impl Subject {
            /// Every subject, in the order of its code within its book.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number accountants know it by.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)* }
            }

            /// The book it lies in.
            #[must_use]
            pub const fn book(self) -> Book {
                match self { $(Self::$name => Book::$book,)* }
            }

            /// The side on which it grows.
            #[must_use]
            pub const fn side(self) -> Side {
                match self { $(Self::$name => Side::$side,)* }
            }

            /// Whether its accounts may go below zero unless they say otherwise.
            #[must_use]
            pub const fn overdraft(self) -> bool {
                match self { $(Self::$name => $overdraft,)* }
            }

            /// The English name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The Chinese name.
            #[must_use]
            pub const fn name_zh(self) -> &'static str {
                match self { $(Self::$name => $zh,)* }
            }
        }
    };
}

chart! {
    1101 CentralBank Reserve Debit false "reserve at the central bank" "备付金存款";
    1121 ClearingEpcc Reserve Debit true "clearing with EPCC" "应收网联清算款";
    1122 ClearingUnionPay Reserve Debit true "clearing with UnionPay" "应收银联清算款";
    1131 ReceivableFund Reserve Debit true "receivable from provident fund and banks" "应收公积金及银行款";
    2201 Personal Reserve Credit false "personal payment account" "个人支付账户";
    2202 MerchantPending Reserve Credit false "merchant, to be settled" "商户待结算";
    2203 MerchantAvailable Reserve Credit false "merchant, available" "商户可用";
    2204 Agreement Reserve Credit false "agreement account" "协议账户";
    2205 PaymentInProgress Reserve Credit false "combined payment in progress" "组合支付过渡";
    2206 Company Reserve Credit false "company payment account" "单位支付账户";
    2211 RefundTransit Reserve Credit false "refund in transit" "退款在途";
    2212 PayoutTransit Reserve Credit false "payout in transit" "付款在途";
    2231 TaxWithheld Reserve Credit false "tax withheld" "代征税款";
    2241 Suspense Reserve Credit false "suspense" "挂账";
    2243 RefundDue Reserve Credit false "refund due to payer" "应退付款人";
    2251 GuaranteeDeposit Reserve Credit false "merchant guarantee deposit" "商户保证金";
    2291 DueToOwn Reserve Credit false "due to own funds" "应付自有资金";
    2292 OwnClaims Reserve Credit false "claims of own funds for D0" "自有资金垫付债权";
    1103 OwnBank Own Debit false "own money at banks" "自有资金存款";
    1151 Advances Own Debit false "D0 advances" "垫付款";
    1152 Arrears Own Debit false "merchant arrears" "应收商户欠款";
    1241 Shortages Own Debit false "shortages" "长短款";
    1291 DueFromReserve Own Debit false "due from reserve" "应收备付金";
    2221 OutputVat Own Credit false "output VAT" "销项税额";
    3001 Capital Own Credit false "capital" "实收资本";
    5001 FeeIncome Own Credit true "fee income" "手续费收入";
    5101 Interest Own Credit true "interest" "利息收入";
    6001 ChannelCost Own Debit true "channel cost" "通道成本";
    6003 Rounding Own Debit true "rounding" "尾差";
    9101 CustodyBank Custody Debit true "custody at the bank" "存管银行存款";
    9201 CustodySub Custody Credit false "custody sub-account" "存管子账户";
}

impl Subject {
    /// The subject of a code.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|subject| subject.code() == code)
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn ordinal(self) -> usize {
        self as usize
    }

    /// True where customers or merchants hold accounts; all others belong to the institution, one a currency.
    #[must_use]
    pub const fn is_held_by_others(self) -> bool {
        matches!(
            self,
            Self::Personal
                | Self::MerchantPending
                | Self::MerchantAvailable
                | Self::Agreement
                | Self::Company
                | Self::GuaranteeDeposit
                | Self::CustodySub
        )
    }

    /// True for 2201–2206 and 2291, which no rule, format or operator may let go below zero.
    #[must_use]
    pub const fn never_overdrawn(self) -> bool {
        matches!(self.code(), 2201..=2206 | 2291)
    }

    /// True for what the institution owes to customers (客户备付金负债).
    #[must_use]
    pub const fn is_customer_liability(self) -> bool {
        matches!(self.book(), Book::Reserve)
            && matches!(self.side(), Side::Credit)
            && !matches!(self.code(), 2291 | 2292)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_subject_that_is_never_overdrawn_allows_overdraft() {
        for subject in Subject::ALL {
            assert!(!(subject.never_overdrawn() && subject.overdraft()), "{subject:?}");
            assert_eq!(Subject::from_code(subject.code()), Some(*subject));
            assert_eq!(Subject::ALL[subject.ordinal()], *subject);
        }
    }
}
