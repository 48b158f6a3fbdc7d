#!/bin/sh
# Makes the databases at the first start, with the administrator's password, and serves them.
set -eu
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
  password=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
  initdb -D "$data" -U postgres --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  rm "$password"
fi
[ "${1-}" != postgres ] || shift # the command is the server's own, with more options
exec postgres -D "$data" -c 'listen_addresses=*' "$@"
