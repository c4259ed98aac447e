//! Length: a file of more than 600 lines holds two things, a function of more than 70 fits no screen.

use super::scan::functions;
use super::tree::Tree;
use super::{Finding, finding};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
/// A function that is one `match` reads like a table: the list of all commands or events must stand in one place.
const TABLE_LINES: usize = 160;

/// Source files that are too long. Prose is not code and may be.
pub(super) fn long_files(tree: &Tree) -> Vec<Finding> {
    let sources = tree.files().iter().filter(|file| file.has_extension(&["rs", "sql", "ts", "tsx"]));
    let measured = sources.map(|file| (file, file.text().lines().count()));
    let long = measured.filter(|(_, lines)| *lines > FILE_LINES);
    let found = long.map(|(file, lines)| {
        finding(&file.path, lines, format!("{lines} lines"), format!("split it: {FILE_LINES} at most"))
    });
    found.collect()
}

/// Functions that are too long, in tests as well.
pub(super) fn long_functions(tree: &Tree) -> Vec<Finding> {
    let all =
        tree.rust().flat_map(|(file, rust)| functions(&rust.code).into_iter().map(move |function| (file, function)));
    let bound = |is_table: bool| if is_table { TABLE_LINES } else { FUNCTION_LINES };
    let long = all.filter(|(_, function)| function.length > bound(function.is_table));
    let found = long.map(|(file, function)| {
        let what = format!("function `{}` has {} lines", function.name, function.length);
        finding(&file.path, function.line, what, format!("split it: {} at most", bound(function.is_table)))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_601_lines_is_too_long() {
        let (fits, long) = ("x\n".repeat(600), "x\n".repeat(601));
        let tree = Tree::of(&[("a.rs", &fits), ("b.sql", &long), ("c.md", &long)]);
        assert_eq!(long_files(&tree), [finding("b.sql", 601, "601 lines", "split it: 600 at most")]);
    }

    #[test]
    fn a_function_that_is_one_match_may_be_a_long_table() {
        let table = |lines: usize| format!("fn apply() {{\n match x {{\n{}}}\n}}\n", "A => b(),\n".repeat(lines - 4));
        let tree = |text: String| Tree::of(&[("a.rs", text.as_str())]);
        assert_eq!(long_functions(&tree(table(160))), []);
        assert_eq!(long_functions(&tree(table(161))).len(), 1);
        let branching = table(160).replacen("b()", "if b() {}", 1);
        assert_eq!(long_functions(&tree(branching)).len(), 1);
    }

    #[test]
    fn a_function_of_71_lines_is_too_long_in_tests_as_well() {
        let function = |name: &str, lines: usize| format!("fn {name}() {{\n{}}}\n", "x;\n".repeat(lines - 2));
        let text = format!("{}mod tests {{\n{}}}\n", function("fits", 70), function("long", 71));
        let tree = Tree::of(&[("a.rs", &text)]);
        let expected = finding("a.rs", 72, "function `long` has 71 lines", "split it: 70 at most");
        assert_eq!(long_functions(&tree), [expected]);
    }
}
