//! What is refused when an expression is read.

use burgee_cel::{CompileError, Expects, Expression, Scope, Value, Variables};
use proptest::prelude::*;

fn refusal(text: &str, scope: Scope, expects: Expects) -> Option<CompileError> {
    Expression::compile(text, scope, expects).err()
}

#[track_caller]
fn refused(scope: Scope, cases: &[(&str, &str)]) {
    for (text, problem) in cases {
        let error = refusal(text, scope, Expects::Any);
        let error = error.map_or_else(|| "accepted".to_owned(), |error| error.to_string());
        let expected = format!("compilation failed: ERROR: <input>:{problem}");
        assert!(error.starts_with(&expected), "{text}: {error}");
    }
}

#[test]
fn problems_have_upstreams_texts_and_places() {
    let error = refusal("foo.bar", Scope::Claims, Expects::Any).unwrap();
    assert_eq!(
        error.to_string(),
        "compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo.bar\n | ^"
    );
    let error = refusal("claims.a == 1 &&\n  foo", Scope::Claims, Expects::Bool).unwrap();
    assert_eq!(
        error.to_string(),
        "compilation failed: ERROR: <input>:2:3: undeclared reference to 'foo' (in container '')\n |   foo\n | ..^"
    );
    let error = refusal("foo + bar", Scope::Claims, Expects::Any).unwrap();
    assert_eq!(error.to_string().matches("ERROR").count(), 2);
}

#[test]
fn names_that_are_not_declared_are_refused() {
    refused(
        Scope::Claims,
        &[
            (
                "user.username",
                "1:1: undeclared reference to 'user' (in container '')",
            ),
            (
                "claims.groups.map(g, h)",
                "1:22: undeclared reference to 'h' (in container '')",
            ),
            (
                "[1].map(x, x).size() == x",
                "1:25: undeclared reference to 'x' (in container '')",
            ),
            (
                "nothing(claims.sub)",
                "1:8: undeclared reference to 'nothing' (in container '')",
            ),
            (
                "claims.sub.nothing()",
                "1:19: undeclared reference to 'nothing' (in container '')",
            ),
            (
                "math.greatest(1, 2)",
                "1:1: undeclared reference to 'math' (in container '')",
            ),
            (
                "Foo{a: 1}",
                "1:4: undeclared reference to 'Foo' (in container '')",
            ),
        ],
    );
    refused(
        Scope::User,
        &[
            (
                "claims.sub",
                "1:1: undeclared reference to 'claims' (in container '')",
            ),
            ("user.name", "1:5: undefined field 'name'"),
            ("has(user.name)", "1:4: undefined field 'name'"),
            ("user.?name", "1:5: undefined field 'name'"),
        ],
    );
}

#[test]
fn operators_and_functions_that_can_never_work_are_refused() {
    refused(
        Scope::Claims,
        &[
            (
                "'a' + 1",
                "1:5: found no matching overload for '_+_' applied to '(string, int)'",
            ),
            (
                "1 == 1.0",
                "1:3: found no matching overload for '_==_' applied to '(int, double)'",
            ),
            (
                "'a'.contains(1)",
                "1:13: found no matching overload for 'contains' applied to 'string.(int)'",
            ),
            (
                "size(1)",
                "1:5: found no matching overload for 'size' applied to '(int)'",
            ),
            (
                "claims.sub.split()",
                "1:17: found no matching overload for 'split' applied to 'dyn.()'",
            ),
            (
                "!1",
                "1:1: found no matching overload for '!_' applied to '(int)'",
            ),
            (
                "true ? 1 : 'a'",
                "1:6: found no matching overload for '_?_:_' applied to '(bool, int, string)'",
            ),
            (
                "1 in ['a']",
                "1:3: found no matching overload for '@in' applied to '(int, list(string))'",
            ),
            ("[1, 'a']", "1:5: expected type 'int' but found 'string'"),
            (
                "{'a': 1, 'b': 'c'}",
                "1:15: expected type 'int' but found 'string'",
            ),
            (
                "'a'.b",
                "1:4: type 'string' does not support field selection",
            ),
            (
                "[1].all(x, x == 'a')",
                "1:14: found no matching overload for '_==_' applied to '(int, string)'",
            ),
            ("[1].all(x, x)", ""),
            (
                "1.all(x, true)",
                "1:1: expression of type 'int' cannot be range of a comprehension",
            ),
            ("'a'.matches('(')", "1:13: invalid matches argument"),
            ("duration('x')", "1:10: invalid duration argument"),
            ("optional.of(1).orValue('a')", ""),
            ("claims.a.", "1:10: Syntax error"),
            ("", "1:1: Syntax error"),
        ],
    );
    refused(
        Scope::User,
        &[
            (
                "user.username + 1",
                "1:15: found no matching overload for '_+_' applied to '(string, int)'",
            ),
            ("user.groups == 'a'", "1:13: found no matching overload"),
            ("user.groups.all(g, g == 1)", ""),
            ("user.extra['a'] == 'b'", "1:17: found no matching overload"),
            ("user.extra[1]", "1:11: found no matching overload"),
            ("user.username == null", "1:15: found no matching overload"),
            ("user.username.all(c, true)", ""),
        ],
    );
}

#[test]
fn a_rule_has_to_be_a_bool_by_its_text() {
    let accepted = [
        "true",
        "claims.admin == true",
        "claims.?email_verified.orValue(true) == true",
        "has(claims.hd)",
        "claims.a && claims.b",
        "claims.groups.exists(g, g == 'a')",
        "claims.groups.all(g, claims.x)",
        "claims.sub.startsWith('a')",
        "!claims.a",
        "claims.a < 3",
        "'a' in claims",
        "[1, 2].map(x, x > 1)[0]",
        "claims.n == 3 ? true : false",
        "claims.sub.matches('^a')",
        "{'a': true}.a",
        "optional.of(true).orValue(false)",
        "isIP(claims.address)",
        "claims.n == claims.m",
        "type(claims.n) == double",
        "claims.at == null",
        "claims.groups.exists(i, g, g == 'a')",
        "claims.?a.optMap(a, a == 'x').orValue(false)",
        "[].exists(x, x == 1)",
        "bool(claims.a)",
    ];
    for text in accepted {
        let refusal = refusal(text, Scope::Claims, Expects::Bool);
        assert_eq!(refusal, None, "{text}");
    }
    let others = [
        "claims.admin",
        "claims['admin']",
        "claims.?email_verified.orValue(true)",
        "claims.n == 3 ? true : claims.b",
        "claims.groups",
        "'true'",
        "1",
        "null",
        "claims.?a",
        "optional.of(true)",
        "claims.groups.map(g, true)",
        "[claims.a][0]",
    ];
    for text in others {
        let refusal = refusal(text, Scope::Claims, Expects::Bool);
        assert_eq!(refusal, Some(CompileError::NotBool), "{text}");
        assert!(
            Expression::compile(text, Scope::Claims, Expects::Any).is_ok(),
            "{text}"
        );
    }
    assert_eq!(CompileError::NotBool.to_string(), "must evaluate to bool");
}

#[test]
fn what_an_expression_reads_is_found_anywhere() {
    let reading = [
        "claims.email",
        "claims.?email",
        "claims.?email.orValue('')",
        "has(claims.email)",
        "[claims.email]",
        "{'a': claims.email}",
        "{claims.email: 1}",
        "claims.groups.exists(g, g == claims.email)",
        "claims.groups.map(g, claims.?email)",
        "claims.?x.optMap(x, claims.email)",
        "claims.sub == '' ? claims.email : ''",
        "claims.email.contains('@')",
        "string(claims.email)",
        "claims[\"email\"]",
        "claims[?'email']",
    ];
    for text in reading {
        let expression = Expression::compile(text, Scope::Claims, Expects::Any).unwrap();
        assert!(expression.reads_claim("email"), "{text}");
        assert!(!expression.reads_claim("email_verified"), "{text}");
        assert_eq!(expression.text(), text);
    }
    for text in [
        "claims.email_",
        "claims.other.claims.email",
        "claims.other.email",
        "'claims.email'",
        "claims['e' + 'mail']",
    ] {
        let expression = Expression::compile(text, Scope::Claims, Expects::Any).unwrap();
        assert!(!expression.reads_claim("email"), "{text}");
    }
}

/// Pieces that make texts which get far into the parser and beyond it.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "claims",
        "user",
        ".",
        "?",
        "a",
        "sub",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "'x'",
        "\"",
        "1",
        "1.5",
        "2u",
        "b'x'",
        "null",
        "true",
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        "&&",
        "||",
        "==",
        "<",
        "in",
        " ",
        "has",
        "all",
        "exists",
        "map",
        "filter",
        "x",
        "optMap",
        "sortBy",
        "transformMap",
        "size",
        "matches",
        "split",
        "format",
        "optional",
        "none",
        "of",
        "orValue",
        "@result",
        "é",
        "\n",
        "//",
        "r'",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_compiling_or_evaluating_panic(text in prop_oneof![pieces(), ".{0,40}"]) {
        for scope in [Scope::Claims, Scope::User] {
            match Expression::compile(&text, scope, Expects::Any) {
                Err(CompileError::Invalid(problem)) => {
                    prop_assert!(problem.starts_with("ERROR: <input>:"), "{text}: {problem}");
                }
                Err(other) => prop_assert!(false, "{text}: {other}"),
                Ok(expression) => {
                    let claims = serde_json::Map::from_iter([("a".into(), 1.into()), ("sub".into(), "x".into())]);
                    let variables = match scope {
                        Scope::Claims => Variables::claims(&claims),
                        _ => Variables::user(&burgee_identity::UserInfo::named("x")),
                    };
                    let value = expression.evaluate(&variables);
                    // What is plainly a bool is one, if it has a value at all.
                    if let (Ok(rule), Ok(value)) = (Expression::compile(&text, scope, Expects::Bool), value) {
                        prop_assert!(matches!(value, Value::Bool(_)), "{rule:?}: {value:?}");
                    }
                }
            }
        }
    }
}
