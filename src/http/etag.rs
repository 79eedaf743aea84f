//! Entity tags of what is named by its content: the digest is the tag.

use actix_web::HttpRequest;
use actix_web::http::header::{self, ETag, EntityTag, Header, IfNoneMatch};

use crate::domain::digest::Digest;
use crate::protocol::fault::Fault;

pub fn tag(digest: &Digest) -> ETag {
    ETag(EntityTag::new_strong(digest.to_string()))
}

/// True where the caller says that it has this content already.
pub fn is_known(request: &HttpRequest, digest: &Digest) -> bool {
    if !request.headers().contains_key(header::IF_NONE_MATCH) {
        return false;
    }
    let mine = EntityTag::new_strong(digest.to_string());
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&mine)),
        Err(_) => false,
    }
}

/// The version that `If-Match` names; none where any will do.
pub fn if_match(request: &HttpRequest) -> Result<Option<Digest>, Fault> {
    let Some(value) = request.headers().get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let digest = Digest::parse(text.trim_matches('"'));
    digest.map(Some).map_err(|_| {
        Fault::invalid(
            "If-Match",
            format!("If-Match is {text:?}; expected one ETag, such as \"sha256:…\" in quotes, or *"),
        )
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_tag_comes_back_as_it_went() {
        let digest = Digest::of(b"yaml");
        let quoted = tag(&digest).to_string();
        let request =
            |name: header::HeaderName, value: &str| TestRequest::get().insert_header((name, value)).to_http_request();
        assert!(is_known(&request(header::IF_NONE_MATCH, &quoted), &digest));
        assert!(is_known(&request(header::IF_NONE_MATCH, &format!("\"x\", W/{quoted}")), &digest));
        assert!(!is_known(&request(header::IF_NONE_MATCH, "\"x\""), &digest));
        assert!(!is_known(&TestRequest::get().to_http_request(), &digest));
        assert_eq!(if_match(&request(header::IF_MATCH, &quoted)), Ok(Some(digest)));
        assert_eq!(if_match(&request(header::IF_MATCH, "*")), Ok(None));
        assert!(if_match(&request(header::IF_MATCH, "\"v1\"")).is_err());
    }
}
