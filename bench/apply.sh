#!/bin/sh
# Compares agent apply with a bare client and with a curl script, which make the same APIs on the same stand-in of API-M in one
# run: time, requests and peak memory. Needs Go and curl.
#
#     bench/apply.sh [APIS [LATENCY [COST [OPERATIONS]]]]
#
# LATENCY is what each request takes on its way. COST is what a real server on two cores works on it: 1 as measured, 0 nothing.
# OPERATIONS is how many operations the file gives each API; 0: none, and then each has the five that the agent gives it.
# APICTL names a program: WSO2's own client, of github.com/wso2/product-apim-tooling. Then it is measured too.
# BENCH_ONLY=agent leaves out the other clients.
set -eu
cd "$(dirname "$0")/.."
binary=$(mktemp -d)
trap 'rm -rf "$binary"' EXIT
CGO_ENABLED=0 go build -tags nethttpomithttp2 -gcflags=all=-l -gcflags=wso2agent/internal/keystore= -gcflags=crypto/...= -gcflags=hash/...= -gcflags=runtime/...= -trimpath -ldflags="-s -w -funcalign=4" -o "$binary/" ./cmd/agent ./bench/apply
"$binary/apply" "$binary/agent" "${1:-500}" "${2:-50ms}" "${3:-0}" "${4:-0}"
