#!/usr/bin/env bash
# Builds the Debian package from a checkout that is installed (`npm ci`) and built (`npm run build`); needs no network.
#   scripts/build-deb.sh [--output DIR]     writes DIR/dlms-multi-meter_VERSION_ARCH.deb (default: the checkout)
#   scripts/build-deb.sh --tree DIR         only lays out the files below DIR, for systems without dpkg
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

output=. tree='' version=''
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$2 ;;
    --tree) tree=$2 ;;
    # Another version than that of package.json: for trying upgrades.
    --version) version=$2 ;;
    *) sed -n '2,4p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ -f dist/cli/main.js ] || { echo 'not built: npm ci && npm run build' >&2; exit 1; }
[ -d node_modules/better-sqlite3/build/Release ] || { echo 'native modules are missing: npm ci' >&2; exit 1; }
version=${version:-$(node -p 'require("./package.json").version')}

stage=$tree
if [ -z "$stage" ]; then
  stage=$(mktemp -d)
  trap 'rm -rf "$stage"' EXIT
fi
home=$stage/usr/lib/dlms-multi-meter
install -d -m 755 "$home" "$stage/usr/bin" "$stage/usr/lib/systemd/system" "$stage/usr/lib/sysusers.d" \
  "$stage/usr/lib/tmpfiles.d" "$stage/etc/dlms-multi-meter" "$stage/usr/share/doc/dlms-multi-meter"
chmod 755 "$stage"

# The program and what it needs to run, nothing that only builds or tests it.
cp -r dist config package.json "$home/"
node -e '
  const { packages } = JSON.parse(require("fs").readFileSync("package-lock.json", "utf8"));
  for (const [path, { dev, devOptional }] of Object.entries(packages)) {
    // Headers, needed while compiling only.
    const isNeeded = path !== "" && !dev && !devOptional && path !== "node_modules/nan";
    if (isNeeded && require("fs").existsSync(path)) console.log(path);
  }
' | while read -r path; do
  install -d -m 755 "$home/$path"
  # A package nested in another comes by a line of its own.
  tar -C "$path" --exclude=./node_modules -cf - . | tar -C "$home/$path" -xf - --no-same-owner
done
rm -rf "$home"/node_modules/better-sqlite3/{deps,src,binding.gyp} "$home"/node_modules/unix-dgram/{src,test} \
  "$home"/node_modules/@serialport/bindings-cpp/src
arch=$(node -p process.arch)
find "$home/node_modules/@serialport/bindings-cpp/prebuilds" -mindepth 1 -maxdepth 1 ! -name "linux-$arch*" -exec rm -rf {} + 2>/dev/null || true
find "$home" -path '*/build/*' \( -name obj -o -name obj.target -o -name .deps \) -prune -exec rm -rf {} +
find "$home" -path '*/build/Release/*' -type f ! -name '*.node' -delete
find "$home" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name 'test_extension.node' -o -name '*.gyp' \
  -o -name '*.gypi' -o -name '*.mk' -o -name '*Makefile' \) -delete
# The licences of libraries stay, whatever their files are called.
find "$home" -type f -name '*.md' ! -iname 'licen[cs]e*' ! -iname 'copying*' ! -iname 'notice*' -delete
find "$home/node_modules" -regextype posix-extended -depth \
  \( -name '.*' -o -regex '.*/node_modules/(@[^/]+/)?[^/]+/tests?' \) -exec rm -rf {} +
find "$home" -depth -type d -empty -delete
chmod -R u=rwX,go=rX "$home"

ln -s ../lib/dlms-multi-meter/dist/cli/main.js "$stage/usr/bin/dlms"
ln -s dlms "$stage/usr/bin/dlms-multi-meter"
install -m 755 scripts/check-system-health.sh "$stage/usr/bin/check-system-health"
install -m 644 systemd/*.service systemd/*.timer "$stage/usr/lib/systemd/system/"
install -m 644 systemd/dlms-multi-meter.sysusers "$stage/usr/lib/sysusers.d/dlms-multi-meter.conf"
install -m 644 systemd/dlms-multi-meter.tmpfiles "$stage/usr/lib/tmpfiles.d/dlms-multi-meter.conf"
install -m 644 config/deploy/daemon.env config/deploy/log-levels "$stage/etc/dlms-multi-meter/"
install -m 644 docs/*.md CHANGELOG.md LICENSE "$stage/usr/share/doc/dlms-multi-meter/"
install -m 644 LICENSE "$stage/usr/share/doc/dlms-multi-meter/copyright"
install -D -m 644 -t "$stage/usr/share/doc/dlms-multi-meter/es" docs/es/*.md
install -D -m 644 -t "$stage/usr/share/doc/dlms-multi-meter/images" docs/images/*.png
if [ -n "$tree" ]; then exit 0; fi

install -d -m 755 "$stage/DEBIAN"
major=$(node -p 'process.versions.node.split(".")[0]')
# The oldest that the program runs on, where it is of this major version.
oldest=$(node -p 'require("./package.json").engines.node.replace(">=", "")')
if [ "${oldest%%.*}" != "$major" ]; then oldest=$major; fi
cat >"$stage/DEBIAN/control" <<END
Package: dlms-multi-meter
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: dlms-multi-meter developers <noreply@example.invalid>
Section: net
Priority: optional
Depends: nodejs (>= $oldest), nodejs (<< $((major + 1))), systemd
Recommends: iproute2
Suggests: socat
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f 1)
Description: reads DLMS/COSEM meters and delivers every reading to ThingsBoard
 A daemon that polls electricity meters over TCP, UDP and serial lines, keeps
 each reading until ThingsBoard has acknowledged it, and tells how it is doing.
 The native modules are built for Node.js $major.
END
printf '/etc/dlms-multi-meter/daemon.env\n/etc/dlms-multi-meter/log-levels\n' >"$stage/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "scripts/deb/$script.sh" "$stage/DEBIAN/$script"; done
(cd "$stage" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$stage/DEBIAN/md5sums"
chmod 644 "$stage/DEBIAN/md5sums"
package=$output/dlms-multi-meter_${version}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group --build "$stage" "$package" >/dev/null
echo "$package"
