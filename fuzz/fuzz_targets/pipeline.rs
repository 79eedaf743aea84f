//! Profiles are changed line by line, so that they stay readable more often than bytes that are changed at random.

#![no_main]

use chartly_fuzz::{ANSWER, lines};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| chartly_fuzz::pipeline(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let end = data[..size].windows(ANSWER.len()).position(|window| window == ANSWER);
    let Some(end) = end.filter(|_| seed.is_multiple_of(2)) else { return fuzzer_mutate(data, size, max_size) };
    let Ok(profile) = std::str::from_utf8(&data[..end]) else { return fuzzer_mutate(data, size, max_size) };
    let mut changed = lines::change(profile, seed / 2).into_bytes();
    changed.extend_from_slice(&data[end..size]);
    changed.truncate(max_size);
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
});
