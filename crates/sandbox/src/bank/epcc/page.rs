//! EPCC's page for payers (网关支付): the signed message 221 in a field of a form, which a browser posts. What the page does is
//! [`super::super::page`]. The browser goes back with the message that the platform is told, in a field of its own; the shop must
//! not believe it.

use std::sync::Arc;

use super::super::page::html::{self, House};
use super::super::page::{Page, Shown};
use super::super::unionpay::form::Form;
use super::{Asked, Bank, Epcc, Serial, State, Transaction, Verb, codes, count, lock, message};

/// EPCC's page.
pub(super) const FRONT: House =
    House { title: "网联网关支付 (sandbox)", clicks: "/gateway/pay", field: "transaction" };
/// The form's field with the message, there and back.
const FIELDS: (&str, &str) = ("ReqMsg", "RspMsg");

/// What a browser brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visit {
    /// When the page ends.
    pub(super) ends: String,
    /// Where the browser goes back to, if anywhere.
    pub(super) back: Option<String>,
}

impl Bank {
    /// A browser posts a payment: the page to pay it at. A signature in SM2 differs each time, so what must be the same when it
    /// comes again is what was signed.
    pub(super) async fn epcc_front(&self, form: &Form) -> Shown {
        let raw = form.get(FIELDS.0).unwrap_or_default();
        let Some(text) = message::opened(&self.epcc.keys, raw.as_bytes()) else {
            count(&self.stats.unsigned);
            return Shown::Problem(String::from("签名无效 The signature is not the platform's."));
        };
        let asked = Asked::read(text).and_then(|asked| {
            let is_page = codes::types(Verb::Redirect).is_some_and(|(kind, _)| kind == asked.kind);
            is_page.then_some(()).ok_or(super::Refused::Field("MsgTp"))?;
            asked.transaction(Verb::Redirect)
        });
        let Ok(transaction) = asked else {
            count(&self.stats.malformed);
            return Shown::Problem(String::from("报文有误 A field is missing or not in its form."));
        };
        let serial = transaction.entry.serial;
        if let Some(before) = self.epcc.transaction(serial) {
            let same =
                (before.entry, &before.at, &before.visit) == (transaction.entry, &transaction.at, &transaction.visit);
            return if same { self.epcc_page(&before) } else { Shown::Problem(String::from(codes::DUPLICATE.1)) };
        }
        let ends = transaction.visit.as_ref().map(|visit| visit.ends.as_str()).unwrap_or_default();
        let ends_on: String = ends.chars().filter(char::is_ascii_digit).take(8).collect();
        if let Err(shown) = self.open_page(transaction.entry, ends_on).await {
            return shown;
        }
        lock(&self.epcc.transactions).entry(serial).or_insert_with(|| transaction.clone());
        self.epcc_page(&transaction)
    }

    fn epcc_page(&self, transaction: &Transaction) -> Shown {
        let (serial, amount) = (transaction.entry.serial, transaction.entry.amount);
        match self.pages.at(serial) {
            Some(Page::Open) => Shown::Page(FRONT.pay(&serial.to_string(), amount, super::SANDBOX_EPCC_INSTITUTION)),
            Some(Page::Confirmed) => self.epcc_back(transaction),
            Some(Page::Ended) => Shown::Page(FRONT.says("订单已关闭 The order has expired or was closed.")),
            None => Shown::Problem(String::from(codes::DUPLICATE.1)),
        }
    }

    fn epcc_back(&self, transaction: &Transaction) -> Shown {
        let Some(url) = transaction.visit.as_ref().and_then(|visit| visit.back.as_deref()) else {
            return Shown::Page(FRONT.says("支付已受理，请返回商户 Taken; go back to the shop."));
        };
        let state = self.ledger.state(transaction.entry.serial).unwrap_or(State::Lost);
        let told = self.epcc.told(&transaction.at, &Epcc::business(transaction, &state));
        Shown::Page(html::back(url, &Form::default().with([(FIELDS.1, told)])))
    }

    /// The payer clicks on the page.
    pub(super) fn epcc_click(self: &Arc<Self>, serial: Serial, pays: bool) -> Shown {
        let Some(transaction) = self.epcc.transaction(serial).filter(|known| known.visit.is_some()) else {
            return Shown::Problem(String::from(codes::NOT_FOUND.1));
        };
        if !pays {
            return Shown::Page(FRONT.says("未支付。返回商户 Not paid. Go back to the shop."));
        }
        self.confirm_page(serial);
        self.epcc_page(&transaction)
    }
}
