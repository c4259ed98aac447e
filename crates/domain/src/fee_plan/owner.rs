//! Whose a plan of fees is, and what it prices.

use alloc::string::String;
use core::fmt;

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use crate::ids::MerchantId;
use crate::order::name_fits;
use crate::refusal::Refusal;
use crate::state::State;

/// Whose a plan is. In the journal a merchant is its number, as it was when only merchants had plans, and a product is a
/// text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FeeOwner {
    /// A merchant's, for its orders and what leaves its accounts.
    Merchant(MerchantId),
    /// That of all users of a product, for what leaves their accounts.
    Product(String),
}

impl FeeOwner {
    /// Refuses a merchant that there is not, and a product without a name.
    pub(super) fn check(&self, state: &State) -> Result<(), Refusal> {
        match self {
            Self::Merchant(merchant) => state.merchant(*merchant).map(|_| ()),
            Self::Product(product) => name_fits(product, "product"),
        }
    }
}

impl From<MerchantId> for FeeOwner {
    fn from(merchant: MerchantId) -> Self {
        Self::Merchant(merchant)
    }
}

impl fmt::Display for FeeOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merchant(merchant) => write!(f, "{merchant}"),
            Self::Product(product) => write!(f, "a user of {product}"),
        }
    }
}

impl<C> Encode<C> for FeeOwner {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, context: &mut C) -> Result<(), EncodeError<W::Error>> {
        match self {
            Self::Merchant(merchant) => merchant.encode(e, context),
            Self::Product(product) => product.encode(e, context),
        }
    }
}

impl<'b, C> Decode<'b, C> for FeeOwner {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, DecodeError> {
        if d.datatype()? == Type::String {
            return String::decode(d, context).map(Self::Product);
        }
        MerchantId::decode(d, context).map(Self::Merchant)
    }
}

/// What a plan prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum FeeOf {
    /// A merchant's orders.
    #[default]
    #[n(0)]
    Order,
    /// Payouts to others (代付).
    #[n(1)]
    Payout,
    /// Withdrawals to oneself (提现).
    #[n(2)]
    Withdrawal,
}

impl FeeOf {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Order, Self::Payout, Self::Withdrawal];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Payout => "payout",
            Self::Withdrawal => "withdrawal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Kit;

    #[test]
    fn a_merchant_is_written_as_its_number_and_a_product_as_a_text() {
        let (merchant, product) = (FeeOwner::Merchant(MerchantId(300)), FeeOwner::Product("rent".into()));
        assert_eq!(minicbor::to_vec(&merchant).unwrap(), minicbor::to_vec(MerchantId(300)).unwrap());
        assert_eq!(minicbor::to_vec(&product).unwrap(), minicbor::to_vec("rent").unwrap());
        for owner in [merchant, product] {
            assert_eq!(minicbor::decode::<FeeOwner>(&minicbor::to_vec(&owner).unwrap()).unwrap(), owner);
        }
    }

    #[test]
    fn a_product_has_a_name_and_a_merchant_is_there() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let fits = |owner: FeeOwner| owner.check(&kit.state).is_ok();
        assert_eq!([fits(merchant.into()), fits(MerchantId(99).into())], [true, false]);
        let named = |name: &str| fits(FeeOwner::Product(name.into()));
        assert_eq!([named("rent"), named(""), named(&"x".repeat(65))], [true, false, false]);
    }
}
