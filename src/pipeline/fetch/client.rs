//! The HTTP client: HTTP/1.1, TLS with the public roots, behind the guard.

use std::sync::Arc;
use std::time::Duration;

use actix_tls::connect::{Connector, Resolver};
use rustls::{ClientConfig, RootCertStore};

use super::guard::{Guard, GuardedResolver, Rules};
use super::settings::FetchSettings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// One client, with its pool of connections.
pub fn client(settings: &FetchSettings) -> awc::Client {
    let rules = Rules::new(&settings.allow_private);
    let tcp = Connector::new(Resolver::custom(GuardedResolver(rules.clone()))).service();
    let connector = awc::Connector::new()
        .connector(Guard { inner: tcp, rules })
        .timeout(CONNECT_TIMEOUT)
        .handshake_timeout(CONNECT_TIMEOUT)
        .rustls_0_23(Arc::new(tls()))
        .limit(settings.max_connections);
    awc::Client::builder().connector(connector).disable_redirects().no_default_headers().disable_timeout().finish()
}

/// The provider is named here, not taken from the process, and only HTTP/1.1 is offered: the HTTP/2 that the client
/// could speak is an old one.
fn tls() -> ClientConfig {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
