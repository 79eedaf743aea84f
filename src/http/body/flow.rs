//! A body that is never held whole: piece by piece as it arrives, inflated, so that it may be of any length. It is
//! read no faster than its pieces are taken, which holds the sender up.

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;

use super::inflate::{Encoding, Inflater};
use crate::http::middleware::time_cap::WaitsForBody;
use crate::protocol::fault::{Code, Fault};

/// A body on its way in.
#[expect(missing_debug_implementations, reason = "a body on its way has nothing to show")]
pub struct Flow {
    payload: Payload,
    inflater: Inflater<Vec<u8>>,
    arrived: Bytes,
    waits: WaitsForBody,
    ended: bool,
}

impl Flow {
    pub fn new(headers: &HeaderMap, payload: Payload, waits: WaitsForBody) -> Result<Self, Fault> {
        let inflater = Inflater::to(Vec::new(), Encoding::of(headers)?)?;
        Ok(Self { payload, inflater, arrived: Bytes::new(), waits, ended: false })
    }

    /// Writes the next piece into `piece`, in the place of what was there; it is empty at the end of the body only.
    pub async fn next(&mut self, piece: &mut Vec<u8>) -> Result<(), Fault> {
        piece.clear();
        // The one buffer goes to and fro.
        std::mem::swap(self.inflater.target_mut(), piece);
        while self.inflater.target_mut().is_empty() && !self.ended {
            self.step().await?;
        }
        std::mem::swap(self.inflater.target_mut(), piece);
        Ok(())
    }

    async fn step(&mut self) -> Result<(), Fault> {
        if !self.arrived.is_empty() {
            let taken = self.inflater.push_some(&self.arrived)?;
            self.arrived.advance(taken);
            return Ok(());
        }
        self.waits.set(true);
        let next = self.payload.next().await;
        self.waits.set(false);
        self.waits.goes_on();
        match next {
            Some(Ok(arrived)) => self.arrived = arrived,
            Some(Err(error)) => {
                return Err(Fault::new(Code::InvalidRequest, format!("the body broke off: {error}")));
            }
            None => {
                self.ended = true;
                self.inflater.end()?;
            }
        }
        Ok(())
    }
}
