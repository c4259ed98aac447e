//! A real-name check (实名核验): the elements of 101 with or without the phone, compared by the bank, and no code [doubtful: all of it; no
//! public page shows such a message, so its types are a setting].

use super::{Epcc, FOUND};
use crate::codes::Stands;
use crate::manifest::Setting;
use crate::message::{Request, Response, What};
use crate::real_name::RealNameSaid;

pub(super) const CHECKS: Setting =
    Setting::open("check_types", "ASKED,ANSWERED: MsgTp of a real-name check; the sandbox's if not said");
pub(super) const USUAL: &str = "epcc.105.001.01,epcc.106.001.01";

impl Epcc {
    pub(super) fn judge_who(&self, request: &Request, response: &Response) -> Option<RealNameSaid> {
        let What::RealName { serial, query } = &request.asked.what else { return None };
        let (asked, answered) = &self.check_types;
        let answered = if *query { FOUND } else { answered.as_str() };
        Some(match self.stands(&self.answered(response).ok()?, serial, (asked, answered))? {
            Stands::Done => RealNameSaid::Matched,
            Stands::Refused { class, code } => RealNameSaid::Refused { class, code },
            Stands::Pending => RealNameSaid::Pending,
            Stands::NotFound => RealNameSaid::NotFound,
        })
    }
}
