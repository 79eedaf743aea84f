//! Sign-in: every secret has a name and a place, every token a request that fetches it.

use super::answer;
use super::notes::Notes;
use super::source::{Holes, check_url, request};
use crate::domain::digest::Digest;
use crate::profiles::document::source::Source;
use crate::profiles::document::source::auth::{Auth as AuthChoice, AuthDoc, AuthStyle, Login, OAuth2, TokenPlace};
use crate::profiles::document::source::moment::{Moment, MomentForm};
use crate::profiles::node::{At, Place, list};
use crate::profiles::path::{Path, Segment};
use crate::profiles::plan::{
    self, Auth, AuthWay, Body, Method, Part, Request, SECRET_HOLE, SecretPlace, SignIn, Template, Wait, When, WhenPlace,
};

/// At most this many keys are taken by turns.
const MAX_KEYS: usize = 100;

/// Compiles the sign-in of a request with this body.
pub fn auth(choice: &At<AuthChoice>, body: &Body, notes: &mut Notes) -> Option<Auth> {
    let AuthChoice::By(doc) = &choice.value else { return None };
    let (way, usual) = match (&doc.secret, &doc.oauth2, &doc.login) {
        (Some(names), None, None) => (AuthWay::Keys(keys(names, notes)), None),
        (None, Some(oauth2), None) => {
            (AuthWay::Token(Box::new(self::oauth2(oauth2, notes)?)), Some(SecretPlace::Bearer))
        }
        (None, None, Some(login)) => (AuthWay::Token(Box::new(self::login(login, notes)?)), Some(SecretPlace::Bearer)),
        (None, None, None) => {
            notes.add(
                choice.place,
                "auth needs secret: the name under which the operator keeps it, or oauth2, or login",
            );
            return None;
        }
        _ => {
            notes.add(choice.place, "auth is one of secret, oauth2 and login");
            return None;
        }
    };
    let (place, name) = place(doc, choice.place, usual, body, notes)?;
    if let (AuthWay::Token(_), SecretPlace::Basic) = (&way, place) {
        notes.add(choice.place, "a token does not go in basic; use bearer, header or query");
    }
    let digest = Digest::of(format!("{way:?} {place:?} {name}").as_bytes());
    Some(Auth { way, place, name, optional: doc.optional.unwrap_or(false), digest })
}

fn keys(names: &At<crate::profiles::scalar::Texts>, notes: &mut Notes) -> Vec<String> {
    let texts = &names.value.0;
    if texts.is_empty() || texts.len() > MAX_KEYS {
        notes.add(names.place, format!("secret names 1 to {MAX_KEYS} secrets"));
    }
    for (index, name) in texts.iter().enumerate() {
        check_name(&name.value, name.place, notes);
        if texts[..index].iter().any(|earlier| earlier.value == name.value) {
            notes.add(name.place, format!("the secret {} stands twice", name.value));
        }
    }
    texts.iter().map(|name| name.value.clone()).collect()
}

fn check_name(name: &str, place: Place, notes: &mut Notes) {
    let fits = |next: char| next.is_ascii_alphanumeric() || next == '_';
    if name.is_empty() || !name.chars().all(fits) || name.chars().count() > 100 {
        let hint = "a profile holds the name of a secret, never the secret itself";
        notes.add_with_hint(place, "the name of a secret has letters, digits and _ only", hint);
    }
}

fn place(
    doc: &AuthDoc,
    at: Place,
    usual: Option<SecretPlace>,
    body: &Body,
    notes: &mut Notes,
) -> Option<(SecretPlace, String)> {
    let Some(place) = doc.place.or(usual) else {
        notes.add(at, format!("auth needs in: {}", list(SecretPlace::WORDS)));
        return None;
    };
    let needs_name = matches!(place, SecretPlace::Query | SecretPlace::Header | SecretPlace::Body);
    let name = match &doc.name {
        Some(name) => name.value.clone(),
        None if needs_name => {
            notes.add(at, format!("auth in {} needs name", place.word()));
            return None;
        }
        None => String::new(),
    };
    if place == SecretPlace::Body && !(name.starts_with('/') && matches!(body, Body::Json(_))) {
        notes.add(at, "auth in body needs a json body and a JSON Pointer as name, such as /key");
    }
    Some((place, name))
}

fn oauth2(said: &At<OAuth2>, notes: &mut Notes) -> Option<SignIn> {
    let doc = &said.value;
    let (Some(url), Some(id), Some(secret)) = (&doc.token_url, &doc.client_id, &doc.client_secret) else {
        notes.add(said.place, "oauth2 needs token_url, client_id and client_secret; the latter two name secrets");
        return None;
    };
    check_name(&id.value, id.place, notes);
    check_name(&secret.value, secret.place, notes);
    let template = fixed(&url.value);
    check_url(url, &template, notes);
    let mut form = vec![("grant_type".to_owned(), vec![fixed("client_credentials")])];
    let scopes: Vec<&str> = doc.scopes.iter().flatten().map(|scope| scope.value.as_str()).collect();
    if !scopes.is_empty() {
        form.push(("scope".to_owned(), vec![fixed(&scopes.join(" "))]));
    }
    form.extend(doc.audience.as_ref().map(|audience| ("audience".to_owned(), vec![fixed(&audience.value)])));
    let hole = |name: &str| format!("{SECRET_HOLE}{name}");
    let names = (id.value.clone(), secret.value.clone());
    let (basic, holes) = match doc.auth_style {
        Some(AuthStyle::Body) => {
            for (field, name) in [("client_id", &names.0), ("client_secret", &names.1)] {
                let hole = plan::Hole { name: hole(name), format: None, raw: false };
                form.push((field.to_owned(), vec![Template { parts: vec![Part::Hole(hole)] }]));
            }
            (None, vec![hole(&names.0), hole(&names.1)])
        }
        _ => (Some(names), Vec::new()),
    };
    let request = Request {
        raw_query: None,
        method: Method::Post,
        url: template,
        query: Vec::new(),
        headers: vec![("Accept".to_owned(), fixed("application/json"))],
        body: Body::Form(form),
        auth: None,
        user_agent: None,
    };
    let at = |name: &str| vec![Segment::Name(name.to_owned())];
    Some(SignIn {
        request,
        holes,
        basic,
        token: plan::TokenPlace::Body(at("access_token")),
        expires: Some(Wait::Said(When { place: WhenPlace::Body, form: MomentForm::Seconds })),
        expires_path: at("expires_in"),
    })
}

fn fixed(text: &str) -> Template {
    Template { parts: vec![Part::Text(text.to_owned())] }
}

fn login(said: &At<Login>, notes: &mut Notes) -> Option<SignIn> {
    let doc = &said.value;
    let source = Source {
        url: doc.url.clone(),
        method: doc.method,
        query: doc.query.clone(),
        headers: doc.headers.clone(),
        body: doc.body.clone(),
        ..Source::default()
    };
    if doc.url.is_none() {
        notes.add(said.place, "login needs url");
    }
    doc.url.as_ref()?;
    let holes = Holes { params: &[], has_window: false, has_cursor: false, takes_secrets: true };
    let request = request(&At { value: source, place: said.place }, &holes, notes)?;
    if let (true, Some(url)) = (request.url.holes().any(is_secret), &doc.url) {
        notes.add(url.place, "a URL is written to logs; put the secret into query, headers or body");
    }
    let mut names: Vec<String> =
        request.holes().into_iter().filter(|hole| is_secret(hole)).map(|hole| hole.name.clone()).collect();
    names.sort();
    names.dedup();
    for name in &names {
        check_name(name.strip_prefix(SECRET_HOLE).unwrap_or(name), said.place, notes);
    }
    let Some(token) = &doc.token else {
        notes.add(said.place, "login needs token: where the token is in the answer, such as $.access_token");
        return None;
    };
    let token = match &token.value {
        TokenPlace::Path(path) => plan::TokenPlace::Body(segments(path, token.place, notes)?),
        TokenPlace::Header(header) => {
            plan::TokenPlace::Header(header.value.header.as_ref()?.value.trim().to_ascii_lowercase())
        }
    };
    let expires_path = match doc.expires.as_ref().map(|expires| (&expires.value, expires.place)) {
        Some((Moment::Path(path), place)) => segments(path, place, notes)?,
        Some((Moment::Said(moment), _)) => match &moment.value.path {
            Some(path) => segments(&path.value, path.place, notes)?,
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    let expires = doc.expires.as_ref().and_then(|expires| answer::wait(expires, notes));
    Some(SignIn { request, holes: names, basic: None, token, expires, expires_path })
}

fn is_secret(hole: &plan::Hole) -> bool {
    hole.name.starts_with(SECRET_HOLE)
}

fn segments(path: &str, place: Place, notes: &mut Notes) -> Option<Vec<Segment>> {
    let path = notes.keep(place, Path::parse(path).map_err(|error| format!("{path:?}: {error}")))?;
    if path.segments.contains(&Segment::All) {
        notes.add(place, "a token is one value; name one place, such as [0]");
        return None;
    }
    Some(path.segments)
}
