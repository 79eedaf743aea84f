#!/usr/bin/env bash
# Looks for what keeps Chartly from running on this machine, and says the mend of each. Changes nothing.
#
#   scripts/doctor.sh [--url http://127.0.0.1:8090] [--native]
#   --help

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

url=http://127.0.0.1:8090 native=false
while [ $# -gt 0 ]; do
  case $1 in
    --url) need_value "$@" && url=${2%/} && shift ;;
    --native) native=true ;;
    --help) usage && exit 0 ;;
    *) die 64 "$1 is not known (--help)" ;;
  esac
  shift
done

failures=0
good() { printf '  ok    %s\n' "$1"; }
note() { printf '  note  %s\n' "$1"; }
bad() {
  failures=$((failures + 1))
  printf '  FAIL  %s\n' "$1"
}

check_docker() {
  if ! command -v docker >/dev/null 2>&1; then
    bad "docker is not there: install it, or use --native"
    return
  fi
  if docker info >/dev/null 2>&1; then good "docker answers"; else bad "docker does not answer: start it, or join its group"; fi
  local version
  version=$(docker compose version --short 2>/dev/null || true)
  case ${version#v} in
    '') bad "docker compose is not there: install the plugin" ;;
    1.* | 2.[0-9].* | 2.1[0-9].*) bad "docker compose is $version: version 2.20 or later is needed" ;;
    *) good "docker compose $version" ;;
  esac
  if compose_control config --quiet 2>/dev/null; then
    good "docker-compose.control.yml can be read"
  else
    bad "docker-compose.control.yml cannot be read: docker compose -f docker-compose.control.yml config"
  fi
}

check_programs() {
  local chartly
  if ! chartly=$(program chartly 2>/dev/null); then
    if $native; then bad "chartly is not there: cargo build --release, or set CHARTLY_BIN_DIR"; fi
    return 0
  fi
  good "$("$chartly" --version)"
  if "$chartly" config check >/dev/null 2>&1; then
    good "the settings are good"
  else
    bad "the settings are not good: $chartly config check"
  fi
}

check_data() {
  local free mode
  if [ ! -d "$DATA_DIR" ]; then
    note "$DATA_DIR is not there yet"
    return
  fi
  if [ -w "$DATA_DIR" ]; then good "$DATA_DIR can be written"; else bad "$DATA_DIR cannot be written: check its owner"; fi
  free=$(df -Pk "$DATA_DIR" | awk 'NR == 2 { print int($4 / 1024) }')
  if [ "$free" -ge 1024 ]; then good "$free MB are free there"; else bad "only $free MB are free there: make room"; fi
  if [ -e "$DATA_DIR/api-key" ]; then
    mode=$(stat -c %a "$DATA_DIR/api-key" 2>/dev/null || stat -f %Lp "$DATA_DIR/api-key")
    if [ "$mode" = 600 ]; then good "the key is for its owner only"; else bad "the key can be read by others: chmod 600 $DATA_DIR/api-key"; fi
  fi
  for name in $(running_names); do good "$name runs"; done
}

check_gateway() {
  command -v curl >/dev/null 2>&1 || { note "curl is not there, so the gateway is not asked" && return; }
  local health
  if ! health=$(curl --silent --max-time 5 "$url/health"); then
    note "nothing answers at $url: scripts/control-plane-up.sh starts it"
    return
  fi
  case $health in
    *'"status":"ok"'*) good "the gateway at $url is well" ;;
    *'"status":"degraded"'*)
      bad "the gateway at $url is degraded, away: $(sed -n 's/.*"away":\[\([^]]*\)\].*/\1/p' <<<"$health")(scripts/logs.sh shows why)" ;;
    *) bad "what answers at $url is not Chartly: choose another port" ;;
  esac
}

if ! $native; then check_docker; fi
check_programs
check_data
check_gateway
if [ "$failures" -gt 0 ]; then die 1 "$failures things to mend"; fi
say "nothing to mend"
