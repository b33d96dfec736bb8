//! Every family of functions, by examples: most are those of the libraries' own documentation.

use burgee_cel::{Expects, Expression, Scope, Value, Variables};
use serde_json::Map;

fn value(text: &str) -> Result<Value, String> {
    let expression = Expression::compile(text, Scope::Claims, Expects::Any);
    let expression = expression.map_err(|error| error.to_string())?;
    let value = expression.evaluate(&Variables::claims(&Map::new()));
    value.map_err(|error| error.to_string())
}

#[track_caller]
fn hold(texts: &[&str]) {
    for text in texts {
        assert_eq!(value(text), Ok(Value::Bool(true)), "{text}");
    }
}

#[track_caller]
fn fail(cases: &[(&str, &str)]) {
    for (text, problem) in cases {
        let error = value(text).err().unwrap_or_default();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn strings() {
    hold(&[
        "'hello'.charAt(4) == 'o' && 'hello'.charAt(5) == ''",
        "'hello mellow'.indexOf('') == 0 && 'hello mellow'.indexOf('ello') == 1",
        "'hello mellow'.indexOf('jello') == -1 && 'hello mellow'.indexOf('ello', 2) == 7",
        "'hello mellow'.lastIndexOf('') == 12 && 'hello mellow'.lastIndexOf('ello') == 7",
        "'hello mellow'.lastIndexOf('ello', 6) == 1 && 'hello mellow'.lastIndexOf('ello', 7) == 7",
        "'aaa'.lastIndexOf('aa') == 1",
        "['hello', 'mellow'].join(' ') == 'hello mellow' && [].join() == ''",
        "'TacoCat'.lowerAscii() == 'tacocat' && 'TacoCÆt'.lowerAscii() == 'tacocÆt'",
        "'TacoCat'.upperAscii() == 'TACOCAT'",
        "'hello hello'.replace('he', 'we') == 'wello wello'",
        "'hello hello'.replace('he', 'we', 1) == 'wello hello'",
        "'hello hello'.replace('he', 'we', 0) == 'hello hello'",
        "'hello hello'.replace('', '_') == '_h_e_l_l_o_ _h_e_l_l_o_'",
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && ''.split(',') == ['']",
        "'a b c'.split(' ', 2) == ['a', 'b c'] && 'a b'.split(' ', 0) == []",
        "'a b'.split(' ', -1) == ['a', 'b'] && 'héj'.split('') == ['h', 'é', 'j']",
        "'abc'.split('', 2) == ['a', 'bc']",
        "'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco'",
        "'tacocat'.substring(7) == '' && 'ñandú'.substring(4) == 'ú'",
        "'  \\ttrim\\n    '.trim() == 'trim'",
        "strings.quote('two \"escape\" sequences\\n') == '\"two \\\\\"escape\\\\\" sequences\\\\n\"'",
        "'abc'.contains('b') && 'abc'.startsWith('ab') && 'abc'.endsWith('bc')",
        "size('ñ') == 1 && 'ñ'.size() == 1 && size(b'ñ') == 2",
        "'a' + 'b' == 'ab' && 'a' < 'b'",
        "bytes('a') == b'a' && string(b'a') == 'a' && b'a' + b'b' == b'ab'",
        "bool('true') && !bool('FALSE')",
    ]);
    fail(&[
        ("'tacocat'.substring(40)", "index out of range: 40"),
        ("'tacocat'.substring(-1)", "index out of range: -1"),
        ("'tacocat'.substring(2, 1)", "invalid substring range"),
        ("'tacocat'.charAt(30)", "index out of range: 30"),
        ("'tacocat'.indexOf('a', 30)", "index out of range: 30"),
        ("bool('yes')", "type conversion error"),
        ("int('1.5')", "type conversion error"),
        (r"string(b'\xff')", "invalid UTF-8"),
    ]);
}

#[test]
fn formatting() {
    hold(&[
        "'this is a string: %s\\nand an integer: %d'.format(['str', 42]) == 'this is a string: str\\nand an integer: 42'",
        "'%s'.format([[1, 2.5, 'a', null, true]]) == '[1, 2.5, a, null, true]'",
        "'%s'.format([{'b': 1, 'a': [2]}]) == '{a: [2], b: 1}'",
        "'%.3f %f'.format([1.23456, 2]) == '1.235 2.000000'",
        "'%e %.1e'.format([1234.5, 0.015]) == '1.234500e+03 1.5e-02'",
        "'%b %b %o %x %X'.format([5, true, 8, 255, 'az']) == '101 1 10 ff 617A'",
        "'%x'.format([-255]) == '-ff' && '%%'.format([]) == '%'",
        "'%s %s'.format([duration('1h30m'), timestamp('2023-02-03T23:31:20Z')]) == '5400s 2023-02-03T23:31:20Z'",
        "'%s'.format([type(1)]) == 'int'",
    ]);
    fail(&[
        ("'%s %s'.format(['a'])", "index 1 out of range"),
        ("'%d'.format(['a'])", "%d clause does not take string"),
        ("'%q'.format(['a'])", "unrecognized formatting clause"),
        ("'%'.format([])", "unexpected end of format string"),
        ("'%.1000f'.format([1.0])", "precision"),
    ]);
}

#[test]
fn lists() {
    hold(&[
        "[1, 2, 3].isSorted() && ![2.0, 1.0].isSorted() && [].isSorted()",
        "[1, 3].sum() == 4 && [1.5, 3.0].sum() == 4.5 && [duration('1m'), duration('1s')].sum() == duration('1m1s')",
        "[1, 3].min() == 1 && [1, 3].max() == 3 && ['b', 'a'].min() == 'a'",
        "[1, 2, 2, 3].indexOf(2) == 1 && ['a', 'b', 'b'].lastIndexOf('b') == 2 && [1.0].indexOf(1.1) == -1",
        "[1, 2, 3].includes(2) && !'model-a'.includes('model-b') && 'a'.includes('a')",
        "[1, 2, 2, 3, 3.0 == 3.0 ? 3 : 4].distinct() == [1, 2, 3]",
        "[[1, 2], [3, [4][0]]].flatten() == [1, 2, 3, 4]",
        "dyn([dyn([1]), dyn([[2]]), dyn([[[3]]])]).flatten(2) == dyn([dyn(1), dyn(2), dyn([3])])",
        "lists.range(3) == [0, 1, 2] && lists.range(0) == []",
        "[1, 2, 3].reverse() == [3, 2, 1]",
        "[1, 2, 3, 4].slice(1, 3) == [2, 3] && [1].slice(1, 1) == []",
        "[3, 1, 2].sort() == [1, 2, 3] && ['b', 'a'].sort() == ['a', 'b']",
        "[double('NaN'), 2.0, double('NaN'), 1.0].sort().slice(0, 2) == [1.0, 2.0]",
        "lists.range(500).map(i, i % 3 == 0 ? double('NaN') : double(500 - i)).sort().slice(0, 333).isSorted()",
        "lists.range(500).sortBy(i, i % 3 == 0 ? double('NaN') : -double(i)).slice(333, 500).all(i, i % 3 == 0)",
        "[{'n': 2}, {'n': 1}].sortBy(e, e.n) == [{'n': 1}, {'n': 2}]",
        "[1, 2].first().value() == 1 && [1, 2].last() == optional.of(2) && ![].first().hasValue()",
        "[1] + [2] == [1, 2] && 1 in [1, 2] && size([1]) == 1 && {'a': 1}.size() == 1",
        "[1, 2, 3].map(x, x * 2) == [2, 4, 6] && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
        "[1, 2, 3].filter(x, x > 1) == [2, 3] && [1, 2].exists_one(x, x > 1)",
        "{'a': 1, 'b': 2}.all(k, k in ['a', 'b']) && {'a': 1}.map(k, k) == ['a']",
    ]);
    fail(&[
        ("[].min()", "min called on empty list"),
        ("[1].slice(0, 2)", "cannot slice(0, 2), list is length 1"),
        ("[1].slice(-1, 1)", "negative indexes not supported"),
        (
            "[dyn(1), dyn('a')].sort()",
            "list elements must have the same type",
        ),
        ("[dyn([2]), dyn([1])].sort()", "no such overload"),
        ("[[1]].flatten(-1)", "level must be non-negative"),
        ("[dyn('a')].sum()", "no such overload"),
    ]);
}

#[test]
fn sets() {
    hold(&[
        "sets.contains([1, 2, 3], [2]) && sets.contains([], []) && !sets.contains([1], [2])",
        "sets.contains([dyn(1), dyn('a')], [dyn(1.0), dyn(1u)])",
        "sets.equivalent([1, 1], [1]) && !sets.equivalent([1, 2], [1])",
        "sets.intersects([1], [1, 2]) && !sets.intersects([1], []) && !sets.intersects([1], [2])",
    ]);
}

#[test]
fn loops_with_two_variables() {
    hold(&[
        "['a', 'b'].all(i, v, i < 2 && v != 'c') && {'x': 1}.exists(k, v, k == 'x' && v == 1)",
        "[1, 2].existsOne(i, v, v == 2) && [1, 2].exists_one(i, v, i == v - 1) == false",
        "['a', 'b'].transformList(i, v, string(i) + v) == ['0a', '1b']",
        "['a', 'b'].transformList(i, v, i > 0, v) == ['b']",
        "{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}",
        "['a', 'b'].transformMap(i, v, v) == {0: 'a', 1: 'b'}",
        "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v) == {'b': 2}",
        "{'a': 1}.transformMapEntry(k, v, {v: k}) == {1: 'a'}",
        "{'a': [1, 2]}.all(k, v, v.all(i, w, w == i + 1))",
    ]);
    fail(&[
        (
            "{'a': 1, 'b': 1}.transformMapEntry(k, v, {v: k})",
            "insert failed: key 1 already exists",
        ),
        ("[1].all(i, i, true)", "duplicate variable name: i"),
        ("[1].all(i, 1, true)", "argument must be a simple name"),
    ]);
}

#[test]
fn regular_expressions() {
    hold(&[
        "'foobar'.matches('foo.*') && matches('foobar', '^foo') && !'x'.matches('^y$')",
        "'abc 123'.find('[0-9]+') == '123' && 'abc 123'.find('xyz') == ''",
        "'123 abc 456'.findAll('[0-9]+') == ['123', '456']",
        "'123 abc 456'.findAll('[0-9]+', 1) == ['123'] && '123 abc'.findAll('xyz') == []",
        "'a1'.matches('^' + '[a-z]' + '\\\\d$')",
    ]);
    fail(&[
        ("'a'.matches('(' + '')", "error parsing regexp"),
        ("'a'.matches('(')", "invalid matches argument"),
        ("'a'.find('(')", "invalid find argument"),
    ]);
}

#[test]
fn urls() {
    hold(&[
        "isURL('https://user:pass@example.com:80/path?query=val#fragment') && isURL('/absolute-path')",
        "!isURL('https://a:b:c/') && !isURL('../relative-path') && !isURL('')",
        "url('/path').getScheme() == '' && url('https://example.com/').getScheme() == 'https'",
        "url('https://example.com:80/').getHost() == 'example.com:80' && url('/path').getHost() == ''",
        "url('https://[::1]:80/').getHost() == '[::1]:80' && url('https://[::1]:80/').getHostname() == '::1'",
        "url('https://example.com:80/').getHostname() == 'example.com'",
        "url('https://example.com:80/').getPort() == '80' && url('https://[::1]/').getPort() == ''",
        "url('https://example.com/path').getEscapedPath() == '/path' && url('https://example.com').getEscapedPath() == ''",
        "url('https://example.com/path with spaces/').getEscapedPath() == '/path%20with%20spaces/'",
        "url('https://example.com/path?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}",
        "url('https://example.com/path?key%20x=a+b').getQuery() == {'key x': ['a b']}",
        "url('https://example.com/path?').getQuery() == {}",
        "url('https://example.com/') == url('https://example.com/')",
        "url('https://example.com/#f').getEscapedPath() == '/'",
    ]);
    fail(&[(
        "url('../x')",
        "URL parse error during conversion from string: parse \"../x\": invalid URI for request",
    )]);
}

#[test]
fn addresses_and_networks() {
    hold(&[
        "isIP('127.0.0.1') && isIP('::1') && !isIP('127.0.0.256') && !isIP(':::1')",
        "!isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0') && !isIP('127.0.0.01')",
        "ip('127.0.0.1').family() == 4 && ip('::1').family() == 6",
        "ip.isCanonical('127.0.0.1') && !ip.isCanonical('2001:DB8::1')",
        "ip('0.0.0.0').isUnspecified() && ip('127.0.0.1').isLoopback()",
        "ip('224.0.0.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()",
        "ip('169.254.169.254').isLinkLocalUnicast() && ip('fe80::1').isLinkLocalUnicast()",
        "ip('10.0.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast() && !ip('ff00::1').isGlobalUnicast()",
        "string(ip('2001:db8::0')) == '2001:db8::' && ip('::1') == ip('0:0:0:0:0:0:0:1')",
        "isCIDR('192.168.0.0/16') && !isCIDR('192.168.0.0/33') && !isCIDR('192.168.0.0') && !isCIDR('::ffff:1.2.3.4/120')",
        "cidr('192.168.0.0/24').containsIP('192.168.0.1') && !cidr('192.168.0.0/24').containsIP(ip('192.168.1.1'))",
        "cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24') && !cidr('192.168.1.0/24').containsCIDR(cidr('192.168.0.0/16'))",
        "cidr('192.168.1.5/24').ip() == ip('192.168.1.5') && cidr('192.168.1.5/24').masked() == cidr('192.168.1.0/24')",
        "cidr('::1/128').prefixLength() == 128 && string(cidr('10.0.0.0/8')) == '10.0.0.0/8'",
        "cidr('0.0.0.0/0').containsIP('1.2.3.4') && cidr('::/0').containsIP('::1') && !cidr('0.0.0.0/0').containsIP('::1')",
    ]);
    fail(&[
        ("ip('1.2.3')", "parse error"),
        ("ip('fe80::1%eth0')", "zone value is not allowed"),
        ("cidr('10.0.0.0/08')", "network address parse error"),
    ]);
}

#[test]
fn quantities() {
    hold(&[
        "isQuantity('1.3G') && isQuantity('1.3Gi') && isQuantity('10000k') && isQuantity('1e3') && isQuantity('-.5')",
        "!isQuantity('1,3G') && !isQuantity('200K') && !isQuantity('Three') && !isQuantity('Mi') && !isQuantity('') && !isQuantity('1.2.3')",
        "quantity('50000000G').isInteger() && quantity('50k').asInteger() == 50000",
        "!quantity('9999999999999999999999999999999999999G').isInteger() && !quantity('1m').isInteger()",
        "quantity('50k').sub(20000).asApproximateFloat() == 30000.0",
        "quantity('50k').add(quantity('20k')) == quantity('70k') && quantity('50k').add(20) == quantity('50020')",
        "quantity('50k').add(20).sub(quantity('100k')).sub(-50000) == quantity('20')",
        "quantity('200M').compareTo(quantity('0.2G')) == 0 && quantity('50M').compareTo(quantity('50Mi')) == -1",
        "quantity('150Mi').isGreaterThan(quantity('100Mi')) && quantity('50M').isLessThan(quantity('100M'))",
        "sign(quantity('-1')) == -1 && sign(quantity('0')) == 0 && quantity('0.1n') == quantity('1n')",
        "quantity('1Ki').asInteger() == 1024 && quantity('1.5Ki').asInteger() == 1536",
    ]);
    fail(&[
        (
            "quantity('Mi')",
            "quantities must match the regular expression",
        ),
        (
            "quantity('1m').asInteger()",
            "cannot convert value to integer",
        ),
    ]);
}

#[test]
fn versions() {
    hold(&[
        "isSemver('1.0.0') && isSemver('1.0.0-alpha.1+build') && !isSemver('v1.0') && !isSemver('01.0.0') && !isSemver('1.0')",
        "isSemver('v1.0', true) && isSemver('01.01.01', true) && !isSemver('v1.0-x', true)",
        "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
        "semver('v1.2', true) == semver('1.2.0')",
        "semver('1.2.3').compareTo(semver('1.2.3')) == 0 && semver('1.2.3').compareTo(semver('2.0.0')) == -1",
        "semver('1.2.3-rc.2').isLessThan(semver('1.2.3-rc.10')) && semver('1.2.3').isGreaterThan(semver('1.2.3-rc.1'))",
        "semver('1.0.0-1').isLessThan(semver('1.0.0-a')) && semver('1.0.0-a').isLessThan(semver('1.0.0-a.b'))",
    ]);
    fail(&[("semver('1')", "invalid semantic version")]);
}

#[test]
fn named_formats() {
    hold(&[
        "!format.dns1123Label().validate('my-label').hasValue() && format.dns1123Label().validate('My').hasValue()",
        "format.named('dns1123Label').value().validate('x-').value().size() == 1",
        "format.named('nothing') == optional.none()",
        "!format.dns1123Subdomain().validate('a.b').hasValue() && format.dns1123Subdomain().validate('a..b').hasValue()",
        "format.dns1035Label().validate('1a').hasValue() && !format.dns1035Label().validate('a1').hasValue()",
        "!format.dns1123LabelPrefix().validate('a-').hasValue() && !format.dns1035LabelPrefix().validate('a-').hasValue()",
        "!format.dns1123SubdomainPrefix().validate('a.b-').hasValue()",
        "!format.labelValue().validate('').hasValue() && !format.qualifiedName().validate('example.com/x').hasValue()",
        "!format.uri().validate('https://x').hasValue() && format.uri().validate('x').hasValue()",
        "!format.uuid().validate('ea28ed49-2e11-4280-9ec5-bc3d1d84661a').hasValue() && format.uuid().validate('x').hasValue()",
        "!format.byte().validate('aGk=').hasValue() && format.byte().validate('a').hasValue()",
        "!format.date().validate('2021-01-01').hasValue() && format.date().validate('2021-13-01').hasValue()",
        "!format.datetime().validate('2021-01-01T00:00:00Z').hasValue() && format.datetime().validate('2021-01-01').hasValue()",
    ]);
}

#[test]
fn times() {
    hold(&[
        "timestamp('2009-02-13T23:31:30Z').getFullYear() == 2009 && timestamp(1234567890) == timestamp('2009-02-13T23:31:30Z')",
        "timestamp('2009-02-13T23:31:30.5Z').getMonth() == 1 && timestamp('2009-02-13T23:31:30.5Z').getMilliseconds() == 500",
        "timestamp(1234567890).getDate() == 13 && timestamp(1234567890).getDayOfMonth() == 12 && timestamp(1234567890).getDayOfYear() == 43",
        "timestamp(1234567890).getDayOfWeek() == 5 && timestamp(1234567890).getHours() == 23",
        "timestamp(1234567890).getHours('+02:00') == 1 && timestamp(1234567890).getHours('-08:00') == 15 && timestamp(0).getHours('UTC') == 0",
        "timestamp(0) + duration('1h') == timestamp(3600) && timestamp(3600) - timestamp(0) == duration('60m')",
        "timestamp(3600) - duration('1h') == timestamp(0) && timestamp(0) < timestamp(1)",
        "int(timestamp(7)) == 7 && string(timestamp(0)) == '1970-01-01T00:00:00Z' && string(duration('1.5s')) == '1.5s'",
        "duration('1h30m').getMinutes() == 90 && duration('1h').getSeconds() == 3600 && duration('-1.5s').getMilliseconds() == -1500",
        "duration('100ms') + duration('1us') > duration('100ms') && duration('0') == duration('0s')",
        "timestamp('2009-02-13T23:31:30+02:00') == timestamp('2009-02-13T21:31:30Z')",
    ]);
    fail(&[
        ("timestamp('2009-02-13')", "invalid timestamp argument"),
        ("duration('1x')", "invalid duration argument"),
        ("duration('1' + 'x')", "invalid duration"),
        ("timestamp('x' + '')", "parsing time"),
        ("timestamp(253402300800)", "timestamp overflow"),
        (
            "timestamp(253402300799) + duration('1s')",
            "timestamp overflow",
        ),
        (
            "timestamp(0).getHours('Mars/Crater')",
            "unknown time zone Mars/Crater",
        ),
        ("duration('9999999h')", "invalid duration argument"),
    ]);
}
