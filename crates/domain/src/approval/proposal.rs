//! What can be proposed: a line a kind, with the roles that may make and check it and the command that carries it out.

use minicbor::{Decode, Encode};

use crate::command::Command;
use crate::freeze::ReleaseFreeze;
use crate::ids::OperatorId;
use crate::operator::OperatorCommand;
use crate::operator::Role::{self, Administrator, Risk};
use crate::operator::Role::{Accountant, Treasurer};

macro_rules! proposals {
    ($($number:literal $name:ident($payload:ty) $text:literal
        made by [$($maker:ident)*] checked by [$($checker:ident)*] does $command:path, $doc:literal;)*) => {
        /// What two people decide on. Number and name are for ever.
        #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
        pub enum Proposal {
            $(#[doc = $doc] #[n($number)] $name(#[n(0)] $payload),)*
        }

        impl Proposal {
            /// The names of all kinds.
            pub const KINDS: &'static [&'static str] = &[$($text,)*];

            /// The name of its kind in API and files.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $text,)* }
            }

            /// Who may make it: one of these roles is enough.
            #[must_use]
            pub const fn makers(&self) -> &'static [Role] {
                match self { $(Self::$name(_) => &[$($maker,)*],)* }
            }

            /// Who may check it: one of these roles is enough.
            #[must_use]
            pub const fn checkers(&self) -> &'static [Role] {
                match self { $(Self::$name(_) => &[$($checker,)*],)* }
            }

            /// What carries it out.
            #[must_use]
            pub fn command(self) -> Command {
                match self { $(Self::$name(payload) => $command(payload),)* }
            }
        }
    };
}

proposals! {
    0 Operator(OperatorCommand) "operator" made by [Administrator] checked by [Administrator]
        does Command::Operator, "Register or change an operator.";
    20 ReleaseFreeze(ReleaseFreeze) "release_freeze" made by [Risk] checked by [Risk]
        does Command::ReleaseFreeze, "Release all or part of a freeze.";
    40 AmendAgreement(crate::agreement::AmendAgreement) "amend_agreement" made by [Accountant] checked by [Accountant]
        does Command::from, "Change an agreement after its birth.";
    41 SetExchangeRate(crate::exchange_rate::SetExchangeRate) "set_exchange_rate" made by [Treasurer] checked by [Treasurer]
        does Command::from, "Set an exchange rate.";
    42 ReverseConversion(crate::conversion::ReverseConversion) "reverse_conversion" made by [Accountant] checked by [Accountant]
        does Command::from, "Reverse a conversion between currencies.";
}

impl Proposal {
    /// The operator whose own rights it changes; that one may not check it.
    #[must_use]
    pub fn concerns(&self) -> Option<OperatorId> {
        if let Self::Operator(command) = self { command.concerns() } else { None }
    }
}
