#!/usr/bin/env bash
# Checks what you keep beside Chartly, in your own CI: profiles, settings, compose files. Every problem is told with file and
# line; exit code 1 where there is any. Nothing is started, and nothing is fetched.
#
#   scripts/check-content.sh [--profiles DIR] [--config DIR] [COMPOSE FILE…]
#
#   --profiles DIR  folder of profiles (profiles)
#   --config DIR    folder of settings: each file in it, and each project under prod (config)
#   COMPOSE FILE    compose files; without any those of this repository
#
# Compose files are checked by docker compose where it is there, else by the JSON schema of the compose specification
# (pip install check-jsonschema).

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

profiles=profiles config=config files=()
while [ $# -gt 0 ]; do
  case $1 in
    --profiles) need_value "$@" && profiles=$2 && shift ;;
    --config) need_value "$@" && config=$2 && shift ;;
    --help) usage && exit 0 ;;
    -*) die 64 "$1 is not known (--help)" ;;
    *) files+=("$1") ;;
  esac
  shift
done
if [ ${#files[@]} -eq 0 ]; then files=("$CONTROL_FILE" "$DRONE_FILE"); fi
chartly=$(program chartly)
failures=0
check() { # check WHAT COMMAND…
  local what=$1
  shift
  if "$@"; then
    say "ok    $what"
  else
    failures=$((failures + 1))
    say "FAIL  $what"
  fi
}

quietly() { "$@" >/dev/null; }
settings() { quietly env CHARTLY_ENV="$1" CHARTLY_PROJECT="$2" "$chartly" config check --config "$config"; }

# These variables are asked for by the files; any value does.
compose() {
  if docker compose version >/dev/null 2>&1; then
    CONTROL_PLANE=http://gateway:8090 REGISTRY_API_KEY=only-to-check docker compose -f "$1" config --quiet
  elif tool=$(PATH=$ROOT/target/tools/bin:$PATH command -v check-jsonschema); then
    quietly "$tool" --builtin-schema vendor.compose-spec "$1"
  else
    say "neither docker compose nor check-jsonschema is there (pip install check-jsonschema)" >&2
    return 1
  fi
}

check "the profiles in $profiles" quietly "$chartly" profile validate "$profiles"
for file in "$config"/*.yaml; do
  name=$(basename "$file" .yaml)
  if [ -e "$file" ] && [ "$name" != default ]; then check "$file" settings "$name" ''; fi
done
environment=''
if [ -e "$config/prod.yaml" ]; then environment=prod; fi
for file in "$config"/projects/*.yaml; do
  if [ -e "$file" ]; then check "$file" settings "$environment" "$(basename "$file" .yaml)"; fi
done
for file in "${files[@]}"; do check "$file" compose "$file"; done
if [ "$failures" -gt 0 ]; then die 1 "$failures checks failed"; fi
