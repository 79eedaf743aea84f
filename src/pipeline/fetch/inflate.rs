//! An answer's body, inflated as it arrives and bounded by what comes out.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

/// What is set aside at once for a body whose length is told. A longer one grows as it comes: who tells a length need
/// not keep to it.
const MAX_TOLD_BYTES: u64 = 4 << 20;

/// Collects bytes up to a bound.
pub struct Capped {
    bytes: Vec<u8>,
    max_bytes: usize,
    /// More came than was allowed.
    pub full: bool,
}

impl Write for Capped {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + chunk.len() > self.max_bytes {
            self.full = true;
            return Err(io::Error::other("the body is larger than allowed"));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the body chunk by chunk.
pub enum Inflate {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InflateError {
    TooLarge,
    /// The compressed stream is broken or ends too early.
    Broken(String),
}

impl Inflate {
    /// `None`: an encoding that was not asked for.
    pub fn new(encoding: Option<&str>, max_bytes: usize) -> Option<Self> {
        let sink = Capped { bytes: Vec::new(), max_bytes, full: false };
        match encoding.map(str::trim).map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => Some(Self::Plain(sink)),
            Some("gzip" | "x-gzip") => Some(Self::Gzip(Box::new(MultiGzDecoder::new(sink)))),
            Some(_) => None,
        }
    }

    /// The body will have `length` bytes on the wire, as its head says.
    pub fn expect(&mut self, length: u64) {
        if let Self::Plain(sink) = self {
            let told = usize::try_from(length.min(MAX_TOLD_BYTES)).unwrap_or(0);
            sink.bytes.reserve_exact(told.min(sink.max_bytes));
        }
    }

    pub fn push(&mut self, chunk: &[u8]) -> Result<(), InflateError> {
        let written = match self {
            Self::Plain(sink) => sink.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
        };
        written.map_err(|error| self.explain(&error))
    }

    /// Bytes that came out so far.
    pub fn len(&self) -> usize {
        self.sink().bytes.len()
    }

    /// The whole body.
    pub fn finish(mut self) -> Result<Vec<u8>, InflateError> {
        if let Self::Gzip(decoder) = &mut self
            && let Err(error) = decoder.try_finish()
        {
            return Err(self.explain(&error));
        }
        Ok(match self {
            Self::Plain(sink) => sink.bytes,
            Self::Gzip(mut decoder) => std::mem::take(&mut decoder.get_mut().bytes),
        })
    }

    fn sink(&self) -> &Capped {
        match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.get_ref(),
        }
    }

    fn explain(&self, error: &io::Error) -> InflateError {
        if self.sink().full { InflateError::TooLarge } else { InflateError::Broken(error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(encoding: Option<&str>, body: &[u8], max_bytes: usize) -> Result<Vec<u8>, InflateError> {
        let mut inflate = Inflate::new(encoding, max_bytes).unwrap();
        for chunk in body.chunks(1000) {
            inflate.push(chunk)?;
        }
        inflate.finish()
    }

    #[test]
    fn what_went_in_comes_out() {
        let text = b"hello ".repeat(10_000);
        assert_eq!(inflate(None, &text, 100_000).unwrap(), text);
        assert_eq!(inflate(Some("GZIP"), &gzip(&text), 100_000).unwrap(), text);
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        let bomb = gzip(&vec![0; 100 << 20]);
        assert!(bomb.len() < 200_000);
        assert_eq!(inflate(Some("gzip"), &bomb, 1 << 20), Err(InflateError::TooLarge));
        assert_eq!(inflate(None, &[0; 11], 10), Err(InflateError::TooLarge));
        assert!(inflate(None, &[0; 10], 10).is_ok());
    }

    #[test]
    fn a_cut_stream_is_broken() {
        let whole = gzip(&b"hello ".repeat(1000));
        for cut in [whole.len() / 2, whole.len() - 1, 5] {
            assert!(matches!(inflate(Some("gzip"), &whole[..cut], 100_000), Err(InflateError::Broken(_))), "{cut}");
        }
        assert!(matches!(inflate(Some("gzip"), b"<html>", 100_000), Err(InflateError::Broken(_))));
    }

    #[test]
    fn encodings_that_nobody_asked_for_are_refused() {
        assert!(Inflate::new(Some("br"), 10).is_none());
    }
}
