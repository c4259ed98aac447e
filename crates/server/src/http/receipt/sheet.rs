//! A sheet of PDF to draw on, with texts that never leave their box.
//!
//! No font is embedded: Latin letters are Helvetica's and Courier's, of the 14 fonts that every reader has; all others are of the
//! font STSong-Light under the encoding UniGB-UTF16-H, for which every reader has a substitute (ISO 32000-1, 9.6.2.2 and 9.7.5.2).
//! Lengths are points; y grows downwards from the upper edge.

use pdf_writer::{Content, Name, Str};

/// A5, across.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 419.53;

/// The names of the fonts on the page.
pub(super) const LATIN: Name<'static> = Name(b"L");
pub(super) const FIXED: Name<'static> = Name(b"M");
pub(super) const CHINESE: Name<'static> = Name(b"C");

/// No text becomes smaller than this.
const SMALLEST: f32 = 2.0;
/// From line to line, in sizes.
const LEADING: f32 = 1.25;
/// Where the baseline lies in a letter's square, from above.
const ASCENT: f32 = 0.86;

/// Widths of Helvetica's letters from the space to the tilde, in thousandths of the size (Adobe Core 14 AFM).
#[rustfmt::skip]
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// A colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colour(pub(super) f32, pub(super) f32, pub(super) f32);

pub(super) const INK: Colour = Colour(0.10, 0.13, 0.18);
pub(super) const GREY: Colour = Colour(0.38, 0.43, 0.50);
pub(super) const LINE: Colour = Colour(0.62, 0.70, 0.76);
pub(super) const TINT: Colour = Colour(0.925, 0.95, 0.965);
pub(super) const ACCENT: Colour = Colour(0.05, 0.30, 0.43);

/// A box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

/// Where a text stands in its box; it is in the middle from above to below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Middle,
    Right,
}

/// How a text is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Its size where the box has room for it.
    pub(super) size: f32,
    pub(super) colour: Colour,
    pub(super) side: Side,
    /// The most lines; a longer text becomes smaller.
    pub(super) lines: usize,
    /// Whether all letters are of one width.
    pub(super) fixed: bool,
}

/// How most of the sheet is set.
pub(super) const PLAIN: Style = Style { size: 9.0, colour: INK, side: Side::Left, lines: 2, fixed: false };

/// What is drawn.
pub(super) struct Sheet(Content);

impl Sheet {
    pub(super) fn new() -> Self {
        Self(Content::new())
    }

    /// A filled box.
    pub(super) fn fill(&mut self, area: Area, Colour(red, green, blue): Colour) {
        self.0.set_fill_rgb(red, green, blue);
        self.0.rect(area.x, HEIGHT - area.y - area.height, area.width, area.height);
        self.0.fill_nonzero();
    }

    /// The edge of a box.
    pub(super) fn frame(&mut self, area: Area, Colour(red, green, blue): Colour) {
        self.0.set_stroke_rgb(red, green, blue).set_line_width(0.6);
        self.0.rect(area.x, HEIGHT - area.y - area.height, area.width, area.height);
        self.0.stroke();
    }

    /// A text in a box: as large as its style has it, or as small as the box needs it.
    pub(super) fn text(&mut self, text: &str, area: Area, style: Style) {
        let (size, lines) = fitted(text, area, style);
        let leading = size * LEADING;
        let above = (area.height - leading * count(lines.len())) / 2.0 + (leading - size) / 2.0 + size * ASCENT;
        for (index, line) in lines.iter().enumerate() {
            let free = area.width - width(line, size, style.fixed);
            let x = match style.side {
                Side::Left => area.x,
                Side::Middle => area.x + free / 2.0,
                Side::Right => area.x + free,
            };
            self.line(line, (x, area.y + above + leading * count(index)), size, style);
        }
    }

    /// One line from a point of its baseline on, each letter in the font that has it.
    fn line(&mut self, line: &str, (x, y): (f32, f32), size: f32, style: Style) {
        let Colour(red, green, blue) = style.colour;
        self.0.set_fill_rgb(red, green, blue);
        self.0.begin_text().set_text_matrix([1.0, 0.0, 0.0, 1.0, x, HEIGHT - y]);
        let letters: Vec<char> = line.chars().collect();
        for run in letters.chunk_by(|a, b| is_latin(*a) == is_latin(*b)) {
            let text: String = run.iter().collect();
            if run.first().is_some_and(|letter| is_latin(*letter)) {
                self.0.set_font(if style.fixed { FIXED } else { LATIN }, size).show(Str(text.as_bytes()));
            } else {
                let codes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
                self.0.set_font(CHINESE, size).show(Str(&codes));
            }
        }
        self.0.end_text();
    }

    /// Dark squares of a grid with `side` squares in a row.
    pub(super) fn grid(&mut self, area: Area, side: i32, is_dark: impl Fn(i32, i32) -> bool) {
        let Colour(red, green, blue) = INK;
        self.0.save_state().set_fill_rgb(red, green, blue);
        let unit = area.width / side as f32;
        self.0.transform([unit, 0.0, 0.0, -unit, area.x, HEIGHT - area.y]);
        for y in 0..side {
            let mut x = 0;
            while x < side {
                let run = (x..side).take_while(|x| is_dark(*x, y)).count() as i32;
                if run > 0 {
                    self.0.rect(x as f32, y as f32, run as f32, 1.0);
                }
                x += run.max(1);
            }
        }
        self.0.fill_nonzero().restore_state();
    }

    /// The operators.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0.finish().to_vec()
    }
}

fn count(number: usize) -> f32 {
    number as f32
}

fn is_latin(letter: char) -> bool {
    matches!(letter, ' '..='~')
}

/// How wide a text is.
fn width(text: &str, size: f32, fixed: bool) -> f32 {
    let of = |letter: char| match usize::try_from(u32::from(letter)).unwrap_or_default().checked_sub(32) {
        Some(place) if is_latin(letter) => {
            if fixed {
                600.0
            } else {
                HELVETICA.get(place).copied().map_or(1_000.0, f32::from)
            }
        }
        Some(_) | None => 1_000.0,
    };
    text.chars().map(of).sum::<f32>() * size / 1_000.0
}

/// The text's size and lines in the box.
fn fitted(text: &str, area: Area, style: Style) -> (f32, Vec<String>) {
    // What ends a line or says in which direction to write is none of a receipt's.
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let mut size = style.size;
    loop {
        let lines = broken(&text, area.width, size, style.fixed);
        let fits = lines.len() <= style.lines && count(lines.len()) * size * LEADING <= area.height + 0.01;
        if fits || size <= SMALLEST {
            return (size, lines);
        }
        size -= 0.25;
    }
}

/// The text in lines: broken behind a space where the line has one, else wherever it is full.
fn broken(text: &str, room: f32, size: f32, fixed: bool) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for letter in text.chars() {
        line.push(letter);
        if width(line.trim_end(), size, fixed) <= room {
            continue;
        }
        line.pop();
        let keep = line.rfind(' ').map_or(line.len(), |space| space.saturating_add(1));
        let mut rest = line.split_off(keep);
        rest.push(letter);
        lines.push(std::mem::replace(&mut line, rest));
    }
    lines.push(line);
    lines.into_iter().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = Area { x: 0.0, y: 0.0, width: 190.0, height: 24.0 };

    #[test]
    fn every_letter_of_a_text_is_in_its_box() {
        let long = "北京市朝阳区呼家楼街道房屋租赁与物业管理服务有限责任公司第一分公司".repeat(3);
        let latin = "International Property Management and Leasing Services (Shanghai) Company Limited ".repeat(3);
        for text in ["", "张*", "pay_5", &long, &latin, &"W".repeat(200), "艾合买提·买买提"] {
            let (size, lines) = fitted(text, AREA, PLAIN);
            assert!(lines.len() <= PLAIN.lines && size <= PLAIN.size, "{text}: {size}");
            assert!(count(lines.len()) * size * LEADING <= AREA.height + 0.01);
            assert!(lines.iter().all(|line| width(line, size, false) <= AREA.width), "{text}");
            let letters = |text: &str| text.chars().filter(|letter| *letter != ' ').collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text));
        }
        // What fits is not made smaller.
        assert_eq!(fitted("张三", AREA, PLAIN), (9.0, vec!["张三".to_owned()]));
        assert_eq!(broken("one two", 20.0, 9.0, false), ["one", "two"]);
    }

    #[test]
    fn widths_are_those_of_the_fonts() {
        assert_eq!(width("A1 ~", 1_000.0, false), 667.0 + 556.0 + 278.0 + 584.0);
        assert_eq!(width("Wi", 1_000.0, true), 1_200.0);
        assert_eq!(width("电·", 1_000.0, true), 2_000.0);
    }
}
