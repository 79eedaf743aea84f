//! The text form of Prometheus: one family after another, each with its help and type once.

use std::fmt::Write;

/// What a family's samples are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

pub(super) struct Text<'a>(&'a mut String);

impl<'a> Text<'a> {
    pub(super) fn new(out: &'a mut String) -> Self {
        Self(out)
    }

    /// One family; one without samples is left out.
    pub(super) fn family<'b>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'b>, u64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        for (labels, value) in samples {
            self.line(format_args!("{name}{} {value}", braces(&labels)));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

fn braces(labels: &Labels<'_>) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_help_type_and_samples() {
        let mut out = String::new();
        Text::new(&mut out).family("x_total", Kind::Counter, "What it is.", [(vec![("a", "q\"\\\n")], 3), (vec![], 4)]);
        Text::new(&mut out).family("none", Kind::Gauge, "Nothing.", []);
        assert_eq!(
            out,
            "# HELP x_total What it is.\n# TYPE x_total counter\nx_total{a=\"q\\\"\\\\\\n\"} 3\nx_total 4\n"
        );
    }
}
