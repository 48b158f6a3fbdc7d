#!/bin/sh
# The stand-in's start script. Every start of the server, in place too, adds a line to start.log.
case $PRODUCT_OF_IMAGE in
is) set -- is --listen 0.0.0.0:9443 --plain 0.0.0.0:9763 ;;
am) set -- am --listen 0.0.0.0:9443 --plain 0.0.0.0:9763 --gateway 0.0.0.0:8243 --websocket 0.0.0.0:8099 --events 0.0.0.0:9711 ;;
esac
/opt/stand-in/wso2sim "$@" --home "$(dirname "$(dirname "$0")")" --start-log /home/wso2carbon/start.log \
  --boot-delay "$BOOT_DELAY" --delay-scale "$DELAY_SCALE" --reload-scale "$RELOAD_SCALE"
