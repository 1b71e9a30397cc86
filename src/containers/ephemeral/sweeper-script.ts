/**
 * The watcher's text (POSIX sh). It blocks on a pipe that only the host process holds; end-of-file means that the host
 * is gone or has closed its engine. It runs in its own process group, which the host's runtime processes join, and
 * leaves that group with setsid(1) before it kills it: so nothing that was half-way through a start survives. A child
 * that the host was just spawning holds the pipe until it has joined the group, so end-of-file never comes too early.
 * Arguments: sweep script, session directory, cgroup parent, cgroup mount points…
 */
export const WATCH_SCRIPT = `sweep=$1
shift
while read -r _; do :; done
[ -e "$1/c" ] || exit 0
exec setsid /bin/sh -c "$sweep" caisson-sweep "$$" "$@"
`;

/**
 * The sweep's text, for any POSIX sh. Arguments: process group, session directory, cgroup parent, cgroup mount points…
 * Order: runtimes first (nothing new starts), then container processes with their cgroups, mounts, directories. The
 * container directories go last, and only when all else is gone: they are the list by which Engine.open does what this
 * one could not do. Each step works on all containers at once, because starting a program is what costs time here.
 *
 * Of the commands, `kill` takes no `--` (dash and busybox would read it as a pid), and a process id 0 in cgroup.procs
 * stands for a process of an outer pid namespace (to `kill` it means our own group).
 */
export const SWEEP_SCRIPT = `group=$1 session=$2 parent=$3
shift 3
exec 2>/dev/null
kill -KILL "-$group"

# Runtimes with a terminal lead a session of their own. Their arguments name our session's directory.
token=\${session##*/}
for file in $(grep -lF -e "$token/c/" -e "$token/x/" /proc/[0-9]*/cmdline); do
  pid=\${file#/proc/} pid=\${pid%/*} stat=
  read -r stat <"/proc/$pid/stat"
  # After the name in parentheses: state, parent, group, session.
  case \${stat##*) } in
    ?" "*" $pid $pid "*) [ "$pid" = $$ ] || kill -KILL "$pid" ;;
  esac
done

# Exec sessions, in directories named <container>.<token>. The number may be another process's by now: only one inside
# that container is ended.
for file in "$session"/x/*/pid; do
  pid= id=\${file%/pid} id=\${id##*/} id=\${id%.*}
  read -r pid <"$file"
  [ -n "$pid" ] || continue
  while read -r line; do
    case $line in */caisson-$id*) kill -KILL "-$pid" "$pid"; break ;; esac
  done <"/proc/$pid/cgroup"
done

ids= groups=
for dir in "$session"/c/*/; do
  [ -d "$dir" ] || continue
  id=\${dir%/} id=\${id##*/}
  ids="$ids $id" groups="$groups caisson-$id"
done

existing() {
  names=$left left=
  for name in $names; do
    if [ -d "$name" ]; then left="$left $name"; fi
  done
}

# A group goes only when nothing runs in it, so its absence in each hierarchy says that all processes are gone.
thaw='for file; do echo THAWED >"$file"; done'
end='for file; do echo 1 >"$file"; done'
tries=0 busy=1
while [ $busy = 1 ] && [ $tries -lt 130 ]; do
  busy=0 tries=$((tries + 1))
  for mount in "$@"; do
    cd "$mount$parent" || continue
    left=$groups
    existing
    [ -n "$left" ] || continue
    # Nearly all are empty by now and have none below them.
    rmdir $left
    existing
    [ -n "$left" ] || continue
    pids=$(find $left -name cgroup.procs -exec cat {} +)
    for pid in $pids; do
      [ "$pid" = 0 ] || kill -KILL "$pid"
    done
    [ -z "$pids" ] ||
      find $left -name freezer.state -exec sh -c "$thaw" thaw {} + -o -name cgroup.kill -exec sh -c "$end" end {} +
    find $left -depth -type d -exec rmdir {} +
    existing
    [ -z "$left" ] || busy=1
  done
  # A runtime that was making a group when the signal came makes it yet, and has arguments until it is past that.
  if [ $busy = 0 ] && grep -qF -e "$token/c/" -e "$token/x/" /proc/[0-9]*/cmdline; then busy=1; fi
  # A process that the kernel does not let go takes long; then there is no hurry either.
  if [ $busy = 1 ]; then
    if [ $tries -lt 100 ]; then sleep 0.01 || sleep 1; else sleep 1; fi
  fi
done
cd /

set --
for id in $ids; do set -- "$@" "$session/c/$id/rootfs"; done
for bind in "$session"/c/*/v/*; do
  [ "\${bind##*/}" = '*' ] || set -- "$@" "$bind"
done
[ $# = 0 ] || umount -l "$@"
# To delete what is still mounted would be to delete a volume's content.
if grep -qF "/$token/c/" /proc/self/mountinfo; then busy=1; fi
set --
for own in "$session"/own/*/; do
  for id in $ids; do set -- "$@" "$own$id"; done
done
[ $# = 0 ] || rm -rf "$@" || busy=1
[ $busy = 1 ] || rm -rf "$session"/c/* "$session"/x "$session"/*.log
`;
