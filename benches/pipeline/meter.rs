//! Time of this thread, on the clock and on the core, and how figures are shown.

use std::time::Instant;

/// One way in one round, for each record.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub wall_us: f64,
    pub cpu_us: f64,
}

/// Times `work`, which makes `records`, over at least a tenth of a second.
pub fn measure(records: usize, mut work: impl FnMut()) -> Sample {
    let (cpu, begun) = (cpu_us(), Instant::now());
    let mut times = 0_u32;
    while begun.elapsed().as_millis() < 100 {
        work();
        times += 1;
    }
    let each = f64::from(times) * records as f64;
    Sample { wall_us: begun.elapsed().as_secs_f64() * 1e6 / each, cpu_us: (cpu_us() - cpu) / each }
}

/// Microseconds that this thread has had a core.
fn cpu_us() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts the time of threads");
    let nanoseconds: f64 = text.split(' ').next().and_then(|first| first.parse().ok()).expect("a number");
    nanoseconds / 1e3
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn head() {
    println!("{:<42} {:>11} {:>11} {:>11} {:>9}", "", "records/s", "CPU us/rec", "wall us/rec", "MB/s");
}

/// One line of the table: rates by CPU time, which other work on the machine does not change.
pub fn line(name: &str, bytes_a_record: f64, samples: &[Sample]) {
    let cpu = median(samples.iter().map(|sample| sample.cpu_us));
    let wall = median(samples.iter().map(|sample| sample.wall_us));
    println!("{name:<42} {:>11.0} {cpu:>11.3} {wall:>11.3} {:>9.0}", 1e6 / cpu, bytes_a_record / cpu);
}
