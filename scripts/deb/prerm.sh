#!/bin/sh
# Before files go or are replaced: the daemon delivers what it can and ends. What the administrator disabled is noted, so
# that an upgrade does not enable it.
set -e

units='dlms-multi-meter.service dlms-health-check.timer dlms-backup.timer'

if [ -d /run/systemd/system ]; then
  if [ "$1" = remove ]; then
    # shellcheck disable=SC2086 # several
    systemctl disable --quiet --now $units || true
  else
    for unit in $units; do
      systemctl is-enabled --quiet "$unit" 2>/dev/null || echo "$unit"
    done >/run/dlms-multi-meter.disabled
    systemctl stop dlms-multi-meter.service || true
  fi
fi
