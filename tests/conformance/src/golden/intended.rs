//! The reviewed list of differences between Burgee and the recordings.

use std::fs;
use std::path::Path;

/// Stands for anything in a line of the list.
const ANYTHING: &str = "…";

/// The list. Each line is one difference as the replay prints it, in which `…` stands for anything;
/// the comment above it says why.
pub(super) struct Intended {
    lines: Vec<(String, bool)>,
}

impl Intended {
    pub(super) fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let mut explained = false;
        let mut lines = Vec::new();
        for line in text.lines() {
            match line.trim() {
                "" => explained = false,
                line if line.starts_with('#') => explained = true,
                line => {
                    assert!(explained, "nobody says why: {line}");
                    lines.push((line.to_owned(), false));
                }
            }
        }
        Self { lines }
    }

    /// Whether the list has this difference.
    pub(super) fn covers(&mut self, difference: &str) -> bool {
        let mut covered = false;
        for (line, used) in &mut self.lines {
            if matches(line, difference) {
                *used = true;
                covered = true;
            }
        }
        covered
    }

    /// The lines that covered nothing.
    pub(super) fn unneeded(&self) -> Vec<&str> {
        let lines = self.lines.iter().filter(|(_, used)| !used);
        lines.map(|(line, _)| line.as_str()).collect()
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((beginning, mut pattern)) = pattern.split_once(ANYTHING) else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(beginning) else {
        return false;
    };
    while let Some((piece, rest)) = pattern.split_once(ANYTHING) {
        let Some(at) = text.find(piece) else {
            return false;
        };
        text = &text[at + piece.len()..];
        pattern = rest;
    }
    text.ends_with(pattern)
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for (pattern, text, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("a…c…e", "abcde", true),
        ("a…c…e", "abde", false),
        ("…b", "abc", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
