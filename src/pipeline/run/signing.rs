//! Each try of a request, signed: with the key whose turn it is, or with a token that is fetched where there is none.

use std::rc::Rc;
use std::time::Duration;

use secrecy::SecretString;

use super::attempts::Trouble;
use super::{End, Run};
use crate::pipeline::judge::Verdict;
use crate::pipeline::request::{self, Outgoing, PlacedSecret, shown};
use crate::pipeline::sign_in::{self, Held, Token};
use crate::profiles::plan::{Auth, AuthWay, SignIn};

/// A key that is refused rests so long.
const REFUSED_REST_MS: i64 = 3_600_000;
/// A key that is at its rate limit rests so long where the source does not say it.
const LIMITED_REST_MS: i64 = 60_000;

/// A request as it is sent, and what signed it.
pub(super) struct Signed {
    pub(super) request: Outgoing,
    by: By,
}

enum By {
    /// Nothing, or one secret that nothing can replace.
    Fixed,
    /// One of several keys.
    Key(usize, Rc<Held>),
    /// A token, by its number.
    Token(u64, Rc<Held>),
}

impl Signed {
    /// Which of several keys signed it.
    pub(super) fn key(&self) -> Option<usize> {
        match &self.by {
            By::Key(index, _) => Some(*index),
            By::Fixed | By::Token(..) => None,
        }
    }
}

impl Run<'_> {
    /// How often a request may be signed anew without being a further try.
    pub(super) fn most_signings(&self) -> usize {
        match self.plan.request.auth.as_ref().map(|auth| &auth.way) {
            Some(AuthWay::Keys(names)) => names.len(),
            Some(AuthWay::Token(_)) => 1,
            None => 0,
        }
    }

    /// Several keys are taken by turns.
    pub(super) fn has_turns(&self) -> bool {
        matches!(self.plan.request.auth.as_ref().map(|auth| &auth.way), Some(AuthWay::Keys(_)))
    }

    /// Signs a request that is to be sent now.
    pub(super) async fn sign(&mut self, request: &Outgoing) -> Result<Signed, Trouble> {
        let plan = self.plan;
        let Some(auth) = &plan.request.auth else { return Ok(Signed { request: request.clone(), by: By::Fixed }) };
        for secret in &request.hidden {
            self.hide(secret);
        }
        let held = self.fetcher.keyring().held(self.input.profile.id(), auth);
        match &auth.way {
            AuthWay::Keys(names) if names.len() == 1 => Ok(Signed { request: request.clone(), by: By::Fixed }),
            AuthWay::Keys(_) => self.with_key(request, auth, held),
            AuthWay::Token(sign_in) => self.with_token(request, auth, sign_in, held).await,
        }
    }

    fn with_key(&self, request: &Outgoing, auth: &Auth, held: Rc<Held>) -> Result<Signed, Trouble> {
        let known =
            request::known_secrets(auth, self.input.secrets).map_err(|error| Trouble::End(End::failed(error)))?;
        let indexes: Vec<usize> = known.iter().map(|(index, _)| *index).collect();
        let now_ms = self.now_ms();
        let taken = held.turns.borrow_mut().take(&indexes, now_ms);
        match taken {
            Ok(index) => {
                let value = known.into_iter().find(|(known, _)| *known == index).map(|(_, value)| value);
                let secret = value.map(|value| PlacedSecret::new(auth, value, &request.url));
                Ok(Signed { request: Outgoing { secret, ..request.clone() }, by: By::Key(index, held) })
            }
            // It goes without one.
            Err(None) => Ok(Signed { request: request.clone(), by: By::Fixed }),
            Err(Some(until_ms)) => {
                let count = indexes.len();
                let pause_ms = until_ms.saturating_sub(now_ms).max(0).unsigned_abs();
                let reason = format!("all {count} keys rest: each was refused or is at its rate limit");
                Err(Verdict::RateLimited { reason, pause: Some(Duration::from_millis(pause_ms)) }.into())
            }
        }
    }

    async fn with_token(
        &mut self,
        request: &Outgoing,
        auth: &Auth,
        sign_in: &SignIn,
        held: Rc<Held>,
    ) -> Result<Signed, Trouble> {
        if auth.optional && request.hidden.is_empty() {
            return Ok(Signed { request: request.clone(), by: By::Fixed });
        }
        let token = {
            let mut known = held.token.lock().await;
            match known.clone().filter(|token| token.is_good(self.now_ms())) {
                Some(token) => token,
                None => {
                    let token = self.fetch_token(sign_in, &held).await?;
                    *known = Some(token.clone());
                    token
                }
            }
        };
        self.hide(&token.value);
        let mut signed = request.clone();
        signed.secret = Some(PlacedSecret::new(auth, token.value, &request.url));
        Ok(Signed { request: signed, by: By::Token(token.number, held) })
    }

    /// Signs in. It is a request of the run as any other, but is followed to no other host.
    async fn fetch_token(&mut self, sign_in: &SignIn, held: &Held) -> Result<Token, Trouble> {
        let number = held.fetched.get() + 1;
        held.fetched.set(number);
        if self.fetcher.is_recorded() {
            return Ok(Token { value: SecretString::from("stand-in-token"), good_until_ms: None, number });
        }
        let failed = |message: String| Trouble::End(End::failed(message));
        let request = request::build_sign_in(sign_in, self.input.secrets, self.now_ms()).map_err(failed)?;
        for secret in &request.hidden {
            self.hide(secret);
        }
        let told = |reason: &str| request.redact(&format!("the sign-in at {} failed: {reason}", shown(&request.url)));
        let agent = self.plan.request.user_agent.as_deref();
        let fetched = self.fetcher.fetch(&request, agent, None, self.limits.timeout, &mut self.traffic).await;
        let answer = fetched.map_err(|error| match self.trouble(error) {
            Trouble::Again { reason, pause } => Trouble::Again { reason: told(&reason), pause },
            Trouble::End(End::Failed { message, not_before_ms }) => {
                Trouble::End(End::Failed { message: told(&message), not_before_ms })
            }
            other => other,
        })?;
        let status = answer.status;
        let reason = || told(&format!("the server answers {status}: {:?}", sign_in::words(&answer)));
        match status {
            200..=299 => sign_in::read(sign_in, &answer, self.now_ms(), number).map_err(|error| failed(told(&error))),
            408 | 425 | 429 | 500..=599 => Err(Trouble::Again { reason: reason(), pause: answer.pause(self.now_ms()) }),
            _ => Err(failed(reason())),
        }
    }

    /// What an answer that does not count means for the key or token that signed the request.
    pub(super) async fn judged(&mut self, signed: &Signed, verdict: Verdict) -> Trouble {
        match (&signed.by, verdict) {
            (By::Key(index, held), Verdict::RateLimited { reason, pause }) => {
                let rest_ms =
                    pause.map_or(LIMITED_REST_MS, |pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
                held.turns.borrow_mut().rest(*index, self.now_ms().saturating_add(rest_ms));
                Trouble::Anew { reason }
            }
            (By::Key(index, held), Verdict::SignIn { reason }) => {
                held.turns.borrow_mut().rest(*index, self.now_ms().saturating_add(REFUSED_REST_MS));
                Trouble::Anew { reason }
            }
            (By::Token(number, held), Verdict::SignIn { reason }) => {
                let mut known = held.token.lock().await;
                // Another run may have signed in meanwhile.
                if known.as_ref().is_some_and(|token| token.number == *number) {
                    *known = None;
                }
                Trouble::Anew { reason }
            }
            (_, verdict) => verdict.into(),
        }
    }

    /// From now on the secret is taken out of every message of the run.
    fn hide(&mut self, secret: &SecretString) {
        use secrecy::ExposeSecret;
        let is_known = self.hidden.iter().any(|known| known.expose_secret() == secret.expose_secret());
        if !is_known {
            self.hidden.push(secret.clone());
        }
    }
}
