//! Signing up: 101 asks for a code on the holder's phone, 103 brings it [doubtful: element names, and that 103 has 101's TrxId].

use ark::Secret;

use super::{Epcc, Group, NAME};
use crate::channel::Open;
use crate::error::ChannelError;
use crate::message::{self, Request, Response, What};
use crate::sign_up::{SignUp, SignedUp, is_code};
use crate::time::moment;

const ASKED: [&str; 2] = ["epcc.101.001.01", "epcc.103.001.01"];
const ANSWERED: [&str; 2] = ["epcc.102.001.01", "epcc.104.001.01"];

impl Epcc {
    pub(super) fn ask_to_sign(&self, sign_up: &SignUp<'_>, open: Open<'_>) -> Result<Request, ChannelError> {
        let shown = sign_up.opened(NAME, open)?;
        let fields = [
            ("SgnAcctIssrId", sign_up.bank),
            ("SgnAcctTp", if sign_up.credit { "01" } else { "00" }),
            ("SgnAcctId", shown.account.expose()),
            ("SgnAcctNm", shown.name.expose()),
            ("IDTp", "01"),
            ("IDNo", shown.certificate.expose()),
            ("MobNo", shown.phone.expose()),
        ];
        self.about_signing(sign_up, ("SgnInf", &fields), false)
    }

    pub(super) fn bring_code(&self, sign_up: &SignUp<'_>, code: &Secret) -> Result<Request, ChannelError> {
        if !is_code(code) {
            return Err(ChannelError::Subject { channel: NAME, field: "code", reason: "a code is 4 to 8 digits" });
        }
        self.about_signing(sign_up, ("AuthInf", &[("AuthMsg", code.expose())]), true)
    }

    fn about_signing(&self, sign_up: &SignUp<'_>, group: Group<'_>, confirms: bool) -> Result<Request, ChannelError> {
        let (serial, at) = (message::serial(sign_up.serial)?, moment(sign_up.requested_at));
        let what = What::SignUp { serial: serial.to_owned(), confirms };
        let transaction = [("TrxId", serial), ("TrxDtTm", &*at)];
        self.message((&at, ASKED[usize::from(confirms)]), what, &[group, ("TrxInf", &transaction)])
    }

    pub(super) fn judge_signing(&self, request: &Request, response: &Response) -> Option<SignedUp> {
        let What::SignUp { serial, confirms } = &request.asked.what else { return None };
        let message = self.answered(response).ok()?;
        let body = |name: &str| message.get(&format!("root/MsgBody/{name}"));
        let fits = message.get("root/MsgHeader/MsgTp")? == ANSWERED[usize::from(*confirms)]
            && body("BizInf/TrxId")? == serial
            && body("BizInf/TrxTp")? == ASKED[usize::from(*confirms)];
        fits.then_some(())?;
        let (system, business) = (body("SysRtnInf/SysRtnCd")?, body("BizInf/BizStsCd"));
        let refused =
            |code: &str| self.codes.class(code).map(|class| SignedUp::Refused { class, code: code.to_owned() });
        match (system == super::DONE, body("BizInf/TrxStatus"), business) {
            (true, Some("00"), Some(super::DONE)) if !confirms => Some(SignedUp::CodeSent),
            (true, Some("00"), Some(super::DONE)) => {
                let agreement = body("BizInf/SgnNo").filter(|number| message::is_word(number))?;
                Some(SignedUp::Signed { agreement: agreement.to_owned() })
            }
            (true, Some("01"), Some(code)) => refused(code),
            (false, None, _) => refused(system),
            _ => None,
        }
    }
}
