#!/bin/sh
# Waits until databases.sh has made the tables of one product, PRODUCT (am or is), and ends: for a server that starts on its
# own, as a pod does. It logs in as the product's user, so that a wrong password shows here too, and changes nothing.
#
# Settings are those of databases.sh; the administrator's are not needed. Without the product's scripts in DBSCRIPTS it does not wait
# for the database of AI agents.
set -eu

say() { printf 'await: %s\n' "$*"; }
fail() { printf 'await: %s\n' "$*" >&2; exit 1; }

export PGHOST="${PGHOST:-postgres}" PGPORT="${PGPORT:-5432}" PGCONNECT_TIMEOUT="${PGCONNECT_TIMEOUT:-10}" PGAPPNAME=wso2agent
case ${PRODUCT:-} in
am) PGUSER=${AM_DB_USER:-wso2am} own=${AM_DB_NAME:-apim_db} schema=${AM_DB_SCHEMA:-wso2am} password=${AM_DB_PASSWORD-} file=${AM_DB_PASSWORD_FILE-} ;;
is) PGUSER=${IS_DB_USER:-wso2is} own=${IS_DB_NAME:-identity_db} schema=${IS_DB_SCHEMA:-wso2is} password=${IS_DB_PASSWORD-} file=${IS_DB_PASSWORD_FILE-} ;;
*) fail "PRODUCT is \"${PRODUCT:-}\": set it to am or is" ;;
esac
if [ -n "$file" ]; then
  [ -r "$file" ] || fail "the password's file $file cannot be read by uid $(id -u)"
  password=$(cat "$file")
  password=${password%"$(printf '\r')"}
fi
export PGUSER PGPASSWORD="$password" schema

# made DATABASE: whether the product's tables are there. Their record comes in one step with them.
made() {
  found=$(PGDATABASE=$1 psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse -f - 2>&1 <<'SQL'
\getenv schema schema
SELECT to_regclass(format('%I.wso2agent_scripts', :'schema')) IS NOT NULL;
SQL
  ) && [ "$found" = t ]
}

# await DATABASE [REMEDY]
await() {
  said=
  until made "$1"; do
    [ "$found" = f ] && found="its tables are not there yet"
    [ "$found" = "$said" ] || say "waiting for database \"$1\" on $PGHOST: $found${2:+. $2}"
    said=$found
    sleep 2
  done
}

await "${SHARED_DB_NAME:-shared_db}"
await "$own"
# Only IS 7.2 and later have this script and its database. An upgrade makes it only if the Job runs again.
if [ "$PRODUCT" = is ] && [ -e "${DBSCRIPTS:-/dbscripts}/is/identity/agent/postgresql.sql" ]; then
  await "${IS_AGENT_DB_NAME:-agent_identity_db}" "If the Job databases ran for an older version, delete it and apply the manifests again: kubectl delete job databases"
fi
if [ -n "${DATABASE_RECORD_DIR:-}" ]; then # databases.sh says what this is for
  found=$(PGDATABASE=${SHARED_DB_NAME:-shared_db} psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse -f - <<'SQL'
\getenv schema schema
SELECT to_regclass(format('%I.um_user', :'schema')) IS NOT NULL AS made \gset
\if :made
  SELECT CASE WHEN EXISTS (SELECT FROM :"schema".um_user) THEN 'used' ELSE 'new' END;
\else
  \echo used
\endif
SQL
  ) || fail "cannot look for users in database \"${SHARED_DB_NAME:-shared_db}\" (see the line above)"
  printf '%s\n' "$found" >"$DATABASE_RECORD_DIR/$PRODUCT" || fail "cannot write to $DATABASE_RECORD_DIR (DATABASE_RECORD_DIR)"
fi
say "the tables of user \"$PGUSER\" are there"
