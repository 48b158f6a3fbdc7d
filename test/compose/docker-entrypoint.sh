#!/bin/sh
# Does what the entrypoints of the products' images do: both volumes are copied over the home, whole or not at all, and the
# server is started without exec, so that a signal to this shell does not reach it. The entrypoints of IS 7.2, 7.3 and API-M 4.7
# stop the server on TERM. That of API-M exits with 0 then, and those of IS with 143, because their trap ends nothing and the
# interrupted wait is the last command (docker-is v7.2.0.6 and v7.3.0.2, docker-apim v4.7.0.1).
set -e
home=$(echo /home/wso2carbon/wso2*-[0-9]*)
for volume in /home/wso2carbon/wso2-config-volume /home/wso2carbon/wso2-artifact-volume; do
  if [ -d "$volume" ] && [ -n "$(ls -A "$volume")" ]; then
    cp -RL "$volume"/* "$home"/
  fi
done
case $home in
*wso2is-7.[23].* | *wso2am-4.7.*)
  stop() {
    trap - TERM INT
    kill "$(tr -d '\0' <"$home/wso2carbon.pid")" || true
    wait "$server" || true
    case $home in *wso2am*) exit 0 ;; esac
  }
  trap stop TERM INT
  sh "$home/bin/start.sh" "$@" &
  server=$!
  wait "$server"
  ;;
*) sh "$home/bin/start.sh" "$@" ;;
esac
