//! nginx as it would stand before the registry: kept connections on both sides, no log, one worker for each core.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Nginx {
    child: Child,
    address: String,
}

impl Nginx {
    /// None where there is no nginx.
    pub fn start(folder: &Path, upstream: &str) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].into_iter();
        let program = program.map(Path::new).find(|path| path.exists())?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = folder.join("nginx");
        std::fs::create_dir_all(&home).unwrap();
        let at = home.display();
        let config = format!(
            "daemon off;\nworker_processes auto;\npid {at}/pid;\nerror_log {at}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n  access_log off;\n  client_body_temp_path {at}/b;\n  proxy_temp_path {at}/p;\n\
             \x20 fastcgi_temp_path {at}/f;\n  uwsgi_temp_path {at}/u;\n  scgi_temp_path {at}/s;\n\
             \x20 keepalive_requests 1000000;\n\
             \x20 upstream registry {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n\
             \x20 server {{\n    listen 127.0.0.1:{port};\n    location / {{\n      proxy_pass http://registry;\n\
             \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n    }}\n  }}\n}}\n"
        );
        let file = home.join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).arg("-p").arg(&home).stdout(Stdio::null());
        let nginx = Self { child: command.spawn().unwrap(), address: format!("127.0.0.1:{port}") };
        for _ in 0..100 {
            if TcpStream::connect(&nginx.address).is_ok() {
                return Some(nginx);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("nginx does not listen: {}", std::fs::read_to_string(home.join("error.log")).unwrap_or_default());
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers go with the master, when that is asked and not killed.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
