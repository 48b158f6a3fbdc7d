#!/bin/sh
# Copies what the server ships onto its volumes, so that the stock image of the product is enough. It runs in that image,
# as the product's user, before "agent init" and at every start of the whole; running it again does no harm.
#
#   SERVER_HOME     the product's home; default: the one folder /home/wso2carbon/wso2is-* or wso2am-*
#   CONFIG_DIR      the config volume; default: /home/wso2carbon/wso2-config-volume. Stock stores, settings, logging and
#                   Tomcat's template go into .agent/seed there, which the product's entrypoint does not copy; agent init
#                   takes them from there. Digest and size of each embedded database go there too: one that differs has
#                   been used
#   DATABASE_DIR    the volume for repository/database, SOLR_DIR that for API Manager's solr folder, both optional:
#                   seeded once, when nothing is in them
#   DBSCRIPTS_DIR   optional: gets the product's dbscripts in its folder am or is, for deploy/postgres
#
# Needs a POSIX shell, and of other programs what every image of the products has: no curl, no diff.
set -eu
umask 022

# The template of Tomcat and the logging, to which agent init adds what makes the server load a new TLS certificate.
reload='repository/resources/conf/templates/repository/conf/tomcat/catalina-server.xml.j2 repository/conf/log4j2.properties'

say() { printf 'seed: %s\n' "$*"; }
fail() { printf 'seed: %s\n' "$*" >&2; exit 1; }

settings() {
  home=${SERVER_HOME:-}
  config=${CONFIG_DIR:-/home/wso2carbon/wso2-config-volume}
  if [ -z "$home" ]; then
    for found in /home/wso2carbon/wso2is-* /home/wso2carbon/wso2am-*; do
      [ -d "$found" ] || continue
      [ -z "$home" ] || fail "there are several products in /home/wso2carbon, $home and $found: set SERVER_HOME to one"
      home=$found
    done
    [ -n "$home" ] || fail "there is no product in /home/wso2carbon: run this in the product's image, or set SERVER_HOME"
  fi
  home=${home%/}
  product=${home##*/}
  for part in repository/resources/security repository/conf/deployment.toml; do
    [ -e "$home/$part" ] || fail "$home has no $part: set SERVER_HOME to the product's home"
  done
  owner=$(stat -c %u:%g "$home")
  # What root writes, the server could neither read nor replace.
  if [ "$(id -u)" = 0 ] && [ "${owner%:*}" != 0 ]; then
    fail "this runs as root, but $home belongs to $owner: run it with user: \"$owner\""
  fi
}

# writable DIR SETTING: makes the folder if need be, and says whose it has to be where nothing can be written.
writable() {
  mkdir -p "$1" 2>/dev/null || [ -d "$1" ] || fail "cannot make $1 ($2) as user $(id -u):$(id -g): mount a volume there that belongs to $(id -u):$(id -g)"
  probe=$1/.agent-probe
  rm -f "$probe" 2>/dev/null || :
  if ! (: >"$probe") 2>/dev/null; then
    if [ -w "$1" ]; then
      fail "cannot write to $1 ($2): its volume is full, or mounted read-only"
    fi
    fail "user $(id -u):$(id -g) cannot write to $1 ($2), which belongs to $(stat -c %u:%g "$1"): chown the volume to $(id -u):$(id -g), or mount it writable"
  fi
  rm -f "$probe"
}

# copy FROM TO: copies a folder or file with all in it; links become what they lead to. What a folder of the image that
# nobody may write to has become must still be removable.
copy() {
  cp -RL "$1" "$2" || fail "cannot copy $1 to $2 (see the line above); what stands there is not used, mend the cause and start again"
  chmod -R u+rwX "$2"
}

# databases prints SHA-256, size and name of each embedded database as the product ships it.
databases() {
  for database in "$home"/repository/database/*.mv.db; do
    [ -f "$database" ] || continue
    sum=$(sha256sum <"$database")
    size=$(wc -c <"$database")
    printf '%s %s %s\n' "${sum%% *}" "$((size))" "${database##*/}"
  done
}

# stock puts the product's stores and settings on the config volume. The folder takes its name in one step when all is in
# it, and the product's name comes last.
stock() {
  writable "$config" CONFIG_DIR
  agent=$config/.agent
  [ -d "$agent" ] || mkdir -m 700 "$agent"
  writable "$agent" CONFIG_DIR
  rm -rf "$agent/seed.new" "$agent/seed.old"
  mkdir -p "$agent/seed.new/repository/resources" "$agent/seed.new/repository/conf"
  copy "$home/repository/resources/security" "$agent/seed.new/repository/resources/security"
  copy "$home/repository/conf/deployment.toml" "$agent/seed.new/repository/conf/deployment.toml"
  for part in $reload; do # an image need not have them
    [ -f "$home/$part" ] || continue
    mkdir -p "$agent/seed.new/${part%/*}"
    copy "$home/$part" "$agent/seed.new/$part"
  done
  databases >"$agent/seed.new/databases"
  printf '%s\n' "$product" >"$agent/seed.new/product"
  [ ! -e "$agent/seed" ] || mv "$agent/seed" "$agent/seed.old"
  mv "$agent/seed.new" "$agent/seed"
  rm -rf "$agent/seed.old"
  say "stores and settings of $product are in $agent/seed"
}

# items DIR: prints what is in a volume but for what its file system and this script put there.
items() {
  for item in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ -e "$item" ] || [ -L "$item" ] || continue
    case ${item##*/} in
    lost+found | .agent-seed | .agent-seed.new | .agent-probe) ;;
    *) printf '%s\n' "$item" ;;
    esac
  done
}

# fill FROM DIR SETTING: seeds an empty volume, whole or not at all. While .agent-seed.new is there, nothing of the copy is
# in place yet, and it begins anew. .agent-seed is a whole copy: its items move to where they belong, which a killed run
# leaves for the next to finish, and the empty folder goes last.
fill() {
  writable "$2" "$3"
  rm -rf "$2/.agent-seed.new"
  if [ ! -d "$2/.agent-seed" ]; then
    if [ -n "$(items "$2")" ]; then
      say "$2 is in use, nothing to do"
      return
    fi
    if [ ! -d "$1" ] || [ -z "$(items "$1")" ]; then
      say "$product ships no ${1#"$home"/}, so $2 stays empty: the server fills it"
      return
    fi
    copy "$1" "$2/.agent-seed.new"
    sync # or a loss of power could leave whole names with half their content
    mv "$2/.agent-seed.new" "$2/.agent-seed"
  fi
  for item in "$2"/.agent-seed/* "$2"/.agent-seed/.[!.]* "$2"/.agent-seed/..?*; do
    [ -e "$item" ] || [ -L "$item" ] || continue
    [ ! -e "$2/${item##*/}" ] || fail "$2 was being seeded when it was stopped, and ${item##*/} has been put there since: remove that file, or $2/.agent-seed if it is to stay, and start again"
    mv "$item" "$2/"
  done
  rmdir "$2/.agent-seed"
  say "$2 has what $product ships in ${1#"$home"/}"
}

# scripts copies the product's database scripts. They follow the image; deploy/postgres never runs any a second time.
scripts() {
  case $product in
  wso2am*) scripts=$DBSCRIPTS_DIR/am ;;
  wso2is*) scripts=$DBSCRIPTS_DIR/is ;;
  *) fail "cannot tell from the folder's name which product $home is: name it wso2am-… or wso2is-… in SERVER_HOME, or leave DBSCRIPTS_DIR out" ;;
  esac
  [ -d "$home/dbscripts" ] || fail "$home has no dbscripts: leave DBSCRIPTS_DIR out"
  writable "$scripts" DBSCRIPTS_DIR
  rm -rf "$scripts/.agent-seed.new"
  copy "$home/dbscripts" "$scripts/.agent-seed.new"
  for item in "$scripts"/.agent-seed.new/*; do
    rm -rf "${scripts:?}/${item##*/}"
    mv "$item" "$scripts/"
  done
  rm -rf "$scripts/.agent-seed.new"
  say "database scripts of $product are in $scripts"
}

settings
stock
[ -z "${DATABASE_DIR:-}" ] || fill "$home/repository/database" "$DATABASE_DIR" DATABASE_DIR
[ -z "${SOLR_DIR:-}" ] || fill "$home/solr" "$SOLR_DIR" SOLR_DIR
[ -z "${DBSCRIPTS_DIR:-}" ] || scripts
