//! Requests as they are built, signed in and shown.

use std::collections::BTreeMap;

use super::*;
use crate::profiles::load;

fn outgoing(source: &str) -> Outgoing {
    let text = format!("id: t\nsource: {source}\nrows: {{each: $}}\nmeasures: {{v: v}}\n");
    let profile = load(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let secrets: BTreeMap<String, SecretString> = [("KEY".to_owned(), SecretString::from("a/b+c d"))].into();
    let plan = profile.plan();
    let filling =
        Filling { params: &plan.params, values: &plan.sets[0], window: None, cursor: None, now_ms: 1_705_276_800_000 };
    build(plan, filling, &[("page".into(), Scalar::Integer(2)), ("/p".into(), Scalar::Integer(2))], &secrets).unwrap()
}

#[test]
fn queries_keep_what_rfc_3986_lets_stand() {
    for (source, expected) in [
        (
            "{url: 'https://h/x', query: {get: 'NAME,B01', for: 'county:*', in: 'state:{s}', 'page[n]': [1, 2]}, for_each: [{s: '0 6&+'}]}",
            "https://h/x?get=NAME,B01&for=county:*&in=state:0%206%26%2B&page%5Bn%5D=1&page%5Bn%5D=2&page=2",
        ),
        (
            "{url: 'https://h/{a}/{+a}?q={a}', for_each: [{a: 'x/y?é'}]}",
            "https://h/x%2Fy%3F%C3%A9/x/y?%C3%A9?q=x%2Fy%3F%C3%A9&page=2",
        ),
        (
            "{url: 'https://h/BRA;IND/+x', query: {page: 1, day: '{now:%Y%m%d}', s: '{now:epoch_s}'}}",
            "https://h/BRA;IND/+x?day=20240115&s=1705276800&page=2",
        ),
    ] {
        assert_eq!(outgoing(source).url.as_str(), expected);
    }
}

#[test]
fn a_raw_query_is_put_in_as_it_is_written() {
    let source =
        "{url: 'https://h/x?a=1', raw_query: 'q=a+b:[c TO d]*&s={p}&t={+p}', query: {p: 1}, for_each: [{p: 'x+y'}]}";
    let expected = "https://h/x?a=1&q=a+b:[c%20TO%20d]*&s=x%2By&t=x+y&p=1&page=2";
    assert_eq!(outgoing(source).url.as_str(), expected);
}

#[test]
fn values_share_a_request_joined_repeated_or_as_a_list() {
    let sets = "for_each: {s: ['a,b', c/d, e]}";
    for (source, expected) in [
        ("url: 'https://h/{s}', query: {ids: '{s}'}, batch: 2", "https://h/a%2Cb,c%2Fd?ids=a,b,c/d&page=2"),
        ("url: 'https://h/{s}', batch: {size: 9, separator: ;}", "https://h/a%2Cb;c%2Fd;e?page=2"),
        (
            "url: 'https://h/', query: {i: '{s}', j: 'x:{s}'}, batch: {size: 2, repeat: true}",
            "https://h/?i=a,b&i=c/d&j=x:a,b,c/d&page=2",
        ),
    ] {
        assert_eq!(outgoing(&format!("{{{source}, {sets}}}")).url.as_str(), expected);
    }
    let body = |body: &str| {
        let source = format!("{{url: 'https://h/', body: {body}, batch: {{size: 2, repeat: true}}, {sets}}}");
        String::from_utf8(outgoing(&source).body.unwrap().1).unwrap()
    };
    assert_eq!(body("{json: {ids: '{s}', t: 'x {s}'}}"), r#"{"ids":["a,b","c/d"],"p":2,"t":"x a,b,c/d"}"#);
    assert_eq!(body("{form: {ids: '{s}'}}"), "ids=a%2Cb&ids=c%2Fd");
    assert_eq!(body("{text: 'x {s}'}"), "x a,b,c/d");
}

#[test]
fn a_secret_is_taken_out_however_it_is_spelt() {
    let request = outgoing("{url: 'https://h/', auth: {secret: KEY, in: query, name: k}}");
    for text in ["k=a/b+c d", "k=a%2Fb%2Bc%20d", "k=a%2fb%2bc%20d", "k=a/b%2Bc%20d", "k=a%2Fb%2Bc+d"] {
        assert_eq!(request.redact(text), "k=[secret]", "{text}");
    }
    assert!(!request.url.as_str().contains("b"), "{}", request.url);
    assert!(!format!("{request:?}").contains("a/b"));
}

#[test]
fn a_quotation_that_cuts_a_secret_shows_no_part_of_it() {
    let secrets = [SecretString::from("abcdefghijkl"), SecretString::from("xy")];
    for (text, expected) in [
        ("it says \"key is abcdefgh\" (3 tries)", "it says \"key is [secret]\" (3 tries)"),
        ("near \"ghijkl is bad\"", "near \"[secret] is bad\""),
        ("near \"efghijkl\"", "near \"[secret]\""),
        ("\"abcdefghijkl\" and \"abc\" xy", "\"[secret]\" and \"abc\" [secret]"),
        ("a \"word\" of é", "a \"word\" of é"),
    ] {
        assert_eq!(redact(secrets.iter(), text), expected);
    }
}

proptest::proptest! {
    /// Whatever is cut out of an answer that echoes the secret, no part of seven characters is told.
    #[test]
    fn no_part_of_a_secret_is_told(secret in "[!-~]{8,20}", before in "[ a-z]{0,9}", from in 0_usize..12, to in 0_usize..40) {
        let echo = format!("{before}{secret} é");
        let cut: String = echo.chars().skip(from).take(to).collect();
        let told = redact([SecretString::from(secret.clone())].iter(), &format!("it says: {cut:?}"));
        let told = told.replace("[secret]", "");
        for part in secret.as_bytes().windows(7).filter_map(|part| std::str::from_utf8(part).ok()) {
            proptest::prop_assert!(!told.contains(part), "{told}");
        }
    }
}

#[test]
fn a_secret_that_is_not_known_is_named() {
    let profile =
        load("id: t\nsource: {url: 'https://h/', auth: {secret: KEY, in: bearer}}\nmeasures: {v: v}\n").unwrap();
    let plan = profile.plan();
    let filling = Filling { params: &[], values: &[], window: None, cursor: None, now_ms: 0 };
    let error = build(plan, filling, &[], &BTreeMap::new()).unwrap_err();
    assert_eq!(error, "the secret KEY is not known to this drone; set it there");
}
