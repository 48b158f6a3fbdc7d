#!/bin/sh
# Does what the entrypoints of the products' images do: both volumes are copied over the home, whole or not at all, and the
# server is started without exec, so that a signal to this shell does not reach it.
set -e
home=$(echo /home/wso2carbon/wso2*-[0-9]*)
for volume in /home/wso2carbon/wso2-config-volume /home/wso2carbon/wso2-artifact-volume; do
  if [ -d "$volume" ] && [ -n "$(ls -A "$volume")" ]; then
    cp -RL "$volume"/* "$home"/
  fi
done
sh "$home/bin/start.sh" "$@"
