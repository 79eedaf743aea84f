//! Arbitrary profiles and arbitrary answers: an error or records, never a panic, never a record that is not canonical.

use proptest::prelude::*;

use super::map;
use crate::pipeline::testing::json;
use crate::profiles::load;

const PROFILES: [&str; 15] = [
    include_str!("../../../profiles/government/us-treasury-debt.yaml"),
    include_str!("../../../profiles/government/worldbank-population.yaml"),
    include_str!("../../../profiles/science/usgs-earthquakes.yaml"),
    include_str!("../../../profiles/government/canada-city-rents.yaml"),
    include_str!("../../../profiles/government/us-census-acs5-county.yaml"),
    include_str!("../../../profiles/government/us-bls-series.yaml"),
    include_str!("../../../profiles/weather/open-meteo-archive.yaml"),
    include_str!("../../../profiles/finance/us-fred-treasury-yields.yaml"),
    include_str!("../../../profiles/weather/us-nws-observations.yaml"),
    include_str!("../../../profiles/finance/ecb-fx-reference-rates.yaml"),
    include_str!("../../../profiles/government/eurostat-unemployment.yaml"),
    include_str!("../../../profiles/science/nasa-gistemp-global.yaml"),
    include_str!("../../../profiles/technology/github-release-downloads.yaml"),
    include_str!("../../../profiles/finance/sec-company-facts.yaml"),
    include_str!("../../../profiles/government/chicago-traffic-crashes.yaml"),
];

const ANSWERS: [&str; 9] = [
    r#"{"data":[{"record_date":"2005-03-31","debt_held_public_amt":"null","tot_pub_debt_out_amt":"7776939047670.14"}],"links":{"next":null}}"#,
    r#"[{"pages":3},[{"country":{"value":"Brazil"},"countryiso3code":"BRA","date":"2022","value":215313498}]]"#,
    r#"{"features":[{"properties":{"mag":7.5,"place":"x","time":1704093009476,"tsunami":1},"geometry":{"coordinates":[137.2,37.4,10.0]},"id":"u"}]}"#,
    r#"{"status":"REQUEST_SUCCEEDED","Results":{"series":[{"seriesID":"LNS14000000","data":[{"year":"2024","period":"M03","value":"3.9"}]}]}}"#,
    r#"{"utc_offset_seconds":3600,"hourly":{"time":["2024-01-15T00:00"],"temperature_2m":[1.2],"precipitation":[0.0]}}"#,
    "<E><Cube><Cube time='2024-01-05'><Cube currency='USD' rate='1.0921'/></Cube></Cube></E>",
    r#"{"id":["geo","time"],"size":[1,2],"value":{"0":3.2},"dimension":{"geo":{"category":{"index":{"DE":0}}},"time":{"category":{"index":["2024-01","2024-02"]}}}}"#,
    "Land-Ocean: Global Means\nYear,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec\n1880,-.20,***,1,1,1,1,1,1,1,1,1,1\n",
    r#"{"cik":7,"facts":{"dei":{"Shares":{"units":{"USD":[{"end":"2023-12-31","val":1,"form":"10-K","frame":"CY2023"}]}}}}}"#,
];

/// A text with a few places changed, cut out or doubled.
fn mutated(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..5u8);
    (prop::sample::select(texts), prop::collection::vec(change, 0..6)).prop_map(|(text, changes)| {
        let mut bytes = text.as_bytes().to_vec();
        for (from, to, byte, kind) in changes {
            let (from, to) = (from.index(bytes.len().max(1)), to.index(bytes.len().max(1)));
            let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 200));
            match kind {
                _ if bytes.is_empty() => {}
                0 => bytes[from] = byte,
                1 => drop(bytes.drain(from..to)),
                2 => {
                    let part = bytes[from..to].to_vec();
                    bytes.splice(from..from, part);
                }
                3 => bytes.insert(from, b"{}[]:,'\"\n -#&*!|>%@`"[usize::from(byte) % 20]),
                _ => bytes.truncate(from),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn any_profile_text_is_loaded_or_refused_with_places(bytes in mutated(&PROFILES)) {
        if let Ok(text) = std::str::from_utf8(&bytes)
            && let Err(problems) = load(text)
        {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| problem.line > 0 && problem.column > 0 && !problem.message.is_empty()));
            let _ = problems.to_string();
        }
    }

    #[test]
    fn any_text_is_loaded_or_refused(text in any::<String>(), shaped in "[a-z:{}\\[\\], \n'\"&*|>-]{0,200}") {
        let _ = (load(&text), load(&shaped));
    }

    #[test]
    fn any_answer_is_mapped_or_refused(
        text in prop::sample::select(&PROFILES[..]),
        broken in mutated(&ANSWERS),
        value in json(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let profile = load(text).unwrap();
        for answer in [broken.as_slice(), value.to_string().as_bytes(), bytes.as_slice()] {
            if let Err(reason) = map(&profile, answer) {
                prop_assert!(!reason.is_empty());
            }
        }
    }

    #[test]
    fn any_profile_takes_any_answer(profile in mutated(&PROFILES), answer in mutated(&ANSWERS), value in json()) {
        if let Ok(text) = std::str::from_utf8(&profile)
            && let Ok(loaded) = load(text)
        {
            for bytes in [answer.as_slice(), value.to_string().as_bytes()] {
                let _ = map(&loaded, bytes);
            }
        }
    }
}
