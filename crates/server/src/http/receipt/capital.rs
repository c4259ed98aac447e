//! Amounts of money in capital numerals (大写金额), as cheques and receipts write them.
//!
//! The rules are those of the People's Bank for filling in settlement vouchers (支付结算办法, 附件一 正确填写票据和结算凭证的基本规定).

const DIGITS: [char; 10] = ['零', '壹', '贰', '叁', '肆', '伍', '陆', '柒', '捌', '玖'];
/// Powers of ten within a group of four digits.
const PLACES: [(u64, &str); 4] = [(1_000, "仟"), (100, "佰"), (10, "拾"), (1, "")];
/// What a group of digits is counted in, the largest first.
const GROUPS: [(u64, &str); 2] = [(100_000_000, "亿"), (10_000, "万")];

/// An amount of fen in capital numerals: 10,700,053 is 人民币壹拾万柒仟元零伍角叁分.
pub(super) fn capital(fen: i64) -> String {
    let sign = if fen < 0 { "负" } else { "" };
    let (yuan, part) = (fen.unsigned_abs() / 100, fen.unsigned_abs() % 100);
    let (jiao, fen) = (part / 10, part % 10);
    let mut text = format!("人民币{sign}");
    if yuan > 0 || part == 0 {
        text.push_str(&whole(yuan));
        text.push('元');
    }
    if part == 0 {
        text.push('整');
        return text;
    }
    // Where a place of the number is empty between two that are not.
    if yuan > 0 && (jiao == 0 || yuan % 10 == 0) {
        text.push('零');
    }
    for (count, name) in [(jiao, '角'), (fen, '分')] {
        if count > 0 {
            text.push(digit(count));
            text.push(name);
        }
    }
    text
}

fn digit(value: u64) -> char {
    usize::try_from(value).ok().and_then(|value| DIGITS.get(value)).copied().unwrap_or_default()
}

/// A whole number.
fn whole(number: u64) -> String {
    for (unit, name) in GROUPS {
        if number >= unit {
            let rest = number % unit;
            let gap = if rest > 0 && rest < unit / 10 { "零" } else { "" };
            let rest = if rest > 0 { whole(rest) } else { String::new() };
            return format!("{}{name}{gap}{rest}", whole(number / unit));
        }
    }
    let (mut text, mut gap) = (String::new(), false);
    for (unit, name) in PLACES {
        let count = number / unit % 10;
        if count == 0 {
            gap = !text.is_empty();
            continue;
        }
        if gap {
            text.push('零');
        }
        gap = false;
        text.push(digit(count));
        text.push_str(name);
    }
    if text.is_empty() { "零".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those with 02, 32, 14, 53, 04 and 50 fen are the examples of the rules themselves.
    #[test]
    fn as_the_rules_for_vouchers_write_it() {
        for (fen, text) in [
            (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
            (168_032, "壹仟陆佰捌拾元零叁角贰分"),
            (600_714, "陆仟零柒元壹角肆分"),
            (10_700_053, "壹拾万柒仟元零伍角叁分"),
            (32_504, "叁佰贰拾伍元零肆分"),
            (140_950, "壹仟肆佰零玖元伍角"),
            (0, "零元整"),
            (5, "伍分"),
            (50, "伍角"),
            (1_000, "壹拾元整"),
            (100_000, "壹仟元整"),
            (10_000_500, "壹拾万零伍元整"),
            (1_000_000_000_000, "壹佰亿元整"),
            (10_000_500_000, "壹亿零伍仟元整"),
            (15_000_000_500, "壹亿伍仟万零伍元整"),
            (100_000_000_000_001, "壹万亿元零壹分"),
        ] {
            assert_eq!(capital(fen), format!("人民币{text}"), "{fen}");
        }
        assert_eq!(capital(-100), "人民币负壹元整");
        // Every amount has a text, the largest too.
        assert!(
            capital(i64::MAX)
                .starts_with("人民币玖亿贰仟贰佰叁拾叁万柒仟贰佰零叁亿陆仟捌佰伍拾肆万柒仟柒佰伍拾捌元零柒分")
        );
        assert!(capital(i64::MIN).ends_with("捌分"));
    }
}
