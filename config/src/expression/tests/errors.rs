//! What is no expression, and what is wrong with it.

use super::*;

#[test]
fn errors_name_the_token() {
    check(&[
        (
            "",
            "parse error: ends too soon, at the end of the expression",
        ),
        (
            "1 +",
            "parse error: ends too soon, at the end of the expression",
        ),
        (
            "response.code >",
            "parse error: ends too soon, at the end of the expression",
        ),
        ("response.code > > 1", "parse error: `>`: not expected here"),
        (
            "response.code = 1",
            "parse error: `=`: not a character of an expression",
        ),
        (
            "a & b",
            "parse error: `&`: not a character of an expression",
        ),
        ("1 2", "parse error: `2`: not expected here"),
        (
            "(1",
            "parse error: `)` is expected here, at the end of the expression",
        ),
        ("[1 2]", "parse error: `2`: `,` is expected here"),
        ("f(1,)", "parse error: `)`: not expected here"),
        (
            "true ? 1",
            "parse error: `:` is expected here, at the end of the expression",
        ),
        (
            "'abc",
            "parse error: `'abc`: a text without its closing quote",
        ),
        (
            "'a\nb'",
            "parse error: `'a\nb'`: a text without its closing quote",
        ),
        (r"'\q'", r"parse error: `\q'`: no such escape"),
        (r"'\400'", r"parse error: `\400`: no such escape"),
        (r"'\ud800'", r"parse error: `\ud8`: no such escape"),
        (r"b'\u0041'", r"parse error: `\u00`: no such escape"),
        (
            "9223372036854775808",
            "parse error: `9223372036854775808`: not a number of 64 bits",
        ),
        (
            "-9223372036854775809",
            "parse error: `9223372036854775809`: not a number of 64 bits",
        ),
        (
            "18446744073709551616u",
            "parse error: `18446744073709551616u`: not a number of 64 bits",
        ),
        ("1e999", "parse error: `1e999`: not a number of 64 bits"),
        ("0x", "parse error: `0x`: not a number of 64 bits"),
        ("1a", "parse error: `1a`: not a number of 64 bits"),
        (
            "request.",
            "parse error: ends too soon, at the end of the expression",
        ),
        (
            "request.'a'",
            "parse error: `'a'`: a name is expected after a dot",
        ),
        ("for", "parse error: `for`: a reserved word of CEL"),
        ("in", "parse error: `in`: not expected here"),
        ("§", "parse error: `§`: not a character of an expression"),
    ]);
}

#[test]
fn cel_that_is_not_supported_is_named() {
    check(&[
        (
            "{'a': 1}",
            "parse error: `{`: maps and messages are not supported",
        ),
        ("Some{a: 1}", "parse error: `{`: not expected here"),
        (
            ".a",
            "parse error: `.`: names with a leading dot are not supported",
        ),
        (
            "[1].all(x, x > 0)",
            "parse error: `all`: macros over lists and maps are not supported",
        ),
        (
            "request.headers.exists(h, h == 'a')",
            "parse error: `request.headers`: write a header by its name, as in request.headers['x-name']",
        ),
        ("type(1)", "parse error: `type`: no such function"),
        (
            "request.path.lowerAscii()",
            "parse error: `lowerAscii`: no such function",
        ),
        (
            "startsWith('a', 'b')",
            "parse error: `startsWith`: write it as a method of a text, with one argument: text.startsWith('..')",
        ),
        (
            "'a'.startsWith()",
            "parse error: `startsWith`: write it as a method of a text, with one argument: text.startsWith('..')",
        ),
        ("'a'.int()", "parse error: `int`: no such function"),
        (
            "getHours(request.time)",
            "parse error: `getHours`: no such function",
        ),
        (
            "request.time.getHours('Europe/Berlin')",
            "parse error: `getHours`: time zones and other arguments are not supported",
        ),
        (
            "size()",
            "parse error: `size`: this function has one argument",
        ),
        (
            "size(1, 2)",
            "parse error: `size`: this function has one argument",
        ),
        (
            "'a'.matches(request.path)",
            "parse error: `matches`: the regular expression must be a text in quotes",
        ),
        (
            "'a'.matches('(')",
            "parse error: `matches`: not a valid regular expression: unclosed group",
        ),
        (
            "'a'.matches('a++')",
            "parse error: `matches`: a repetition of a repetition, which RE2 does not have",
        ),
        (
            "has(1)",
            "parse error: `1`: `has` needs an attribute, as in has(response.code)",
        ),
        (
            "has(request)",
            "parse error: `request`: `has` needs an attribute, as in has(response.code)",
        ),
        (
            "has(request.headers['a'])",
            "parse error: `request`: `has` needs an attribute, as in has(response.code)",
        ),
        (
            "request.headers[request.path]",
            "parse error: `request`: write a header with its name in quotes, as in request.headers['x-name']",
        ),
        (
            "request.headers['a b']",
            "parse error: `'a b'`: write a header with its name in quotes, as in request.headers['x-name']",
        ),
        (
            "request.path in request.headers",
            "parse error: `request`: before `in` of headers stands the name of a header, in quotes",
        ),
        (
            "request.headers == 1",
            "parse error: `request.headers`: write a header by its name, as in request.headers['x-name']",
        ),
        ("(1).a", "parse error: `a`: values have no fields"),
    ]);
}
