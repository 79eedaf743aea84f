//! Signing in: which key's turn it is, which token is good, and what comes from an answer that takes neither. Tokens
//! and secrets stay here and in the request; no message holds one.

mod keyring;
mod token;
mod turns;

pub use keyring::{Held, Keyring};
pub use token::{Token, read, words};
