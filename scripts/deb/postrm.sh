#!/bin/sh
# Removing keeps configuration and database; purging takes them, and the user.
set -e

if [ "$1" = purge ]; then
  rm -rf /var/lib/dlms-multi-meter /etc/dlms-multi-meter /run/dlms-multi-meter.disabled
  if getent passwd dlms >/dev/null; then userdel dlms || true; fi
  if getent group dlms >/dev/null; then groupdel dlms || true; fi
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  systemctl reset-failed dlms-multi-meter.service dlms-health-check.service dlms-backup.service 2>/dev/null || true
fi
