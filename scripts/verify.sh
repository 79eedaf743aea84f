#!/usr/bin/env bash
# Asks a running gateway whether it works: the four verify URLs, and what else should hold. Exit code 1 where it does not.
#
#   scripts/verify.sh [--url http://127.0.0.1:8090]
#
# Where reads need a key too, it is REGISTRY_API_KEY, or the one in the data folder.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

url=http://127.0.0.1:8090
while [ $# -gt 0 ]; do
  case $1 in
    --url) need_value "$@" && url=${2%/} && shift ;;
    --help) usage && exit 0 ;;
    *) die 64 "$1 is not known (--help)" ;;
  esac
  shift
done
command -v curl >/dev/null 2>&1 || die 69 "curl is not there; install it"
key=${REGISTRY_API_KEY:-}
if [ -z "$key" ] && [ -r "$DATA_DIR/api-key" ]; then key=$(tr -d ' \n' <"$DATA_DIR/api-key"); fi
body=$(mktemp)
trap 'rm -f "$body"' EXIT
failures=0

# The key goes by standard input: arguments can be seen by others on this machine.
ask() { # ask EXPECTED METHOD PATH [with-key]
  local status
  status=$(
    { [ "${4:-}" != with-key ] || [ -z "$key" ] || printf 'header = "X-API-Key: %s"\n' "$key"; } |
      curl --silent --show-error --max-time 15 --config - --output "$body" --write-out '%{http_code}' \
        --request "$2" "$url$3" 2>/dev/null
  ) || true
  if [ "$status" = "$1" ]; then
    printf '  ok    %s %s\n' "$2" "$3"
    return
  fi
  failures=$((failures + 1))
  printf '  FAIL  %s %s: status %s, expected %s: %s\n' "$2" "$3" "${status:-none}" "$1" "$(head -c 300 "$body")"
}

holds() { # holds TEXT PATTERN: of the last answer
  if grep -Eq "$2" "$body"; then
    printf '  ok    %s\n' "$1"
  else
    failures=$((failures + 1))
    printf '  FAIL  %s: %s\n' "$1" "$(head -c 300 "$body")"
  fi
}

say "$url"
ask 200 GET /health
holds "no part of it is away or failed" '"status":"ok"'
ask 200 GET /api/status with-key
ask 200 GET /api/profiles with-key
ask 200 GET /api/results/summary with-key
ask 200 GET /ready
ask 200 GET /metrics
ask 200 GET /api/openapi.json
ask 401 POST /api/results
ask 401 GET /internal/hello
if [ "$failures" -gt 0 ]; then die 1 "$failures things are wrong; scripts/doctor.sh looks for the cause"; fi
say "all is well"
