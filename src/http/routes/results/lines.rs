//! Taking in a body of lines, of any length, in constant memory: cut into chunks on this worker, a few of which are on
//! their way to the store at a time. While the store is busy nothing is read. What was committed is told also where the
//! rest was not: the same lines may be sent again under the same run.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::actors::AggregatorClient;
use crate::domain::ids::{DroneId, ProfileId, RunId, TenantId};
use crate::domain::run::{RunReport, RunState};
use crate::http::body::Flow;
use crate::http::extract::Caller;
use crate::http::keyring::Keyring;
use crate::http::middleware::time_cap::WaitsForBody;
use crate::http::problem::{HttpError, problem_with};
use crate::http::query::Params;
use crate::http::state::AppState;
use crate::protocol::aggregator::{Batch, Receipt, StoreBatch};
use crate::protocol::fault::{Code, Fault, Retry};
use crate::protocol::lines::{Chunk, Lines, LinesReceipt};
use crate::runtime::Clock;

/// Chunks of one body on their way to the store: as many as fill one of its commits.
const CHUNKS_AT_ONCE: usize = 4;
const MIN_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Stores the lines of a body. The answer means that all of them are committed.
pub(super) async fn store_lines(
    aggregator: &AggregatorClient,
    keyring: &Keyring,
    caller: &Caller,
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, HttpError> {
    caller.needs_the_shared_key("a body of lines")?;
    let of = Sender::new(aggregator, caller.tenant.clone(), state, request)?;
    keyring.check_speaker(caller, &of.drone_id).await?;
    let full = || Fault::new(Code::Overloaded, "as many bodies of lines as are taken at a time are on their way");
    let _seat = state.line_bodies.try_acquire().map_err(|_| full().retry_after(5))?;
    let waits = request.extensions().get::<WaitsForBody>().cloned().unwrap_or_default();
    let flow = Flow::new(request.headers(), payload, waits.clone())?;
    let mut receipt = LinesReceipt::of(of.run_id.clone());
    Ok(match of.send_all(Reader::new(flow), &waits, &mut receipt).await {
        Ok(()) => HttpResponse::Ok().json(receipt),
        Err(fault) => broken(fault, &receipt),
    })
}

/// What became of a body that was not stored to its end.
#[derive(Serialize)]
struct Committed<'a> {
    committed: &'a LinesReceipt,
}

fn broken(mut fault: Fault, receipt: &LinesReceipt) -> HttpResponse {
    let lines = receipt.lines;
    // Chunks were on their way, so nobody may conclude that nothing was handled.
    if fault.code.retry() == Retry::Safe {
        fault.code = Code::StoreFailed;
        fault.retry_after_s.get_or_insert(1);
    }
    fault.detail = format!(
        "{}; of the body's lines the first {lines} are committed, and those after them may be; \
         send the same body again under the same run_id: nothing is stored twice",
        fault.detail
    );
    problem_with(&fault, Committed { committed: receipt })
}

/// Whose lines they are, and the way to the store.
struct Sender<'a> {
    aggregator: &'a AggregatorClient,
    tenant: TenantId,
    drone_id: DroneId,
    profile_id: ProfileId,
    run_id: RunId,
    clock: Clock,
    started_ms: i64,
    /// How long a chunk is offered again to a store that does not take it.
    patience: Duration,
}

impl<'a> Sender<'a> {
    fn new(
        aggregator: &'a AggregatorClient,
        tenant: TenantId,
        state: &AppState,
        request: &HttpRequest,
    ) -> Result<Self, Fault> {
        let params = Params::of(request, &["drone_id", "profile_id", "run_id"])?;
        let missing =
            |name: &str| Fault::invalid(name, format!("{name} is missing; a body of lines needs it in the URL"));
        let clock = Clock::System;
        Ok(Self {
            aggregator,
            tenant,
            drone_id: params.parse("drone_id")?.ok_or_else(|| missing("drone_id"))?,
            profile_id: params.parse("profile_id")?.ok_or_else(|| missing("profile_id"))?,
            run_id: params.parse("run_id")?.ok_or_else(|| missing("run_id"))?,
            started_ms: clock.now_ms(),
            clock,
            patience: state.request_timeout / 2,
        })
    }

    /// Sends chunk after chunk, then the run's end. What `receipt` holds is committed.
    async fn send_all(&self, reader: Reader, waits: &WaitsForBody, receipt: &mut LinesReceipt) -> Result<(), Fault> {
        let mut chunks = std::pin::pin!(reader.chunks());
        let mut next_seq = 0;
        let mut hear = |(seq, last_line, told): (u32, u64, Receipt)| {
            receipt.add(last_line, &told);
            next_seq = seq + 1;
            waits.goes_on();
        };
        // The first goes alone: where the run is of another body, nothing of this one is stored.
        if let Some(first) = chunks.next().await {
            hear(self.store_chunk(first).await?);
        }
        let mut stored = chunks.map(|found| self.store_chunk(found)).buffered(CHUNKS_AT_ONCE);
        while let Some(outcome) = stored.next().await {
            hear(outcome?);
        }
        let rows = receipt.inserted + receipt.known + receipt.rejected;
        let run = self.report(RunState::Succeeded, Some(self.clock.now_ms()), rows);
        let last = Batch { run: Some(run), ..self.batch(next_seq, Chunk::default()) };
        self.store(last).await.map(drop)
    }

    /// Its place, its last line, and what became of it.
    async fn store_chunk(&self, found: Result<(u32, Chunk), Fault>) -> Result<(u32, u64, Receipt), Fault> {
        let (seq, chunk) = found?;
        let last_line = chunk.last_line;
        Ok((seq, last_line, self.store(self.batch(seq, chunk)).await?))
    }

    fn batch(&self, seq: u32, chunk: Chunk) -> Batch {
        let Chunk { records, rejects, rejected, .. } = chunk;
        Batch {
            drone_id: self.drone_id.clone(),
            profile_id: self.profile_id.clone(),
            run_id: self.run_id.clone(),
            seq: Some(seq),
            records,
            rejects,
            rejected,
            run: Some(self.report(RunState::Running, None, 0)),
            hold: false,
        }
    }

    fn report(&self, state: RunState, finished_ms: Option<i64>, rows: u64) -> RunReport {
        RunReport {
            state,
            started_ms: self.started_ms,
            finished_ms,
            profile_digest: None,
            requests: 0,
            bytes: 0,
            rows,
            dropped: 0,
            error: None,
            replay_of: None,
            rejects: None,
            shape: None,
            drift: None,
        }
    }

    /// Stores one batch. One that is not taken now, or whose outcome is not known, is offered again for a while: it
    /// is stored once.
    async fn store(&self, batch: Batch) -> Result<Receipt, Fault> {
        let until = Instant::now() + self.patience;
        let mut pause = MIN_PAUSE;
        loop {
            let message = StoreBatch { tenant: self.tenant.clone(), batch: batch.clone() };
            let fault = match self.aggregator.ask(message).await {
                Ok(receipt) => return Ok(receipt),
                Err(fault) => fault,
            };
            if fault.code.retry() == Retry::Never || Instant::now() + pause > until {
                return Err(fault);
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }
}

/// Reads a body into chunks.
struct Reader {
    flow: Flow,
    /// Absent once the body has ended.
    lines: Option<Lines>,
    piece: Vec<u8>,
    read: usize,
    seq: u32,
}

impl Reader {
    fn new(flow: Flow) -> Self {
        Self { flow, lines: Some(Lines::default()), piece: Vec::new(), read: 0, seq: 0 }
    }

    /// The chunks with their places in the run; a fault of the body is the last item.
    fn chunks(self) -> impl Stream<Item = Result<(u32, Chunk), Fault>> {
        stream::try_unfold(self, |mut reader| async move {
            let Some(chunk) = reader.next().await? else { return Ok(None) };
            let seq = reader.seq;
            reader.seq += 1;
            Ok(Some(((seq, chunk), reader)))
        })
    }

    async fn next(&mut self) -> Result<Option<Chunk>, Fault> {
        while let Some(lines) = &mut self.lines {
            let mut rest = &self.piece[self.read..];
            let chunk = lines.take(&mut rest);
            self.read = self.piece.len() - rest.len();
            if chunk.is_some() {
                return Ok(chunk);
            }
            self.flow.next(&mut self.piece).await?;
            self.read = 0;
            if self.piece.is_empty() {
                return Ok(self.lines.take().and_then(Lines::end));
            }
        }
        Ok(None)
    }
}
