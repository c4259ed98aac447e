//! What a payer sees: the page to pay at, and what takes the browser back to the shop.

use super::super::unionpay::form::Form;

/// Whose page it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct House {
    /// Its name.
    pub(crate) title: &'static str,
    /// Where clicks go.
    pub(crate) clicks: &'static str,
    /// The field with the serial number.
    pub(crate) field: &'static str,
}

impl House {
    /// The page where a payer pays or does not.
    pub(crate) fn pay(&self, serial: &str, amount: i64, payee: &str) -> String {
        let (yuan, fen) = (amount / 100, amount % 100);
        let Self { title, clicks, field } = self;
        let button = |action: &str, text: &str| {
            format!(
                "<form method=\"post\" action=\"{clicks}\"><input type=\"hidden\" name=\"{field}\" value=\"{serial}\">\
                 <input type=\"hidden\" name=\"action\" value=\"{action}\"><button>{text}</button></form>"
            )
        };
        let (payee, pay, leave) = (escape(payee), button("pay", "确认支付 Pay"), button("leave", "放弃 Leave"));
        whole(title, &format!("<p>商户 {payee}</p><p>订单 {serial}</p><p>¥ {yuan}.{fen:02}</p>{pay}{leave}"))
    }

    /// A page that only says something.
    pub(crate) fn says(&self, text: &str) -> String {
        whole(self.title, &format!("<p>{}</p>", escape(text)))
    }
}

/// Takes the browser back with what became of it; the shop must not believe it.
pub(crate) fn back(front_url: &str, told: &Form) -> String {
    let field = |(name, value): (&str, &str)| {
        format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
    };
    let fields: String = told.fields().map(field).collect();
    let action = escape(front_url);
    let form =
        format!("<form id=\"back\" method=\"post\" action=\"{action}\">{fields}<button>返回商户</button></form>");
    whole("支付完成", &format!("{form}<script>document.getElementById(\"back\").submit()</script>"))
}

fn whole(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body>{body}</body></html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
