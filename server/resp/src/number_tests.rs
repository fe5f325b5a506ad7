//! Tests of number syntax. The accepted and refused texts were put to a redis-server 7.0.

use proptest::prelude::*;

use super::*;

#[test]
fn integers_have_one_form() {
    for text in [
        "",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        "-0",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x1",
        "1a",
        "--1",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "100000000000000000000",
    ] {
        assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
    }
    for value in [
        0,
        1,
        -1,
        10,
        999_999_999_999_999_999,
        1_000_000_000_000_000_000,
        i64::MAX,
        i64::MIN,
    ] {
        assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
    }
}

#[test]
fn floats_follow_strtod() {
    let cases = [
        ("0x10", 16.0),
        ("0x1p-3", 0.125),
        ("0x.8", 0.5),
        ("0X1F", 31.0),
        ("-0x1.8p1", -3.0),
        ("0x1P+4", 16.0),
        ("inf", f64::INFINITY),
        ("+inf", f64::INFINITY),
        ("-Infinity", f64::NEG_INFINITY),
        ("INF", f64::INFINITY),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1", 1.0),
        ("-0", 0.0),
        ("5.0e3", 5000.0),
        ("1E-2", 0.01),
        ("007", 7.0),
        ("1.7976931348623157e308", f64::MAX),
        ("5e-324", 5e-324),
        ("0e-999999999999", 0.0),
        ("0x0p99999999999", 0.0),
    ];
    for (text, value) in cases {
        assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text:?}");
    }
    for text in [
        "",
        "nan",
        "-nan",
        " 1",
        "1 ",
        "1e",
        "1e+",
        ".",
        "+",
        "-",
        "e5",
        "0x",
        "0x.",
        "0x1p",
        "0xg",
        "1_0",
        "1.2.3",
        "++1",
        "+-1",
        "infinit",
        "in",
        "1e400",
        "-1e400",
        "1e-400",
        "0x1p5000",
        "0x1p-5000",
        "1\0",
        "١",
    ] {
        assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(parse_f64(&[b'1'; 6000]), None);
    // 160 bits more than an f64 holds, the last one decides.
    let half_way = format!("0x80000000000004{}", "0".repeat(40));
    let above = format!("0x80000000000004{}1", "0".repeat(39));
    assert_eq!(parse_f64(half_way.as_bytes()), Some(2f64.powi(55 + 160)));
    assert_eq!(
        parse_f64(above.as_bytes()),
        Some((1.0 + f64::EPSILON) * 2f64.powi(55 + 160))
    );
}

#[test]
fn floats_are_printed_short() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (-3.0, "-3"),
        (0.1, "0.1"),
        (-0.1, "-0.1"),
        (1.5, "1.5"),
        (3.25, "3.25"),
        (1e10, "10000000000"),
        (1e17, "100000000000000000"),
        (1e22, "1e+22"),
        (1.5e300, "1.5e+300"),
        (12345678901234567000.0, "12345678901234567000"),
        (-1.25e25, "-1.25e+25"),
        (1e-5, "0.00001"),
        (0.001, "0.001"),
        (1e-7, "1e-7"),
        (1.5e-9, "1.5e-9"),
        (0.30000000000000004, "0.30000000000000004"),
        (f64::MAX, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (-f64::NAN, "nan"),
    ];
    for (value, text) in cases {
        assert_eq!(format_f64(value), text);
    }
}

#[test]
fn long_double_like_has_no_exponent() {
    let cases = [
        (10.5 + 0.1, "10.6"),
        (5.0e3, "5000"),
        (3.0, "3"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e22, "10000000000000000000000"),
        (1e-17, "0.00000000000000001"),
        (1e-18, "0"),
        (-1.5, "-1.5"),
        (f64::INFINITY, "inf"),
        (f64::NAN, "nan"),
    ];
    for (value, text) in cases {
        assert_eq!(format_long_double_like(value), text);
    }
}

proptest! {
    #[test]
    fn integers_come_back(value: i64) {
        prop_assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
    }

    #[test]
    fn integers_are_accepted_in_their_own_form_only(text in "[-+ ]?[0-9]{0,21}") {
        let strict = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
        prop_assert_eq!(parse_i64(text.as_bytes()), strict);
    }

    #[test]
    fn floats_come_back(value: f64) {
        let back = parse_f64(F64Text::new(value).as_bytes());
        prop_assert!(back == Some(value) || value.is_nan());
    }

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof!["[-+0-9.eExXpPa-f]{0,40}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..40)]) {
        let _ = (parse_i64(&text), parse_f64(&text).is_some_and(f64::is_nan), LongDouble::parse(&text));
        prop_assert!(!parse_f64(&text).is_some_and(f64::is_nan));
    }

    #[test]
    fn hexadecimal_agrees_with_decimal(value in any::<u64>()) {
        prop_assert_eq!(parse_f64(format!("{value:#x}").as_bytes()), Some(value as f64));
    }
}
