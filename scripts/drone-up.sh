#!/usr/bin/env bash
# Starts drones that work for a control plane. The count is how many run then: more are started, fewer are stopped.
#
#   scripts/drone-up.sh --control-plane http://gateway:8090 [--count 5] [--interval 5m]
#
#   --control-plane URL  the gateway
#   --count N            how many (1)
#   --interval TIME      no profile runs more often than this, such as 5m
#   --native             processes on this machine, without Docker
#   --build              build the image first
#   --help
#
# ENROL_TOKEN is the token to join with (chartly drone invite): each drone gets a key of its own. Without one they work
# with the shared key: REGISTRY_API_KEY, or the one that control-plane-up.sh keeps in the data folder.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

native=false url='' count=1 interval='' build=()
while [ $# -gt 0 ]; do
  case $1 in
    --control-plane) need_value "$@" && url=$2 && shift ;;
    --count) need_value "$@" && count=$2 && shift ;;
    --interval) need_value "$@" && interval=$2 && shift ;;
    --native) native=true ;;
    --build) build=(--build) ;;
    --help) usage && exit 0 ;;
    *) die 64 "$1 is not known (--help)" ;;
  esac
  shift
done
case $url in
  http://?* | https://?*) ;;
  '') die 64 "--control-plane is missing; give the URL of the gateway, such as http://gateway:8090" ;;
  *) die 64 "--control-plane is $url; expected http://host:port" ;;
esac
if ! is_number "$count" || [ "$count" -lt 1 ] || [ "$count" -gt 1000 ]; then
  die 64 "--count is $count; expected 1 to 1000"
fi
if [ -n "$interval" ] && ! [[ $interval =~ ^([0-9]+(ms|s|m|h))+$ ]]; then
  die 64 "--interval is $interval; expected a time such as 30s, 5m or 1h30m"
fi
if [ -n "${ENROL_TOKEN:-}" ]; then
  export ENROL_TOKEN
elif [ -z "${REGISTRY_API_KEY:-}" ] && [ ! -s "$DATA_DIR/api-key" ]; then
  die 64 "there is no key; set ENROL_TOKEN (chartly drone invite), or REGISTRY_API_KEY to the one of the control plane"
else
  ensure_key
fi
export PROCESS_INTERVAL=$interval

with_docker() {
  need_docker
  # Inside a container this machine has another name.
  CONTROL_PLANE=$(sed -E 's#^(https?://)(localhost|127\.0\.0\.1|\[::1\])([:/]|$)#\1host.docker.internal\3#' <<<"$url")
  export CONTROL_PLANE
  compose_drone up --detach --wait "${build[@]}" --scale "drone=$count"
}

without_docker() {
  local drone number name
  drone=$(program chartly-drone)
  cd "$ROOT"
  export CONTROL_PLANE=$url
  "$drone" --check-config >/dev/null
  for name in $(running_names); do
    if [[ $name == drone-* ]] && [ "${name#drone-}" -gt "$count" ]; then stop_native "$name"; fi
  done
  for number in $(seq 1 "$count"); do
    start_native "drone-$number" "$drone" --data-dir "$DATA_DIR/drones/$number"
  done
  for number in $(seq 1 "$count"); do
    wait_healthy "drone-$number" "$drone" --health --data-dir "$DATA_DIR/drones/$number"
  done
}

if $native; then without_docker; else with_docker; fi
say "$count drones work for $url"
