#!/usr/bin/env bash
# Installs the program from a checkout as a service, or removes it. Doing it again changes nothing but the version.
#   sudo scripts/install.sh              builds what is missing and installs it
#   sudo scripts/install.sh --uninstall  removes the program; configuration and database stay
#   sudo scripts/install.sh --purge      removes these, too: readings that wait for delivery are lost
# With dpkg it goes by a package; elsewhere the files are copied, and a list of them is kept.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

list=/usr/lib/dlms-multi-meter/installed-files
action=install
case ${1:-} in
  '') ;;
  --uninstall) action=remove ;;
  --purge) action=purge ;;
  *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo 'run it as root: sudo scripts/install.sh' >&2; exit 1; }

remove_files() {
  if [ ! -f "$list" ]; then return; fi
  # Configuration stays until it is purged.
  grep -v '^/etc/' "$list" | while read -r file; do rm -f "$file"; done
  rm -rf /usr/lib/dlms-multi-meter /usr/share/doc/dlms-multi-meter
}

if [ "$action" != install ]; then
  if command -v dpkg >/dev/null; then
    dpkg "--$action" dlms-multi-meter
  else
    sh scripts/deb/prerm.sh remove
    remove_files
    sh scripts/deb/postrm.sh "$action"
  fi
  exit 0
fi

if [ ! -d node_modules/better-sqlite3/build/Release ]; then npm ci; fi
if [ ! -f dist/cli/main.js ]; then npm run build; fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
if command -v dpkg >/dev/null; then
  # Configuration that was changed stays as it is.
  dpkg --force-confold --install "$(scripts/build-deb.sh --output "$directory")"
else
  scripts/build-deb.sh --tree "$directory"
  for file in daemon.env log-levels; do
    if [ -e "/etc/dlms-multi-meter/$file" ]; then rm "$directory/etc/dlms-multi-meter/$file"; fi
  done
  if [ -f "$list" ]; then sh scripts/deb/prerm.sh upgrade; fi
  files=$(cd "$directory" && find . ! -type d -printf '/%P\n')
  cp -a --no-preserve=ownership "$directory/." /
  printf '%s\n' "$files" >"$list"
  sh scripts/deb/postinst.sh configure
fi
echo 'Next: sudo dlms init, then sudo systemctl start dlms-multi-meter, then sudo check-system-health'
