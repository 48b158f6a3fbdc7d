#!/bin/sh
# Makes the databases, users and tables of both products in PostgreSQL. It runs before the servers, at every start of
# the whole: the first time it makes what is missing, from then on it changes nothing but the users' passwords.
#
# Needs psql 14 or newer, sha256sum, and a POSIX shell: what the official postgres images have. docs/postgres.md says
# how it works and lists the settings.
#
# No name and no secret goes into a command line: psql reads them from the environment (\getenv) and quotes them itself.
set -eu

say() { printf 'databases: %s\n' "$*"; }
fail() { printf 'databases: %s\n' "$*" >&2; exit 1; }

# settings reads the environment, and refuses what could only go wrong later.
settings() {
  export PGHOST="${PGHOST:-postgres}" PGPORT="${PGPORT:-5432}" PGUSER="${PGUSER:-postgres}"
  export AM_DB_NAME="${AM_DB_NAME:-apim_db}" IS_DB_NAME="${IS_DB_NAME:-identity_db}" SHARED_DB_NAME="${SHARED_DB_NAME:-shared_db}"
  export IS_AGENT_DB_NAME="${IS_AGENT_DB_NAME:-agent_identity_db}"
  export AM_DB_USER="${AM_DB_USER:-wso2am}" IS_DB_USER="${IS_DB_USER:-wso2is}"
  export AM_DB_SCHEMA="${AM_DB_SCHEMA:-wso2am}" IS_DB_SCHEMA="${IS_DB_SCHEMA:-wso2is}"
  maintenance=${PGDATABASE:-postgres}
  timeout=${DB_TIMEOUT:-120}
  pool=${DATABASE_POOL:-20}
  case $pool in *[!0-9]*) fail "DATABASE_POOL is \"$pool\": give a number of connections, such as 20" ;; esac
  case $timeout in *[!0-9]*) fail "DB_TIMEOUT is \"$timeout\": give whole seconds, such as 120" ;; esac

  for name in AM_DB_NAME IS_DB_NAME IS_AGENT_DB_NAME SHARED_DB_NAME AM_DB_USER IS_DB_USER AM_DB_SCHEMA IS_DB_SCHEMA; do
    eval "value=\$$name"
    [ "$(printf %s "$value" | wc -c)" -le 63 ] || fail "$name is longer than the 63 bytes that PostgreSQL keeps of a name: choose a shorter one"
  done
  distinct 'AM_DB_NAME, IS_DB_NAME and SHARED_DB_NAME' "$AM_DB_NAME" "$IS_DB_NAME" "$SHARED_DB_NAME"
  distinct 'IS_AGENT_DB_NAME, IS_DB_NAME and SHARED_DB_NAME' "$IS_AGENT_DB_NAME" "$IS_DB_NAME" "$SHARED_DB_NAME"
  distinct 'IS_AGENT_DB_NAME and AM_DB_NAME' "$IS_AGENT_DB_NAME" "$AM_DB_NAME" ''
  distinct 'AM_DB_USER, IS_DB_USER and PGUSER' "$AM_DB_USER" "$IS_DB_USER" "$PGUSER"
  distinct 'AM_DB_SCHEMA and IS_DB_SCHEMA' "$AM_DB_SCHEMA" "$IS_DB_SCHEMA" ''

  secret PGPASSWORD
  secret AM_DB_PASSWORD
  secret IS_DB_PASSWORD
  [ -n "${AM_DB_PASSWORD-}" ] || fail "the password of \"$AM_DB_USER\" is missing: set AM_DB_PASSWORD or AM_DB_PASSWORD_FILE"
  [ -n "${IS_DB_PASSWORD-}" ] || fail "the password of \"$IS_DB_USER\" is missing: set IS_DB_PASSWORD or IS_DB_PASSWORD_FILE"

  # A product's script reports every table that it would have dropped: noise. The last commit of a schema waits for the
  # disk, and with it all before.
  export PGOPTIONS="${PGOPTIONS-} -c client_min_messages=warning -c synchronous_commit=off -c lock_timeout=${timeout}s"
  export PGAPPNAME=wso2agent PGCONNECT_TIMEOUT="${PGCONNECT_TIMEOUT:-10}"
}

# distinct SETTINGS A B C: refuses equal values. A product's script drops the tables that it finds under its names.
distinct() {
  if [ "$2" = "$3" ] || [ "$2" = "$4" ] || [ "$3" = "$4" ]; then
    fail "$1 must all differ, or one product's tables would take the place of the other's"
  fi
}

# secret NAME: exports NAME, from the file that NAME_FILE names if that is set. Its line end does not count.
secret() {
  eval "value=\${$1-} file=\${$1_FILE-}"
  if [ -n "$file" ]; then
    [ -z "$value" ] || fail "$1 and $1_FILE are both set: remove one"
    [ -r "$file" ] || fail "$1_FILE: $file cannot be read by uid $(id -u)"
    value=$(cat "$file")
    value=${value%"$(printf '\r')"}
  fi
  [ -z "$value" ] || export "$1=$value"
}

# sql DATABASE: runs what standard input says. The database goes through the environment, since on the command line a
# name with "=" would be a connection string; "terse" keeps a statement, and so a password, out of its error. Two runs at
# once take turns at the advisory lock 1465077554 ("WSO2" in ASCII).
sql() { PGDATABASE=$1 psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse -f -; }

reach_server() {
  deadline=$(($(date +%s) + timeout))
  until pg_isready -q -t 3; do
    [ "$(date +%s)" -lt "$deadline" ] || fail "no PostgreSQL server answers at $PGHOST port $PGPORT after $timeout s: is it running, and are PGHOST and PGPORT right? DB_TIMEOUT waits longer"
    sleep 1
  done
  sql "$maintenance" </dev/null || fail "cannot log in as \"$PGUSER\" (see the line above): check PGUSER and PGPASSWORD or PGPASSWORD_FILE; a server keeps the password that its volume was first started with"
}

# enough_connections warns of a server that refuses connections before the servers' pools are full. The 20 for others are those
# of superusers, of this script, of backups and of people, and 5 of the database of AI agents.
enough_connections() {
  wanted=$((4 * pool + 20))
  allowed=$(sql "$maintenance" <<'SQL'
SHOW max_connections;
SQL
  ) || fail "cannot read max_connections (see the line above)"
  [ "$allowed" -ge "$wanted" ] ||
    say "warning: the server allows $allowed connections; the servers' 4 pools of $pool and 20 for others may take $wanted, and users then get errors: set max_connections to $wanted, or DATABASE_POOL to less" >&2
}

# each COMMAND: calls COMMAND PRODUCT DATABASE SCHEMA USER SCRIPT... for each schema to be made. The scripts are named
# as the products' distributions lay them out below dbscripts/. Only IS 7.2 and later have a database of AI agents.
each() {
  "$1" am "$SHARED_DB_NAME" "$AM_DB_SCHEMA" "$AM_DB_USER" am/postgresql.sql
  "$1" am "$AM_DB_NAME" "$AM_DB_SCHEMA" "$AM_DB_USER" am/apimgt/postgresql.sql
  "$1" is "$SHARED_DB_NAME" "$IS_DB_SCHEMA" "$IS_DB_USER" is/postgresql.sql
  [ ! -e is/identity/agent/postgresql.sql ] ||
    "$1" is "$IS_AGENT_DB_NAME" "$IS_DB_SCHEMA" "$IS_DB_USER" is/identity/agent/postgresql.sql
  "$1" is "$IS_DB_NAME" "$IS_DB_SCHEMA" "$IS_DB_USER" is/identity/postgresql.sql is/consent/postgresql.sql
}

check_scripts() {
  shift 4
  for script; do
    [ -s "$script" ] || fail "$PWD/$script is missing or empty: the seed step copies it from the product's image; run that first, or set DBSCRIPTS"
  done
}

# state PRODUCT DATABASE SCHEMA USER SCRIPT...: prints one of
#   done | changed SCRIPT... | owned USER | new | foreign SCHEMA | moved SCHEMA
state() {
  export database="$2" schema="$3" user="$4"
  shift 4
  manifest=$(sha256sum "$@") || return
  export manifest
  exists=$(sql "$maintenance" <<'SQL'
\getenv database database
SELECT count(*) FROM pg_database WHERE datname = :'database';
SQL
  ) || return
  [ "$exists" = 1 ] || { echo new; return; }
  sql "$database" <<'SQL'
\getenv am AM_DB_SCHEMA
\getenv is IS_DB_SCHEMA
\getenv schema schema
\getenv user user
\getenv manifest manifest
SELECT to_regclass(format('%I.wso2agent_scripts', :'schema')) IS NOT NULL AS recorded \gset
\if :recorded
  WITH now AS (SELECT split_part(line, '  ', 1) AS sha256, split_part(line, '  ', 2) AS script
               FROM regexp_split_to_table(:'manifest', E'\n') AS line)
  SELECT coalesce((SELECT 'owned ' || tableowner FROM pg_tables
                   WHERE schemaname = :'schema' AND tablename = 'wso2agent_scripts' AND tableowner <> :'user'),
                  'changed ' || string_agg(script, ' '), 'done')
  FROM now FULL JOIN :"schema".wso2agent_scripts AS run USING (script)
  WHERE now.sha256 IS DISTINCT FROM run.sha256;
\else
  WITH relation AS (SELECT relname, nspname
                    FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
                    WHERE NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'))
  SELECT coalesce((SELECT 'moved ' || nspname FROM relation
                   WHERE relname = 'wso2agent_scripts' AND nspname NOT IN (:'am', :'is', 'wso2agent_new') LIMIT 1),
                  (SELECT 'foreign ' || nspname FROM relation WHERE nspname IN (:'schema', 'public') LIMIT 1),
                  'new');
\endif
SQL
}

# check refuses a database in which something stands that is not ours, before anything is changed anywhere.
check() {
  found=$(state "$@") || fail "cannot look into database \"$2\" (see the line above)"
  case $found in
  new | done) ;;
  changed*)
    say "warning: database \"$2\", schema \"$3\": the product's scripts have changed since its tables were made (${found#changed }). Nothing is run, since they would drop the tables; the product's upgrade guide says what to do" >&2
    ;;
  moved*) fail "database \"$2\": the product's tables are in schema \"${found#moved }\", not in \"$3\". Nothing was changed. Set the schema's name back, or rename the schema" ;;
  owned*) fail "database \"$2\": the tables in schema \"$3\" belong to \"${found#owned }\", and \"$4\" could not use them. Nothing was changed. Set the user's name back, or hand them over with REASSIGN OWNED" ;;
  foreign*) fail "database \"$2\", schema \"${found#foreign }\" has tables that this script did not make, and the product's script would drop its own names among them. Nothing was changed. Name an empty database in the settings, or move these tables away; docs/postgres.md says how to go on with tables of your own" ;;
  *) fail "database \"$2\": unexpected state \"$found\"" ;;
  esac
}

# role USER PASSWORD: makes the user, or gives it this password.
role() {
  export user="$1" password="$2"
  sql "$maintenance" <<'SQL' || fail "cannot make the user \"$user\" (see the line above)"
\getenv user user
\getenv password password
SELECT pg_advisory_lock(1465077554) \g /dev/null
-- What a server logs of its statements would show the password. Only a superuser may say so.
SELECT set_config(name, value, false) FROM pg_roles,
       (VALUES ('log_statement', 'none'), ('log_min_duration_statement', '-1'), ('log_min_error_statement', 'panic')) AS quiet (name, value)
WHERE rolname = current_user AND rolsuper \g /dev/null
SELECT format('CREATE ROLE %I', :'user') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
ALTER ROLE :"user" LOGIN PASSWORD :'password';
-- An administrator who is no superuser must be a member of the role to make things in its name.
SELECT format('GRANT %I TO CURRENT_USER', :'user') WHERE NOT pg_has_role(:'user', 'USAGE') \gexec
SQL
}

# access PRODUCT DATABASE SCHEMA USER: makes the database, lets the user in, and lets it find its own schema even where
# a connection does not name one.
access() {
  export database="$2" schema="$3" user="$4"
  sql "$maintenance" <<'SQL' || fail "cannot make database \"$database\", or let \"$user\" in (see the line above)"
\getenv database database
\getenv schema schema
\getenv user user
SELECT pg_advisory_lock(1465077554) \g /dev/null
SELECT unnest(ARRAY[format('CREATE DATABASE %I ENCODING ''UTF8'' TEMPLATE template0', :'database'),
                    format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'database')])
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"user";
ALTER ROLE :"user" IN DATABASE :"database" SET search_path = :"schema";
SQL
}

# tables PRODUCT DATABASE SCHEMA USER SCRIPT...: runs the product's scripts, unless that was done.
#
# They run in a schema under another name, which takes its own in one step when all of them have ended well and are
# recorded in it. So it does not matter whether a script carries its own BEGIN and COMMIT (API Manager's does) or none;
# a run that is stopped leaves only that other schema, which no server has ever used, and the next begins anew. To run one
# again over what it made half would not do: API Manager's fails at the first table that another refers to.
tables() {
  export product="$1" database="$2" schema="$3" user="$4"
  shift 4
  manifest=$(sha256sum "$@")
  export manifest
  did=$(make_tables "$@" | sql "$database") || fail "database \"$database\": making the tables of $product failed (see the line above). Nothing of it is in use; mend the cause and start again"
  say "database \"$database\", schema \"$schema\": $did $*"
}

make_tables() {
  cat <<'SQL'
\getenv product product
\getenv schema schema
\getenv user user
\getenv manifest manifest
SELECT pg_advisory_lock(1465077554) \g /dev/null
SELECT to_regclass(format('%I.wso2agent_scripts', :'schema')) IS NOT NULL AS made \gset
\if :made
  \echo made before, by
  \q
\endif
\o /dev/null
DROP SCHEMA IF EXISTS wso2agent_new CASCADE;
CREATE SCHEMA wso2agent_new AUTHORIZATION :"user";
SET ROLE :"user";
SET search_path = wso2agent_new;
SQL
  for script; do
    cat <<SQL
\\i $script
DO \$\$ BEGIN
  IF txid_current_if_assigned() IS NOT NULL THEN
    RAISE EXCEPTION '$script ends inside a transaction that it began: is the copy complete?';
  END IF;
END \$\$;
SQL
  done
  cat <<'SQL'
SET search_path = wso2agent_new;
CREATE TABLE wso2agent_scripts (script text PRIMARY KEY, sha256 text NOT NULL, product text NOT NULL,
                                run_at timestamptz NOT NULL DEFAULT now());
INSERT INTO wso2agent_scripts (script, sha256, product)
SELECT split_part(line, '  ', 2), split_part(line, '  ', 1), :'product' FROM regexp_split_to_table(:'manifest', E'\n') AS line;
RESET ROLE;
SET synchronous_commit = on;
BEGIN;
DROP SCHEMA IF EXISTS :"schema"; -- an empty one; anything in it ends this here
ALTER SCHEMA wso2agent_new RENAME TO :"schema";
COMMIT;
\echo made by
SQL
}

# record PRODUCT SCHEMA: writes whether the product's server has made its administrator, which it does at its first start,
# for the agent, which sets the administrator's password before that alone.
record() {
  export schema="$2"
  found=$(sql "$SHARED_DB_NAME" <<'SQL'
\getenv schema schema
SELECT to_regclass(format('%I.um_user', :'schema')) IS NOT NULL AS made \gset
\if :made
  SELECT CASE WHEN EXISTS (SELECT FROM :"schema".um_user) THEN 'used' ELSE 'new' END;
\else
  \echo used
\endif
SQL
  ) || fail "cannot look for users of $1 in database \"$SHARED_DB_NAME\" (see the line above)"
  printf '%s\n' "$found" >"$DATABASE_RECORD_DIR/.$1.new" && mv "$DATABASE_RECORD_DIR/.$1.new" "$DATABASE_RECORD_DIR/$1" ||
    say "warning: cannot record in $DATABASE_RECORD_DIR (DATABASE_RECORD_DIR) that the database of $1 is $found; a server that has not started yet keeps the password of its deployment.toml" >&2
}

settings
cd "${DBSCRIPTS:-/dbscripts}" || fail "the products' scripts are not there: the seed step copies them; run that first, or set DBSCRIPTS"
each check_scripts
reach_server
enough_connections
each check
role "$AM_DB_USER" "$AM_DB_PASSWORD"
role "$IS_DB_USER" "$IS_DB_PASSWORD"
each access
each tables
if [ -n "${DATABASE_RECORD_DIR:-}" ]; then
  record am "$AM_DB_SCHEMA"
  record is "$IS_DB_SCHEMA"
fi
say 'ready'
