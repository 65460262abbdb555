#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| halfmax_fuzz::families::family(bytes));
