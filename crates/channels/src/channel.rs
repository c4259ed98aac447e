//! The trait that every bank, network and centre stands behind.

use std::fmt;

use domain::attempt::Operation;
use domain::calendar::Date;
use domain::sealed::Sealed;

use crate::answer::{Answer, Notification, Return};
use crate::error::ChannelError;
use crate::manifest::Manifest;
use crate::message::{Headers, Request, Response};
use crate::statement::StatementPart;
use crate::verified::Verified;

/// How a channel gets a personal field in readable form: the caller opens it, with the vault.
pub type Open<'a> = &'a dyn Fn(&Sealed) -> Result<ark::Secret, ark::Error>;

/// One bank, network or centre, on one rail.
///
/// Every method is a function of its arguments and of the channel's configuration: no clock, no socket, no randomness.
pub trait Channel: fmt::Debug + Send + Sync {
    /// What it can do.
    fn manifest(&self) -> &Manifest;

    /// The request that carries out `operation` under `serial`. The same arguments give the same bytes.
    ///
    /// # Errors
    /// [`ChannelError`] if the channel cannot be asked this at all; nothing was sent then.
    fn build(&self, serial: &str, operation: &Operation, open: Open<'_>) -> Result<Request, ChannelError>;

    /// The request that asks what became of `serial`. `operation` is what was asked then: the answer must match it.
    /// `nonce` is 16 to 64 letters, digits, `_` or `-`, and new for every query, so that an old answer cannot be
    /// played again.
    ///
    /// # Errors
    /// As [`Channel::build`].
    fn build_query(&self, serial: &str, operation: &Operation, nonce: &str) -> Result<Request, ChannelError>;

    /// What `response` proves about the operation that `request`, from [`Channel::build`] or
    /// [`Channel::build_query`], asked for or about. Whatever it does not prove is [`Answer::Unknown`].
    fn parse(&self, request: &Request, response: &Response) -> Answer;

    /// The request for part `part` (from 1) of the clearing file (清算文件) of `date`. Status 200 brings the file for
    /// [`Channel::statement`]; 409 says that the day is not over at the channel.
    ///
    /// # Errors
    /// [`ChannelError::Nonce`].
    fn build_statement(&self, date: Date, part: u32, nonce: &str) -> Result<Request, ChannelError>;

    /// One part of a clearing file, its signature, hash and figures checked.
    ///
    /// # Errors
    /// [`ChannelError::Signature`], or [`ChannelError::Format`] naming the line.
    fn statement(&self, file: &[u8]) -> Result<Verified<StatementPart>, ChannelError>;

    /// The request for the payments that came back (退票) on `date`.
    ///
    /// # Errors
    /// [`ChannelError::Unsupported`] where the channel pays nothing out; [`ChannelError::Nonce`].
    fn build_returns(&self, date: Date, nonce: &str) -> Result<Request, ChannelError>;

    /// The payments that came back. The same return may be listed twice and again on another day.
    ///
    /// # Errors
    /// [`ChannelError::Signature`], [`ChannelError::Format`].
    fn returns(&self, request: &Request, response: &Response) -> Result<Verified<Vec<Return>>, ChannelError>;

    /// What the channel tells of itself (回调). It may come late, twice, or before the answer it repeats.
    ///
    /// # Errors
    /// [`ChannelError::Signature`], [`ChannelError::Format`].
    fn notify(&self, headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError>;
}
