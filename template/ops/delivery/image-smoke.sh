#!/bin/sh
# Starts an image as production does (no root, nothing to write but /tmp, no capabilities, little memory), and runs the smoke
# tests given as arguments against it. Environment: ENGINE, IMAGE, PORT, RUN_FLAGS.
set -eu
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
# shellcheck disable=SC2086 # several flags
container=$("$ENGINE" run --detach --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
  --memory 256m --pids-limit 100 --publish "127.0.0.1:$PORT:8000" --env "APP_STATUS__TOKENS=[\"$token\"]" $RUN_FLAGS "$IMAGE")
ended() {
  status=$?
  [ "$status" -eq 0 ] || "$ENGINE" logs "$container" 2>&1 | tail -n 20 >&2
  "$ENGINE" rm --force "$container" >/dev/null
  exit "$status"
}
trap ended EXIT
SMOKE_STATUS_TOKEN=$token "$@" "http://127.0.0.1:$PORT"
"$ENGINE" stop --time 40 "$container" >/dev/null
code=$("$ENGINE" inspect --format '{{.State.ExitCode}}' "$container")
[ "$code" = 0 ] || { echo "it ended with $code after SIGTERM, and must end with 0" >&2; exit 1; }
