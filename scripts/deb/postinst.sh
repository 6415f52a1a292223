#!/bin/sh
# After unpacking: user, directories, the database brought up to date with a copy at hand, units.
set -e

state=/var/lib/dlms-multi-meter
before=$state/before-upgrade

runs_systemd() { [ -d /run/systemd/system ]; }

# The database as it was: the daemon is down, so the files stand still.
set_aside() {
  rm -rf "$before"
  install -d -m 700 "$before"
  for file in dlms.db dlms.db-wal dlms.key; do
    if [ -e "$state/$file" ]; then cp -p "$state/$file" "$before/"; fi
  done
}

put_back() {
  rm -f "$state/dlms.db-wal" "$state/dlms.db-shm"
  for file in dlms.db dlms.db-wal; do
    if [ -e "$before/$file" ]; then cp -p "$before/$file" "$state/"; fi
  done
}

if [ "$1" = configure ]; then
  systemd-sysusers dlms-multi-meter.conf
  systemd-tmpfiles --create dlms-multi-meter.conf
  if [ -e "$state/dlms.db" ]; then
    set_aside
    # Any verb that may write brings the schema up to date.
    if ! told=$(dlms --db "$state/dlms.db" meter list 2>&1 >/dev/null); then
      put_back
      echo "dlms-multi-meter: the database could not be brought up to date: $told" >&2
      echo "dlms-multi-meter: it is as it was before. Install the version before, or see $before" >&2
      exit 1
    fi
  fi
  if runs_systemd; then
    systemctl daemon-reload
    systemctl enable --quiet dlms-multi-meter.service dlms-health-check.timer dlms-backup.timer
    # Before `dlms init` the unit's condition fails, which is no error.
    systemctl restart dlms-multi-meter.service dlms-health-check.timer dlms-backup.timer || true
  fi
fi
