//! A PostgreSQL server of the tests' own: in a temporary folder, on a socket in it, as an unprivileged user, ended with
//! the test program however that ends. Knows nothing of Chartly.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::Connection;

/// `nobody` and its group on every Linux: root may not run a server.
const NOBODY: u32 = 65_534;
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Ends the server it has started when its own input ends, which is when the test program is gone.
const KEEPER: &str = r#"
    "$POSTGRES" -D "$FOLDER/data" -k "$FOLDER" "$@" >>"$FOLDER/log" 2>&1 </dev/null & server=$!
    cat >/dev/null
    kill -QUIT $server 2>/dev/null
    wait $server
    [ -n "$KEEP" ] || rm -rf "$FOLDER"
"#;

const LOGINS: &str = "local all locked scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// A running server.
pub struct PostgresServer {
    programs: PathBuf,
    folder: PathBuf,
    options: Vec<String>,
    keeper: Child,
    /// Removes the folder with the value; the keeper does it otherwise.
    _own: Option<tempfile::TempDir>,
}

impl PostgresServer {
    /// A server that lives as long as the program, for tests that do not test durability: it never waits for the disk.
    pub fn for_the_program() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?.keep();
        Self::start(folder, None, &["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300"])
    }

    /// A server of one's own, with these options beside the defaults; gone with the value.
    pub fn own(options: &[&str]) -> Result<Self, String> {
        let own = tempfile::tempdir().map_err(|error| error.to_string())?;
        Self::start(own.path().to_owned(), Some(own), options)
    }

    /// As a container of its own: on a port of loopback, with a user that has a password and owns a database of its name.
    pub async fn contained(port: u16, user: &str, password: &str) -> Result<Self, String> {
        let server = Self::own(&["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])?;
        let login = format!("{}&port={port}", server.url("postgres"));
        let mut db = sqlx::PgConnection::connect(&login).await.map_err(|error| error.to_string())?;
        for sql in [
            format!("CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'"),
            format!("CREATE DATABASE {user} OWNER {user}"),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut db).await.map_err(|error| error.to_string())?;
        }
        db.close().await.map_err(|error| error.to_string())?;
        Ok(server)
    }

    fn start(folder: PathBuf, own: Option<tempfile::TempDir>, options: &[&str]) -> Result<Self, String> {
        let programs =
            programs().ok_or("PostgreSQL 15 or later (postgres and initdb; Debian: apt install postgresql)")?;
        give_away(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let arguments = ["-D", "data", "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.args(arguments).current_dir(&folder).env_remove("PGDATA");
        let made = unprivileged(&mut initdb, &folder).output().map_err(|error| error.to_string())?;
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(folder.join("data/pg_hba.conf"), LOGINS).map_err(|error| error.to_string())?;
        let mut all =
            vec!["-c".to_owned(), "listen_addresses=".to_owned(), "-c".to_owned(), "shared_buffers=64MB".to_owned()];
        all.extend(options.iter().map(|option| (*option).to_owned()));
        let keeper = keep(&programs, &folder, &all, own.is_some());
        let server = Self { programs, folder, options: all, keeper, _own: own };
        server.wait_until_ready();
        Ok(server)
    }

    /// `postgres://…` of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://tests@localhost/{database}?host={}", self.folder.display())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process of the server itself.
    pub fn id(&self) -> u32 {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("it runs");
        file.lines().next().and_then(|line| line.trim().parse().ok()).expect("the file begins with the id")
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.expect("kill is there").success());
    }

    /// Ends it as a crash of the machine would, and waits until it is gone.
    pub fn crash(&mut self) {
        self.signal("KILL");
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }

    /// Starts it again on what it has stored.
    pub fn start_again(&mut self) {
        let begun = Instant::now();
        // Processes of the one before may still be on their way out; until then it refuses to start.
        loop {
            let _ = std::fs::remove_file(self.folder.join("data/postmaster.pid"));
            self.keeper = keep(&self.programs, &self.folder, &self.options, true);
            if self.is_ready_within(Duration::from_secs(10)) {
                return;
            }
            assert!(begun.elapsed() < START_PATIENCE, "it does not start again:\n{}", self.log());
        }
    }

    fn wait_until_ready(&self) {
        assert!(self.is_ready_within(START_PATIENCE), "PostgreSQL does not start:\n{}", self.log());
    }

    fn is_ready_within(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        let file = self.folder.join("data/postmaster.pid");
        while Instant::now() < until {
            let state = std::fs::read_to_string(&file).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn keep(programs: &Path, folder: &Path, options: &[String], stays: bool) -> Child {
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "keeper"]).args(options).current_dir(folder);
    keeper.env("POSTGRES", programs.join("postgres")).env("FOLDER", folder);
    keeper.env("KEEP", if stays { "1" } else { "" });
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A signal to the tests' own group must not reach the server before the keeper ends it in order.
    keeper.process_group(0);
    unprivileged(&mut keeper, folder).spawn().expect("there is a shell")
}

/// Runs a program as the owner of the folder, where we are root and it is not.
fn unprivileged<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    match std::fs::metadata(folder).map(|folder| folder.uid()) {
        Ok(NOBODY) => command.uid(NOBODY).gid(NOBODY),
        _ => command,
    }
}

fn give_away(folder: &Path) -> std::io::Result<()> {
    if std::fs::metadata(folder)?.uid() == 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
        chown(folder, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

/// The folder of the newest server programs: that of `CHARTLY_POSTGRES`, on the path, or where Debian puts them.
fn programs() -> Option<PathBuf> {
    let set = std::env::var_os("CHARTLY_POSTGRES").map(PathBuf::from);
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    let number = |folder: &PathBuf| folder.iter().rev().nth(1).and_then(|name| name.to_str()?.parse::<u32>().ok());
    debian.sort_by_key(|folder| std::cmp::Reverse(number(folder)));
    let holds = |folder: &PathBuf| folder.join("postgres").exists() && folder.join("initdb").exists();
    set.into_iter().chain(on_path.into_iter().flatten()).chain(debian).find(holds)
}
