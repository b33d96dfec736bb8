//! What expressions evaluate to, by families of functions.

use burgee_cel::{EvaluationError, Expects, Expression, Scope, Value, Variables};
use burgee_identity::UserInfo;
use serde_json::{Map, Value as Json, json};

fn claims() -> Map<String, Json> {
    let claims = json!({
        "sub": "jane",
        "email": "jane@example.com",
        "email_verified": true,
        "n": 3,
        "half": 0.5,
        "big": 9_007_199_254_740_993_i64,
        "nothing": null,
        "roles": "user,admin",
        "groups": ["dev", "ops", "", "dev"],
        "mixed": ["a", 1],
        "a.b/c": "dotted",
        "x-y": {"d-e": {"namespace": 1}, "in": ["z"]},
        "a__b": "underscored",
        "https://example.com/roles": ["r"],
        "address": {"country": "nz", "ip": "10.1.2.3"},
        "version": "v1.2.3",
    });
    match claims {
        Json::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn value(text: &str) -> Result<Value, String> {
    let expression = Expression::compile(text, Scope::Claims, Expects::Any);
    let expression = expression.map_err(|error| error.to_string())?;
    let value = expression.evaluate(&Variables::claims(&claims()));
    value.map_err(|error| error.to_string())
}

fn holds(texts: &[&str]) {
    for text in texts {
        assert_eq!(value(text), Ok(Value::Bool(true)), "{text}");
    }
}

fn fails(cases: &[(&str, &str)]) {
    for (text, problem) in cases {
        assert_eq!(value(text), Err((*problem).to_owned()), "{text}");
    }
}

#[test]
fn claims_are_selected_and_missing_ones_are_errors() {
    holds(&[
        "claims.sub == 'jane'",
        "has(claims.sub) && !has(claims.hd)",
        "!has(claims.sub.x)",
        "claims.?hd.orValue('none') == 'none'",
        "claims.?sub.orValue('none') == 'jane'",
        "claims.?address.country == optional.of('nz')",
        "!claims.?address.city.hasValue()",
        "claims[?'sub'].value() == 'jane'",
        "'sub' in claims && !('hd' in claims)",
        "claims.groups[1] == 'ops'",
        "claims.groups[?9].orValue('x') == 'x'",
        "claims.nothing == null",
        "claims.?hd.optMap(h, h + '!').orValue('none') == 'none'",
        "claims.?sub.optMap(s, s + '!').value() == 'jane!'",
        "claims.?address.optFlatMap(a, a.?country).value() == 'nz'",
        "{'a': 1, 'a': 2} == {'a': 2} && {'a': 1, ?'a': optional.none()} == {}",
        "[?claims.?hd, ?claims.?sub] == ['jane']",
        "{?'a': claims.?hd, ?'b': claims.?sub} == {'b': 'jane'}",
        "claims.?hd.or(claims.?sub).value() == 'jane'",
        "claims.?sub.orValue(claims.hd) == 'jane'",
        "optional.ofNonZeroValue('').hasValue() == false",
        "optional.unwrap([optional.of(1), optional.none()]) == [1]",
        "type(claims.sub) == string && type(claims.n) == double",
        "type(timestamp(0)) == google.protobuf.Timestamp",
    ]);
    fails(&[
        ("claims.hd", "no such key: hd"),
        ("claims.address.city", "no such key: city"),
        ("claims.sub.x", "no such key: x"),
        ("has(claims.hd.x)", "no such key: hd"),
        ("claims.groups[9]", "index out of bounds: 9"),
        ("claims.groups[-1]", "index out of bounds: -1"),
        ("optional.none().value()", "optional.none() dereference"),
    ]);
}

#[test]
fn values_come_out_as_authentication_uses_them() {
    let strings = |values: &[&str]| Value::Strings(values.iter().map(|it| (*it).into()).collect());
    let cases = [
        ("claims.sub", Value::String("jane".into())),
        ("claims.roles.split(',')", strings(&["user", "admin"])),
        ("claims.groups", strings(&["dev", "ops", "", "dev"])),
        ("[]", strings(&[])),
        ("claims.mixed", Value::Other("list")),
        ("claims.n", Value::Other("double")),
        ("claims.address", Value::Other("map")),
        ("claims.nothing", Value::Null),
        ("optional.none()", Value::Other("optional_type")),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn an_ordinary_configuration_maps_an_ordinary_token() {
    let claims = json!({
        "iss": "https://issuer.example.test",
        "aud": ["kubernetes", "other"],
        "sub": "auth",
        "exp": 4_102_444_800_i64,
        "username": "foo",
        "roles": "user,admin",
        "tenant": "72f988bf",
    });
    let variables = Variables::claims(claims.as_object().unwrap());
    let strings = |values: &[&str]| Value::Strings(values.iter().map(|it| (*it).into()).collect());
    let cases = [
        (r#"claims.tenant == "72f988bf""#, Ok(Value::Bool(true))),
        (r#"claims.tenant == "x""#, Ok(Value::Bool(false))),
        (
            r#"claims.username + ":external-user""#,
            Ok(Value::String("foo:external-user".into())),
        ),
        (
            r#"claims.roles.split(",")"#,
            Ok(strings(&["user", "admin"])),
        ),
        ("claims.tenant", Ok(Value::String("72f988bf".into()))),
        (
            "claims.groups",
            Err(EvaluationError::NoSuchKey("groups".into())),
        ),
        // Rules compare times by hand, since numbers of claims are doubles.
        (
            "timestamp(int(claims.exp)) > timestamp(0)",
            Ok(Value::Bool(true)),
        ),
    ];
    for (text, expected) in cases {
        let expression = Expression::compile(text, Scope::Claims, Expects::Any).unwrap();
        assert_eq!(expression.evaluate(&variables), expected, "{text}");
    }
}

#[test]
fn users_have_their_four_fields() {
    let user = UserInfo {
        name: "jane".to_owned(),
        groups: vec!["dev".to_owned()],
        extra: [("example.com/tenant".to_owned(), vec!["t".to_owned()])].into(),
        ..UserInfo::default()
    };
    for text in [
        "user.username == 'jane' && user.uid == ''",
        "!user.username.startsWith('system:')",
        "user.groups.all(g, !g.startsWith('system:'))",
        "user.extra['example.com/tenant'][0] == 't'",
        "user.extra.example__dot__com__slash__tenant == ['t']",
        "user.extra.exists(key, key.endsWith('tenant'))",
    ] {
        let rule = Expression::compile(text, Scope::User, Expects::Bool).unwrap();
        let value = rule.evaluate(&Variables::user(&user));
        assert_eq!(value, Ok(Value::Bool(true)), "{text}");
    }
}

#[test]
fn numbers_of_claims_are_doubles_that_compare_with_integers() {
    holds(&[
        "claims.n == 3",
        "claims.n == 3u",
        "3 == claims.n",
        "claims.n < 4 && claims.n > 2u",
        "claims.half < 1",
        "claims.n != 4",
        "claims.n in [1, 2, 3]",
        "int(claims.n) % 2 == 1",
        "double(3) == claims.n",
        "claims.n * 2.0 == 6.0",
        // Rounded as Go's decoder rounds it.
        "claims.big == 9007199254740992",
        "claims.big != 9007199254740993",
        "{3: 'a'}[claims.n] == 'a'",
        "string(claims.n) == '3'",
        "7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1",
        "1u + 2u == 3u",
        "int('12') == 12 && uint(3) == 3u && double('1.5') == 1.5",
        "int(1.9) == 1 && int(-1.9) == -1",
        "string(1e21) == '1e+21' && string(0.00001) == '1e-05'",
    ]);
    fails(&[
        ("claims.n % 2", "no such overload"),
        ("claims.n + 1", "no such overload"),
        ("claims.sub + 1", "no such overload"),
        ("timestamp(claims.n)", "no such overload"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("-(-9223372036854775807 - 1)", "integer overflow"),
        ("(-9223372036854775807 - 1) / -1", "integer overflow"),
        ("(-9223372036854775807 - 1) % -1", "integer overflow"),
        ("0u - 1u", "unsigned integer overflow"),
        ("int(1e30)", "integer overflow"),
        ("uint(-1)", "unsigned integer overflow"),
    ]);
}

#[test]
fn names_in_selectors_are_unescaped_at_every_level() {
    holds(&[
        "claims.a__dot__b__slash__c == 'dotted'",
        "claims['a.b/c'] == 'dotted'",
        "claims.x__dash__y.d__dash__e.__namespace__ == 1",
        "claims.x__dash__y.__in__[0] == 'z'",
        "has(claims.x__dash__y)",
        "claims.?x__dash__y.hasValue()",
        "claims.a__underscores__b == 'underscored'",
        "claims['https://example.com/roles'][0] == 'r'",
        "{'a__dot__b': 1}.a__dot__b == 1",
    ]);
    fails(&[("claims.a__other__b", "no such key: a__other__b")]);
}

#[test]
fn errors_are_absorbed_by_the_side_that_decides() {
    holds(&[
        "true || claims.hd",
        "claims.hd == 1 || true",
        "!(false && claims.hd)",
        "!(claims.hd == 1 && false)",
        "claims.groups.exists(g, g == 'ops' || claims.hd)",
        "claims.mixed.exists(m, m.startsWith('b') || m == 1)",
        "!claims.mixed.all(m, m.startsWith('x'))",
        "claims.sub == 'jane' ? true : claims.hd",
    ]);
    fails(&[
        ("false || claims.hd", "no such key: hd"),
        ("claims.groups.all(g, claims.hd == g)", "no such key: hd"),
        ("claims.sub && true", "no such overload"),
    ]);
}
