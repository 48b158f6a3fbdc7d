#!/bin/sh
# A server as far as files go: it reads its stores once, at its start, from the config volume, as the products'
# entrypoints do, and then runs. What it has read stays below OUT; OUT/now leads to it while the server runs.
#
#     server.sh CONFIG_VOLUME OUT
set -eu
trap 'rm -f "$2/now"; exit 143' TERM
read=$(mktemp -d "$2/start.XXXXXXXX")
cp "$1"/repository/resources/security/* "$read"
ln -s "$read" "$read.link"
mv -T "$read.link" "$2/now"
sleep 100000 &
wait
