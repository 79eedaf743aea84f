//! Census: `GET /census/data/2022/acs/acs1?get=NAME,B01003_001E&for=state:*` answers an array of arrays of text
//! whose first row is the header, with the state's code as last column.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use actix_web::{HttpRequest, HttpResponse, web};

use super::conditional;
use super::figures::population;
use super::places::{PLACES, Place};

const YEARS: RangeInclusive<i16> = 2019..=2023;

pub(super) async fn estimates(
    request: HttpRequest,
    year: web::Path<i16>,
    query: web::Query<HashMap<String, String>>,
) -> HttpResponse {
    match rows(*year, &query) {
        Ok(rows) => conditional::json(&request, &rows),
        Err(reason) => refuse(&reason),
    }
}

/// The API answers errors in plain words.
fn refuse(reason: &str) -> HttpResponse {
    HttpResponse::BadRequest().content_type("text/plain; charset=utf-8").body(format!("error: {reason}"))
}

fn rows(year: i16, query: &HashMap<String, String>) -> Result<Vec<Vec<String>>, String> {
    if !YEARS.contains(&year) {
        return Err(format!("unknown dataset {year}; the sample has {} to {}", YEARS.start(), YEARS.end()));
    }
    let states = query.get("for").and_then(|geography| geography.strip_prefix("state:"));
    let states = states.ok_or("missing or unknown geography; the sample has for=state:* and for=state:06,48")?;
    let get = query.get("get").ok_or("missing 'get' argument")?;
    let variables: Vec<&str> = get.split(',').collect();
    let header = variables.iter().chain(&["state"]).map(|name| (*name).to_owned()).collect();
    let asked = |place: &&Place| states == "*" || states.split(',').any(|fips| fips == place.fips);
    let rows = PLACES.iter().filter(asked).map(|place| row(place, year, &variables));
    std::iter::once(Ok(header)).chain(rows).collect()
}

fn row(place: &Place, year: i16, variables: &[&str]) -> Result<Vec<String>, String> {
    let cell = |variable: &&str| match *variable {
        "NAME" => Ok(place.name.to_owned()),
        "B01003_001E" => Ok(format!("{:.0}", population(place, year))),
        unknown => Err(format!("unknown variable '{unknown}'")),
    };
    let state = std::iter::once(Ok(place.fips.to_owned()));
    variables.iter().map(cell).chain(state).collect()
}
