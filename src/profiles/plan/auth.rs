//! How requests sign in, compiled. Names of secrets only, never a value.

use super::{Request, SecretPlace, Wait};
use crate::domain::digest::Digest;
use crate::profiles::path::Segment;

/// Where a secret or token comes from, and where it goes.
#[derive(Debug)]
pub struct Auth {
    pub way: AuthWay,
    pub place: SecretPlace,
    /// Query parameter, header, or JSON Pointer.
    pub name: String,
    pub optional: bool,
    /// Names the declaration: what is known of another one does not hold for it.
    pub digest: Digest,
}

#[derive(Debug)]
pub enum AuthWay {
    /// Names of secrets that are taken by turns.
    Keys(Vec<String>),
    Token(Box<SignIn>),
}

/// A request whose answer holds a token.
#[derive(Debug)]
pub struct SignIn {
    pub request: Request,
    /// Names of the secrets that the request takes, as its holes name them: `secret.NAME`.
    pub holes: Vec<String>,
    /// Names of the secrets that go as `Authorization: Basic`, id and secret.
    pub basic: Option<(String, String)>,
    pub token: TokenPlace,
    pub expires: Option<Wait>,
    /// Where the body says when the token ends.
    pub expires_path: Vec<Segment>,
}

#[derive(Debug)]
pub enum TokenPlace {
    /// Path in the JSON answer.
    Body(Vec<Segment>),
    /// Name in lower case.
    Header(String),
}

impl Auth {
    /// Names of all secrets that it may use.
    pub fn secrets(&self) -> Vec<&str> {
        match &self.way {
            AuthWay::Keys(names) => names.iter().map(String::as_str).collect(),
            AuthWay::Token(sign_in) => {
                let holes = sign_in.holes.iter().filter_map(|hole| hole.strip_prefix(SECRET_HOLE));
                let basic = sign_in.basic.iter().flat_map(|(id, secret)| [id.as_str(), secret]);
                holes.chain(basic).collect()
            }
        }
    }
}

/// What the holes of a sign-in begin with.
pub const SECRET_HOLE: &str = "secret.";
