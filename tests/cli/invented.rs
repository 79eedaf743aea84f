//! Answers that no source gave, each in another combination of shapes: what a user gets for them, and that it runs.

use std::io::Write;

use chartly::pipeline::Fetcher;
use chartly::pipeline::fetch::{Recording, SavedAnswer, now_ms};
use chartly::pipeline::preview::{Extent, StandIns, preview};
use chartly::pipeline::sight::sight;
use chartly::profiles::load;
use chartly::profiles::propose::{ProposeError, Seen, propose};

/// Address, answer, records of the proposed profile, and parts of its text.
type Invented = (&'static str, Vec<u8>, u64, Vec<&'static str>);

fn proposed(url: &str, body: &[u8]) -> Result<Option<String>, String> {
    let Ok(sight) = sight(body) else { return Ok(None) };
    let seen = Seen { url, body: &sight.text, is_xml: sight.is_xml, packing: sight.packing.clone(), ..Seen::default() };
    match propose(&seen) {
        Ok(text) => load(&text).map(|_| Some(text.clone())).map_err(|problems| format!("{problems}\n{text}")),
        Err(ProposeError::NoRows | ProposeError::Unknown(_)) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

#[actix_web::test]
async fn invented_answers_get_what_a_user_would_write_and_it_runs() {
    for (url, body, records, parts) in invented() {
        let text = proposed(url, &body).unwrap().unwrap_or_else(|| panic!("no proposal for {url}"));
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let profile = load(&text).unwrap();
        let fetcher = Fetcher::recorded(Recording::new(vec![SavedAnswer::plain(body)]));
        let given = preview(&fetcher, &profile, Extent::whole(&profile, 1000), now_ms(), &StandIns).await;
        // Pages end where the one answer does.
        let error = given.outcome.error.unwrap_or_default();
        assert!(error.is_empty() || text.contains("paging:"), "{error}\n{text}");
        assert_eq!(
            given.outcome.records, records,
            "{error} {:?} {:?}\n{text}",
            given.outcome.dropped, given.outcome.unread
        );
        assert!(given.outcome.unread.is_empty(), "{:?}\n{text}", given.outcome.unread);
    }
}

#[test]
fn an_answer_that_is_cut_anywhere_gives_a_profile_or_a_reason() {
    for (url, body, ..) in invented() {
        for cut in 0..body.len() {
            proposed(url, &body[..cut]).unwrap();
        }
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn invented() -> Vec<Invented> {
    [cells(), lists(), forms()].concat()
}

/// Lines of cells.
fn cells() -> Vec<Invented> {
    vec![
        (
            "https://h.example/buoy.txt",
            "#YY  MM DD hh mm WDIR WSPD\n#yr  mo dy hr mn degT m/s\n2024 01 15 12 50 310  7.0\n2024 01 15 12 40 MM  6.5\n".into(),
            2,
            vec![
                "format: columns\n  columns: {comment: \"#\"}",
                "time.at: {from: \"{YY}-{MM}-{DD} {hh}:{mm}\", time: {in: \"%Y-%m-%d %H:%M\", zone: UTC}}",
                "missing: [\"MM\"]",
                "wspd: {from: \"WSPD\"}",
                "key: [time.at]",
            ],
        ),
        (
            "https://h.example/rdb",
            "# a comment\n# another\nagency\tsite_no\tdatetime\tflow\n5s\t15s\t20d\t14n\nUSGS\t01646500\t2024-01-15 08:00\t5430\nUSGS\t01646500\t2024-01-15 08:15\t\n".into(),
            1,
            vec!["csv: {delimiter: \"\\t\", comment: \"#\", after_header: 1}", "time.at:", "flow: {from: \"flow\"}", "entity.site_no"],
        ),
        (
            "https://h.example/wb.csv",
            "Country,Code,2021,2022,2023\nBrazil,BRA,1.5,..,2.5\nIndia,IND,3,4,5\n".into(),
            5,
            vec!["unpivot: {columns: \"/\\\\d+/\", key: year, value: value}", "time.year: {from: \"year\"}", "missing: [\"..\"]", "geo.country", "value: {from: \"value\"}"],
        ),
        (
            "https://h.example/x.csv",
            "01/22/2024;Ulm;1,5\n01/23/2024;Ulm;2,5\n".into(),
            2,
            vec!["csv: {delimiter: \";\", header: [c0, c1, c2]}", "time.date: {from: \"c0\", time: {in: \"%m/%d/%Y\"}}",
                "c2: {from: \"c2\", decimal: comma}"],
        ),
        (
            "https://h.example/covid.csv",
            "Province,Country,Lat,1/22/20,1/23/20\n,Italy,41.9,0,2\nHubei,China,30.9,444,444\n".into(),
            4,
            vec!["columns: \"/\\\\d+\\\\/\\\\d+\\\\/\\\\d+/\"", "time.date: {from: \"date\", time: {in: \"%m/%d/%y\"}}", "Lat: numbers"],
        ),
    ]
}

/// Lists, maps and pages in JSON.
fn lists() -> Vec<Invented> {
    vec![
        (
            "https://h.example/klines?symbol=BTCUSDT&interval=1d&limit=2",
            "[[1704067200000,\"42283.5\",\"44184.1\"],[1704153600000,\"44179.5\",\"45879.6\"]]".into(),
            2,
            vec![
                "table: {names: [c0, c1, c2]}",
                "symbol: \"{symbol}\"",
                "for_each: [{symbol: \"BTCUSDT\"}]",
                "entity.symbol: {from: \"param.symbol\"}",
            ],
        ),
        (
            "https://h.example/studies?pageSize=2",
            r#"{"studies":[{"nctId":"N1","size":3},{"nctId":"N2","size":4}],"nextPageToken":"abc"}"#.into(),
            2,
            vec!["paging: {kind: token, param: pageToken, next: $.nextPageToken, size_param: pageSize, size: 2}"],
        ),
        (
            "https://h.example/v1/page?page=0&size=2",
            r#"{"content":[{"id":1,"v":1.5},{"id":2,"v":2.5}],"hasNext":true,"count":2}"#.into(),
            2,
            vec!["paging: {kind: page, param: page, first: 0, size_param: size, size: 2, until: \"$.hasNext == false\"}"],
        ),
        (
            "https://h.example/data?from=2024-01-01&to=2024-01-31",
            r#"{"rates":{"2024-01-02":{"USD":1.09,"JPY":155.1},"2024-01-03":{"USD":1.08}}}"#.into(),
            2,
            vec![
                "window: {from: 2024-01-01, to: 2024-02-01, step: P31D, inclusive: both}",
                "from: \"{window.start:%Y-%m-%d}\"",
                "time.date: {from: \"rate.key\"}",
                "usd: {from: \"rate.value.USD\"}",
            ],
        ),
        (
            "https://h.example/series",
            r#"{"values":{"2024-01":5.1,"2024-02":null,"2024-03":5.3}}"#.into(),
            2,
            vec!["{as: value_2, entries: \"$.values\"}", "time.month: {from: \"value_2.key\"}", "value: {from: \"value_2.value\"}"],
        ),
        (
            "https://h.example/nwis",
            r#"{"value":{"timeSeries":[{"sourceInfo":{"siteCode":[{"value":"01646500"}]},"values":[{"value":[{"value":"5430","dateTime":"2024-01-15T08:00:00.000-05:00"},{"value":"-999999","dateTime":"2024-01-15T08:15:00.000-05:00"}]}]}]}}"#.into(),
            1,
            vec!["missing: [-999999]", "time.at:", "siteCode[0].value", "value: {from:"],
        ),
        (
            "https://h.example/valet?start_date=2024-01-02&end_date=2024-01-03",
            r#"{"terms":{},"observations":[{"d":"2024-01-02","FXUSDCAD":{"v":"1.3316"},"FXEURCAD":{"v":"1.4575"}},{"d":"2024-01-03","FXUSDCAD":{"v":"1.3340"},"FXEURCAD":{"v":"1.4580"}}]}"#.into(),
            2,
            vec!["rows: {each: \"$.observations\"}", "fxusdcad: {from: \"FXUSDCAD.v\"}", "step: P2D, inclusive: both"],
        ),
        (
            "https://h.example/years",
            r#"[{"id":"GDP","place":"Ulm","2022":1.5,"2023":null,"2024":2},{"id":"CPI","place":"Ulm","2022":3,"2023":4,"2024":5}]"#.into(),
            5,
            vec!["each: \"$\"", "unpivot:", "time.year: {from: \"year\"}", "entity.id"],
        ),
    ]
}

/// Cubes, XML, JSON lines, packed files.
fn forms() -> Vec<Invented> {
    vec![
        (
            "https://h.example/events.ndjson",
            "{\"id\":\"a\",\"ts\":\"2024-01-15T12:00:00Z\",\"n\":1}\n{\"id\":\"b\",\"ts\":\"2024-01-15T12:00:00Z\",\"n\":2}\n".into(),
            2,
            vec!["format: ndjson", "time.at: {from: \"ts\"}", "key: [entity.id]"],
        ),
        (
            "https://h.example/stat",
            r#"{"dataset":{"dimension":{"id":["Region","Tid"],"size":[1,2],"Region":{"category":{"index":{"0301":0},"label":{"0301":"Oslo"}}},"Tid":{"category":{"index":["2023K1","2023K2"]}}},"value":[1,null]}}"#.into(),
            1,
            vec!["cube: {form: json-stat, under: \"$.dataset\"}", "entity.tid: {from: \"Tid.code\"}", "Region.code: \"0301\" for every cell"],
        ),
        (
            "https://h.example/sdmx",
            r#"{"data":{"dataSets":[{"observations":{"0:0":[100.2],"1:1":[99]}}],"structures":[{"dimensions":{"observation":[{"id":"AREA","values":[{"id":"DE","name":"Germany"},{"id":"FR","name":"France"}]},{"id":"TIME_PERIOD","values":[{"id":"2024-01"},{"id":"2024-02"}]}]}}]}}"#.into(),
            2,
            vec!["rows: {cube: sdmx-json}", "time.month: {from: \"TIME_PERIOD.code\"}", "geo.area: {from: \"AREA.code\"}"],
        ),
        (
            "https://h.example/2015-01-01-15.json.gz",
            gzip("{\"id\":\"1\",\"created_at\":\"2015-01-01T15:00:00Z\",\"payload\":{\"size\":2}}\n{\"id\":\"2\",\"created_at\":\"2015-01-01T15:00:01Z\",\"payload\":{}}\n"),
            1,
            vec!["compression: gzip", "format: ndjson", "size: {from: \"payload.size\"}"],
        ),
        (
            "https://h.example/feed.xml",
            "<?xml version='1.0'?><rss version='2.0'><channel><title>x</title>\
             <item><title>Ulm</title><pubDate>Mon, 15 Jan 2024 10:00:00 +0100</pubDate><temp unit='C'>4.5</temp></item>\
             <item><title>Bonn</title><pubDate>Mon, 15 Jan 2024 11:00:00 +0100</pubDate><temp unit='C'>5</temp></item>\
             </channel></rss>"
                .into(),
            2,
            vec!["format: xml", "{as: item, path: \"item\"}", "title[0].#text", "temp: {from: \"item.temp[0].#text\"}", "%a, %d %b %Y %H:%M:%S %z"],
        ),
    ]
}
