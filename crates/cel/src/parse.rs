//! From text to a syntax tree without macros.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use cel::IdedExpr;
use cel::common::ast::SourceInfo;
use cel::parser::Parser;

use crate::error::CompileError;
use crate::expand;
use crate::inspect;

/// The longest expression in bytes. Upstream reads 100,000 characters; nobody's rule is that long.
const TEXT_LIMIT: usize = 16 << 10;

/// How deep the tree may be, macros expanded. Upstream's parser refuses more than 250 nested
/// expressions of one kind. This also bounds the stack of evaluations, on threads that are not ours.
const DEPTH_LIMIT: usize = 250;

/// How deep parentheses may be nested, which take several levels of the tree each.
const NESTING_LIMIT: u16 = 250;

/// Four times what the parser takes for the worst text: it counts the nesting of parentheses, but
/// recurses for each step of `a + a + a`, too.
const STACK: usize = 64 << 20;

/// An expression as it was read.
pub(crate) struct Parsed {
    pub(crate) tree: IdedExpr,
    pub(crate) source: SourceInfo,
}

/// Something wrong with an expression, and where.
pub(crate) struct Problem {
    /// Line from one and column from one.
    pub(crate) position: (usize, usize),
    pub(crate) text: String,
}

/// Reads `text` and expands macros.
///
/// # Errors
///
/// Whatever the parser says; a text that is too long or nested too deep.
pub(crate) fn parse(text: &str) -> Result<Parsed, CompileError> {
    let refused = |problem: String| {
        let problem = Problem {
            position: (1, 1),
            text: problem,
        };
        Err(invalid(text, &[problem]))
    };
    if text.len() > TEXT_LIMIT {
        return refused(format!(
            "expression code point size exceeds limit: size: {}, limit {TEXT_LIMIT}",
            text.len()
        ));
    }
    let parser = Parser::new()
        .enable_optional_syntax(true)
        .max_recursion_depth(NESTING_LIMIT);
    let (mut tree, source) = match parser.parse_with_source_info(text) {
        Ok(parsed) => parsed,
        Err(errors) => {
            let problems: Vec<_> = errors.errors.into_iter().map(Problem::from).collect();
            return Err(invalid(text, &problems));
        }
    };
    let problems = expand::expand(&mut tree, &source);
    if !problems.is_empty() {
        return Err(invalid(text, &problems));
    }
    if depth(&tree) > DEPTH_LIMIT {
        return refused(format!(
            "expression recursion limit exceeded: {DEPTH_LIMIT}"
        ));
    }
    Ok(Parsed { tree, source })
}

/// Runs `work` where deep recursion and panics of the parser do no harm.
pub(crate) fn on_a_large_stack<T: Send>(
    work: impl FnOnce() -> Result<T, CompileError> + Send,
) -> Result<T, CompileError> {
    let broken = || Err(CompileError::Invalid("the parser failed".to_owned()));
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || catch_unwind(AssertUnwindSafe(work)))
            .map_or_else(
                |_| broken(),
                |thread| match thread.join() {
                    Ok(Ok(outcome)) => outcome,
                    _ => broken(),
                },
            )
    })
}

/// The error that shows `problems` as CEL does.
pub(crate) fn invalid(text: &str, problems: &[Problem]) -> CompileError {
    let mut shown = String::new();
    for (index, problem) in problems.iter().enumerate() {
        let (line, column) = problem.position;
        let separator = if index == 0 { "" } else { "\n" };
        // Writing to a string does not fail.
        let _ = write!(
            shown,
            "{separator}ERROR: <input>:{line}:{column}: {}",
            problem.text
        );
        if let Some(source) = text.lines().nth(line.saturating_sub(1)) {
            let dots = ".".repeat(column.saturating_sub(1));
            let _ = write!(shown, "\n | {source}\n | {dots}^");
        }
    }
    CompileError::Invalid(shown)
}

/// Where the node is in the text.
pub(crate) fn position(source: &SourceInfo, node: u64) -> (usize, usize) {
    let offset = source
        .offset_for(node)
        .and_then(|(start, _)| usize::try_from(start).ok())
        .unwrap_or(0);
    let before = source.source.chars().take(offset);
    before.fold((1, 1), |(line, column), character| {
        if character == '\n' {
            (line + 1, 1)
        } else {
            (line, column + 1)
        }
    })
}

fn depth(tree: &IdedExpr) -> usize {
    let children = inspect::children(tree);
    1 + children.into_iter().map(depth).max().unwrap_or(0)
}

impl From<cel::ParseError> for Problem {
    fn from(error: cel::ParseError) -> Self {
        let (line, column) = error.pos;
        Self {
            position: (
                usize::try_from(line).unwrap_or(1).max(1),
                usize::try_from(column).unwrap_or(1).max(1),
            ),
            text: error.msg,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        on_a_large_stack(|| parse(text).map(drop))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn problems_are_shown_where_they_are() {
        let shown = refusal("claims.\n  ==");
        assert!(
            shown.starts_with("compilation failed: ERROR: <input>:2:3: Syntax error:"),
            "{shown}"
        );
    }

    #[test]
    fn the_longest_and_deepest_texts_are_refused_without_harm() {
        let length = TEXT_LIMIT;
        for text in [
            "1+".repeat(length / 2 - 1) + "1",
            "(".repeat(length),
            "[".repeat(length),
            "!".repeat(length),
            "-".repeat(length),
            "a.".repeat(length / 2 - 1) + "a",
            "a?".repeat(length / 2),
            "a?b:".repeat(length / 4 - 1) + "c",
            "a[".repeat(length / 2),
            "a(".repeat(length / 2),
            "{".repeat(length),
            "a||".repeat(length / 3 - 1) + "a",
            "'".repeat(length),
            "\u{fffd}".repeat(length / 3),
            "a".repeat(length + 1),
        ] {
            // Some of them are refused and some are not; none ends the process or takes long.
            let started = std::time::Instant::now();
            let _ = on_a_large_stack(|| parse(&text).map(drop));
            let head: String = text.chars().take(8).collect();
            assert!(started.elapsed().as_secs() < 5, "{head}");
        }
        let shown = refusal(&("1+".repeat(300) + "1"));
        assert!(
            shown.contains("expression recursion limit exceeded"),
            "{shown}"
        );
    }
}
