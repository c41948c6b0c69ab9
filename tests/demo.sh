# Says how to use the service that `make demo` is about to start. $1: its port.
cat <<EOF

The service starts in the foreground; Ctrl-C ends it. In another terminal:

  curl http://127.0.0.1:$1/readyz
  curl http://127.0.0.1:$1/v1/vat-rates/NO
  curl http://127.0.0.1:$1/metrics
  curl -H "Authorization: Bearer a-token-for-development-only" http://127.0.0.1:$1/status

API documentation: http://127.0.0.1:$1/docs     its files: demo/     the token: demo/config/dev.yaml

EOF
