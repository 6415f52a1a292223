#!/bin/sh
# Before files go or are replaced: the daemon delivers what it can and ends.
set -e

if [ -d /run/systemd/system ]; then
  if [ "$1" = remove ]; then
    systemctl disable --quiet --now dlms-health-check.timer dlms-backup.timer dlms-multi-meter.service || true
  else
    systemctl stop dlms-multi-meter.service || true
  fi
fi
