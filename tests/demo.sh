#!/bin/sh
# Around the demo of `make demo`. $1: "before" it is made anew, or "after"; $2: its port.
set -eu
if [ "$1" = before ]; then
  .venv/bin/python -c 'import socket, sys; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(("127.0.0.1", int(sys.argv[1])))' "$2" 2>/dev/null || {
    echo "port $2 is in use, perhaps by another demo: make demo PORT=8080 takes another" >&2
    exit 1
  }
  if [ -d demo/.git ] && [ -n "$(git -C demo status --porcelain)" ]; then
    echo "demo/ holds changes of yours: move or remove it, then make demo makes it anew" >&2
    exit 1
  fi
  echo "rendering a service into demo/ and installing it; the first time this takes a minute ..."
  exit 0
fi
# What is committed here is what was rendered: later changes show.
git -C demo init --quiet
git -C demo add --all
git -C demo -c user.name=demo -c user.email=demo@localhost -c commit.gpgsign=false commit --quiet --no-verify -m "As rendered"
cat <<EOF

The service starts in the foreground; Ctrl-C ends it. In another terminal:

  curl http://127.0.0.1:$2/readyz
  curl http://127.0.0.1:$2/v1/vat-rates/NO
  curl http://127.0.0.1:$2/metrics
  curl -H "Authorization: Bearer a-token-for-development-only" http://127.0.0.1:$2/status

API documentation: http://127.0.0.1:$2/docs     its files: demo/     the token: demo/config/dev.yaml

EOF
