#!/usr/bin/env bash
# Stops drones and control plane of this machine, in this order. Data stays where it is.
#
#   scripts/stop-all.sh            containers, and processes that run without Docker
#   scripts/stop-all.sh --native   those processes only
#   --help

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

native=false
while [ $# -gt 0 ]; do
  case $1 in
    --native) native=true ;;
    --help) usage && exit 0 ;;
    *) die 64 "$1 is not known (--help)" ;;
  esac
  shift
done

# What writes comes first, what is written to last.
drones=() roles=()
for name in $(running_names); do
  case $name in drone-*) drones+=("$name") ;; *) roles+=("$name") ;; esac
done
if [ ${#drones[@]} -gt 0 ]; then stop_native "${drones[@]}"; fi
if [ ${#roles[@]} -gt 0 ]; then stop_native "${roles[@]}"; fi

if ! $native && command -v docker >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
  # Only to name what is stopped: these variables are asked for by the file.
  CONTROL_PLANE=none REGISTRY_API_KEY=none compose_drone down
  COMPOSE_PROFILES=postgres compose_control down
fi
say "everything is stopped; the data is kept (scripts/reset-data.sh removes it)"
