//! The bundled sample source: a small HTTP service on loopback that answers in the real shapes of three public APIs
//! (Census header rows, BLS nested series, Open-Meteo parallel arrays), so that `chartly demo` and the tests fetch
//! over real HTTP without the internet. Every figure is invented; the same request always gets the same bytes.
//! Knows nothing of the rest of Chartly.

mod bls;
mod census;
mod conditional;
mod figures;
mod open_meteo;
mod places;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// What [`PROFILES`] name as the source; [`Sample::url`] belongs in its place.
pub const PLACEHOLDER: &str = "http://sample.invalid";
/// The demo's profiles: file name and YAML text.
pub const PROFILES: [(&str, &str); 3] = [
    ("population.yaml", include_str!("demo/population.yaml")),
    ("unemployment.yaml", include_str!("demo/unemployment.yaml")),
    ("weather.yaml", include_str!("demo/weather.yaml")),
];
/// A report over the demo's records: one row for each state and year, a column for each profile.
pub const TABLE: &str = include_str!("demo/report.json");
/// A report over the demo's records: are warm states the ones with more unemployment?
pub const CORRELATION: &str = include_str!("demo/correlation.json");

/// Concurrent connections; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 256;

/// A running sample source, on a thread of its own. Dropping it stops it, too.
#[derive(Debug)]
pub struct Sample {
    address: SocketAddr,
    server: ServerHandle,
}

impl Sample {
    /// Starts on a free port of loopback; it answers when this returns.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (started, starting) = mpsc::channel();
        thread::Builder::new()
            .name("sample-source".into())
            .spawn(move || System::new().block_on(serve(listener, started)))?;
        let server = starting.recv().map_err(|_| io::Error::other("the sample source's thread ended at once"))??;
        Ok(Self { address, server })
    }

    /// Such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it; answers under way are finished.
    pub async fn stop(self) {
        self.server.stop(true).await;
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // The order is given by the call; the future only waits for its end.
        drop(self.server.stop(false));
    }
}

async fn serve(listener: TcpListener, started: mpsc::Sender<io::Result<ServerHandle>>) {
    let bound = HttpServer::new(|| App::new().configure(routes))
        .workers(1)
        .max_connections(MAX_CONNECTIONS)
        .disable_signals()
        .listen(listener);
    let (result, server) = match bound.map(HttpServer::run) {
        Ok(server) => (Ok(server.handle()), Some(server)),
        Err(error) => (Err(error), None),
    };
    // Without a receiver nobody wants the source any more.
    if started.send(result).is_err() {
        return;
    }
    if let Some(Err(error)) = async { Some(server?.await) }.await {
        tracing::error!(%error, "the sample source ended");
    }
}

fn routes(app: &mut web::ServiceConfig) {
    app.route("/census/data/{year}/acs/acs1", web::get().to(census::estimates))
        .route("/bls/publicAPI/v2/timeseries/data/", web::get().to(bls::from_query))
        .route("/bls/publicAPI/v2/timeseries/data/", web::post().to(bls::from_body))
        .route("/open-meteo/v1/archive", web::get().to(open_meteo::archive))
        .default_service(web::to(unknown));
}

async fn unknown(request: HttpRequest) -> HttpResponse {
    HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body(format!(
        "nothing at {}; the sample source has /census/data/YEAR/acs/acs1, /bls/publicAPI/v2/timeseries/data/ and \
         /open-meteo/v1/archive\n",
        request.path()
    ))
}
