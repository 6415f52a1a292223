#!/usr/bin/env bash
# Installs the program from a checkout as a service, or removes it. Doing it again changes nothing but the version.
#   sudo scripts/install.sh              builds the checkout and installs it
#   sudo scripts/install.sh --uninstall  removes the program; configuration and database stay
#   sudo scripts/install.sh --purge      removes these, too: readings that wait for delivery are lost
# Where Node.js is a Debian package it goes by a package; elsewhere the files are copied, and a list of them is kept.
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
refuse() { echo "$1" >&2; exit 1; }
[ "$(id -u)" = 0 ] || refuse 'run it as root: sudo scripts/install.sh'

is_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

remove_files() {
  if [ ! -f "$list" ]; then return; fi
  # Configuration stays until it is purged.
  grep -v '^/etc/' "$list" | while read -r file; do rm -f "$file"; done
  rm -rf /usr/lib/dlms-multi-meter /usr/share/doc/dlms-multi-meter
}

if [ "$action" != install ]; then
  if dpkg-query -W dlms-multi-meter >/dev/null 2>&1; then
    dpkg "--$action" dlms-multi-meter
  else
    sh scripts/deb/prerm.sh remove
    remove_files
    sh scripts/deb/postrm.sh "$action"
  fi
  exit 0
fi

command -v systemctl >/dev/null || refuse 'systemd is missing: see "In a container" in docs/production-guide.md'
oldest=$(sed -n 's/.*"node": ">=\(.*\)".*/\1/p' package.json)
node=$(node --version 2>/dev/null) || refuse "Node.js $oldest or later is needed, and root finds none"
printf '%s\n' "$oldest" "${node#v}" | sort -V -C || refuse "Node.js $oldest or later is needed: $(command -v node) is $node"
command -v npm >/dev/null || refuse 'npm is missing'

# As who owns the checkout, so that nothing in it becomes root's.
owner=$(stat -c %U .)
as_owner() {
  if [ "$owner" = root ]; then "$@"
  else runuser -u "$owner" -- env HOME="$(getent passwd "$owner" | cut -d: -f6)" PATH="$PATH" "$@"
  fi
}
# What npm installed, by its own list, is what the lockfile says.
is_installed() {
  [ -d node_modules/better-sqlite3/build/Release ] && node -e '
    const read = (file) => JSON.parse(require("fs").readFileSync(file, "utf8")).packages;
    const there = read("node_modules/.package-lock.json");
    const differs = ([path, { version, optional }]) => path !== "" && !optional && there[path]?.version !== version;
    process.exit(Object.entries(read("package-lock.json")).some(differs) ? 1 : 0);
  '
}
is_installed || as_owner npm ci
as_owner npm run build
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
if is_package nodejs; then
  # Configuration that was changed stays as it is.
  dpkg --force-confold --install "$(scripts/build-deb.sh --output "$directory")"
else
  scripts/build-deb.sh --tree "$directory"
  for file in daemon.env log-levels; do
    if [ -e "/etc/dlms-multi-meter/$file" ]; then rm "$directory/etc/dlms-multi-meter/$file"; fi
  done
  if [ -f "$list" ]; then sh scripts/deb/prerm.sh upgrade; fi
  remove_files
  files=$(cd "$directory" && find . ! -type d -printf '/%P\n')
  cp -a --no-preserve=ownership "$directory/." /
  printf '%s\n' "$files" >"$list"
  sh scripts/deb/postinst.sh configure
fi
echo 'Next: sudo dlms init, then sudo systemctl start dlms-multi-meter, then sudo check-system-health'
