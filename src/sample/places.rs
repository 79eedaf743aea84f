//! The places that the sample source knows: real states and their rough middles, so that a chart reads well, with
//! invented figures beside them.

/// One state.
#[derive(Debug)]
pub(super) struct Place {
    /// State code of FIPS 5-2, two digits.
    pub fips: &'static str,
    pub name: &'static str,
    pub latitude: f64,
    pub longitude: f64,
    /// Invented: people in 2019.
    pub population: f64,
    /// Invented: share by which they grow in a year.
    pub growth: f64,
    /// Invented: mean temperature over the year in °C, and how far summer and winter are from it.
    pub temperature: f64,
    pub season: f64,
    /// Invented: what sets its unemployment apart from what the sample's rule gives, in percentage points.
    pub jobless: f64,
}

#[rustfmt::skip]
pub(super) const PLACES: [Place; 12] = [
    Place { fips: "01", name: "Alabama",    latitude: 32.8, longitude:  -86.8, population:  4_900_000.0, growth:  0.004, temperature: 17.6, season: 10.0, jobless: -1.1 },
    Place { fips: "04", name: "Arizona",    latitude: 34.3, longitude: -111.7, population:  7_200_000.0, growth:  0.016, temperature: 19.4, season: 11.0, jobless:  0.2 },
    Place { fips: "06", name: "California", latitude: 37.2, longitude: -119.4, population: 39_400_000.0, growth: -0.002, temperature: 16.1, season:  8.0, jobless:  1.3 },
    Place { fips: "08", name: "Colorado",   latitude: 39.0, longitude: -105.5, population:  5_700_000.0, growth:  0.011, temperature:  8.2, season: 12.0, jobless:  0.3 },
    Place { fips: "12", name: "Florida",    latitude: 28.6, longitude:  -82.4, population: 21_300_000.0, growth:  0.017, temperature: 22.7, season:  6.0, jobless: -0.8 },
    Place { fips: "17", name: "Illinois",   latitude: 40.0, longitude:  -89.2, population: 12_700_000.0, growth: -0.004, temperature: 11.4, season: 13.0, jobless:  0.6 },
    Place { fips: "26", name: "Michigan",   latitude: 44.3, longitude:  -85.4, population: 10_000_000.0, growth:  0.001, temperature:  8.0, season: 12.5, jobless:  0.9 },
    Place { fips: "27", name: "Minnesota",  latitude: 46.3, longitude:  -94.3, population:  5_600_000.0, growth:  0.005, temperature:  5.6, season: 15.5, jobless: -0.6 },
    Place { fips: "32", name: "Nevada",     latitude: 39.3, longitude: -116.6, population:  3_050_000.0, growth:  0.013, temperature: 12.9, season: 12.0, jobless:  1.2 },
    Place { fips: "36", name: "New York",   latitude: 42.9, longitude:  -75.5, population: 19_500_000.0, growth: -0.003, temperature:  9.1, season: 12.5, jobless:  0.1 },
    Place { fips: "48", name: "Texas",      latitude: 31.5, longitude:  -99.3, population: 28_900_000.0, growth:  0.015, temperature: 19.0, season: 10.5, jobless: -0.5 },
    Place { fips: "53", name: "Washington", latitude: 47.4, longitude: -120.5, population:  7_500_000.0, growth:  0.010, temperature:  9.6, season:  9.0, jobless:  0.4 },
];

/// How far from a place's middle a request may point, in degrees.
const REACH: f64 = 0.5;

/// The state with this code.
pub(super) fn by_fips(fips: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.fips == fips)
}

/// The state whose middle is here.
pub(super) fn near(latitude: f64, longitude: f64) -> Option<&'static Place> {
    PLACES
        .iter()
        .find(|place| (place.latitude - latitude).abs() <= REACH && (place.longitude - longitude).abs() <= REACH)
}
