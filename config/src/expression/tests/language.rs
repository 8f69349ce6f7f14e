//! The language, by the rules of CEL's specification (github.com/google/cel-spec, doc/langdef.md).

use super::*;

#[test]
fn literals() {
    check(&[
        ("null", "null"),
        ("true", "true"),
        ("0", "0"),
        ("0x1F", "31"),
        ("-0x1f", "-31"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615u", "18446744073709551615u"),
        ("0xFFU", "255u"),
        ("1.5", "1.5"),
        (".25", "0.25"),
        ("2e3", "2000.0"),
        ("-1.5e-1", "-0.15"),
        ("'a'", "\"a\""),
        ("\"a'b\"", "\"a'b\""),
        ("'''a'b\nc'''", "\"a'b\\nc\""),
        (r#""""a"b""""#, r#""a\"b""#),
        (r"'\n\t\\\'\x41\u00e4\U0001F600\101'", r#""\n\t\\'Aä😀A""#),
        (r"r'\n'", r#""\\n""#),
        (r"R'\''", r#""\\'""#),
        (r"b'a\xff\377'", "b[97, 255, 255]"),
        ("b'ä'", "b[195, 164]"),
        (r"rb'\x'", "b[92, 120]"),
        ("[1, 'a', [2u]]", "[1, \"a\", [2u]]"),
        ("[1,]", "[1]"),
        ("[]", "[]"),
        ("1 // one\n + 1", "2"),
    ]);
}

#[test]
fn precedence_and_association() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 4 - 3", "3"),
        ("100 / 10 / 5", "2"),
        ("7 % 4 + 1", "4"),
        ("-2 + 3", "1"),
        ("- (2 + 3)", "-5"),
        ("2 - -2", "4"),
        ("!true || true", "true"),
        ("true || false && false", "true"),
        ("1 + 1 == 2 && 2 < 3", "true"),
        ("true ? 1 : false ? 2 : 3", "1"),
        ("false ? 1 : false ? 2 : 3", "3"),
        ("1 < 2 == true", "true"),
        ("2 in [1, 2] == true", "true"),
    ]);
}

#[test]
fn logic_decides_in_spite_of_errors() {
    let error = "1 / 0 == 1";
    for (text, expected) in [
        ("true || E", "true"),
        ("E || true", "true"),
        ("false && E", "false"),
        ("E && false", "false"),
        ("E || false", "error: division by zero"),
        ("false || E", "error: division by zero"),
        ("true && E", "error: division by zero"),
        ("E && true", "error: division by zero"),
        ("E || E || true", "true"),
        ("E && true && false", "false"),
        ("!(E)", "error: division by zero"),
        ("false && 1", "false"),
        ("1 && false", "false"),
        ("1 && true", "error: no such overload"),
        ("'a' || true", "true"),
        ("'a' || false", "error: no such overload"),
        ("!1", "error: no such overload"),
        ("true ? 1 : 1 / 0", "1"),
        ("false ? 1 / 0 : 2", "2"),
        ("1 ? 2 : 3", "error: no such overload"),
        ("E ? 2 : 3", "error: division by zero"),
    ] {
        assert_eq!(value(&text.replace('E', error)), expected, "{text}");
    }
}

#[test]
fn comparison() {
    check(&[
        ("1 == 1u", "true"),
        ("1 == 1.0", "true"),
        ("1u == 1.5", "false"),
        ("9007199254740993 == 9007199254740992.0", "false"),
        ("9223372036854775807 < 9223372036854775808u", "true"),
        ("-1 < 0u", "true"),
        ("18446744073709551615u < 1e300", "true"),
        ("-1e300 < -9223372036854775808", "true"),
        ("1 < 1.5", "true"),
        ("-1 > -1.5", "true"),
        ("1.5 >= 1u", "true"),
        ("0.0 / 0.0 == 0.0 / 0.0", "false"),
        ("0.0 / 0.0 != 0.0 / 0.0", "true"),
        ("0.0 / 0.0 < 1.0", "false"),
        ("1 > 0.0 / 0.0", "false"),
        ("0.0 == -0.0", "true"),
        ("1 == '1'", "false"),
        ("1 != '1'", "true"),
        ("null == null", "true"),
        ("null == 0", "false"),
        ("null == false", "false"),
        ("1 < '1'", "error: no such overload"),
        ("null < null", "error: no such overload"),
        ("[1] < [2]", "error: no such overload"),
        ("false < true", "true"),
        ("'a' < 'b'", "true"),
        ("'a' < 'ab'", "true"),
        ("'Z' < 'a'", "true"),
        ("'ä' > 'z'", "true"),
        ("b'a' <= b'a'", "true"),
        ("'a' == b'a'", "false"),
        ("[1, 2] == [1u, 2.0]", "true"),
        ("[1, 2] == [2, 1]", "false"),
        ("[1] == [1, 2]", "false"),
        ("[[1]] == [[1]]", "true"),
    ]);
}

#[test]
fn arithmetic_overflows_are_errors() {
    check(&[
        ("9223372036854775807 + 1", "error: overflow"),
        ("-9223372036854775808 - 1", "error: overflow"),
        ("9223372036854775807 * 2", "error: overflow"),
        ("-9223372036854775808 / -1", "error: overflow"),
        ("-9223372036854775808 % -1", "error: overflow"),
        ("-(-9223372036854775808)", "error: overflow"),
        ("0u - 1u", "error: overflow"),
        ("18446744073709551615u + 1u", "error: overflow"),
        ("1 / 0", "error: division by zero"),
        ("1 % 0", "error: division by zero"),
        ("1u / 0u", "error: division by zero"),
        ("1u % 0u", "error: division by zero"),
        ("1.0 / 0.0", "inf"),
        ("-7 / 2", "-3"),
        ("-7 % 2", "-1"),
        ("1.5 + 1.5", "3.0"),
        ("5.0 % 2.0", "error: no such overload"),
        ("1 + 1u", "error: no such overload"),
        ("1 + 1.0", "error: no such overload"),
        ("1 + 'a'", "error: no such overload"),
        ("-1u", "error: no such overload"),
        ("-'a'", "error: no such overload"),
        ("true + true", "error: no such overload"),
        ("'a' - 'a'", "error: no such overload"),
        ("'a' + 'b' + 'c'", "\"abc\""),
        ("b'a' + b'b'", "b[97, 98]"),
        ("[1] + ['a']", "[1, \"a\"]"),
    ]);
}

#[test]
fn lists() {
    check(&[
        ("2 in [1, 2]", "true"),
        ("2u in [1, 2]", "true"),
        ("3 in [1, 2]", "false"),
        ("'a' in ['b', 'a']", "true"),
        ("1 in []", "false"),
        ("1 in [1, 1 / 0]", "error: division by zero"),
        ("1 in 1", "error: no such overload"),
        ("1 in ([1] + [2])", "true"),
        ("[1] in [[1]]", "true"),
        ("[10, 20][1]", "20"),
        ("[10, 20][1u]", "20"),
        ("[10, 20][1.0]", "20"),
        ("[10][1]", "error: invalid value"),
        ("[10][-1]", "error: invalid value"),
        ("[10][0.5]", "error: no such overload"),
        ("[10]['a']", "error: no such overload"),
        ("1[0]", "error: no such overload"),
        ("size([1, 2])", "2"),
        ("[1, 2].size()", "2"),
    ]);
}

#[test]
fn functions_of_texts() {
    check(&[
        ("size('äb')", "2"),
        ("'äb'.size()", "2"),
        ("size(b'ä')", "2"),
        ("size(1)", "error: no such overload"),
        ("'abc'.startsWith('ab')", "true"),
        ("'abc'.startsWith('b')", "false"),
        ("'abc'.endsWith('bc')", "true"),
        ("'abc'.contains('')", "true"),
        ("'abc'.contains('d')", "false"),
        ("'abc'.contains(1)", "error: no such overload"),
        ("'abc'.matches('^a.c$')", "true"),
        ("'xabcx'.matches('abc')", "true"),
        ("matches('abc', '[d-f]')", "false"),
        ("(1).matches('a')", "error: no such overload"),
        ("string(request.size).matches('^1')", "true"),
    ]);
}

#[test]
fn conversions() {
    check(&[
        ("int('12')", "12"),
        ("int('-12')", "-12"),
        ("int('1.5')", "error: invalid value"),
        ("int('')", "error: invalid value"),
        ("int(12u)", "12"),
        ("int(18446744073709551615u)", "error: overflow"),
        ("int(-1.9)", "-1"),
        ("int(1e19)", "error: overflow"),
        ("int(0.0 / 0.0)", "error: overflow"),
        ("int(true)", "error: no such overload"),
        ("uint(12)", "12u"),
        ("uint(-1)", "error: overflow"),
        ("uint(1.9)", "1u"),
        ("uint(-1.0)", "error: overflow"),
        ("uint('12')", "12u"),
        ("double(1)", "1.0"),
        ("double('1.5')", "1.5"),
        ("double('x')", "error: invalid value"),
        ("string(1)", "\"1\""),
        ("string(1u)", "\"1\""),
        ("string(1.0)", "\"1\""),
        ("string(-0.0045)", "\"-0.0045\""),
        ("string(6.5e23)", "\"6.5e23\""),
        ("string(true)", "\"true\""),
        ("string(b'ab')", "\"ab\""),
        (r"string(b'\xff')", "error: invalid value"),
        ("string(null)", "error: no such overload"),
        ("string('a')", "\"a\""),
        ("bytes('ä')", "b[195, 164]"),
        ("bool('true')", "true"),
        ("bool('yes')", "error: invalid value"),
        ("dyn(1) == 1", "true"),
    ]);
}
