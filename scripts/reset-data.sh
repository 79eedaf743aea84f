#!/usr/bin/env bash
# Removes all records, runs, profiles that came by the API, and spools. Shows what would go unless told to do it.
#
#   scripts/reset-data.sh                       shows it
#   scripts/reset-data.sh --apply               asks for the word RESET, then removes
#   scripts/reset-data.sh --apply --force       removes without asking
#
#   --data-dir DIR  the data folder without Docker (DATA_DIR, data)
#   --native        leave containers and volumes alone
#   --all           the key in the data folder goes too
#   --help
#
# Nothing outside of the data folder is touched: a folder that is a link, or holds one that leads out of it, is refused.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

native=false apply=false force=false all=false
while [ $# -gt 0 ]; do
  case $1 in
    --apply) apply=true ;;
    --force) force=true ;;
    --native) native=true ;;
    --all) all=true ;;
    --data-dir) need_value "$@" && DATA_DIR=$2 && shift ;;
    --help) usage && exit 0 ;;
    *) die 64 "$1 is not known (--help)" ;;
  esac
  shift
done
case $DATA_DIR in /*) ;; *) DATA_DIR=$PWD/$DATA_DIR ;; esac
RUN_DIR=$DATA_DIR/run

refuse() { die 65 "$1; nothing was removed"; }

check_folder() {
  [ -e "$DATA_DIR" ] || return 0
  [ ! -L "${DATA_DIR%/}" ] || refuse "$DATA_DIR is a link; give the folder that it leads to (--data-dir)"
  [ -d "$DATA_DIR" ] || refuse "$DATA_DIR is no folder"
  DATA_DIR=$(cd "$DATA_DIR" && pwd -P)
  case "$ROOT/" in "$DATA_DIR/"*) refuse "$DATA_DIR holds the program itself" ;; esac
  case "$(cd ~ && pwd -P)/" in "$DATA_DIR/"*) refuse "$DATA_DIR holds your home" ;; esac
  case $DATA_DIR in / | /etc | /usr | /var | /home | /root | /app | /opt | /tmp) refuse "$DATA_DIR is no data folder" ;; esac
  if [ -n "$(ls -A "$DATA_DIR")" ] && ! looks_like_data; then
    refuse "$DATA_DIR does not look like a data folder of Chartly (no results.db, api-key, drones or run in it)"
  fi
  local link target
  while IFS= read -r -d '' link; do
    target=$(readlink -f "$link" 2>/dev/null || true)
    case $target in
      "$DATA_DIR"/*) ;;
      *) refuse "$link is a link that leads out of the data folder (to ${target:-nowhere}); remove it first" ;;
    esac
  done < <(find -P "$DATA_DIR" -type l -print0)
}

looks_like_data() {
  local name
  for name in results.db api-key drones run drone-id spool.db; do
    [ ! -e "$DATA_DIR/$name" ] || return 0
  done
  return 1
}

# What goes: everything but the key, each entry for itself, no link followed, no other file system entered.
entries() {
  [ -d "$DATA_DIR" ] || return 0
  if $all; then
    find -P "$DATA_DIR" -mindepth 1 -maxdepth 1 -print0
  else
    find -P "$DATA_DIR" -mindepth 1 -maxdepth 1 ! -name api-key -print0
  fi
}

with_docker() { ! $native && command -v docker >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; }

check_folder
if [ -n "$(running_names)" ]; then
  refuse "these still run: $(running_names | tr '\n' ' ')(scripts/stop-all.sh stops them)"
fi

say "would be removed:"
entries | tr '\0' '\n' | sort | sed 's/^/  /'
if with_docker; then
  docker volume ls --quiet --filter label=com.docker.compose.project=chartly | sed 's/^/  volume /'
  docker volume ls --quiet --filter label=com.docker.compose.project=chartly-drone | sed 's/^/  volume /'
fi
if ! $apply; then
  say "nothing was removed; add --apply to do it"
  exit 0
fi
if ! $force; then
  printf 'Type RESET to remove all of it: '
  read -r word || word=''
  [ "$word" = RESET ] || refuse "the word was not RESET"
fi
if with_docker; then
  CONTROL_PLANE=none REGISTRY_API_KEY=none compose_drone down --volumes
  COMPOSE_PROFILES=postgres compose_control down --volumes
fi
# What changed since it was looked at is looked at again: a link may have come.
check_folder
if [ -d "$DATA_DIR" ]; then
  keep=$DATA_DIR/api-key
  if $all; then keep=''; fi
  find -P "$DATA_DIR" -xdev -depth -mindepth 1 ! -path "$keep" -delete
fi
say "the data is gone"
