#!/usr/bin/env bash
# Whether dlms-multi-meter is well on this host: what `dlms health` says, and besides it the units, the sockets, the
# holders of database and serial ports, and the journal. Changes nothing. Works without root, with the daemon down, and
# says what it could not see.
#
# Exit status as monitoring expects it: 0 healthy, 1 degraded, 2 unhealthy, 3 usage.
set -uo pipefail

usage() {
  cat <<'END'
check-system-health [--json] [--quiet] [--db PATH] [--unit NAME] [--since TIME]
  --json        one JSON document: as `dlms health --json`
  --quiet       only what is not well, and the verdict
  --db PATH     the database, when it is not the system's
  --unit NAME   the daemon's unit (dlms-multi-meter.service)
  --since TIME  how far back the journal is looked at (-1h)
END
}

json='' quiet='' db='' unit=dlms-multi-meter.service since=-1h
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=1 ;;
    --quiet) quiet=1 ;;
    --db | --unit | --since)
      if [ $# -lt 2 ]; then usage >&2; exit 3; fi
      case $1 in --db) db=$2 ;; --unit) unit=$2 ;; --since) since=$2 ;; esac
      shift
      ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 3 ;;
  esac
  shift
done

have() { command -v "$1" >/dev/null 2>&1; }

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
if [ -n "${DLMS:-}" ]; then program=("$DLMS")
elif [ -f "$here/../dist/cli/main.js" ]; then program=(node "$here/../dist/cli/main.js")
else program=(dlms)
fi
# Who may not look into the directory is told so, rather than that there is no database.
if [ -z "$db" ] && [ -z "${DLMS_DB:-}" ] && [ -d /var/lib/dlms-multi-meter ]; then db=/var/lib/dlms-multi-meter/dlms.db; fi
if [ -n "$db" ]; then program+=(--db "$db"); fi

checks=''
# check NAME STATUS DETAIL [HINT]
check() {
  local part line=''
  # Names of processes are what their owners make them: control characters would end a line, or command a terminal.
  for part in "$1" "$2" "$3" "${4:-}"; do line+="${part//[[:cntrl:]]/ }"$'\t'; done
  checks+="${line%$'\t'}"$'\n'
}

# --- units
main_pid=0
shown() { systemctl show "$1" --property="$2" --value 2>/dev/null; }
if have systemctl && [ -d /run/systemd/system ]; then
  active=$(shown "$unit" ActiveState) result=$(shown "$unit" Result) restarts=$(shown "$unit" NRestarts)
  main_pid=$(shown "$unit" MainPID)
  if [ "$(shown "$unit" LoadState)" = not-found ]; then
    check "unit $unit" unknown 'it is not installed'
  elif [ "$active" = active ]; then
    if [ "${restarts:-0}" -gt 0 ]; then
      check "unit $unit" healthy "active, restarted $restarts times since it was started: $(shown "$unit" StatusText)"
    else
      check "unit $unit" healthy "active: $(shown "$unit" StatusText)"
    fi
  elif [ "$active" = activating ]; then
    check "unit $unit" degraded "starting, restarted $restarts times" "journalctl -u $unit -n 50"
  elif [ "$active" = failed ]; then
    # It is started again after every failure, until the start limit. Result keeps the reason of the last failure.
    check "unit $unit" unhealthy "failed ($result) after $restarts restarts, and stays down" "journalctl -u $unit -n 50; systemctl reset-failed $unit; systemctl start $unit"
  elif [ "$(shown "$unit" ConditionResult)" = no ] && [ "$active" = inactive ]; then
    check "unit $unit" unhealthy 'it was not started: there is no database yet' 'sudo dlms init'
  else
    check "unit $unit" unhealthy "$active: it was stopped" "systemctl start $unit"
  fi
  for timer in dlms-health-check.timer dlms-backup.timer; do
    if [ "$(shown "$timer" LoadState)" != loaded ]; then continue; fi
    if [ "$(shown "$timer" ActiveState)" = active ]; then check "unit $timer" healthy active
    else check "unit $timer" degraded 'it is not active' "systemctl enable --now $timer"
    fi
  done
else
  check units unknown 'systemd does not run here'
fi

# --- what the daemon is configured for: "target NAME HOST PORT WANTED CONNECTED CONFLICT", "serial PATH", "pid PID"
facts=$("${program[@]}" status --json 2>/dev/null | node -e '
  let text = "";
  process.stdin.on("data", (part) => { text += part; }).on("end", () => {
    let status;
    try { status = JSON.parse(text); } catch { return; }
    // Sockets tell the broker, not the target: those of one broker are counted together.
    const targets = status.targets ?? [];
    for (const { name, url, conflict } of targets) {
      const { host, hostname, port } = new URL(url);
      const wanted = targets
        .filter((target) => new URL(target.url).host === host)
        .flatMap(({ connections }) => connections.filter(({ retired, state }) => !retired || state === "connected"));
      const connected = wanted.filter(({ state }) => state === "connected");
      const fields = [name, hostname.replace(/[[\]]/g, ""), port, wanted.length, connected.length, conflict];
      console.log(["target", ...fields].join("\t"));
    }
    for (const { line } of status.lines ?? []) {
      if (line.startsWith("serial")) console.log(["serial", new URL(line).pathname].join("\t"));
    }
    if (status.daemon?.pid) console.log(["pid", status.daemon.pid].join("\t"));
  });
' 2>/dev/null)
if [ "${main_pid:-0}" = 0 ]; then main_pid=$(awk -F'\t' '$1 == "pid" { print $2 }' <<<"$facts"); fi
main_pid=${main_pid:-0}
our_uid=$(stat -c %u "/proc/$main_pid" 2>/dev/null || echo none)
# Of root's processes nothing follows.
if [ "$our_uid" = 0 ]; then our_uid=none; fi

# named PID: what a person recognises a process by; of its arguments the script alone, since others carry tokens.
named() {
  local of name script
  of=$(sed -n 's|^0::.*/\([^/]*\.service\)$|\1|p' "/proc/$1/cgroup" 2>/dev/null)
  name=$(cat "/proc/$1/comm" 2>/dev/null || echo process)
  script=$(tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | sed -n 2p)
  if [[ $name =~ ^(node|python|ruby|perl|java|sh|bash)[0-9.]*$ && $script =~ \.(py|[cm]?js|rb|pl|sh)$ ]]; then name+=" ${script##*/}"; fi
  printf '%s (pid %s%s)' "$name" "$1" "${of:+, $of}"
}

# --- MQTT connections: exactly one for each session that stands
if [ -z "$facts" ]; then
  check 'MQTT connections' unknown 'the database does not tell which there should be'
  check 'serial ports' unknown 'the database does not tell which there are'
elif ! have ss; then
  check 'MQTT connections' unknown 'ss is not installed' 'apt install iproute2'
else
  while IFS=$'\t' read -r kind name host port wanted connected conflict; do
    if [ "$kind" != target ]; then continue; fi
    ours=0 others=()
    for address in $(getent ahosts "$host" | awk '{ print $1 }' | sort -u); do
      while read -r line; do
        if [ -z "$line" ]; then continue; fi
        pid='' uid=''
        if [[ $line =~ pid=([0-9]+) ]]; then pid=${BASH_REMATCH[1]}; fi
        if [[ $line =~ uid:([0-9]+) ]]; then uid=${BASH_REMATCH[1]}; fi
        if [ -n "$pid" ] && [ "$pid" != "$main_pid" ]; then others+=("$(named "$pid")")
        elif [ -z "$pid" ] && [ "${uid:-0}" != "$our_uid" ]; then others+=("a process of user ${uid:-0}")
        fi
        # What else runs as the daemon's own user is a second daemon.
        if [ "$pid" = "$main_pid" ] || [ "${uid:-0}" = "$our_uid" ]; then ours=$((ours + 1)); fi
      done < <(ss -Htnpe state established dst "$address" dport = ":$port" 2>/dev/null)
    done
    also=''
    if [ ${#others[@]} -gt 0 ]; then also="; also connected: $(printf '%s, ' "${others[@]}" | sed 's/, $//')"; fi
    title="connections $name"
    if [ "$conflict" = true ] && [ ${#others[@]} -gt 0 ]; then
      check "$title" degraded "$ours to $host:$port${also}" 'one of these may use the same access token: stop it, or give it a token of its own'
    elif [ "$main_pid" != 0 ] && [ "$ours" -gt "$wanted" ]; then
      check "$title" degraded "$ours to $host:$port where $wanted are expected${also}" 'does a second daemon run?'
    elif [ "$main_pid" = 0 ]; then check "$title" unknown "no daemon runs${also}"
    elif [ "$ours" -lt "$connected" ]; then
      check "$title" unknown "$ours of $connected seen to $host:$port${also}" "$([ "$(id -u)" = 0 ] || echo 'run as root')"
    else check "$title" healthy "$ours to $host:$port${also}"
    fi
  done <<<"$facts"
fi

# --- who holds the database and the serial ports
database=${db:-${DLMS_DB:-/var/lib/dlms-multi-meter/dlms.db}}
holders() {
  local fd pid
  find /proc/[0-9]*/fd -maxdepth 1 -lname "$1" 2>/dev/null | while read -r fd; do
    pid=${fd#/proc/}
    echo "${pid%%/*}"
  done | sort -un
}
strangers() {
  local pid
  for pid in $(holders "$1"); do
    if [ "$pid" = "$main_pid" ]; then continue; fi
    # Verbs of our own come and go; what has gone meanwhile holds nothing.
    if [ ! -d "/proc/$pid" ]; then continue; fi
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qE 'cli/main\.js|/dlms( |$)'; then continue; fi
    printf '%s, ' "$(named "$pid")"
  done | sed 's/, $//'
}
if [ "$(id -u)" = 0 ]; then blind=''; else blind='no other process of this user; those of others are not seen'; fi
found=$(strangers "$(readlink -f "$database" 2>/dev/null || echo "$database")")
if [ -n "$found" ]; then
  check 'holders of the database' degraded "$found" 'only the daemon and its verbs should have it open: a tool that keeps it locked stops readings from being stored'
elif [ -n "$blind" ]; then check 'holders of the database' unknown "$blind" 'run as root'
else check 'holders of the database' healthy 'nobody else'
fi
while IFS=$'\t' read -r kind port _; do
  if [ "$kind" != serial ]; then continue; fi
  device=$(readlink -f "$port" 2>/dev/null || echo "$port")
  found=$(strangers "$device")
  if [ ! -e "$device" ]; then check "port $port" degraded 'it is not there' 'is the adapter plugged in? ls -l /dev/serial/by-id/'
  elif [ -n "$found" ]; then check "port $port" degraded "held by $found" 'end the other program, or keep it from this port'
  elif [ -n "$blind" ]; then check "port $port" unknown "$blind" 'run as root'
  else check "port $port" healthy 'nobody else'
  fi
done <<<"$facts"

# --- journal
if ! have journalctl; then
  check journal unknown 'there is no journal'
elif [ -z "$(journalctl -q -u "$unit" -n 1 -o cat 2>/dev/null)" ]; then
  check journal unknown "nothing of $unit can be read" 'run as root, or join the group systemd-journal'
elif ! journalctl -q -u "$unit" --since="$since" -n 0 >/dev/null 2>&1; then
  echo "--since $since: no time that journalctl knows" >&2
  exit 3
else
  lines=$(journalctl -q -u "$unit" --since="$since" -p warning -o cat 2>/dev/null)
  counted() { grep -cE "$1" <<<"$lines"; }
  conflicts=$(counted '"CONFLICT: ') lost=$(counted 'MQTT (Disconnected|not connected)') failed=$(counted 'meter not read')
  errors=$(journalctl -q -u "$unit" --since="$since" -p err -o cat 2>/dev/null | grep -c .)
  detail="since $since: $conflicts conflicts, $lost lost connections, $failed meters that stopped answering, $errors errors"
  if [ "$conflicts" -gt 0 ]; then check journal degraded "$detail" "journalctl -u $unit -g CONFLICT"
  elif [ "$lost" -gt 5 ]; then check journal degraded "$detail" "journalctl -u $unit -g MQTT"
  else check journal healthy "$detail"
  fi
fi

# --- clock
if have systemd-detect-virt && systemd-detect-virt --quiet --container; then
  check 'time synchronisation' unknown 'the clock is that of the host of this container'
elif have timedatectl && synchronised=$(timedatectl show --property=NTPSynchronized --value 2>/dev/null); then
  if [ "$synchronised" = yes ]; then check 'time synchronisation' healthy 'synchronised'
  else check 'time synchronisation' degraded 'the clock is not synchronised' 'timedatectl set-ntp true; time stamps of readings come from this clock'
  fi
else
  check 'time synchronisation' unknown 'the system does not tell'
fi

# --- the verdict, by the program; without it the daemon cannot run either
flags=()
# The program writes into a pipe.
if [ -t 1 ]; then terminal=1; else terminal=''; fi
if [ -n "$json" ]; then flags+=(--json); fi
if [ -n "$quiet" ]; then flags+=(--quiet); fi
output=$(printf '%s' "$checks" | FORCE_TERMINAL=$terminal "${program[@]}" health --checks - ${flags[@]+"${flags[@]}"} 2>&1)
status=$?
if grep -qE '"status"|Verdict:' <<<"$output"; then
  printf '%s\n' "$output"
  exit "$status"
fi
why=$(head -n 1 <<<"$output" | tr -d '"[:cntrl:]\134' | cut -c 1-200)
if [ -n "$json" ]; then
  printf '{"status":"unhealthy","checks":[{"name":"program","status":"unhealthy","detail":"%s","hint":"reinstall the package, and see that node is there"}],"system":{"uptimeSeconds":0,"activeWorkers":0,"queueLength":0},"performance":{"cycles":0,"messages":0,"publishRate":null,"avgPollMs":null,"p95PollMs":null,"p99PollMs":null,"readingsPerMinute":null},"errors":{"total":0,"rate":null,"last":null},"workers":[]}\n' "$why"
else
  if [ -z "$quiet" ]; then awk -F'\t' '{ printf "%-9s %s: %s\n", $2, $1, $3 }' <<<"${checks%$'\n'}"; fi
  printf 'unhealthy program: %s cannot run: %s\nVerdict: unhealthy\n' "${program[*]}" "$why"
fi
exit 2
