#!/usr/bin/env bash
# Shows the logs of what runs on this machine.
#
#   scripts/logs.sh [NAME…]     of all, or of some: gateway, registry, aggregator, coordinator, reporter, drone
#   --follow                    go on until Ctrl-C
#   --lines N                   the last N lines of each (100)
#   --native                    of processes that run without Docker: control-plane, drone-1, …
#   --help

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

native=false lines=100 follow=() names=()
while [ $# -gt 0 ]; do
  case $1 in
    --native) native=true ;;
    --follow) follow=(-f) ;;
    --lines) need_value "$@" && lines=$2 && shift ;;
    --help) usage && exit 0 ;;
    -*) die 64 "$1 is not known (--help)" ;;
    *) names+=("$1") ;;
  esac
  shift
done
is_number "$lines" || die 64 "--lines is $lines; expected a number"

if $native; then
  files=()
  for name in "${names[@]}"; do
    [ -r "$LOG_DIR/$name.log" ] || die 69 "there is no log of $name in $LOG_DIR"
    files+=("$LOG_DIR/$name.log")
  done
  if [ ${#files[@]} -eq 0 ]; then
    for file in "$LOG_DIR"/*.log; do [ ! -e "$file" ] || files+=("$file"); done
  fi
  [ ${#files[@]} -gt 0 ] || die 69 "there are no logs in $LOG_DIR"
  exec tail -n "$lines" "${follow[@]}" "${files[@]}"
fi
need_docker
if [ "${names[*]}" = drone ]; then
  CONTROL_PLANE=none REGISTRY_API_KEY=none compose_drone logs --tail "$lines" "${follow[@]}"
else
  compose_control logs --tail "$lines" "${follow[@]}" "${names[@]}"
fi
