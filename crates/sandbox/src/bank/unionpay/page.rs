//! What the payer sees: the page to pay at, and what takes the browser back to the shop.

use super::form::Form;

/// The page where a payer pays or does not.
pub(super) fn pay(order: &str, amount: i64, merchant: &str) -> String {
    let (yuan, fen) = (amount / 100, amount % 100);
    let button = |action: &str, text: &str| {
        format!(
            "<form method=\"post\" action=\"/gateway/pay.do\"><input type=\"hidden\" name=\"orderId\" value=\"{order}\">\
             <input type=\"hidden\" name=\"action\" value=\"{action}\"><button>{text}</button></form>"
        )
    };
    let (merchant, pay, leave) = (escape(merchant), button("pay", "确认支付 Pay"), button("leave", "放弃 Leave"));
    whole(
        "银联在线支付 (sandbox)",
        &format!("<p>商户 {merchant}</p><p>订单 {order}</p><p>¥ {yuan}.{fen:02}</p>{pay}{leave}"),
    )
}

/// Takes the browser back with what became of it; the shop must not believe it.
pub(super) fn back(front_url: &str, told: &Form) -> String {
    let field = |(name, value): (&str, &str)| {
        format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
    };
    let fields: String = told.fields().map(field).collect();
    let action = escape(front_url);
    let form =
        format!("<form id=\"back\" method=\"post\" action=\"{action}\">{fields}<button>返回商户</button></form>");
    whole("支付完成", &format!("{form}<script>document.getElementById(\"back\").submit()</script>"))
}

/// A page that only says something.
pub(super) fn says(text: &str) -> String {
    whole("银联在线支付 (sandbox)", &format!("<p>{}</p>", escape(text)))
}

fn whole(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body>{body}</body></html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
