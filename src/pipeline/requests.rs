//! The requests that a run would begin with, built and not sent: one for each parameter set and window.

use super::cursor;
use super::fetch::Asked;
use super::outcome::Secrets;
use super::paging::Pager;
use super::request::{self, Filling, PlacedSecret};
use super::window::Windows;
use crate::profiles::Profile;
use crate::profiles::plan::{Auth, AuthWay, Plan, Scalar};

/// What a run would ask.
#[derive(Debug)]
pub struct FirstRequests {
    /// Parameter sets; 1 where there are none. Those of `for_each` only, where a list gives more.
    pub sets: usize,
    /// Windows of each set; 1 where there are none.
    pub windows: usize,
    /// The request that fetches a token, where there is one.
    pub sign_in: Option<Result<Asked, String>>,
    /// What is asked for the list whose rows are parameters: empty where there is none.
    pub lists: Vec<Result<Asked, String>>,
    /// The first of them, or why one cannot be built. A parameter that a list gives stands as its name in capitals.
    pub shown: Vec<Result<Asked, String>>,
}

/// Builds the first page's request of the first `most` lists.
pub fn first_requests(profile: &Profile, now_ms: i64, secrets: &dyn Secrets, most: usize) -> FirstRequests {
    let plan = profile.plan();
    let windows: Vec<Option<(i64, i64)>> = match &plan.window {
        None => vec![None],
        Some(window) => Windows::new(window, now_ms).map(Some).collect(),
    };
    let stand_ins = plan.first.iter().flat_map(|first| &first.names).map(|name| Scalar::Text(name.to_uppercase()));
    let stand_ins: Vec<Scalar> = stand_ins.collect();
    let sets = plan.sets.iter().take(most).map(|values| [values.as_slice(), &stand_ins].concat());
    let sets: Vec<Vec<Scalar>> = sets.collect();
    let begun = sets.iter().flat_map(|values| windows.iter().map(move |window| (values, *window)));
    let shown = begun.take(most).map(|(values, window)| asked(plan, values, window, now_ms, secrets)).collect();
    let of_list = |list: &Plan| -> Vec<_> {
        list.sets.iter().take(most).map(|values| asked(list, values, None, now_ms, secrets)).collect()
    };
    let lists = plan.first.as_ref().map(|first| of_list(&first.plan)).unwrap_or_default();
    let sign_in = plan.request.auth.as_ref().and_then(|auth| match &auth.way {
        AuthWay::Token(sign_in) => {
            Some(request::build_sign_in(sign_in, secrets, now_ms).map(|outgoing| Asked::of(&outgoing)))
        }
        AuthWay::Keys(_) => None,
    });
    FirstRequests { sets: plan.sets.len(), windows: windows.len(), sign_in, lists, shown }
}

fn asked(
    plan: &Plan,
    values: &[Scalar],
    window: Option<(i64, i64)>,
    now_ms: i64,
    secrets: &dyn Secrets,
) -> Result<Asked, String> {
    let cursor = plan.cursor.as_ref().zip(plan.cursor.as_ref().and_then(|plan| cursor::start(plan, None)));
    let filling = Filling { params: &plan.params, values, window, cursor, now_ms };
    let pager = Pager::new(plan.paging.as_ref());
    let mut outgoing = request::build(plan, filling, &pager.first(), secrets)?;
    if let Some(auth @ Auth { way: AuthWay::Token(_), .. }) = &plan.request.auth {
        outgoing.secret = Some(PlacedSecret::new(auth, "stand-in-for-the-token".to_owned().into(), &outgoing.url));
    }
    let mut asked = Asked::of(&outgoing);
    if let Some(own) = &plan.request.user_agent {
        asked.headers.push(("User-Agent".into(), format!("{own} chartly/{}", env!("CARGO_PKG_VERSION"))));
    }
    Ok(asked)
}
