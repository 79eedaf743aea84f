//! Takes secrets out of what goes to disk, in every spelling in which a source may give them back.

use std::borrow::Cow;
use std::io::{Read, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use memchr::memmem;
use secrecy::ExposeSecret;

use super::KeepError;
use super::packed::{self, Packing};
use crate::pipeline::request::{Outgoing, spellings};
use crate::profiles::plan::SecretPlace;

/// A shorter secret may be part of the data by chance; putting something in its place would harm it.
const MIN_SECRET_CHARS: usize = 8;
const IN_ITS_PLACE: &[u8] = b"[secret]";

/// The secrets of one request.
pub struct Redactor {
    /// The longest first.
    long: Vec<String>,
    short: Vec<String>,
}

impl Redactor {
    pub fn of(request: &Outgoing) -> Self {
        let all: Vec<String> = secrets(request).iter().flat_map(|secret| every_spelling(secret)).collect();
        let (mut long, short): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|spelling| spelling.chars().count() >= MIN_SECRET_CHARS);
        long.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        Self { long, short }
    }

    /// A text that is not data: short secrets are taken out, too.
    pub fn text(&self, text: &str) -> String {
        let spellings = self.long.iter().chain(&self.short);
        spellings.fold(text.to_owned(), |text, spelling| text.replace(spelling, "[secret]"))
    }

    /// An answer's body. One that may hold a secret which cannot be taken out is refused.
    pub fn body<'b>(&self, body: &'b [u8]) -> Result<Cow<'b, [u8]>, KeepError> {
        if self.long.is_empty() && self.short.is_empty() {
            return Ok(Cow::Borrowed(body));
        }
        match Packing::of(body) {
            Some(packing) => self.packed(body, packing),
            None => self.plain(body),
        }
    }

    /// A packed file stays as it is where no secret is in it. Gzip is packed anew without the secret; a zip file is not.
    fn packed<'b>(&self, body: &'b [u8], packing: Packing) -> Result<Cow<'b, [u8]>, KeepError> {
        let words: Vec<&String> = self.long.iter().chain(&self.short).collect();
        match (packed::holds(body, packing, &words), packing) {
            (Some(false), _) => Ok(Cow::Borrowed(body)),
            (Some(true), Packing::Gzip) => {
                let mut whole = Vec::new();
                MultiGzDecoder::new(body).take(packed::MAX_UNPACKED_BYTES + 1).read_to_end(&mut whole)?;
                if whole.len() as u64 > packed::MAX_UNPACKED_BYTES {
                    return Err(KeepError::Packed);
                }
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&self.plain(&whole)?)?;
                Ok(Cow::Owned(encoder.finish()?))
            }
            _ => Err(KeepError::Packed),
        }
    }

    fn plain<'b>(&self, body: &'b [u8]) -> Result<Cow<'b, [u8]>, KeepError> {
        let mut clean = Cow::Borrowed(body);
        for spelling in &self.long {
            if let Some(changed) = replaced(&clean, spelling.as_bytes()) {
                clean = Cow::Owned(changed);
            }
        }
        if self.short.iter().any(|spelling| memmem::find(&clean, spelling.as_bytes()).is_some()) {
            return Err(KeepError::ShortSecret);
        }
        Ok(clean)
    }
}

/// The secrets that a request carries, or that its answer may hold.
fn secrets(request: &Outgoing) -> Vec<String> {
    let own = request.secret.as_ref();
    let value = own.map(|secret| secret.value.expose_secret());
    let is_basic = own.is_some_and(|secret| secret.place == SecretPlace::Basic);
    let password = value.filter(|_| is_basic).and_then(|value| value.split_once(':')).map(|(_, password)| password);
    let hidden = request.hidden.iter().map(ExposeSecret::expose_secret);
    let all = value.into_iter().chain(password).chain(hidden).filter(|part| !part.is_empty());
    all.map(str::to_owned).collect()
}

fn every_spelling(secret: &str) -> Vec<String> {
    let mut all = spellings(secret);
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    all.push(json.replace('/', "\\/"));
    all.push(json);
    all.push(secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"));
    all.push(BASE64_STANDARD.encode(secret));
    all.sort();
    all.dedup();
    all
}

/// The bytes with something else in the secret's place; `None` where it is not there.
fn replaced(bytes: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let finder = memmem::Finder::new(secret);
    finder.find(bytes)?;
    let (mut out, mut from) = (Vec::with_capacity(bytes.len()), 0);
    for at in finder.find_iter(bytes) {
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(IN_ITS_PLACE);
        from = at + secret.len();
    }
    out.extend_from_slice(&bytes[from..]);
    Some(out)
}
