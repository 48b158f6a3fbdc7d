#!/bin/sh
# Compares the import of a trusted certificate with `keytool -importcert`, as whole processes on the same files in one
# run: wall time and peak memory. Needs Go, keytool and the products' default stores (beside the checkout in ../shared,
# or where WSO2_SHARED says).
#
#     bench/keystore.sh [RUNS]
set -eu
cd "$(dirname "$0")/.."
binary=$(mktemp -d)
trap 'rm -rf "$binary"' EXIT
go build -trimpath -ldflags="-s -w" -o "$binary/keystore" ./bench/keystore
"$binary/keystore" "${1:-10}" "${WSO2_SHARED:-../shared}/keystores"
