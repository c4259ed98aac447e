//! A receipt as one sheet of PDF, with the signed text in it as an attachment (ADR 0091).
//!
//! The sheet follows from the receipt and its signature alone: no clock, nothing drawn by lot.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo};
use pdf_writer::{Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use qrcodegen::{QrCode, QrCodeEcc};

use super::ReceiptView;
use super::capital::capital;
use super::content::Party;
use super::page::{KINDS, money};
use super::sheet::{
    ACCENT, Area, CHINESE, FIXED, GREY, HEIGHT, INK, LATIN, LINE, PLAIN, Sheet, Side, Style, TINT, WIDTH,
};

/// The attachment's name.
const ATTACHED: &str = "receipt.json";
/// The margin on both sides.
const LEFT: f32 = 34.0;
const WIDE: f32 = WIDTH - 2.0 * LEFT;
/// One of two columns.
const HALF: f32 = WIDE / 2.0;
/// How much of it a row's name takes.
const NAME: f32 = 62.0;
/// Between an edge and a text.
const GAP: f32 = 6.0;
/// From the parties to the rows below the amount: the same for every receipt.
const TOP: f32 = 80.0;
const BOTTOM: f32 = 272.0;
/// The tallest row.
const ROW: f32 = 34.0;

const LABEL: Style = Style { size: 8.5, colour: GREY, side: Side::Left, lines: 1, fixed: false };
const PROOF: Style = Style { size: 7.0, colour: INK, side: Side::Left, lines: 1, fixed: true };

/// The PDF; `None` if the address that verifies it is longer than any QR code.
pub(super) fn of(view: &ReceiptView, public_url: &str) -> Option<Vec<u8>> {
    let address = address(view, public_url);
    let code = QrCode::encode_text(&address, QrCodeEcc::Medium).ok()?;
    let mut sheet = Sheet::new();
    head(&mut sheet, view);
    table(&mut sheet, view);
    proof(&mut sheet, view, &address, &code);
    Some(document(view, &sheet.finish()))
}

/// Where whoever holds the sheet has it verified.
fn address(view: &ReceiptView, public_url: &str) -> String {
    let signature = BASE64_STANDARD.decode(&view.signature).unwrap_or_default();
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
    let (object, serial) = (&view.receipt.object, &view.serial_no);
    format!("{public_url}/v1/receipts/{object}/verify?serial_no={serial}&signature={signature}")
}

/// Its kind in Chinese and in English.
fn kind(view: &ReceiptView) -> (&str, &str) {
    let kind = view.receipt.kind.as_str();
    let text = KINDS.iter().find(|(name, _)| *name == kind).map_or(kind, |(_, text)| text);
    text.split_once(" · ").unwrap_or((text, ""))
}

fn head(sheet: &mut Sheet, view: &ReceiptView) {
    let (chinese, english) = kind(view);
    let title = Style { size: 22.0, colour: ACCENT, lines: 1, ..PLAIN };
    sheet.text("电子回单", Area { x: LEFT, y: 22.0, width: 200.0, height: 30.0 }, title);
    let small = Style { size: 8.5, colour: GREY, lines: 1, ..PLAIN };
    sheet.text("Electronic Receipt", Area { x: LEFT + 1.0, y: 51.0, width: 200.0, height: 14.0 }, small);
    let right = Area { x: LEFT + 200.0, y: 24.0, width: WIDE - 200.0, height: 26.0 };
    sheet.text(chinese, right, Style { size: 14.0, side: Side::Right, lines: 1, ..PLAIN });
    let below = Area { y: 51.0, height: 14.0, ..right };
    sheet.text(english, below, Style { side: Side::Right, ..small });
    sheet.fill(Area { x: LEFT, y: 70.0, width: WIDE, height: 1.6 }, ACCENT);
}

/// The parties, the amount and the rest. Fewer rows are taller ones.
fn table(sheet: &mut Sheet, view: &ReceiptView) {
    let receipt = &view.receipt;
    let rows = rows(view);
    let pairs = rows.len().div_ceil(2) as f32;
    let row = ((BOTTOM - TOP - 92.0) / pairs).min(ROW);
    let spare = BOTTOM - TOP - 92.0 - row * pairs;
    let (sides, amount) = (58.0 + spare * 0.6, 34.0 + spare * 0.4);
    let mut y = TOP;
    for (index, (name, side)) in [("付款方", &receipt.payer), ("收款方", &receipt.payee)].into_iter().enumerate()
    {
        party(sheet, name, side, Area { x: LEFT + HALF * index as f32, y, width: HALF, height: sides });
    }
    y += sides;
    let figures = format!("{} {}", receipt.currency, money(receipt.amount, &receipt.currency));
    let strong = Style { size: 13.0, lines: 1, side: Side::Right, ..PLAIN };
    if receipt.currency == "CNY" {
        let words = Style { size: 11.0, ..PLAIN };
        cell(
            sheet,
            "金额大写",
            &capital(receipt.amount),
            Area { x: LEFT, y, width: WIDE - 210.0, height: amount },
            words,
        );
        cell(sheet, "金额小写", &figures, Area { x: LEFT + WIDE - 210.0, y, width: 210.0, height: amount }, strong);
    } else {
        cell(
            sheet,
            "金额",
            &figures,
            Area { x: LEFT, y, width: WIDE, height: amount },
            Style { side: Side::Left, ..strong },
        );
    }
    y += amount;
    for pair in rows.chunks(2) {
        let width = if pair.len() == 2 { HALF } else { WIDE };
        for (index, (name, text)) in pair.iter().enumerate() {
            cell(sheet, name, text, Area { x: LEFT + HALF * index as f32, y, width, height: row }, PLAIN);
        }
        y += row;
    }
}

/// What else a receipt says, by name.
fn rows(view: &ReceiptView) -> Vec<(&'static str, String)> {
    let receipt = &view.receipt;
    let fee = || format!("{} {}", receipt.currency, money(receipt.fee, &receipt.currency));
    let mut rows = vec![
        ("回单编号", receipt.object.clone()),
        ("完成时间", beijing(&receipt.at)),
        ("业务类型", kind(view).0.to_owned()),
    ];
    let more = [
        ("手续费", (receipt.fee != 0).then(fee)),
        ("商户单号", receipt.number.clone()),
        ("原交易", receipt.about.clone()),
        ("渠道流水号", receipt.reference.clone()),
    ];
    rows.extend(more.into_iter().filter_map(|(name, text)| Some((name, text?))));
    rows
}

/// Name and account of one side.
fn party(sheet: &mut Sheet, name: &str, party: &Party, area: Area) {
    let band = Area { width: 22.0, ..area };
    sheet.fill(band, TINT);
    sheet.frame(band, LINE);
    let step = 14.0;
    let above = (area.height - step * 3.0) / 2.0;
    for (index, letter) in name.chars().enumerate() {
        let square = Area { y: area.y + above + step * index as f32, height: step, ..band };
        let style = Style { size: 9.5, colour: ACCENT, side: Side::Middle, lines: 1, fixed: false };
        sheet.text(&letter.to_string(), square, style);
    }
    let account = party.account.as_deref().unwrap_or("—");
    let half = area.height / 2.0;
    for (index, (label, text)) in [("户名", party.name.as_str()), ("账号", account)].into_iter().enumerate() {
        let row = Area { x: area.x + 22.0, y: area.y + half * index as f32, width: area.width - 22.0, height: half };
        sheet.frame(row, LINE);
        sheet.text(label, Area { x: row.x + GAP, width: 24.0, ..row }, LABEL);
        sheet.text(text, Area { x: row.x + 34.0, width: row.width - 34.0 - GAP, ..row }, Style { size: 10.0, ..PLAIN });
    }
}

/// A name and what is said under it.
fn cell(sheet: &mut Sheet, name: &str, text: &str, area: Area, style: Style) {
    let label = Area { width: NAME, ..area };
    sheet.fill(label, TINT);
    sheet.frame(label, LINE);
    sheet.frame(area, LINE);
    sheet.text(name, Area { x: area.x + GAP, width: NAME - 2.0 * GAP, ..area }, LABEL);
    sheet.text(text, Area { x: area.x + NAME + GAP, width: area.width - NAME - 2.0 * GAP, ..area }, style);
}

/// Digest, signature and the code that leads to the verification.
fn proof(sheet: &mut Sheet, view: &ReceiptView, address: &str, code: &QrCode) {
    let (side, y) = (88.0, BOTTOM + 8.0);
    let square = Area { x: LEFT + WIDE - side, y, width: side, height: side };
    sheet.grid(square, code.size(), |x, y| code.get_module(x, y));
    let caption = Area { y: y + side + 1.0, height: 13.0, ..square };
    sheet.text("扫码验真", caption, Style { side: Side::Middle, ..LABEL });
    let width = WIDE - side - 16.0;
    let signed = format!("签名 SM2 ({})", view.serial_no);
    let rows = [
        ("摘要 SM3", view.digest.as_str(), PROOF, 9.0),
        (signed.as_str(), view.signature.as_str(), Style { lines: 2, ..PROOF }, 9.0),
        ("验真地址", address, Style { size: 6.5, lines: 2, ..PROOF }, 18.0),
    ];
    let mut y = y;
    for (name, text, style, height) in rows {
        sheet.text(name, Area { x: LEFT, y, width, height: 11.0 }, Style { size: 7.5, ..LABEL });
        sheet.text(text, Area { x: LEFT, y: y + 11.0, width, height }, style);
        y += 11.0 + height + 3.0;
    }
    let note = "本回单由平台签名，内容以附件 receipt.json 为准，凭平台公钥可独立验签；重复打印不代表再次支付。";
    let foot = Area { x: LEFT, y: HEIGHT - 26.0, width, height: 12.0 };
    sheet.text(note, foot, Style { size: 7.0, ..LABEL });
}

/// A time as people in China read it.
fn beijing(at: &str) -> String {
    let Ok(time) = at.parse::<jiff::Timestamp>() else { return at.to_owned() };
    let time = jiff::tz::offset(8).to_datetime(time);
    format!("{} {:02}:{:02}:{:02} (UTC+8)", time.date(), time.hour(), time.minute(), time.second())
}

/// The file. What is attached comes first in it, as it is: whoever reads the file needs no reader of PDF for that.
fn document(view: &ReceiptView, drawn: &[u8]) -> Vec<u8> {
    // A structure of texts and numbers always serialises.
    let attached = serde_json::to_vec(view).unwrap_or_default();
    let [file, spec, catalog, pages, page, content] = [1, 2, 3, 4, 5, 6].map(Ref::new);
    let [latin, fixed, chinese, info] = [7, 8, 9, 12].map(Ref::new);
    let mut pdf = Pdf::new();
    let id = view.digest.as_bytes().get(..32).unwrap_or_default().to_vec();
    pdf.set_file_id((id.clone(), id));
    let mut embedded = pdf.embedded_file(file, &attached);
    embedded.subtype(Name(b"application/json"));
    embedded.params().size(i32::try_from(attached.len()).unwrap_or(i32::MAX));
    embedded.finish();
    let mut named = pdf.file_spec(spec);
    named.path(Str(ATTACHED.as_bytes())).unic_file(TextStr(ATTACHED)).embedded_file(file);
    named.finish();
    let mut root = pdf.catalog(catalog);
    root.pages(pages).lang(TextStr("zh-CN"));
    root.names().embedded_files().names().insert(Str(ATTACHED.as_bytes()), spec);
    root.finish();
    pdf.pages(pages).kids([page]).count(1);
    let mut sheet = pdf.page(page);
    sheet.parent(pages).media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).contents(content);
    sheet.resources().fonts().pair(LATIN, latin).pair(FIXED, fixed).pair(CHINESE, chinese);
    sheet.finish();
    pdf.stream(content, drawn);
    for (font, name) in [(latin, Name(b"Helvetica")), (fixed, Name(b"Courier"))] {
        pdf.type1_font(font).base_font(name).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    song(&mut pdf, chinese);
    let title = format!("电子回单 {}", view.receipt.object);
    pdf.document_info(info).title(TextStr(&title)).producer(TextStr("Lintel"));
    pdf.finish()
}

/// The Chinese font: a name, its character collection, and how wide its letters are.
fn song(pdf: &mut Pdf, font: Ref) {
    let (letters, descriptor, name) = (Ref::new(10), Ref::new(11), Name(b"STSong-Light"));
    pdf.type0_font(font)
        .base_font(Name(b"STSong-Light-UniGB-UTF16-H"))
        .encoding_predefined(Name(b"UniGB-UTF16-H"))
        .descendant_font(letters);
    let collection = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"GB1"), supplement: 5 };
    pdf.cid_font(letters)
        .subtype(CidFontType::Type0)
        .base_font(name)
        .system_info(collection)
        .font_descriptor(descriptor)
        .default_width(1_000.0);
    pdf.font_descriptor(descriptor)
        .name(name)
        .flags(FontFlags::SYMBOLIC | FontFlags::SERIF)
        .bbox(Rect::new(-25.0, -254.0, 1_000.0, 880.0))
        .italic_angle(0.0)
        .ascent(880.0)
        .descent(-120.0)
        .cap_height(880.0)
        .stem_v(93.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::receipt::content::ReceiptContent;

    fn party(name: &str, account: &str) -> Party {
        Party { name: name.to_owned(), account: Some(account.to_owned()) }
    }

    fn view(receipt: ReceiptContent) -> ReceiptView {
        ReceiptView {
            content: receipt.text(),
            digest: "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0".to_owned(),
            serial_no: "PLATFORM-SM2-1".to_owned(),
            signature: BASE64_STANDARD.encode([0x30; 72]),
            receipt,
        }
    }

    fn full() -> ReceiptView {
        view(ReceiptContent {
            form: "lintel-receipt-1".to_owned(),
            object: "pay_9007199254740991".to_owned(),
            kind: "withdrawal".to_owned(),
            number: Some("N".repeat(64)),
            about: Some("ord_9007199254740991".to_owned()),
            payer: party(&"北京市朝阳区房屋租赁与物业管理服务有限责任公司".repeat(3), "acc_9007199254740991"),
            payee: party(&"International Property Services (Shanghai) Co., Ltd. ".repeat(3), "622202*********2230"),
            amount: 9_223_372_036_854_775_807,
            fee: 123_456_789,
            currency: "CNY".to_owned(),
            at: "2026-03-05T20:00:00Z".to_owned(),
            reference: Some("R".repeat(64)),
        })
    }

    #[test]
    fn the_same_receipt_is_the_same_file_and_what_differs_is_seen() {
        let first = of(&full(), "https://pay.example.com").unwrap();
        assert_eq!(of(&full(), "https://pay.example.com").unwrap(), first);
        assert!(first.starts_with(b"%PDF-1.7"));
        let other = ReceiptView { receipt: ReceiptContent { amount: 1, ..full().receipt }, ..full() };
        assert_ne!(of(&other, "https://pay.example.com").unwrap(), first);
        assert_ne!(of(&full(), "https://pay.example.org").unwrap(), first);
        // An address that no code holds is no sheet with another.
        assert!(of(&full(), &format!("https://{}", "a".repeat(3_000))).is_none());
    }

    #[test]
    fn times_are_those_of_china() {
        assert_eq!(beijing("2026-03-05T20:00:00Z"), "2026-03-06 04:00:00 (UTC+8)");
        assert_eq!(beijing("never"), "never");
    }
}
