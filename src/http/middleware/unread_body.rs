//! Closes a connection whose chunked body nobody wants to read further. Left alone, actix reads on and throws away,
//! without a limit on bytes or time; it closes in time where the body is still held when the answer has been sent.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::{InternalError, PayloadError};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

pub async fn unread_body<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if !request.chunked().unwrap_or(true) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let held = Shared(Rc::new(RefCell::new(request.take_payload())));
    request.set_payload(Payload::Stream { payload: Box::pin(held.clone()) });
    match next.call(request).await {
        Ok(answer) => Ok(answer.map_body(|_, body| EitherBody::right(BoxBody::new(Held::new(body, held))))),
        Err(error) => {
            let answer = error.error_response().map_body(|_, body| BoxBody::new(Held::new(body, held)));
            Err(InternalError::from_response(error, answer).into())
        }
    }
}

/// A body of a request that its reader and the answer both hold.
#[derive(Clone)]
struct Shared(Rc<RefCell<Payload>>);

impl Stream for Shared {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_next_unpin(context)
    }
}

/// The body of an answer, and with it that of its request.
struct Held {
    body: BoxBody,
    _request_body: Shared,
}

impl Held {
    fn new(body: impl MessageBody + 'static, request_body: Shared) -> Self {
        Self { body: body.boxed(), _request_body: request_body }
    }
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
