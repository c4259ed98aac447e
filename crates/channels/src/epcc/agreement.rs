//! Signing up: 101 asks for a code on the holder's phone, 103 brings it [doubtful: element names, and that 103 has 101's TrxId].

use ark::Secret;

use super::{DONE, Epcc, FOUND, NAME};
use crate::channel::Open;
use crate::codes::Stands;
use crate::error::ChannelError;
use crate::message::{self, Request, Response, What};
use crate::real_name::RealName;
use crate::sign_up::{SignUp, SignedUp, is_code};
use crate::time::moment;
use crate::xml::Message;

pub(super) const ASKED: [&str; 2] = ["epcc.101.001.01", "epcc.103.001.01"];
const ANSWERED: [&str; 2] = ["epcc.102.001.01", "epcc.104.001.01"];
/// Of bank, card's kind and number, name, certificate's kind and number, phone.
const ELEMENTS: [&str; 7] = ["SgnAcctIssrId", "SgnAcctTp", "SgnAcctId", "SgnAcctNm", "IDTp", "IDNo", "MobNo"];

impl Epcc {
    /// Has the bank compare who a card's holder is.
    pub(super) fn compare(
        &self,
        who: &RealName<'_>,
        open: Open<'_>,
        (kind, what): (&str, What),
    ) -> Result<Request, ChannelError> {
        let (serial, at) = (message::serial(who.serial)?, moment(who.requested_at));
        let transaction = [("TrxId", serial), ("TrxDtTm", &*at)];
        let readable = who.opened(NAME, open)?;
        let fields = readable.fields(who, ELEMENTS, (["00", "01"], "01"));
        self.message((&at, kind), what, &[("SgnInf", &fields), ("TrxInf", &transaction)])
    }

    pub(super) fn bring_code(&self, sign_up: &SignUp<'_>, code: &Secret) -> Result<Request, ChannelError> {
        if !is_code(code) {
            return Err(ChannelError::Subject { channel: NAME, field: "code", reason: "a code is 4 to 8 digits" });
        }
        let (serial, at) = (message::serial(sign_up.serial)?, moment(sign_up.requested_at));
        let (code, transaction) = ([("AuthMsg", code.expose())], [("TrxId", serial), ("TrxDtTm", &*at)]);
        let what = What::SignUp { serial: serial.to_owned(), confirms: true };
        self.message((&at, ASKED[1]), what, &[("AuthInf", &code), ("TrxInf", &transaction)])
    }

    /// How what was asked under this number stands, by an answer of this type: it moves no money.
    pub(super) fn stands(&self, message: &Message, serial: &str, (asked, answered): (&str, &str)) -> Option<Stands> {
        let body = |name: &str| message.get(&format!("root/MsgBody/{name}"));
        let fits = message.get("root/MsgHeader/MsgTp")? == answered
            && body("BizInf/TrxId")? == serial
            && body("BizInf/TrxTp")? == asked;
        let (system, status) = (body("SysRtnInf/SysRtnCd")?, (body("BizInf/TrxStatus"), body("BizInf/BizStsCd")));
        fits.then(|| self.codes.stands(DONE, system, status, answered == FOUND)).flatten()
    }

    pub(super) fn judge_signing(&self, request: &Request, response: &Response) -> Option<SignedUp> {
        let What::SignUp { serial, confirms } = &request.asked.what else { return None };
        let (message, step) = (self.answered(response).ok()?, usize::from(*confirms));
        match self.stands(&message, serial, (ASKED[step], ANSWERED[step]))? {
            Stands::Done if !confirms => Some(SignedUp::CodeSent),
            Stands::Done => {
                let agreement = message.get("root/MsgBody/BizInf/SgnNo").filter(|number| message::is_word(number))?;
                Some(SignedUp::Signed { agreement: agreement.to_owned() })
            }
            Stands::Refused { class, code } => Some(SignedUp::Refused { class, code }),
            Stands::Pending | Stands::NotFound => None,
        }
    }
}
