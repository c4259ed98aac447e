//! What few accounts have: announced money, freezes, an agreement, a quota. It stands apart, so that an account which has none
//! of it takes a pointer for it all; and the form in which an account is written, which knows of no such division.

use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use super::{Account, AccountStatus, Owner};
use crate::book::Subject;
use crate::ids::{AccountId, AgreementId, TreeLinkId};
use crate::money::{Currency, Minor};
use crate::restriction::{Bars, Restriction};

/// What few accounts have. It reads as [`RareParts`], all empty where an account has none of it.
#[derive(Debug, Clone, Default)]
pub struct Rare(Option<Box<RareParts>>);

/// Its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RareParts {
    /// Announced to come in.
    pub held_in: Minor,
    /// Sum of the precise freezes in force.
    pub frozen: Minor,
    /// The agreement whose account this is.
    pub agreement: Option<AgreementId>,
    /// How many whole freezes in force bar its ways, its customer's included.
    pub freezes: Bars,
    /// The link to its parent whose quota limits what goes out.
    pub quota: Option<TreeLinkId>,
}

static NONE: RareParts =
    RareParts { held_in: 0, frozen: 0, agreement: None, freezes: Bars { ways_in: 0, ways_out: 0 }, quota: None };

impl From<RareParts> for Rare {
    fn from(parts: RareParts) -> Self {
        Self((parts != NONE).then(|| Box::new(parts)))
    }
}

impl Deref for Rare {
    type Target = RareParts;

    fn deref(&self) -> &RareParts {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Rare {
    fn deref_mut(&mut self) -> &mut RareParts {
        self.0.get_or_insert_default()
    }
}

/// By what it reads as: parts that became empty again are as good as none.
impl PartialEq for Rare {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Rare {}

/// An account as it is written.
#[derive(Encode, Decode)]
struct Written {
    #[n(0)]
    id: AccountId,
    #[n(1)]
    subject: Subject,
    #[n(2)]
    currency: Currency,
    #[n(3)]
    owner: Owner,
    #[n(4)]
    overdraft: bool,
    #[n(5)]
    status: AccountStatus,
    #[n(6)]
    restriction: Restriction,
    #[n(7)]
    balance: Minor,
    #[n(8)]
    held_out: Minor,
    #[n(9)]
    held_in: Minor,
    #[n(10)]
    frozen: Minor,
    #[n(11)]
    entries: u64,
    #[n(12)]
    agreement: Option<AgreementId>,
    #[n(14)]
    #[cbor(default)]
    freezes: Bars,
    #[n(13)]
    quota: Option<TreeLinkId>,
}

impl<C> Encode<C> for Account {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, context: &mut C) -> Result<(), EncodeError<W::Error>> {
        let Self { id, subject, currency, owner, overdraft, status, restriction, balance, held_out, entries, ref rare } =
            *self;
        let RareParts { held_in, frozen, agreement, freezes, quota } = **rare;
        let written = Written {
            id,
            subject,
            currency,
            owner,
            overdraft,
            status,
            restriction,
            balance,
            held_out,
            held_in,
            frozen,
            entries,
            agreement,
            freezes,
            quota,
        };
        written.encode(e, context)
    }
}

impl<'b, C> Decode<'b, C> for Account {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, DecodeError> {
        let written = Written::decode(d, context)?;
        let Written { held_in, frozen, agreement, freezes, quota, .. } = written;
        let Written {
            id, subject, currency, owner, overdraft, status, restriction, balance, held_out, entries, ..
        } = written;
        let rare = RareParts { held_in, frozen, agreement, freezes, quota }.into();
        Ok(Self { id, subject, currency, owner, overdraft, status, restriction, balance, held_out, entries, rare })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Kit;

    #[test]
    fn an_account_takes_a_line_of_the_cache() {
        assert_eq!((size_of::<Account>(), size_of::<Option<Account>>()), (64, 64));
    }

    #[test]
    fn what_few_have_reads_as_empty_until_it_is_there_and_is_written_with_the_rest() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let id = kit.state.merchant(merchant).unwrap().pending;
        let mut account = kit.state.account(id, "account").unwrap().clone();
        assert_eq!((account.rare.0.is_none(), account.rare.held_in, account.rare.quota), (true, 0, None));
        let plain = minicbor::to_vec(&account).unwrap();
        account.rare.frozen = 7;
        let back: Account = minicbor::decode(&minicbor::to_vec(&account).unwrap()).unwrap();
        assert_eq!((back.rare.frozen, &back), (7, &account));
        account.rare.frozen = 0;
        assert_eq!(minicbor::to_vec(&account).unwrap(), plain);
        let back: Account = minicbor::decode(&plain).unwrap();
        assert_eq!(back, account, "by what it reads as");
        assert!(back.rare.0.is_none());
    }
}
