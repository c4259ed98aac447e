//! The trait that every bank, network and centre stands behind.

use std::fmt;

use domain::attempt::Operation;
use domain::calendar::Date;
use domain::envelope::Time;
use domain::fund_batch::quota::FundLease;
use domain::money::{Currency, Minor};
use domain::sealed::Sealed;

use crate::answer::{Answer, Notification, Return};
use crate::batch::{Batch, BatchResult, FundCentre};
use crate::error::ChannelError;
use crate::manifest::{Manifest, OperationKind};
use crate::message::{Headers, Request, Response};
use crate::real_name::{RealName, RealNameSaid};
use crate::sign_up::{SignUp, SignedUp};
use crate::statement::StatementPart;
use crate::verified::Verified;

/// How a channel gets a personal field in readable form: the caller opens it, with the vault.
pub type Open<'a> = &'a dyn Fn(&Sealed) -> Result<ark::Secret, ark::Error>;

/// A personal field in readable form.
pub(crate) fn opened(open: Open<'_>, field: &'static str, sealed: &Sealed) -> Result<ark::Secret, ChannelError> {
    open(sealed).map_err(|source| ChannelError::Opening { field, source })
}

/// One try at a channel, with all that its request is built from.
#[derive(Debug, Clone, Copy)]
pub struct Try<'a> {
    /// Its serial number.
    pub serial: &'a str,
    /// When it was asked for: channels that want a time get this one, so a request that is built again is the same.
    pub requested_at: Time,
    /// What is asked.
    pub operation: &'a Operation,
    /// The answer to the try that this one refers to, where it refers to one that succeeded.
    pub original: Option<&'a Original>,
}

impl<'a> Try<'a> {
    /// What a query about it has to know.
    #[must_use]
    pub const fn about(&self) -> About<'a> {
        let (amount, currency) = self.operation.money();
        let kind = OperationKind::of(self.operation);
        About { serial: self.serial, requested_at: self.requested_at, kind, amount, currency }
    }
}

/// What the channel called an earlier try that succeeded. Some refund by this and not by our serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The channel's own reference.
    pub reference: String,
    /// When it was asked for.
    pub requested_at: Time,
    /// Under which agreement, if it was a debit.
    pub agreement: Option<String>,
}

/// A try without what only its own request needs: what a query asks about, and what an answer must agree with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About<'a> {
    /// Its serial number.
    pub serial: &'a str,
    /// When it was asked for.
    pub requested_at: Time,
    /// What was asked.
    pub kind: OperationKind,
    /// Minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
}

/// One bank, network or centre, on one rail.
///
/// Every method is a function of its arguments and of the channel's configuration: no clock, no socket, no randomness.
pub trait Channel: fmt::Debug + Send + Sync {
    /// What it can do.
    fn manifest(&self) -> &Manifest;

    /// The request that carries out what `attempt` asks. The same arguments give the same bytes, but for a signature that
    /// draws a random number.
    ///
    /// # Errors
    /// [`ChannelError`] if the channel cannot be asked this at all; nothing was sent then.
    fn build(&self, attempt: &Try<'_>, open: Open<'_>) -> Result<Request, ChannelError>;

    /// The page that the payer's browser is sent to (前台跳转): a form that the browser posts, not the platform, so
    /// [`Channel::build`] does not know it. What became of it is told by [`Channel::build_query`] and [`Channel::notify`],
    /// never by the browser. The same arguments give the same bytes, but for a signature that draws a random number.
    ///
    /// # Errors
    /// [`ChannelError::Unsupported`] for anything but [`Operation::Redirect`], and where that is not in the manifest; as
    /// [`Channel::build`].
    fn build_redirect(&self, attempt: &Try<'_>) -> Result<Request, ChannelError> {
        let kind = self.manifest().admit(&attempt.about())?;
        Err(ChannelError::Unsupported { channel: self.manifest().name, kind })
    }

    /// The request that asks what became of `about`: the answer must agree with all of it. `nonce` is 16 to 64 letters,
    /// digits, `_` or `-`, and new for every query, so that an old answer cannot be played again where the channel's
    /// format binds an answer to its question.
    ///
    /// # Errors
    /// As [`Channel::build`].
    fn build_query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError>;

    /// As [`Channel::build_query`], of a page whose order is being closed: where the channel can (关单), it first ends a page at
    /// which nobody has paid, and says [`Answer::Closed`]. One that cannot is only asked, as here, and its page ends by itself.
    /// Asked twice it is the same.
    ///
    /// # Errors
    /// As [`Channel::build`].
    fn build_close(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        self.build_query(about, nonce)
    }

    /// What `response` proves about the operation that `request`, from [`Channel::build`], [`Channel::build_query`] or
    /// [`Channel::build_close`], asked for or about. Whatever it does not prove is [`Answer::Unknown`],
    /// or [`Answer::Disbelieved`] for what the channel did not sign, or signed about something else.
    fn parse(&self, request: &Request, response: &Response) -> Answer;

    /// The request for part `part` (from 1) of the clearing file (清算文件) of `date`. Status 200 brings the file for
    /// [`Channel::statement`]; 409 says that the day is not over at the channel.
    ///
    /// # Errors
    /// [`ChannelError::Nonce`]; [`ChannelError::NoStatement`] where the manifest says that there is none, as here.
    fn build_statement(&self, _date: Date, _part: u32, _nonce: &str) -> Result<Request, ChannelError> {
        Err(ChannelError::NoStatement { channel: self.manifest().name })
    }

    /// One part of a clearing file, its signature, hash and figures checked.
    ///
    /// # Errors
    /// [`ChannelError::Signature`], or [`ChannelError::Format`] naming the line; [`ChannelError::NoStatement`], as here.
    fn statement(&self, _file: &[u8]) -> Result<Verified<StatementPart>, ChannelError> {
        Err(ChannelError::NoStatement { channel: self.manifest().name })
    }

    /// The provident-fund centre (公积金中心) behind the channel that pays by monthly batches; none, as here, where there is no such.
    fn fund_centre(&self) -> Option<&FundCentre> {
        None
    }

    /// The request that hands a month's instruction to the centre. The same batch gives the same bytes, and handed in twice it is done
    /// once: it may be sent again while [`Channel::build_batch_result`] is answered that the centre does not have it.
    ///
    /// # Errors
    /// [`ChannelError::NoBatch`], as here; [`ChannelError::Subject`], [`ChannelError::Key`].
    fn build_batch(&self, _batch: &Batch<'_>) -> Result<Request, ChannelError> {
        Err(ChannelError::NoBatch { channel: self.manifest().name })
    }

    /// The request for the result file of a batch, by its number. Status 200 brings the file for [`Channel::batch_result`]; 404 says that
    /// the centre does not have the batch, 409 that it has not paid yet.
    ///
    /// # Errors
    /// [`ChannelError::NoBatch`], as here; [`ChannelError::Nonce`], [`ChannelError::Subject`], [`ChannelError::Key`].
    fn build_batch_result(&self, _number: &str, _nonce: &str) -> Result<Request, ChannelError> {
        Err(ChannelError::NoBatch { channel: self.manifest().name })
    }

    /// A result file, its signature, hash, count and sum checked.
    ///
    /// # Errors
    /// [`ChannelError::NoBatch`], as here; [`ChannelError::Signature`], or [`ChannelError::Format`] naming the line.
    fn batch_result(&self, _file: &[u8]) -> Result<Verified<BatchResult>, ChannelError> {
        Err(ChannelError::NoBatch { channel: self.manifest().name })
    }

    /// The request that asks what the fund pays of a month's rent for a lease (额度查询).
    ///
    /// # Errors
    /// [`ChannelError::NoBatch`], as here; [`ChannelError::Nonce`], [`ChannelError::Subject`], [`ChannelError::Key`].
    fn build_quota(&self, _contract: &str, _period: &str, _nonce: &str) -> Result<Request, ChannelError> {
        Err(ChannelError::NoBatch { channel: self.manifest().name })
    }

    /// What the answer says; none if the centre has no such lease.
    ///
    /// # Errors
    /// [`ChannelError::NoBatch`], as here; [`ChannelError::Signature`], [`ChannelError::Format`], [`ChannelError::Key`].
    fn quota(&self, _request: &Request, _response: &Response) -> Result<Verified<Option<FundLease>>, ChannelError> {
        Err(ChannelError::NoBatch { channel: self.manifest().name })
    }

    /// The request that has a code sent to the phone of whoever signs an agreement (签约).
    ///
    /// # Errors
    /// [`ChannelError::NoSignUp`], as here; [`ChannelError::Subject`], [`ChannelError::Opening`], [`ChannelError::Key`].
    fn build_sign_up(&self, _sign_up: &SignUp<'_>, _open: Open<'_>) -> Result<Request, ChannelError> {
        Err(ChannelError::NoSignUp { channel: self.manifest().name })
    }

    /// The request that brings the code.
    ///
    /// # Errors
    /// As [`Channel::build_sign_up`].
    fn build_confirmation(&self, _sign_up: &SignUp<'_>, _code: &ark::Secret) -> Result<Request, ChannelError> {
        Err(ChannelError::NoSignUp { channel: self.manifest().name })
    }

    /// What the answer to either proves.
    fn signed_up(&self, _request: &Request, _response: &Response) -> SignedUp {
        SignedUp::Unknown
    }

    /// The request that has a bank compare who a card's holder is (实名核验). It is sent once: what became of it is asked by
    /// [`Channel::build_real_name_query`].
    ///
    /// # Errors
    /// [`ChannelError::NoRealNameCheck`], as here; [`ChannelError::Subject`], [`ChannelError::Opening`], [`ChannelError::Key`].
    fn build_real_name(&self, _check: &RealName<'_>, _open: Open<'_>) -> Result<Request, ChannelError> {
        Err(ChannelError::NoRealNameCheck { channel: self.manifest().name })
    }

    /// The request that asks what became of the check of this serial number, asked for at `requested_at`.
    ///
    /// # Errors
    /// [`ChannelError::NoRealNameCheck`], as here; [`ChannelError::Serial`], [`ChannelError::Nonce`], [`ChannelError::Key`].
    fn build_real_name_query(&self, _serial: &str, _requested_at: Time, _nonce: &str) -> Result<Request, ChannelError> {
        Err(ChannelError::NoRealNameCheck { channel: self.manifest().name })
    }

    /// What the answer to either proves.
    fn real_name(&self, _request: &Request, _response: &Response) -> RealNameSaid {
        RealNameSaid::Unknown
    }

    /// The request for the payments that came back (退票) on `date`.
    ///
    /// # Errors
    /// [`ChannelError::Unsupported`] where the manifest says that it lists none, as here; [`ChannelError::Nonce`].
    fn build_returns(&self, _date: Date, _nonce: &str) -> Result<Request, ChannelError> {
        Err(ChannelError::Unsupported { channel: self.manifest().name, kind: OperationKind::Pay })
    }

    /// The payments that came back. The same return may be listed twice and again on another day.
    ///
    /// # Errors
    /// [`ChannelError::Signature`], [`ChannelError::Format`]; [`ChannelError::Unsupported`], as here.
    fn returns(&self, _request: &Request, _response: &Response) -> Result<Verified<Vec<Return>>, ChannelError> {
        Err(ChannelError::Unsupported { channel: self.manifest().name, kind: OperationKind::Pay })
    }

    /// What the channel tells of itself (回调). It may come late, twice, or before the answer it repeats.
    ///
    /// # Errors
    /// [`ChannelError::Signature`], [`ChannelError::Format`].
    fn notify(&self, headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError>;
}
