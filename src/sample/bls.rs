//! BLS: series of one state each (`LASST060000000000003` is the unemployment rate of state 06), newest first, nested
//! under `Results.series[].data[]`, with texts for values and period `M13` for the year's mean. As at the source,
//! the status of the HTTP answer is 200 even where the request failed; `status` tells.
//!
//! The source takes several series by POST only; here a GET with `seriesid=A,B` does too, so that a profile without
//! a body can ask for all states at once.

use std::ops::RangeInclusive;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::conditional;
use super::figures::{unemployment, unemployment_of_year};
use super::places::{self, Place};

const YEARS: RangeInclusive<i16> = 2020..=2024;
/// As at the source.
const MAX_SERIES: usize = 50;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[derive(Deserialize)]
pub(super) struct Query {
    /// Separated by commas.
    seriesid: String,
    startyear: String,
    endyear: String,
    #[serde(default)]
    annualaverage: bool,
}

/// Years are texts, as in the source's own examples.
#[derive(Deserialize)]
pub(super) struct Body {
    seriesid: Vec<String>,
    startyear: String,
    endyear: String,
    #[serde(default)]
    annualaverage: bool,
}

pub(super) async fn from_query(request: HttpRequest, query: web::Query<Query>) -> HttpResponse {
    let Query { seriesid, startyear, endyear, annualaverage } = query.into_inner();
    let seriesid = seriesid.split(',').map(str::to_owned).collect();
    conditional::json(&request, &answer(&Body { seriesid, startyear, endyear, annualaverage }))
}

/// Answers to a POST have no ETag: only GET is conditional.
pub(super) async fn from_body(body: web::Json<Body>) -> HttpResponse {
    HttpResponse::Ok().json(answer(&body))
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    #[serde(rename = "responseTime")]
    response_ms: u32,
    message: Vec<String>,
    #[serde(rename = "Results")]
    results: Results,
}

#[derive(Default, Serialize)]
struct Results {
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Vec<Series>>,
}

#[derive(Serialize)]
struct Series {
    #[serde(rename = "seriesID")]
    id: String,
    data: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    year: String,
    period: String,
    #[serde(rename = "periodName")]
    period_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<&'static str>,
    value: String,
    footnotes: [Footnote; 1],
}

/// The source fills it only where there is something to note.
#[derive(Serialize)]
struct Footnote {}

fn answer(asked: &Body) -> Answer {
    let made = years(asked).and_then(|years| all_series(asked, &years));
    let (status, message, series) = match made {
        Ok((series, messages)) => ("REQUEST_SUCCEEDED", messages, Some(series)),
        Err(reason) => ("REQUEST_NOT_PROCESSED", vec![reason], None),
    };
    Answer { status, response_ms: 12, message, results: Results { series } }
}

fn years(asked: &Body) -> Result<RangeInclusive<i16>, String> {
    let year = |text: &str| text.parse::<i16>().map_err(|_| format!("Invalid year {text:?}."));
    let (first, last) = (year(&asked.startyear)?, year(&asked.endyear)?);
    if first > last {
        return Err(format!("End year {last} is before start year {first}."));
    }
    Ok(first.max(*YEARS.start())..=last.min(*YEARS.end()))
}

/// The series, and what is to be said about those that do not exist.
fn all_series(asked: &Body, years: &RangeInclusive<i16>) -> Result<(Vec<Series>, Vec<String>), String> {
    if asked.seriesid.len() > MAX_SERIES {
        return Err(format!("{} series were asked for; at most {MAX_SERIES} are served.", asked.seriesid.len()));
    }
    let (mut all, mut messages) = (Vec::new(), Vec::new());
    for id in &asked.seriesid {
        let place = place_of(id);
        if place.is_none() {
            messages.push(format!("Series does not exist for Series {id}"));
        }
        let data = place.map(|place| points(place, years, asked.annualaverage)).unwrap_or_default();
        all.push(Series { id: id.clone(), data });
    }
    Ok((all, messages))
}

fn place_of(series: &str) -> Option<&'static Place> {
    let fips = series.strip_prefix("LASST")?.strip_suffix("0000000000003")?;
    places::by_fips(fips)
}

fn points(place: &Place, years: &RangeInclusive<i16>, annual_average: bool) -> Vec<Point> {
    let mut points: Vec<Point> =
        years.clone().rev().flat_map(|year| year_points(place, year, annual_average)).collect();
    if let Some(newest) = points.iter_mut().find(|point| point.period != "M13") {
        newest.latest = Some("true");
    }
    points
}

/// December first, and before it the year's mean where it is wanted.
fn year_points(place: &Place, year: i16, annual_average: bool) -> Vec<Point> {
    let mean = annual_average.then(|| point(year, 13, "Annual", unemployment_of_year(place, year)));
    let months = MONTHS.iter().zip(1..).map(|(name, month)| point(year, month, name, unemployment(place, year, month)));
    let mut points: Vec<Point> = months.chain(mean).collect();
    points.reverse();
    points
}

fn point(year: i16, period: i8, period_name: &'static str, rate: f64) -> Point {
    Point {
        year: year.to_string(),
        period: format!("M{period:02}"),
        period_name,
        latest: None,
        value: format!("{rate:.1}"),
        footnotes: [Footnote {}],
    }
}
