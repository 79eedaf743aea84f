#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chartly_fuzz::inflate(data));
