//! The most time for a whole request, so that neither a slow caller nor a slow role holds a place for ever. What
//! streams after the answer's head, such as live events, is not counted. A request whose body may be of any length has
//! the time from one step to the next.

use std::cell::Cell;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};

use crate::http::problem::HttpError;
use crate::http::state::AppState;
use crate::protocol::fault::{Code, Fault};

/// Whether a request's body is being waited for: then the caller is the slow one.
#[derive(Clone, Default, Debug)]
pub struct WaitsForBody {
    waits: Rc<Cell<bool>>,
    went_on: Rc<Cell<bool>>,
}

impl WaitsForBody {
    pub fn set(&self, waits: bool) {
        self.waits.set(waits);
    }

    /// A body of any length has come a step further: the time begins anew.
    pub fn goes_on(&self) {
        self.went_on.set(true);
    }
}

pub async fn time_cap<B: MessageBody>(
    state: web::Data<AppState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let waits = WaitsForBody::default();
    request.extensions_mut().insert(waits.clone());
    let cap = state.request_timeout;
    drop(state);
    let mut answer = std::pin::pin!(next.call(request));
    loop {
        match tokio::time::timeout(cap, &mut answer).await {
            Ok(outcome) => return outcome,
            Err(_) if waits.went_on.take() => {}
            Err(_) if waits.waits.get() => {
                let detail = format!("the body did not arrive within {} ms", cap.as_millis());
                return Err(HttpError(Fault::new(Code::RequestTimeout, detail)).into());
            }
            Err(_) => {
                let detail = format!("no answer within {} ms", cap.as_millis());
                return Err(HttpError(Fault::new(Code::Deadline, detail)).into());
            }
        }
    }
}
