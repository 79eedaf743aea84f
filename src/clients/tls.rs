//! How we speak TLS as a client: HTTP/1.1 only (actix's HTTP/2 stands still on an old h2), ring, and the roots that
//! are built in.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// Chooses the crypto library for the process. Call it first thing in `main`; calling again is harmless.
pub fn install_crypto() {
    // An error says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A configuration that offers `http/1.1` and nothing else.
pub fn client_config() -> Arc<ClientConfig> {
    install_crypto();
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
