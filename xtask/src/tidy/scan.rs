//! Just enough of Rust's grammar for the rules: what is code, what is comment, what is text in quotes, and
//! where a function begins and ends. It knows raw strings, nested comments, and that `'a` may be a lifetime.

/// A source file taken apart. Both texts have the lines of the original: what belongs elsewhere is blank.
#[derive(Debug)]
pub(super) struct Masked {
    /// Without comments and without the inside of strings and character literals.
    pub(super) code: String,
    /// Comments only.
    pub(super) comments: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Region {
    Code,
    Comment,
    Literal,
}

impl Masked {
    pub(super) fn new(text: &str) -> Self {
        let (mut code, mut comments) = (String::new(), String::new());
        let mut rest = text;
        let mut previous = ' ';
        while let Some(first) = rest.chars().next() {
            let (region, length) = next_region(rest, first, previous);
            let (piece, after) = rest.split_at(length);
            code.push_str(&kept(piece, region == Region::Code));
            comments.push_str(&kept(piece, region == Region::Comment));
            previous = piece.chars().next_back().unwrap_or(' ');
            rest = after;
        }
        Self { code, comments }
    }
}

fn kept(piece: &str, keep: bool) -> String {
    if keep { piece.to_owned() } else { piece.chars().map(|c| if c == '\n' { c } else { ' ' }).collect() }
}

/// What the text begins with, and for how many bytes.
fn next_region(text: &str, first: char, previous: char) -> (Region, usize) {
    match first {
        '/' if text.starts_with("//") => (Region::Comment, text.find('\n').unwrap_or(text.len())),
        '/' if text.starts_with("/*") => (Region::Comment, block_comment(text)),
        '"' => (Region::Literal, quoted(text, '"')),
        '\'' => character(text).map_or((Region::Code, 1), |length| (Region::Literal, length)),
        'r' | 'b' | 'c' if !is_word(previous) => match raw_string(text) {
            Some(length) => (Region::Literal, length),
            None => (Region::Code, 1),
        },
        other => (Region::Code, other.len_utf8()),
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// A literal that begins with `quote` and ends with the next one that no backslash escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; nothing if the quote begins a lifetime or a label.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.chars().skip(1);
    let inside = chars.next()?;
    (inside == '\\' || chars.next() == Some('\'')).then(|| quoted(text, '\''))
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr#"…"#`; nothing for `r#type` and other words.
fn raw_string(text: &str) -> Option<usize> {
    let after_prefix = text.strip_prefix(['b', 'c']).unwrap_or(text).strip_prefix('r')?;
    let inside = after_prefix.trim_start_matches('#');
    let hashes = after_prefix.len() - inside.len();
    let inside = inside.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(text.len() - inside.len() + length)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The byte positions at which `word` stands as a whole word.
pub(super) fn positions<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let is_edge = |neighbour: Option<char>, inside: Option<char>| {
            !(neighbour.is_some_and(is_word) && inside.is_some_and(is_word))
        };
        is_edge(before, word.chars().next()) && is_edge(after, word.chars().next_back())
    })
}

/// The line (from 1) of a byte position.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

/// The lines (from 1) on which `word` stands as a whole word.
pub(super) fn lines_with<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let numbered = text.lines().zip(1..);
    numbered.filter(move |(line, _)| positions(line, word).next().is_some()).map(|(_, number)| number)
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    /// The line of its `fn`.
    pub(super) line: usize,
    /// From that line to the closing brace.
    pub(super) length: usize,
    /// Whether it only tells one thing apart: one `match`, and neither a loop nor an `if`.
    pub(super) is_table: bool,
}

/// All functions with a body in masked code.
pub(super) fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    for at in positions(code, "fn") {
        let after = code[at + 2..].trim_start();
        let name = after.split(|c| !is_word(c)).next().unwrap_or_default();
        // `fn(u32)` is a type.
        if name.is_empty() {
            continue;
        }
        if let Some(length) = body_end(after) {
            let end = code.len() - after.len() + length;
            let body = &code[at..end];
            let count = |word: &str| positions(body, word).count();
            let is_table = count("match") == 1 && ["if", "for", "while", "loop"].iter().all(|word| count(word) == 0);
            found.push(Function { name, line: line_of(code, at), length: body.matches('\n').count() + 1, is_table });
        }
    }
    found
}

/// Where the body ends of a function that begins with its name; nothing if it has none.
fn body_end(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_u32, 0_u32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' if braces == 0 => brackets += 1,
            ')' | ']' if braces == 0 => brackets = brackets.checked_sub(1)?,
            // The `;` of `[u8; 4]` is inside brackets.
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 && brackets == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Masked::new(text).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(code("a // b\nc"), "a c");
        assert_eq!(code("a /* b /* c */ d */ e"), "a e");
        assert_eq!(code(r#"x("a\"b", y)"#), "x( , y)");
        assert_eq!(code(r##"x(r#"a"b"#, br"c\", y)"##), "x( , , y)");
        assert_eq!(code("let 中 = \"文 // no comment\"; z"), "let 中 = ; z");
    }

    #[test]
    fn lifetimes_are_code_and_characters_are_not() {
        assert_eq!(code("fn a<'a>(x: &'a str) { '{' '\\'' '中' }"), "fn a<'a>(x: &'a str) { }");
        assert_eq!(code("'outer: loop { b'\"' }"), "'outer: loop { b }");
        assert_eq!(code("r#type = for_r\"x\""), "r#type = for_r");
    }

    #[test]
    fn the_lines_stay() {
        let text = "a\n/* b\nc */ d\n\"e\nf\" g // h\n";
        let masked = Masked::new(text);
        assert_eq!(masked.code.matches('\n').count(), text.matches('\n').count());
        assert_eq!(lines_with(&masked.code, "g").collect::<Vec<_>>(), [5]);
        assert_eq!(lines_with(&masked.comments, "h").collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(positions("unsafe_code unsafe notunsafe", "unsafe").collect::<Vec<_>>(), [12]);
        assert_eq!(positions("std::a foostd::b", "std::").collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn functions_are_measured() {
        let text = "trait T { fn none(a: [u8; 4]); fn given() {} }\nfn long(f: fn(u8) -> u8) -> [u8; 2]\nwhere\n    u8: Copy,\n{\n    if a { \"}\" }\n}\n";
        let code = Masked::new(text).code;
        let found = functions(&code);
        assert_eq!(
            found,
            [
                Function { name: "given", line: 1, length: 1, is_table: false },
                Function { name: "long", line: 2, length: 6, is_table: false },
            ]
        );
    }
}
