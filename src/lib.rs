//! Chartly turns HTTP data sources into joinable, deduplicated records: one YAML profile per source, no code.
//!
//! The tree is the architecture; ARCHITECTURE.md is its map. Floors, each using only those below it:
//! `bin` > `node` > `actors`, `http`, `cli` > `clients`, `pipeline` > `profiles`, `store`, `reports`
//! > `protocol` > `domain`, `runtime`, `settings`.

#![cfg_attr(test, allow(clippy::shadow_unrelated, reason = "a test retells its steps"))]

pub mod actors;
pub mod cli;
pub mod clients;
pub mod domain;
pub mod http;
pub mod node;
pub mod pipeline;
pub mod profiles;
pub mod protocol;
pub mod reports;
pub mod runtime;
pub mod sample;
pub mod settings;
pub mod store;
pub mod telemetry;
