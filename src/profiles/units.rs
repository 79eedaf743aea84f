//! Units that are converted: the pairs that sources and profiles mix up in practice, in UCUM's spelling (the WMO's and
//! some everyday ones are understood). Pure.

use super::nearest::nearest;

/// What is measured: only units of one kind convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Temperature,
    Length,
    Speed,
    Pressure,
    Mass,
    Time,
    Share,
    Angle,
    Energy,
    Power,
    Volume,
    Area,
}

/// A unit: so many of the kind's own unit, from an offset on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    name: &'static str,
    other: &'static [&'static str],
    kind: Kind,
    factor: f64,
    offset: f64,
}

/// `number * factor + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    factor: f64,
    offset: f64,
}

impl Conversion {
    pub fn apply(self, number: f64) -> f64 {
        // Without a step that does nothing, so that 5 stays 5.
        if self.factor == 1.0 && self.offset == 0.0 {
            return number;
        }
        let scaled = number * self.factor;
        tidy(scaled + self.offset, scaled.abs().max(self.offset.abs()))
    }
}

/// 12 digits of the largest part: what a conversion adds beyond is noise of the arithmetic.
fn tidy(number: f64, largest: f64) -> f64 {
    if largest == 0.0 || !largest.is_finite() {
        return number;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a double is small")]
    let places = (11 - largest.log10().floor() as i32).clamp(0, 300).unsigned_abs() as usize;
    let text = format!("{number:.places$}");
    // No -0.
    text.parse().map_or(number, |tidied: f64| tidied + 0.0)
}

const fn unit(name: &'static str, other: &'static [&'static str], kind: Kind, factor: f64) -> Unit {
    Unit { name, other, kind, factor, offset: 0.0 }
}

const UNITS: &[Unit] = &[
    unit("K", &["kelvin"], Kind::Temperature, 1.0),
    Unit { name: "Cel", other: &["degC", "°C", "C"], kind: Kind::Temperature, factor: 1.0, offset: 273.15 },
    Unit {
        name: "[degF]",
        other: &["degF", "°F", "F"],
        kind: Kind::Temperature,
        factor: 5.0 / 9.0,
        offset: 459.67 * 5.0 / 9.0,
    },
    unit("m", &["metre", "meter"], Kind::Length, 1.0),
    unit("km", &[], Kind::Length, 1000.0),
    unit("cm", &[], Kind::Length, 0.01),
    unit("mm", &[], Kind::Length, 0.001),
    unit("[ft_i]", &["ft", "feet"], Kind::Length, 0.3048),
    unit("[in_i]", &["in", "inch"], Kind::Length, 0.0254),
    unit("[mi_i]", &["mi", "mile", "miles"], Kind::Length, 1609.344),
    unit("[nmi_i]", &["nmi"], Kind::Length, 1852.0),
    unit("m/s", &["m_s-1", "m.s-1", "ms-1"], Kind::Speed, 1.0),
    unit("km/h", &["km_h-1", "kmh", "kph"], Kind::Speed, 1.0 / 3.6),
    unit("[kn_i]", &["kt", "kn", "knot", "knots"], Kind::Speed, 1852.0 / 3600.0),
    unit("[mi_i]/h", &["mph"], Kind::Speed, 0.44704),
    unit("[ft_i]/s", &["ft/s"], Kind::Speed, 0.3048),
    unit("Pa", &[], Kind::Pressure, 1.0),
    unit("hPa", &["mbar", "mb"], Kind::Pressure, 100.0),
    unit("kPa", &[], Kind::Pressure, 1000.0),
    unit("bar", &[], Kind::Pressure, 100_000.0),
    unit("mm[Hg]", &["mmHg"], Kind::Pressure, 133.322_387_415),
    unit("[in_i'Hg]", &["inHg"], Kind::Pressure, 3_386.388_640_341),
    unit("g", &[], Kind::Mass, 0.001),
    unit("kg", &[], Kind::Mass, 1.0),
    unit("t", &["tonne", "tonnes"], Kind::Mass, 1000.0),
    unit("[lb_av]", &["lb", "lbs"], Kind::Mass, 0.453_592_37),
    unit("[oz_av]", &["oz"], Kind::Mass, 0.028_349_523_125),
    unit("ms", &[], Kind::Time, 0.001),
    unit("s", &["sec"], Kind::Time, 1.0),
    unit("min", &[], Kind::Time, 60.0),
    unit("h", &["hour", "hours"], Kind::Time, 3600.0),
    unit("d", &["day", "days"], Kind::Time, 86_400.0),
    unit("1", &["", "ratio"], Kind::Share, 1.0),
    unit("%", &["percent", "pct"], Kind::Share, 0.01),
    unit("[ppm]", &["ppm"], Kind::Share, 1e-6),
    unit("deg", &["°", "degree_(angle)", "degrees"], Kind::Angle, std::f64::consts::PI / 180.0),
    unit("rad", &[], Kind::Angle, 1.0),
    unit("J", &[], Kind::Energy, 1.0),
    unit("kJ", &[], Kind::Energy, 1e3),
    unit("MJ", &[], Kind::Energy, 1e6),
    unit("GJ", &[], Kind::Energy, 1e9),
    unit("W.h", &["Wh"], Kind::Energy, 3600.0),
    unit("kW.h", &["kWh"], Kind::Energy, 3.6e6),
    unit("MW.h", &["MWh"], Kind::Energy, 3.6e9),
    unit("GW.h", &["GWh"], Kind::Energy, 3.6e12),
    unit("TW.h", &["TWh"], Kind::Energy, 3.6e15),
    unit("W", &[], Kind::Power, 1.0),
    unit("kW", &[], Kind::Power, 1e3),
    unit("MW", &[], Kind::Power, 1e6),
    unit("GW", &[], Kind::Power, 1e9),
    unit("L", &["l", "litre", "liter"], Kind::Volume, 0.001),
    unit("mL", &["ml"], Kind::Volume, 1e-6),
    unit("m3", &["m^3", "m³"], Kind::Volume, 1.0),
    unit("[gal_us]", &["gal"], Kind::Volume, 0.003_785_411_784),
    unit("[bbl_us]", &["bbl"], Kind::Volume, 0.158_987_294_928),
    unit("[cft_i]", &["ft3"], Kind::Volume, 0.028_316_846_592),
    unit("m2", &["m^2", "m²"], Kind::Area, 1.0),
    unit("km2", &["km^2", "km²"], Kind::Area, 1e6),
    unit("har", &["ha"], Kind::Area, 1e4),
    unit("[acr_us]", &["acre", "acres"], Kind::Area, 4_046.872_609_874),
    unit("[mi_us]2", &["mi2", "sq mi"], Kind::Area, 2_589_988.110_336),
];

/// Finds a unit; the prefixes of the WMO's and other code lists are passed over.
pub fn find(name: &str) -> Option<&'static Unit> {
    let name = name.trim();
    let bare = ["wmoUnit:", "unit:", "uc:"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    UNITS.iter().find(|unit| unit.name == bare || unit.other.contains(&bare))
}

/// The conversion between two units of one kind.
pub fn conversion(from: &Unit, to: &Unit) -> Option<Conversion> {
    if from.kind != to.kind {
        return None;
    }
    Some(Conversion { factor: from.factor / to.factor, offset: (from.offset - to.offset) / to.factor })
}

/// Says that there is no such unit, and which is near.
pub fn unknown(name: &str) -> String {
    let names: Vec<&str> = UNITS.iter().flat_map(|unit| unit.other.iter().copied().chain([unit.name])).collect();
    match nearest(name, &names) {
        Some(near) => format!("the unit {name:?} is not one that is converted; did you mean {near:?}?"),
        None => format!("the unit {name:?} is not one that is converted; use multiply for it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(number: f64, from: &str, to: &str) -> Option<f64> {
        conversion(find(from)?, find(to)?).map(|conversion| conversion.apply(number))
    }

    #[test]
    fn converts_what_sources_mix_up() {
        for (number, from, to, expected) in [
            (32.0, "[degF]", "Cel", 0.0),
            (212.0, "degF", "wmoUnit:degC", 100.0),
            (0.0, "Cel", "K", 273.15),
            (10.0, "wmoUnit:km_h-1", "m/s", 2.777_777_777_78),
            (101_325.0, "wmoUnit:Pa", "hPa", 1013.25),
            (1.0, "[mi_i]", "km", 1.609_344),
            (5.0, "mm", "mm", 5.0),
            (50.0, "%", "1", 0.5),
            (1.0, "GWh", "MWh", 1000.0),
        ] {
            assert_eq!(convert(number, from, to), Some(expected), "{number} {from} to {to}");
        }
    }

    #[test]
    fn other_kinds_do_not_convert() {
        assert_eq!(convert(1.0, "m", "s"), None);
        assert!(find("furlong").is_none());
        assert!(unknown("degQ").contains("did you mean"));
    }

    #[test]
    fn every_spelling_names_one_unit() {
        let mut all: Vec<&str> = UNITS.iter().flat_map(|unit| unit.other.iter().copied().chain([unit.name])).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
