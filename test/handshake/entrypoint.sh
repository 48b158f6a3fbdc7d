#!/bin/sh
# What the entrypoints of the products' images do: the config volume over the home, then the server, without exec, so
# that a signal to this shell alone does not reach Java.
set -e
volume=$1 home=$2
shift 2
if [ "$(ls -A "$volume")" ]; then
	cp -RL "$volume"/* "$home"/
fi
"$@"
