//! The promises of `docs/guarantees.md`, one file each. Every test here fails when its promise is broken.

mod smoke;
mod support;
