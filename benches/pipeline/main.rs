//! From the bytes of pages to batches of canonical records with their ids, on one core: the pipeline with a profile,
//! against the same through `serde_json::Value` and through a struct written by hand for this one shape, in turn in one
//! run. `cargo bench --bench pipeline [-- ROUNDS]` prints medians and ratios; with `alone` only the pipeline runs, for a
//! profiler to look at.
//!
//! All three begin with the bodies of the pages in memory and end with packed records and digests; the pipeline also
//! plays the run around them: requests, paging, judging, duplicates, counts.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

mod meter;
mod shapes;
mod yardsticks;

use std::hint::black_box;

use chartly::domain::batch::Records;
use chartly::domain::run::RunState;
use chartly::pipeline::fetch::{Recording, SavedAnswer};
use chartly::pipeline::preview::NoSecrets;
use chartly::pipeline::{Fetcher, RunInput, Sink, SinkError, run};
use chartly::profiles::{Profile, load};

use meter::{Sample, measure, median};
use shapes::{PAGES, ROWS, Shape};

fn main() {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(15);
    let objects = shapes::objects();
    if std::env::args().any(|word| word == "alone") {
        return alone(&objects, rounds);
    }
    agree(&objects);
    compare(&objects, rounds);
    println!();
    others(rounds.div_ceil(3));
}

/// The three ways give the same records, or their times mean nothing.
fn agree(objects: &Shape) {
    let ours = Ours::new(objects).records();
    for (name, theirs) in
        [("Value", yardsticks::by_value(&objects.pages)), ("struct", yardsticks::by_struct(&objects.pages))]
    {
        let same = ours.iter().flat_map(Records::iter).eq(theirs.iter().flat_map(Records::iter));
        assert!(same, "{name} makes other records than the profile");
    }
}

fn compare(objects: &Shape, rounds: usize) {
    let records = PAGES * ROWS;
    println!("{PAGES} pages of {ROWS} objects, {} bytes a page, {rounds} rounds in turn", objects.pages[0].len());
    let ours = Ours::new(objects);
    let mut all: [Vec<Sample>; 3] = Default::default();
    for _ in 0..rounds {
        all[0].push(measure(records, || drop(black_box(ours.records()))));
        all[1].push(measure(records, || drop(black_box(yardsticks::by_value(&objects.pages)))));
        all[2].push(measure(records, || drop(black_box(yardsticks::by_struct(&objects.pages)))));
    }
    meter::head();
    for (name, samples) in ["pipeline, any profile", "serde_json::Value", "struct written by hand"].iter().zip(&all) {
        meter::line(name, objects.pages[0].len() as f64 / ROWS as f64, samples);
    }
    let [ours, value, typed] = &all;
    let ratio = |other: &[Sample]| median(ours.iter().zip(other).map(|(ours, other)| other.cpu_us / ours.cpu_us));
    println!("ratio of CPU time, median of rounds: {:.2} times Value, {:.2} of the struct", ratio(value), ratio(typed));
    println!("goals: 1,400,000 records/s, 3 times Value, 0.85 of the struct");
}

fn alone(objects: &Shape, rounds: usize) {
    let ours = Ours::new(objects);
    let samples: Vec<Sample> = (0..rounds).map(|_| measure(ours.count, || drop(black_box(ours.records())))).collect();
    meter::head();
    meter::line("pipeline, any profile", objects.pages[0].len() as f64 / ROWS as f64, &samples);
}

fn others(rounds: usize) {
    println!("other shapes, for information; {rounds} rounds in turn");
    let shapes = shapes::others();
    let ours: Vec<Ours> = shapes.iter().map(Ours::new).collect();
    let mut all = vec![Vec::new(); shapes.len()];
    for _ in 0..rounds {
        for (samples, ours) in all.iter_mut().zip(&ours) {
            samples.push(measure(ours.count, || drop(black_box(ours.records()))));
        }
    }
    meter::head();
    for ((shape, ours), samples) in shapes.iter().zip(&ours).zip(&all) {
        let bytes: usize = shape.pages.iter().map(Vec::len).sum();
        meter::line(shape.name, bytes as f64 / ours.count as f64, samples);
    }
}

/// A profile and the answers that its source gives.
struct Ours<'s> {
    shape: &'s Shape,
    profile: Profile,
    /// Records of one run.
    count: usize,
    runtime: tokio::runtime::Runtime,
}

/// Keeps every batch.
#[derive(Default)]
struct Keep(Vec<Records>);

impl Sink for Keep {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        self.0.push(records);
        Ok(())
    }
}

impl<'s> Ours<'s> {
    fn new(shape: &'s Shape) -> Self {
        let profile = load(&shape.profile).unwrap_or_else(|problems| panic!("{problems}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut ours = Self { shape, profile, count: 0, runtime };
        ours.count = ours.records().iter().map(Records::len).sum();
        assert!(ours.count > 0, "{} gives no records", shape.name);
        ours
    }

    /// One run over all pages.
    fn records(&self) -> Vec<Records> {
        let answers = self.shape.pages.iter().map(|page| SavedAnswer::plain(page.clone())).collect();
        let fetcher = Fetcher::recorded(Recording::new(answers));
        let input = RunInput { profile: &self.profile, validators: None, cursor: None, now_ms: 0, secrets: &NoSecrets };
        let mut kept = Keep::default();
        let outcome = self.runtime.block_on(run(&fetcher, input, &mut kept));
        assert_eq!(outcome.state, RunState::Succeeded, "{}: {outcome:?}", self.shape.name);
        kept.0
    }
}
