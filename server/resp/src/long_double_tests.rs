//! Tests of the 80-bit arithmetic. Every expected text is what a redis-server 7.0 on x86-64
//! answered to `SET k a`, `INCRBYFLOAT k b`.

use proptest::prelude::*;

use super::*;

fn sum(a: &str, b: &str) -> Option<String> {
    let (a, b) = (
        LongDouble::parse(a.as_bytes())?,
        LongDouble::parse(b.as_bytes())?,
    );
    Some(a.checked_add(b)?.to_string())
}

#[test]
fn sums_are_those_of_redis() {
    let cases = [
        ("0.1", "0.2", "0.3"),
        ("10.5", "0.1", "10.6"),
        ("3.0", "1.1", "4.1"),
        ("1000.1", "0.2", "1000.29999999999999999"),
        ("99999.99", "0.01", "100000"),
        ("1e15", "0.1", "1000000000000000.0999755859375"),
        ("0.3", "-0.3", "0"),
        ("12345678.9", "-0.1", "12345678.7999999999992724"),
        ("0", "1000.1", "1000.09999999999999998"),
        ("0", "123456.789", "123456.78900000000000148"),
        ("0", "1e22", "10000000000000000000000"),
        ("0", "1e-17", "0.00000000000000001"),
        ("0", "-1e-18", "0"),
        ("0", "0x1p-3", "0.125"),
        ("0", "1e-400", "0"),
        ("0", "-0", "0"),
    ];
    for (a, b, expected) in cases {
        assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        assert_eq!(sum(b, a).as_deref(), Some(expected), "{b} + {a}");
    }
}

#[test]
fn what_is_out_of_range_is_refused() {
    for text in [
        "",
        "nan",
        " 1",
        "1 ",
        "1e",
        ".",
        "0x",
        "1e5000",
        "-1e5000",
        "1e-5000",
        "1e99999999999",
        "0x1p99999",
        "x",
    ] {
        assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(LongDouble::parse(&[b'1'; 5 * 1024]), None);
    assert!(LongDouble::parse(b"inf").unwrap().is_infinite());
    assert_eq!(sum("inf", "1"), None);
    assert_eq!(sum("1.1e4932", "1.1e4932"), None);
    assert!(sum("1e4932", "-1e4932").is_some_and(|text| text == "0"));
    // The smallest subnormal, and half of it.
    assert!(LongDouble::parse(b"3.7e-4951").is_some());
    assert_eq!(LongDouble::parse(b"1.8e-4951"), None);
}

#[test]
fn long_texts_are_read_exactly() {
    // 1 + 2^-64 is half way between two long doubles; a digit far behind decides.
    let half = "1.0000000000000000000542101086242752217003726400434970855712890625";
    let above = format!("{half}{}1", "0".repeat(4000));
    let one = LongDouble::parse(b"1").unwrap();
    assert_eq!(LongDouble::parse(half.as_bytes()), Some(one));
    let next = LongDouble::parse(above.as_bytes()).unwrap();
    assert_eq!((next.mantissa, next.exponent), ((1 << 63) + 1, -63));
    let zeros = "0".repeat(2000);
    assert_eq!(
        LongDouble::parse(format!("0.{zeros}1e2001").as_bytes()),
        Some(one)
    );
    assert_eq!(
        LongDouble::parse(format!("1{zeros}e-2000").as_bytes()),
        Some(one)
    );
}

proptest! {
    /// Whole numbers below 2^63 are exact, and so are their sums.
    #[test]
    fn whole_numbers_are_exact(a in -(1i64 << 62)..1 << 62, b in -(1i64 << 62)..1 << 62) {
        prop_assert_eq!(sum(&a.to_string(), &b.to_string()), Some((a + b).to_string()));
    }

    /// With at most 17 bits behind the point, 17 decimals show all of the sum.
    #[test]
    fn binary_fractions_are_exact(a: i32, b: i32, shift in 0i32..17) {
        let scale = 2f64.powi(-shift);
        let (x, y) = (f64::from(a) * scale, f64::from(b) * scale);
        let printed = format!("{:.17}", x + y);
        let expected = printed.trim_end_matches('0').trim_end_matches('.').to_string();
        prop_assert_eq!(sum(&format!("{x:.17}"), &format!("{y:.17}")), Some(expected));
    }

    #[test]
    fn adding_is_commutative_and_zero_is_neutral(a: f64, b: f64) {
        let text = |x: f64| format!("{x:e}");
        if let (Some(x), Some(y)) = (LongDouble::parse(text(a).as_bytes()), LongDouble::parse(text(b).as_bytes())) {
            prop_assert_eq!(x.checked_add(y), y.checked_add(x));
            prop_assert_eq!(x.checked_add(LongDouble::ZERO).map(|sum| sum.to_string()), Some(x.to_string()).filter(|_| !x.is_infinite()));
        }
    }
}
