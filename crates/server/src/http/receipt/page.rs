//! A receipt as a page to print: one sheet, Chinese and English, without scripts and without anything from elsewhere.

use super::ReceiptView;
use super::content::{Party, Standing};

/// What it is called, in both languages.
pub(super) const KINDS: [(&str, &str); 23] = [
    ("order", "订单支付 · Payment"),
    ("refund", "退款 · Refund"),
    ("payout", "付款 · Payout"),
    ("withdrawal", "提现 · Withdrawal"),
    ("deduction", "扣划 · Deduction"),
    ("top_up", "充值 · Top-up"),
    ("transfer", "转账 · Transfer"),
    ("settlement", "结算 · Settlement"),
    ("advance", "垫付 · Advance"),
    ("split", "分账 · Split"),
    ("split_return", "分账回退 · Return of a split"),
    ("chargeback", "拒付 · Chargeback"),
    ("sale", "消费 · Card sale"),
    ("void", "消费撤销 · Void"),
    ("preauthorisation", "预授权 · Pre-authorisation"),
    ("preauthorisation_cancel", "预授权撤销 · Cancel of a pre-authorisation"),
    ("completion", "预授权完成 · Completion"),
    ("completion_void", "预授权完成撤销 · Void of a completion"),
    ("completion_advice", "预授权完成通知 · Completion advice"),
    ("adjustment", "调整 · Adjustment"),
    ("offline", "离线消费 · Offline sale"),
    ("credit_adjustment", "贷记调整 · Credit adjustment"),
    ("qr_sale", "扫码消费 · QR sale"),
];

const STYLE: &str = "body{font:15px/1.6 'Noto Sans CJK SC','Source Han Sans SC','PingFang SC',sans-serif;color:#1d2430;\
margin:0}main{max-width:44rem;margin:2rem auto;padding:2rem 2.5rem;border:1px solid #c9d0da;border-radius:6px}\
h1{font-size:1.4rem;margin:0}h2{font-weight:400;font-size:1rem;color:#5b6675;margin:0 0 1.2rem}table{width:100%;\
border-collapse:collapse}th{text-align:left;font-weight:400;color:#5b6675;width:38%;padding:.35rem 0;vertical-align:top}\
td{padding:.35rem 0;overflow-wrap:anywhere}tr+tr{border-top:1px solid #edf0f4}.amount td{font-size:1.4rem}\
footer{margin-top:1.4rem;font-size:.75rem;color:#5b6675;overflow-wrap:anywhere}p.yes,p.no{padding:.6rem .9rem;\
border-radius:4px;color:#fff;background:#1b7f4b}p.no{background:#b3261e}@media print{main{border:0;margin:0}}";

/// The page.
pub(super) fn of(view: &ReceiptView) -> String {
    told(view, "")
}

/// The page of a receipt that was found authentic, and how its object stands now.
pub(super) fn authentic(view: &ReceiptView, now: &Standing) -> String {
    let currency = &view.receipt.currency;
    let back = if now.given_back == 0 {
        String::new()
    } else {
        format!("；已退回 · given back {} {}", money(now.given_back, currency), escaped(currency))
    };
    let note = format!(
        "<p class=\"yes\">真实 · Authentic<br><small>当前状态 · Now: {}{back}<br>请与手中回单逐项核对 · Compare each line with the \
         receipt that you hold</small></p>",
        escaped(now.status)
    );
    told(view, &note)
}

/// The page of what is no receipt of the platform's.
pub(super) fn not_authentic() -> String {
    format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>电子回单</title><style>{STYLE}</style></head><body><main><h1>电子回单</h1>\
         <p class=\"no\">无法验证为真 · Not authentic<br><small>本平台未签发过这样的回单 · This platform issued no such \
         receipt</small></p></main></body></html>\n"
    )
}

fn told(view: &ReceiptView, note: &str) -> String {
    let receipt = &view.receipt;
    let kind = KINDS.iter().find(|(name, _)| *name == receipt.kind).map_or(receipt.kind.as_str(), |(_, text)| text);
    let mut rows = vec![
        ("回单号 · Receipt of", receipt.object.clone()),
        ("付款方 · Payer", party(&receipt.payer)),
        ("收款方 · Payee", party(&receipt.payee)),
        ("完成时间 · Done at", receipt.at.clone()),
    ];
    let more = [
        ("商户单号 · Number", receipt.number.clone()),
        ("原交易 · About", receipt.about.clone()),
        ("渠道流水号 · Reference", receipt.reference.clone()),
        (
            "手续费 · Fee",
            (receipt.fee != 0).then(|| format!("{} {}", money(receipt.fee, &receipt.currency), receipt.currency)),
        ),
    ];
    rows.extend(more.into_iter().filter_map(|(name, text)| Some((name, text?))));
    let rows: String =
        rows.iter().map(|(name, text)| format!("<tr><th>{name}</th><td>{}</td></tr>", escaped(text))).collect();
    format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>电子回单 {object}</title><style>{STYLE}</style></head><body><main>\
         <h1>电子回单</h1><h2>Electronic receipt · {kind}</h2>{note}<table>\
         <tr class=\"amount\"><th>金额 · Amount</th><td>{amount} {currency}</td></tr>{rows}</table><footer>\
         SM3 {digest}<br>SM2 {serial}: {signature}<br>验证 · Verify: POST /v1/receipts/verify</footer></main></body></html>\n",
        object = escaped(&receipt.object),
        kind = escaped(kind),
        amount = money(receipt.amount, &receipt.currency),
        currency = escaped(&receipt.currency),
        digest = view.digest,
        serial = escaped(&view.serial_no),
        signature = escaped(&view.signature),
    )
}

fn party(party: &Party) -> String {
    party.account.as_ref().map_or_else(|| party.name.clone(), |account| format!("{} · {account}", party.name))
}

/// Minor units in whole ones, in groups of three; yen have no hundredths.
pub(super) fn money(minor: i64, currency: &str) -> String {
    let part = if currency == "JPY" { 1 } else { 100 };
    let (sign, whole) = (if minor < 0 { "-" } else { "" }, (minor.unsigned_abs() / part).to_string());
    let (head, tail) = whole.split_at(whole.len() % 3);
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let all: Vec<String> = Some(head.to_owned()).filter(|head| !head.is_empty()).into_iter().chain(groups).collect();
    let hundredths = if part == 1 { String::new() } else { format!(".{:02}", minor.unsigned_abs() % part) };
    format!("{sign}{}{hundredths}", all.join(","))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_and_markup_is_text() {
        for (minor, text) in
            [(0, "0.00"), (5, "0.05"), (12_345, "123.45"), (123_456_789, "1,234,567.89"), (-100, "-1.00")]
        {
            assert_eq!(money(minor, "CNY"), text);
        }
        assert_eq!(money(12_345, "JPY"), "12,345");
        assert_eq!(escaped("<b>\"A&B\"'"), "&lt;b&gt;&quot;A&amp;B&quot;&#39;");
    }
}
