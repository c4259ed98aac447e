//! A real-name check (实名核验): account, name, certificate and perhaps phone, compared by the bank [doubtful: all of it; no public
//! page shows such a message, so its types are a setting, and its groups are those of 101, which compares the same].

use domain::envelope::Time;

use super::{DONE, Epcc, NAME, QUERY};
use crate::channel::Open;
use crate::codes::Said;
use crate::error::ChannelError;
use crate::manifest::Setting;
use crate::message::{self, Request, Response, What};
use crate::real_name::{RealName, RealNameSaid};
use crate::settings::Settings;
use crate::time::moment;

pub(super) const TYPES: Setting = Setting::open(
    "check_types",
    "ASKED,ANSWERED: MsgTp of a real-name check and of its answer, letters, digits and dots; the sandbox's if not said",
);

pub(super) fn types(settings: &Settings<'_>) -> Result<(String, String), ChannelError> {
    let fits = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let both = settings.text_or(&TYPES, "epcc.105.001.01,epcc.106.001.01")?.split_once(',');
    let both = both.filter(|(asked, answered)| fits(asked) && fits(answered) && asked != answered);
    both.map(|(asked, answered)| (asked.to_owned(), answered.to_owned())).ok_or_else(|| settings.wrong(&TYPES))
}

impl Epcc {
    pub(super) fn ask_who(&self, check: &RealName<'_>, open: Open<'_>) -> Result<Request, ChannelError> {
        let shown = check.opened(NAME, open)?;
        let mut fields = vec![
            ("AcctIssrId", check.bank),
            ("AcctTp", if check.credit { "01" } else { "00" }),
            ("AcctId", shown.account.expose()),
            ("AcctNm", shown.name.expose()),
            ("IDTp", "01"),
            ("IDNo", shown.certificate.expose()),
        ];
        fields.extend(shown.phone.as_ref().map(|phone| ("MobNo", phone.expose())));
        let (serial, at) = (message::serial(check.serial)?, moment(check.requested_at));
        let transaction = [("TrxId", serial), ("TrxDtTm", &*at)];
        let what = What::RealName { serial: serial.to_owned(), query: false };
        self.message((&at, &self.check_types.0), what, &[("VrfyInf", &fields), ("TrxInf", &transaction)])
    }

    pub(super) fn ask_what_was_found(&self, serial: &str, at: Time, nonce: &str) -> Result<Request, ChannelError> {
        message::nonce(nonce)?;
        let (serial, at) = (message::serial(serial)?, moment(at));
        let original = [("OriTrxId", serial), ("OriTrxDtTm", &*at), ("OriTrxTp", &*self.check_types.0)];
        let what = What::RealName { serial: serial.to_owned(), query: true };
        self.message((&at, QUERY), what, &[("OriTrxInf", &original)])
    }

    pub(super) fn judge_who(&self, request: &Request, response: &Response) -> Option<RealNameSaid> {
        let What::RealName { serial, query } = &request.asked.what else { return None };
        let message = self.answered(response).ok()?;
        let body = |name: &str| message.get(&format!("root/MsgBody/{name}"));
        let (asked, answered) = &self.check_types;
        let right = if *query { "epcc.302.001.01" } else { answered.as_str() };
        let fits = message.get("root/MsgHeader/MsgTp")? == right
            && body("BizInf/TrxId")? == serial
            && body("BizInf/TrxTp")? == asked;
        fits.then_some(())?;
        let (system, business) = (body("SysRtnInf/SysRtnCd")?, body("BizInf/BizStsCd"));
        let said = |code: &str| match self.codes.said(code)? {
            Said::Declined(class) => Some(RealNameSaid::Refused { class, code: code.to_owned() }),
            Said::NotFound => Some(RealNameSaid::NotFound),
            Said::Duplicate => None,
        };
        // A code says the one thing of what was compared, and the other of what was never there.
        let refused = |code: &str| said(code).filter(|said| *said != RealNameSaid::NotFound);
        match (system == DONE, body("BizInf/TrxStatus"), business) {
            (true, Some("00"), Some(DONE)) => Some(RealNameSaid::Matched),
            (true, Some("01"), Some(code)) => refused(code),
            (true, Some("02" | "03"), None | Some(DONE)) => Some(RealNameSaid::Pending),
            (false, None, _) if !query => refused(system),
            // A query that was refused says nothing else of the check.
            (false, None, _) => said(system).filter(|said| *said == RealNameSaid::NotFound),
            _ => None,
        }
    }
}
