#!/bin/sh
# push.sh DIGEST_FILE BUILT IMAGE:TAG … -- [FLAG …]: pushes the image that was built under each tag, and tells, in the file or on standard
# output, its name and the digest that the registry has it by. Environment: ENGINE, IMAGE.
set -eu
told=${1:-/dev/stdout}
built=$2
shift 2
tags=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  tags="$tags $1"
  shift
done
[ $# -eq 0 ] || shift
digest=
file=$(mktemp)
trap 'rm -f "$file"' EXIT
for tag in $tags; do
  "$ENGINE" tag "$built" "$tag"
  # podman's own idea of the digest is another: what it compresses for the registry has a digest of its own.
  if "$ENGINE" push --help 2>&1 | grep -q -e --digestfile; then
    "$ENGINE" push --quiet --digestfile "$file" "$@" "$tag" >/dev/null
    digest=$IMAGE@$(cat "$file")
  else
    "$ENGINE" push --quiet "$@" "$tag" >/dev/null
    # docker.io/ is left out there.
    digest=$("$ENGINE" image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$tag" | grep -F "${IMAGE#docker.io/}@sha256:" | tail -n 1)
    digest=$IMAGE@${digest#*@}
  fi
done
case "$digest" in *@sha256:*) echo "$digest" >"$told" ;; *) echo "the registry has told no digest" >&2 && exit 1 ;; esac
