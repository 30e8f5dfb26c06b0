#!/bin/sh
# Holds one run that is a process; outlives plugin and agent. Plain POSIX sh (dash, busybox).
#
#   holder.sh FOLDER GRACE_SECONDS MEMORY_KIB[:OUTPUT_BYTES] RUN_AS START_FOLDER COMMAND [ARGUMENT...]
#
# started in its own session, with LIMPET_RUN in its environment and the raw output files as stdout and stderr.
#
#   claim (O_EXCL, fsynced) -> command in its own session -> exit record (fsynced, renamed into place)
#   beside it a watcher looks once a second:  stop order, deadline `until`, output that nobody takes, holder gone
#                                             -> signal to the command's group, KILL after the grace
#
# Whoever finds the claim made by another holder leaves at once: one run never has two copies. Files and their formats:
# the end of ../types.ts. Of its own it keeps `child` (pid and start time of the command) and `ending` (who ends
# the run and why, written before the first signal). The claim stays open as descriptor 5: with that it proves what it
# holds when the folder is gone (strays.ts). Once the folder is there again with this claim in it, it goes on in there.
set -u
folder=$1 grace=$2 memory=${3%%:*} run_as=$4 start_folder=$5
most_output=0
case $3 in *:*) most_output=${3#*:} ;; esac
shift 5

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
cd "$folder" || exit 70
# The shell's own remarks ("Killed") must not get into the run's output.
exec 3>&1 4>&2 >/dev/null 2>&1

# Field 22 of /proc/PID/stat; the name in brackets may hold spaces and brackets. A zombie has none: it is dead.
start_time() {
  line=
  read -r line < "/proc/$1/stat" || return 1
  # shellcheck disable=SC2086
  set -- ${line##*) }
  case $1 in Z | X) return 1 ;; esac
  echo "${20}"
}

now_ms() {
  ms=$(date +%s%3N)
  case $ms in
    *[!0-9]* | '') ms=$(date +%s)000 ;;
  esac
  echo "$ms"
}

# Renamed into place when whole and on disk.
write_whole() {
  printf '%s\n' "$2" > "$1.tmp" && sync "$1.tmp" && mv "$1.tmp" "$1" && sync .
}

born=$(start_time $$) || exit 70
read -r boot < /proc/sys/kernel/random/boot_id
(set -C && printf '%s %s %s\n' "$$" "$born" "$boot" > claim) || exit 0
sync claim . || exit 71
exec 5< claim
# For whoever reads it in /proc: no business of the command's.
unset LIMPET_LABELS

# RUN_AS is user:group:processes, all numbers. The bound counts what that user has in all its runs.
session=$(command -v setsid) || session=
reset_user=
if [ -n "$run_as" ]; then
  uid=${run_as%%:*} gid=${run_as#*:}
  reset_user="setpriv --reuid=$uid --regid=${gid%:*} --clear-groups --no-new-privs --"
  ! command -v prlimit || reset_user="prlimit --nproc=${gid#*:} $reset_user"
fi

# The job's variables lie under names of ours until the command itself is started, by its own user: LD_PRELOAD and the
# like are nothing to this shell and its tools. LIMPET_TAKE gives them their names (environment.ts).
# shellcheck disable=SC2016
as_the_job='eval "${LIMPET_TAKE-}"; exec "$@"'

pid='' started=''
know_child() {
  [ ! -s child ] || read -r pid started < child
}

# The folder was removed and made anew: orders and the exit record belong into the new one. Nothing of another holder's.
go_home() {
  [ ! -e claim ] || return 0
  read -r at_pid at_start _ < "$folder/claim" || return 0
  [ "$at_pid $at_start" = "$$ $born" ] || return 0
  cd "$folder" || return 0
}

# The command leads its own session, so that its pid names its whole group. Without setsid it is a single process.
signal_command() {
  know_child
  [ -n "$pid" ] || return 0
  if [ -n "$session" ]; then
    kill -s "$1" -- "-$pid"
  elif [ "$(start_time "$pid")" = "$started" ]; then
    kill -s "$1" "$pid"
  fi
}

# More output than OUTPUT_BYTES waits in the raw files, and for ten looks nobody has taken any: whoever reads cuts what is
# too much and says so, but with nobody there the disk would fill. A file's size is where its descriptor stands.
untaken=0 taken_before=
floods() {
  [ "$most_output" -gt 0 ] || return 1
  read -r _ out < "/proc/$$/fdinfo/3" && read -r _ err < "/proc/$$/fdinfo/4" || return 1
  taken=0:0
  [ ! -s taken ] || read -r taken < taken
  waiting=$((out + err - ${taken%%:*} - ${taken#*:}))
  if [ "$waiting" -le "$most_output" ] || [ "$taken" != "$taken_before" ]; then
    untaken=0 taken_before=$taken
    return 1
  fi
  untaken=$((untaken + 1))
  [ "$untaken" -ge 10 ]
}

until=0 why=
# Fills by, signal, grace and reason when somebody or something wants the run to end. A deadline outlives its file.
wants_end() {
  if [ -s stop ]; then
    read -r by signal grace_ms reason < stop
    grace=$(((grace_ms + 999) / 1000))
    return 0
  fi
  [ ! -s until ] || read -r until why < until
  if [ "$until" -gt 0 ] && [ "$(now_ms)" -ge "$until" ]; then
    by=limit signal=15 reason=${why:-deadline}
    return 0
  fi
  floods || return 1
  by=limit signal=9 reason=output
}

watch() {
  while sleep 1; do
    if [ "$(start_time $$)" != "$born" ]; then
      signal_command KILL
      return
    fi
    know_child
    go_home
    wants_end || continue
    [ -s ending ] || write_whole ending "$by $reason"
    signal_command "$signal"
    # A later order brings the KILL nearer, never further away: it counts from when it came.
    waited=0 ordered=0 bound=$grace
    [ -s stop ] || ordered=
    while [ "$waited" -lt "$bound" ] && sleep 1; do
      waited=$((waited + 1))
      go_home
      [ -s stop ] && wants_end || continue
      : "${ordered:=$waited}"
      [ $((ordered + grace)) -ge "$bound" ] || bound=$((ordered + grace))
    done
    signal_command KILL
  done
}

# Started before the signals are ignored, so that it can be ended by TERM from its first moment.
watch 3>&- 4>&- 5>&- < /dev/null &
watcher=$!
trap '' HUP INT TERM QUIT

(
  trap - HUP INT TERM QUIT
  read -r pid _ < /proc/self/stat
  echo "$pid $(start_time "$pid")" > child.tmp && mv child.tmp child
  cd "$start_folder" || exit 126
  umask 022
  [ "$memory" -eq 0 ] || ulimit -v "$memory"
  # shellcheck disable=SC2086
  exec ${session:+"$session"} $reset_user /bin/sh -c "$as_the_job" sh "$@" >&3 2>&4 3>&- 4>&- 5>&-
)
code=$?
go_home

# What the command left behind in its group ends with it.
signal_command KILL
kill "$watcher"
wait "$watcher"

by=exit reason=exited
if [ "$code" -gt 128 ] && [ "$code" -le 192 ]; then
  by=signal reason="signal $((code - 128))"
fi
[ ! -s ending ] || read -r by reason < ending
write_whole exit "$by $code $(now_ms) $reason"
