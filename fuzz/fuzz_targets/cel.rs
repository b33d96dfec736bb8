//! Any text may stand where an expression is expected, and any expression may meet any claims.
#![no_main]

use burgee_cel::{Expects, Expression, Scope, Variables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // The expression, then a line feed and claims as JSON.
    let end = input.iter().rposition(|byte| *byte == b'\n');
    let (text, claims) = input.split_at(end.unwrap_or(input.len()));
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    if let Ok(expression) = Expression::compile(text, Scope::Claims, Expects::Any) {
        let claims = serde_json::from_slice(claims).unwrap_or_default();
        let variables = Variables::claims(&claims);
        let value = expression.evaluate(&variables);
        // An expression that is plainly a bool is one, if it has a value at all.
        if Expression::compile(text, Scope::Claims, Expects::Bool).is_ok() {
            assert!(!matches!(value, Ok(other) if !matches!(other, burgee_cel::Value::Bool(_))));
        }
    }
});
