//! What is no expression, and what is wrong with it.

use super::*;

#[test]
fn what_does_not_parse_is_named_by_its_word() {
    check(&[
        ("", "flaw: ends too soon, at the end of the expression"),
        ("1 +", "flaw: ends too soon, at the end of the expression"),
        (
            "response.code >",
            "flaw: ends too soon, at the end of the expression",
        ),
        ("response.code > > 1", "flaw: `>`: not expected here"),
        (
            "response.code = 1",
            "flaw: `=`: not a character of an expression",
        ),
        ("a & b", "flaw: `&`: not a character of an expression"),
        ("1 2", "flaw: `2`: not expected here"),
        (
            "(1",
            "flaw: `)` is expected here, at the end of the expression",
        ),
        ("[1 2]", "flaw: `2`: `,` is expected here"),
        ("f(1,)", "flaw: `)`: not expected here"),
        (
            "true ? 1",
            "flaw: `:` is expected here, at the end of the expression",
        ),
        ("'abc", "flaw: `'abc`: a text without its closing quote"),
        ("'a\nb'", "flaw: `'a\nb'`: a text without its closing quote"),
        (r"'\q'", r"flaw: `\q'`: no such escape"),
        (r"'\400'", r"flaw: `\400`: no such escape"),
        (r"'\ud800'", r"flaw: `\ud8`: no such escape"),
        (r"b'\u0041'", r"flaw: `\u00`: no such escape"),
        (
            "9223372036854775808",
            "flaw: `9223372036854775808`: not a number of 64 bits",
        ),
        (
            "-9223372036854775809",
            "flaw: `9223372036854775809`: not a number of 64 bits",
        ),
        (
            "18446744073709551616u",
            "flaw: `18446744073709551616u`: not a number of 64 bits",
        ),
        ("1e999", "flaw: `1e999`: not a number of 64 bits"),
        ("0x", "flaw: `0x`: not a number of 64 bits"),
        ("1a", "flaw: `1a`: not a number of 64 bits"),
        (
            "request.",
            "flaw: ends too soon, at the end of the expression",
        ),
        ("request.'a'", "flaw: `'a'`: a name is expected after a dot"),
        ("for", "flaw: `for`: a word that CEL keeps for itself"),
        ("in", "flaw: `in`: not expected here"),
        ("§", "flaw: `§`: not a character of an expression"),
    ]);
}

#[test]
fn cel_that_is_not_supported_is_named() {
    check(&[
        ("{'a': 1}", "flaw: `{`: maps and messages are not supported"),
        ("Some{a: 1}", "flaw: `{`: not expected here"),
        (
            ".a",
            "flaw: `.`: names with a leading dot are not supported",
        ),
        (
            "[1].all(x, x > 0)",
            "flaw: `all`: macros over lists and maps are not supported",
        ),
        (
            "request.headers.exists(h, h == 'a')",
            "flaw: `request.headers`: headers are asked for by name, as in request.headers['x-name']",
        ),
        ("type(1)", "flaw: `type`: no such function"),
        (
            "request.path.lowerAscii()",
            "flaw: `lowerAscii`: no such function",
        ),
        (
            "startsWith('a', 'b')",
            "flaw: `startsWith`: write it as a method of a text, with one argument: text.startsWith('..')",
        ),
        (
            "'a'.startsWith()",
            "flaw: `startsWith`: write it as a method of a text, with one argument: text.startsWith('..')",
        ),
        ("'a'.int()", "flaw: `int`: no such function"),
        (
            "getHours(request.time)",
            "flaw: `getHours`: no such function",
        ),
        (
            "request.time.getHours('Europe/Berlin')",
            "flaw: `getHours`: time zones and other arguments are not supported",
        ),
        ("size()", "flaw: `size`: this function has one argument"),
        ("size(1, 2)", "flaw: `size`: this function has one argument"),
        (
            "'a'.matches(request.path)",
            "flaw: `matches`: the regular expression must be a text in quotes",
        ),
        (
            "'a'.matches('(')",
            "flaw: `matches`: not a valid regular expression: unclosed group",
        ),
        (
            "'a'.matches('a++')",
            "flaw: `matches`: a repetition of a repetition, which RE2 does not have",
        ),
        (
            "has(1)",
            "flaw: `1`: `has` is asked of an attribute, as in has(response.code)",
        ),
        (
            "has(request)",
            "flaw: `request`: `has` is asked of an attribute, as in has(response.code)",
        ),
        (
            "has(request.headers['a'])",
            "flaw: `request`: `has` is asked of an attribute, as in has(response.code)",
        ),
        (
            "request.headers[request.path]",
            "flaw: `request`: headers are asked for by a name in quotes, as in request.headers['x-name']",
        ),
        (
            "request.headers['a b']",
            "flaw: `'a b'`: headers are asked for by a name in quotes, as in request.headers['x-name']",
        ),
        (
            "request.path in request.headers",
            "flaw: `request`: before `in` of headers stands the name of a header, in quotes",
        ),
        (
            "request.headers == 1",
            "flaw: `request.headers`: headers are asked for by name, as in request.headers['x-name']",
        ),
        ("(1).a", "flaw: `a`: values have no fields"),
    ]);
}
