//! Decompression into a buffer that never grows past its limit, not even for one chunk of a bomb.

use std::io::{self, Write};

use actix_web::http::header::{self, HeaderMap};
use flate2::write::MultiGzDecoder;
use zstd::stream::{raw, zio};

use super::{Budget, Reservation};
use crate::protocol::fault::{Code, Fault};

/// The largest zstd window taken, as a power of two: 8 MiB, what the format asks every decoder to offer.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Identity) };
        let name = value.to_str().unwrap_or("(not text)").trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Fault::new(
                Code::UnsupportedType,
                format!("Content-Encoding is {name:?}; expected gzip, zstd or identity"),
            )),
        }
    }
}

/// Takes a body chunk by chunk and writes it, inflated, to its target.
pub(super) enum Inflater<T: Write> {
    Identity(T),
    Gzip(Box<MultiGzDecoder<T>>),
    Zstd(Box<zio::Writer<T, raw::Decoder<'static>>>),
}

impl<T: Write> Inflater<T> {
    pub(super) fn to(target: T, encoding: Encoding) -> Result<Self, Fault> {
        Ok(match encoding {
            Encoding::Identity => Self::Identity(target),
            Encoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(target))),
            Encoding::Zstd => Self::Zstd(Box::new(zio::Writer::new(target, zstd_decoder()?))),
        })
    }

    /// Takes some bytes off `chunk`, so few that what they inflate to is small too.
    pub(super) fn push_some(&mut self, chunk: &[u8]) -> Result<usize, Fault> {
        let written = match self {
            Self::Identity(target) => target.write(chunk),
            Self::Gzip(decoder) => decoder.write(chunk),
            Self::Zstd(decoder) => decoder.write(chunk),
        };
        written.map_err(|error| self.broken(&error))
    }

    /// Writes out what is left; a body that is cut off is a fault.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.try_end().map_err(|error| self.broken(&error))
    }

    pub(super) fn target_mut(&mut self) -> &mut T {
        match self {
            Self::Identity(target) => target,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.writer_mut(),
        }
    }

    fn try_end(&mut self) -> io::Result<()> {
        match self {
            Self::Identity(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }

    fn broken(&self, error: &io::Error) -> Fault {
        let format = match self {
            Self::Identity(_) => "identity",
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        };
        Fault::new(Code::InvalidRequest, format!("the body is not whole, valid {format}: {error}"))
    }
}

/// Gives a body back whole.
impl Inflater<Bounded> {
    pub(super) fn new(encoding: Encoding, max_bytes: usize, budget: Budget) -> Result<Self, Fault> {
        let target = Bounded { bytes: Vec::new(), max_bytes, held: budget.reserve_nothing(), refusal: None };
        Self::to(target, encoding)
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        let written = match self {
            Self::Identity(target) => target.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
            Self::Zstd(decoder) => decoder.write_all(chunk),
        };
        written.map_err(|error| self.fault(&error))
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, Fault> {
        self.try_end().map_err(|error| self.fault(&error))?;
        Ok(std::mem::take(&mut self.target_mut().bytes))
    }

    /// The limit speaks first: a decoder tells of it as of any other failed write.
    fn fault(&mut self, error: &io::Error) -> Fault {
        let broken = self.broken(error);
        self.target_mut().refusal.take().unwrap_or(broken)
    }
}

fn zstd_decoder() -> Result<raw::Decoder<'static>, Fault> {
    let make = || {
        let mut decoder = raw::Decoder::new()?;
        decoder.set_parameter(raw::DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
        Ok(decoder)
    };
    make().map_err(|error: io::Error| Fault::new(Code::Internal, format!("zstd cannot start: {error}")))
}

/// A buffer that refuses to grow past its limit or the common budget.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    max_bytes: usize,
    held: Reservation,
    refusal: Option<Fault>,
}

impl Write for Bounded {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + chunk.len() > self.max_bytes {
            let detail =
                format!("the body has more than {} bytes after decompression; send it in parts", self.max_bytes);
            return self.refuse(Fault::new(Code::BodyTooLarge, detail));
        }
        if !self.held.grow(chunk.len()) {
            let detail = "the bodies of other requests fill the memory set aside for bodies; send it again";
            return self.refuse(Fault::new(Code::Overloaded, detail).retry_after(1));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Bounded {
    fn refuse(&mut self, fault: Fault) -> io::Result<usize> {
        let error = io::Error::other(fault.detail.clone());
        self.refusal = Some(fault);
        Err(error)
    }
}
