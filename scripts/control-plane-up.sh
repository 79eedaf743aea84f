#!/usr/bin/env bash
# Starts the control plane and waits until it is ready. Running it again changes nothing that runs.
#
#   scripts/control-plane-up.sh              five containers (docker compose)
#   scripts/control-plane-up.sh --native     one process on this machine, without Docker
#
#   --build         build the image first
#   --postgres      keep the store in a Postgres container (set POSTGRES_PASSWORD)
#   --split         with --native: five processes instead of one
#   --port N        port of the gateway (8090)
#   --host ADDRESS  with --native: address to listen on (127.0.0.1)
#   --help

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

native=false split=false port=8090 host=127.0.0.1 build=() postgres=false
while [ $# -gt 0 ]; do
  case $1 in
    --native) native=true ;;
    --split) split=true ;;
    --build) build=(--build) ;;
    --postgres) postgres=true ;;
    --port) need_value "$@" && port=$2 && shift ;;
    --host) need_value "$@" && host=$2 && shift ;;
    --help) usage && exit 0 ;;
    *) die 64 "$1 is not known (--help)" ;;
  esac
  shift
done
if ! is_number "$port" || [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then
  die 64 "--port is $port; expected 1 to 65535"
fi

with_docker() {
  need_docker
  export GATEWAY_PORT=$port
  if $postgres; then
    [ -n "${POSTGRES_PASSWORD:-}" ] || die 64 "--postgres needs POSTGRES_PASSWORD in the environment"
    export COMPOSE_PROFILES=postgres
  fi
  compose_control up --detach --wait "${build[@]}"
}

without_docker() {
  local chartly role number=1
  chartly=$(program chartly)
  mkdir -p "$DATA_DIR"
  cd "$ROOT"
  if ! $split; then
    start_native control-plane "$chartly" serve --drones 0 --data-dir "$DATA_DIR" --host "$host" --port "$port"
    wait_healthy control-plane "$chartly" health --url "http://127.0.0.1:$port"
    return
  fi
  for role in registry aggregator coordinator reporter; do
    export "$(tr '[:lower:]' '[:upper:]' <<<"$role")_URL=http://127.0.0.1:$((port + number))"
    start_native "$role" "$chartly" serve --roles "$role" --data-dir "$DATA_DIR" --port "$((port + number))"
    number=$((number + 1))
  done
  start_native gateway "$chartly" serve --roles gateway --data-dir "$DATA_DIR" --host "$host" --port "$port"
  number=0
  for role in gateway registry aggregator coordinator reporter; do
    wait_healthy "$role" "$chartly" health --url "http://127.0.0.1:$((port + number))"
    number=$((number + 1))
  done
}

if $native && $postgres; then die 64 "--postgres is a container; with --native set DB_DSN instead"; fi
ensure_key
if $native; then without_docker; else with_docker; fi
say "the control plane is up: http://127.0.0.1:$port"
say "  verify   scripts/verify.sh --url http://127.0.0.1:$port"
say "  drones   scripts/drone-up.sh --control-plane http://127.0.0.1:$port"
if [ -s "$DATA_DIR/api-key" ]; then say "  the key  $DATA_DIR/api-key (header X-API-Key)"; fi
