//! The invented figures: smooth rules with a little noise that depends on nothing but place and time, so that they
//! never change. Warm states have more unemployment by rule, to give the demo's correlation something to find.

use std::f64::consts::TAU;

use jiff::civil::Date;
use xxhash_rust::xxh3::xxh3_64;

use super::places::Place;

/// People in `year`, whole.
pub(super) fn population(place: &Place, year: i16) -> f64 {
    let years = f64::from(year - 2019);
    let grown = place.population * (1.0 + place.growth).powf(years);
    (grown * (1.0 + 0.002 * noise(&format!("population {} {year}", place.fips)))).round()
}

/// Unemployment in percent, to a tenth, in `month` 1 to 12.
pub(super) fn unemployment(place: &Place, year: i16, month: i8) -> f64 {
    let shock = match year {
        2020 => 3.4,
        2021 => 1.3,
        _ => 0.0,
    };
    let season = 0.25 * (TAU * f64::from(month) / 12.0).cos();
    let rate = 1.6 + 0.18 * place.temperature + place.jobless + shock + season;
    tenth(rate + 0.3 * noise(&format!("unemployment {} {year} {month}", place.fips)))
}

/// The year's mean of the months' unemployment, to a tenth.
pub(super) fn unemployment_of_year(place: &Place, year: i16) -> f64 {
    tenth((1..=12).map(|month| unemployment(place, year, month)).sum::<f64>() / 12.0)
}

/// A day's mean temperature in °C, to a tenth.
pub(super) fn temperature(place: &Place, date: Date) -> f64 {
    // The coldest days are in the middle of January.
    let season = -place.season * (TAU * f64::from(date.day_of_year() - 15) / 365.25).cos();
    let warming = 0.03 * f64::from(date.year() - 2019);
    let weather = 2.5 * noise(&format!("temperature {} {date}", place.fips));
    tenth(place.temperature + season + warming + weather)
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// From -1 to 1, by what it is for.
fn noise(what: &str) -> f64 {
    let bits = u32::try_from(xxh3_64(what.as_bytes()) >> 32).expect("half of 64 bits are 32");
    f64::from(bits) / f64::from(u32::MAX) * 2.0 - 1.0
}
