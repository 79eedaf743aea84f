# shellcheck shell=bash
# What the scripts share: where things lie, the key, processes without Docker. Sourced, never run.
#
#   DATA_DIR          folder for the data, the key, pids and logs without Docker (data)
#   CHARTLY_BIN_DIR   folder of chartly and chartly-drone (target/release, or the path)
#   REGISTRY_API_KEY  the key; else the one in DATA_DIR/api-key, made where it is missing

set -euo pipefail

# shellcheck disable=SC2034  # used by those that source this
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
DATA_DIR=${DATA_DIR:-$ROOT/data}
case $DATA_DIR in /*) ;; *) DATA_DIR=$PWD/$DATA_DIR ;; esac
RUN_DIR=$DATA_DIR/run
LOG_DIR=$DATA_DIR/logs
CONTROL_FILE=$ROOT/docker-compose.control.yml
DRONE_FILE=$ROOT/docker-compose.drone.yml

say() { printf '%s\n' "$*"; }

# Exit codes as sysexits(3): 64 wrong use, 69 something is not there, 1 anything else.
die() { # die CODE TEXT
  printf '%s: %s\n' "$(basename "$0")" "$2" >&2
  exit "$1"
}

# Prints the comment at the head of the script.
usage() {
  awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"
}

need_value() { # need_value "$@": the flag has something behind it
  [ $# -ge 2 ] && [ -n "$2" ] || die 64 "$1 needs a value (--help)"
}

is_number() { case $1 in '' | *[!0-9]* | ?????????*) return 1 ;; esac; }

need_docker() {
  command -v docker >/dev/null 2>&1 || die 69 "docker is not there; install it, or add --native"
  docker compose version >/dev/null 2>&1 || die 69 "docker compose is not there; install the plugin, or add --native"
}

compose_control() { docker compose -f "$CONTROL_FILE" "$@"; }
compose_drone() { docker compose -f "$DRONE_FILE" "$@"; }

# A program of ours: prints its path.
program() { # program NAME
  local folder
  for folder in ${CHARTLY_BIN_DIR:+"$CHARTLY_BIN_DIR"} "$ROOT/target/release" "$ROOT/bin"; do
    if [ -x "$folder/$1" ]; then
      say "$folder/$1"
      return
    fi
  done
  command -v "$1" || die 69 "$1 is not there; build it (cargo build --release), or set CHARTLY_BIN_DIR"
}

# The key of this installation: the one that is set, else the one in the data folder, else a new one there.
ensure_key() {
  if [ -n "${REGISTRY_API_KEY:-}" ]; then
    export REGISTRY_API_KEY
    return
  fi
  local file=$DATA_DIR/api-key
  if [ ! -s "$file" ]; then
    mkdir -p "$DATA_DIR"
    (umask 077 && printf 'chartly_%s\n' "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >"$file.new" && mv "$file.new" "$file")
  fi
  REGISTRY_API_KEY=$(tr -d ' \n' <"$file")
  export REGISTRY_API_KEY
}

# Whether a name's process runs; a number that another program has got since is not ours.
is_running() { # is_running NAME
  local pid
  pid=$(cat "$RUN_DIR/$1.pid" 2>/dev/null) || return 1
  is_number "$pid" && kill -0 "$pid" 2>/dev/null && [[ $(ps -p "$pid" -o args= 2>/dev/null) == *chartly* ]]
}

running_names() {
  local file name
  for file in "$RUN_DIR"/*.pid; do
    [ -e "$file" ] || continue
    name=$(basename "$file" .pid)
    if is_running "$name"; then say "$name"; fi
  done
}

start_native() { # start_native NAME COMMAND…
  local name=$1
  shift
  if is_running "$name"; then
    say "$name runs already"
    return
  fi
  mkdir -p "$RUN_DIR" "$LOG_DIR"
  nohup "$@" >>"$LOG_DIR/$name.log" 2>&1 </dev/null &
  printf '%s\n' "$!" >"$RUN_DIR/$name.pid"
}

stop_native() { # stop_native NAME…: in order, all told before any is waited for
  local name pid
  for name in "$@"; do
    if is_running "$name"; then kill -TERM "$(cat "$RUN_DIR/$name.pid")"; fi
  done
  for name in "$@"; do
    pid=$(cat "$RUN_DIR/$name.pid" 2>/dev/null) || continue
    for _ in $(seq 1 300); do
      is_running "$name" || break
      sleep 0.1
    done
    if is_running "$name"; then
      say "$name did not stop within 30 s; it is ended"
      kill -KILL "$pid"
    fi
    rm -f "$RUN_DIR/$name.pid"
    say "stopped $name"
  done
}

wait_healthy() { # wait_healthy NAME COMMAND…: until the command succeeds, or the process has ended
  local name=$1
  shift
  for _ in $(seq 1 120); do
    if "$@" >/dev/null 2>&1; then return; fi
    if ! is_running "$name"; then
      tail -n 5 "$LOG_DIR/$name.log" >&2
      die 1 "$name has ended; its log is $LOG_DIR/$name.log"
    fi
    sleep 0.25
  done
  die 1 "$name is not ready within 30 s; its log is $LOG_DIR/$name.log"
}
