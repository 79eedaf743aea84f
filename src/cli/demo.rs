//! `chartly demo`: the real system on throw-away data, with a bundled source on loopback.

use std::io;
use std::path::{Path, PathBuf};

use super::{config_dir, on_actix, settings};
use crate::node::{Node, StartError};
use crate::sample::{self, Sample};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8090)]
    port: u16,
    /// Folder for the data; a temporary one that is removed at the end when absent.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Result<u8, StartError> {
    let throw_away = args.data_dir.is_none();
    let data_dir = args.data_dir.unwrap_or_else(temporary);
    let code = on_actix(show(args.port, &data_dir));
    if throw_away {
        // What cannot be removed is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&data_dir);
    }
    code
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("chartly-demo-{}", uuid::Uuid::now_v7().simple()))
}

async fn show(port: u16, data_dir: &Path) -> Result<u8, StartError> {
    let failed = |error: io::Error| StartError::DataFolder { path: data_dir.to_owned(), error };
    let source = Sample::start().map_err(|error| StartError::Other(format!("the sample source: {error}")))?;
    let profiles_dir = data_dir.join("profiles");
    write_profiles(&profiles_dir, &source.url()).map_err(failed)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut settings = settings(
        &config_dir(),
        vec![
            ("http.port", port.to_string()),
            ("node.roles", "all".into()),
            ("node.drones", "1".into()),
            ("node.data_dir", text(data_dir)),
            ("node.profiles_dir", text(&profiles_dir)),
        ],
    )?;
    // Throw-away data, wherever the environment has its store.
    settings.store.url = None;
    settings.drone.allow_private = vec!["127.0.0.1/32".into()];
    let node = Node::start(settings).await?;
    welcome(&node, &source);
    let code = node.run().await;
    source.stop().await;
    Ok(code)
}

fn write_profiles(folder: &Path, source: &str) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in sample::PROFILES {
        std::fs::write(folder.join(name), text.replace(sample::PLACEHOLDER, source))?;
    }
    Ok(())
}

fn welcome(node: &Node, source: &Sample) {
    let url = node.url();
    let key = node.key_file().map_or_else(|| "$REGISTRY_API_KEY".into(), |file| format!("$(cat {})", file.display()));
    println!(
        "Chartly is up: {url}

  running   gateway, registry, aggregator, coordinator, reporter and one drone, on SQLite
  source    three APIs in the shapes of Census, BLS and Open-Meteo, on {}
  page      {url}/api/docs
  stop      Ctrl-C

Within ten seconds the drone has fetched all three. Try:

  curl -s {url}/api/results/summary

  curl -s -X POST {url}/api/reports -H 'content-type: application/json' \\
    -H \"X-API-Key: {key}\" -d '{}'

  curl -s -X POST {url}/api/reports -H 'content-type: application/json' -H 'accept: text/csv' \\
    -H \"X-API-Key: {key}\" -d '{}'
",
        source.url(),
        one_line(sample::CORRELATION),
        one_line(sample::TABLE),
    );
}

fn one_line(json: &str) -> String {
    json.lines().map(str::trim).collect()
}
