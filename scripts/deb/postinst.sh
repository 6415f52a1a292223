#!/bin/sh
# After unpacking: user, directories, the database brought up to date with a copy at hand, units.
set -e

units='dlms-multi-meter.service dlms-health-check.timer dlms-backup.timer'
state=/var/lib/dlms-multi-meter
before=$state/before-upgrade
copy=$before.new
disabled=/run/dlms-multi-meter.disabled

say() { echo "dlms-multi-meter: $*" >&2; }

# Units that stood disabled before the upgrade stay so.
start_units() {
  if [ ! -d /run/systemd/system ]; then return; fi
  systemctl daemon-reload
  for unit in $units; do
    if grep -qsx "$unit" "$disabled"; then continue; fi
    systemctl enable --quiet "$unit"
    # Before `dlms init` the unit's condition fails, which is no error.
    systemctl restart "$unit" || say "$unit does not start: journalctl -u $unit -n 50"
  done
  rm -f "$disabled"
}

# The database as it is: the daemon is down, so the files stand still.
set_aside() {
  rm -rf "$copy"
  install -d -m 700 "$copy"
  for file in dlms.db dlms.db-wal dlms.key; do
    if [ -e "$state/$file" ]; then cp -p "$state/$file" "$copy/"; fi
  done
}

put_back() {
  rm -f "$state/dlms.db-wal" "$state/dlms.db-shm"
  for file in dlms.db dlms.db-wal; do
    if [ -e "$copy/$file" ]; then cp -p "$copy/$file" "$state/"; fi
  done
  rm -rf "$copy"
}

# The copy of the last upgrade that changed the database stays until the next one that does.
keep_copy() {
  if [ ! -e "$copy/dlms.db-wal" ] && cmp -s "$copy/dlms.db" "$state/dlms.db"; then rm -rf "$copy"; return; fi
  rm -rf "$before"
  mv "$copy" "$before"
  say "the database was brought up to date; as it was before: $before"
}

if [ "$1" = configure ]; then
  systemd-sysusers dlms-multi-meter.conf
  systemd-tmpfiles --create dlms-multi-meter.conf
  if [ -e "$state/dlms.db" ]; then
    set_aside
    # Any verb that may write brings the schema up to date.
    if ! told=$(dlms --db "$state/dlms.db" meter list 2>&1 >/dev/null); then
      put_back
      say "the database could not be brought up to date: $told"
      say 'it was put back as it was. The daemon is down: install the version before'
      exit 1
    fi
    keep_copy
  fi
fi
# Also after abort-upgrade and abort-remove: the version that was there goes on.
start_units
