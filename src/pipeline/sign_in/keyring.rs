//! What a process knows of the keys and tokens of its profiles, from run to run. In memory only: a token is never
//! written down. Runs of one profile at the same time share it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use tokio::sync::Mutex;

use super::token::Token;
use super::turns::Turns;
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::profiles::plan::Auth;

/// Declarations that are known at the same time. At the bound all is forgotten, and signed in anew.
const MAX_HELD: usize = 10_000;

#[derive(Default)]
pub struct Keyring(RefCell<HashMap<(ProfileId, Digest), Rc<Held>>>);

/// What is known for one declaration of one profile.
#[derive(Debug, Default)]
pub struct Held {
    pub turns: RefCell<Turns>,
    /// Locked while it is fetched, so that only one sign-in is made.
    pub token: Mutex<Option<Token>>,
    /// Tokens fetched so far.
    pub fetched: std::cell::Cell<u64>,
}

impl Keyring {
    pub fn held(&self, profile: &ProfileId, auth: &Auth) -> Rc<Held> {
        let mut known = self.0.borrow_mut();
        if known.len() >= MAX_HELD {
            tracing::warn!(profiles = known.len(), "too many sign-ins are known; all are made anew");
            known.clear();
        }
        Rc::clone(known.entry((profile.clone(), auth.digest)).or_default())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("held", &self.0.borrow().len()).finish_non_exhaustive()
    }
}
