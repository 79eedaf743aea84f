//! Open-Meteo: `GET /open-meteo/v1/archive?latitude=37.2&longitude=-119.4&start_date=2021-01-01&end_date=2023-12-31
//! &daily=temperature_2m_mean` answers parallel arrays under `daily`, with their units beside them.

use std::ops::RangeInclusive;

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

use super::conditional;
use super::figures::temperature;
use super::places;

const DAYS: RangeInclusive<Date> = date(2021, 1, 1)..=date(2023, 12, 31);
const VARIABLE: &str = "temperature_2m_mean";

#[derive(Deserialize)]
pub(super) struct Query {
    latitude: f64,
    longitude: f64,
    start_date: Date,
    end_date: Date,
    daily: String,
}

#[derive(Serialize)]
struct Answer {
    latitude: f64,
    longitude: f64,
    generationtime_ms: f64,
    utc_offset_seconds: i32,
    timezone: &'static str,
    timezone_abbreviation: &'static str,
    elevation: f64,
    daily_units: Units,
    daily: Daily,
}

#[derive(Serialize)]
struct Units {
    time: &'static str,
    temperature_2m_mean: &'static str,
}

#[derive(Default, Serialize)]
struct Daily {
    time: Vec<Date>,
    temperature_2m_mean: Vec<f64>,
}

#[derive(Serialize)]
struct Refusal {
    error: bool,
    reason: String,
}

pub(super) async fn archive(request: HttpRequest, query: Result<web::Query<Query>, actix_web::Error>) -> HttpResponse {
    let answer = query.map_err(|error| error.to_string()).and_then(|query| answer(&query));
    match answer {
        Ok(answer) => conditional::json(&request, &answer),
        Err(reason) => HttpResponse::BadRequest().json(Refusal { error: true, reason }),
    }
}

fn answer(query: &Query) -> Result<Answer, String> {
    check_days(query)?;
    if query.daily != VARIABLE {
        return Err(format!(
            "Cannot initialize variable from invalid String value {}; the sample has {VARIABLE}",
            query.daily
        ));
    }
    let place = places::near(query.latitude, query.longitude)
        .ok_or_else(|| format!("The sample has no place at {}, {}", query.latitude, query.longitude))?;
    let mut daily = Daily::default();
    for day in query.start_date.series(jiff::Span::new().days(1)).take_while(|day| *day <= query.end_date) {
        daily.time.push(day);
        daily.temperature_2m_mean.push(temperature(place, day));
    }
    Ok(Answer {
        latitude: place.latitude,
        longitude: place.longitude,
        // The source measures it anew each time; here equal requests get equal bytes.
        generationtime_ms: 0.2,
        utc_offset_seconds: 0,
        timezone: "GMT",
        timezone_abbreviation: "GMT",
        elevation: 100.0,
        daily_units: Units { time: "iso8601", temperature_2m_mean: "°C" },
        daily,
    })
}

fn check_days(query: &Query) -> Result<(), String> {
    for (name, day) in [("start_date", query.start_date), ("end_date", query.end_date)] {
        if !DAYS.contains(&day) {
            let (first, last) = (DAYS.start(), DAYS.end());
            return Err(format!("Parameter '{name}' is out of allowed range from {first} to {last}"));
        }
    }
    if query.start_date > query.end_date {
        return Err("Parameter 'end_date' must be on or after 'start_date'".into());
    }
    Ok(())
}
