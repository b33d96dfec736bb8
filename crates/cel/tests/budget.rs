//! No expression takes long or much memory, whatever the token says.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use burgee_cel::{EvaluationError, Expects, Expression, Scope, Value, Variables};
use serde_json::{Map, Value as Json, json};

/// The claims of a token as large as one can be, 16 KiB, and as unpleasant.
fn hostile_claims() -> Map<String, Json> {
    let claims = json!({
        "list": vec!["a"; 1000],
        "numbers": (0..1000).collect::<Vec<_>>(),
        "text": "a".repeat(4000),
        "nested": nested(120),
        "pattern": r"(\pL{20}){20}",
    });
    match claims {
        Json::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn nested(depth: usize) -> Json {
    (0..depth).fold(json!([1]), |inner, _| json!([inner]))
}

fn outcome(text: &str) -> (Result<Value, EvaluationError>, Duration) {
    let expression = match Expression::compile(text, Scope::Claims, Expects::Any) {
        Ok(expression) => expression,
        Err(error) => panic!("{error}"),
    };
    let variables = Variables::claims(&hostile_claims());
    let started = Instant::now();
    let value = expression.evaluate(&variables);
    (value, started.elapsed())
}

/// Unoptimised builds, beside other tests, are allowed more: they are some ten times slower.
const ALLOWED: Duration = if cfg!(debug_assertions) {
    Duration::from_secs(10)
} else {
    Duration::from_secs(1)
};

#[test]
fn hostile_expressions_end_with_the_limit_in_bounded_time() {
    let loops =
        "claims.list.all(a, claims.list.all(b, claims.list.all(c, claims.list.all(d, true))))";
    let expressions = [
        loops.to_owned(),
        "claims.list.map(a, claims.list.map(b, claims.list.map(c, claims.text)))".to_owned(),
        "claims.list.map(a, claims.list + claims.list).size() > 0 && claims.list.map(a, claims.list.map(b, claims.list + claims.list)).size() > 0".to_owned(),
        "claims.list.exists(a, claims.list.exists(b, claims.text + a == claims.text + claims.text))".to_owned(),
        "claims.list.all(a, claims.list == claims.list)".to_owned(),
        "claims.list.all(a, claims.numbers.distinct().size() > 0)".to_owned(),
        "claims.list.all(a, claims.list.sort().size() > 0)".to_owned(),
        "claims.list.all(a, claims.text.split('').size() > 0)".to_owned(),
        "claims.text.replace('', claims.text).size() > 0".to_owned(),
        "claims.text.replace('a', claims.text).replace('a', claims.text).size() > 0".to_owned(),
        "claims.list.all(a, claims.list.join(claims.text).size() > 0)".to_owned(),
        "claims.list.all(a, claims.text.matches('(a|aa)*b') || claims.text.matches('(x+x+)+y') || true)".to_owned(),
        "claims.list.all(a, claims.text.matches(claims.pattern) || true)".to_owned(),
        "claims.numbers.all(a, 'x'.matches(claims.pattern + string(a)) || true)".to_owned(),
        "claims.list.all(a, claims.text.findAll('.*[^a]|a').size() > 0)".to_owned(),
        "lists.range(1000000).size() > 0".to_owned(),
        "lists.range(9223372036854775807).size() > 0".to_owned(),
        "claims.list.all(a, claims.list.all(b, claims.nested == claims.nested) && claims.nested.flatten().size() > 0 && (claims.nested.flatten(1000) == claims.nested || true))".to_owned(),
        "claims.list.all(a, '%s %s %s'.format([claims.text, claims.nested, claims.list]).size() > 0)".to_owned(),
        "claims.list.transformMap(i, v, claims.list.transformMap(j, w, i + j)).size() > 0 && claims.list.all(x, claims.list.transformMap(j, w, j).size() > 0)".to_owned(),
        "claims.list.all(a, claims.list.sortBy(b, claims.text).size() > 0)".to_owned(),
        "claims.list.all(a, sets.equivalent(claims.numbers, claims.numbers))".to_owned(),
        "claims.list.all(a, claims.list.all(b, !(claims.text in claims)))".to_owned(),
        "claims.list.all(a, claims.list.all(b, !claims[?claims.text].hasValue()))".to_owned(),
        "claims.list.all(a, claims.list.all(b, {claims.text: 1}.size() == 1))".to_owned(),
        doubling(40),
    ];
    for text in expressions {
        let (value, took) = outcome(&text);
        assert_eq!(value, Err(EvaluationError::CostLimit), "{text}");
        assert!(took < ALLOWED, "{text} took {took:?}");
    }
}

/// A text that doubles with each level, without any loop.
fn doubling(levels: usize) -> String {
    let mut text = "[claims.text]".to_owned();
    for level in 0..levels {
        text = format!("{text}.map(x{level}, x{level} + x{level})");
    }
    let mut asked = text;
    let _ = write!(asked, "[0].size() > 0");
    asked
}

#[test]
fn the_limit_is_absorbed_by_nothing() {
    let costly = "claims.list.all(a, claims.list.all(b, claims.list.all(c, true)))";
    for text in [
        format!("{costly} || true"),
        format!("!({costly} && false)"),
        format!("[1].exists(x, {costly} || true)"),
        format!("[1, 2].all(x, {costly} || true)"),
        format!("optional.of({costly}).orValue(true) || true"),
        format!("[?optional.of({costly})] == [] || true"),
    ] {
        assert_eq!(outcome(&text).0, Err(EvaluationError::CostLimit), "{text}");
    }
}

#[test]
fn ordinary_rules_over_large_tokens_are_within_the_limit() {
    for text in [
        "claims.list.filter(g, g.startsWith('a')).map(g, 'oidc:' + g).size() == 1000",
        "claims.numbers.exists(n, n == 999)",
        "claims.list.all(g, g.matches('^[a-z]+$'))",
        "claims.list.all(g, g.matches('^' + claims.list[0] + '$'))",
        "claims.text.split('').size() == 4000",
        "claims.numbers.sort()[0] == 0",
        "claims.list.transformMap(i, v, v).size() == 1000",
    ] {
        assert_eq!(outcome(text).0, Ok(Value::Bool(true)), "{text}");
    }
}

#[test]
fn the_deepest_expressions_do_not_exhaust_an_ordinary_stack() {
    let nest = |open: &str, inner: &str, close: &str, levels: usize| {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    for levels in (1..260).step_by(12) {
        for text in [
            nest("[", "1", "]", levels),
            nest("(1 + ", "1", ")", levels),
            nest("[1].all(x, ", "true", ")", levels),
            nest("[1].map(x, ", "x", ")", levels),
            nest("claims.?list.optMap(x, ", "x", ")", levels),
            nest("(true ? ", "1", " : 2)", levels),
            nest("true && (false || ", "true", ")", levels),
            nest("{'a': ", "1", "}", levels),
        ] {
            // The deepest that compile are evaluated; what is deeper is refused.
            if let Ok(expression) = Expression::compile(&text, Scope::Claims, Expects::Any) {
                let _ = expression.evaluate(&Variables::claims(&hostile_claims()));
            } else {
                assert!(levels > 20, "{text}");
            }
        }
    }
}
