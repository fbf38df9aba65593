#!/bin/sh
# sh service.sh restart NODE PORT INSTANCE | stop | status
# Runs the release of the folder it is called in. The process id is kept where all releases find it.
pid_file=../../shared/greeter.pid

# Process ids are used again: only one that runs the greeter is meant.
running() {
  pid=$(cat "$pid_file" 2>/dev/null) && [ -n "$pid" ] && grep -q -e main.mjs -e service.sh "/proc/$pid/cmdline" 2>/dev/null
}

stop() {
  running || return 0
  kill "$pid"
  tries=0
  while running; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || kill -9 "$pid" 2>/dev/null
    sleep 0.1
  done
  rm -f "$pid_file"
}

case $1 in
  restart)
    stop
    setsid "$2" main.mjs "$3" "$4" </dev/null >>../../shared/greeter.log 2>&1 &
    echo $! >"$pid_file"
    ;;
  stop) stop ;;
  status)
    running && [ "$(readlink "/proc/$pid/cwd")" = "$(pwd -P)" ] || { echo stopped; exit 3; }
    echo "running as $pid"
    ;;
  *) echo "unknown: $1" >&2; exit 2 ;;
esac
