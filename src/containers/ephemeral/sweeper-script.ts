/**
 * The watcher's text (POSIX sh). It blocks on a pipe that only the host process holds; end-of-file means that the host
 * is gone or has closed its engine. It runs in its own process group, which the host's runtime processes join, and
 * leaves that group with setsid(1) before it kills it: so nothing that was half-way through a start survives.
 * Arguments: sweep script, session directory, run directory, cgroup parent, cgroup mount points…
 */
export const WATCH_SCRIPT = `sweep=$1
shift
while read -r _; do :; done
[ -e "$1/c" ] || exit 0
exec setsid /bin/sh -c "$sweep" caisson-sweep "$$" "$@"
`;

/**
 * The sweep's text. Arguments: process group, session directory, run directory, cgroup parent, cgroup mount points…
 * Order: runtimes first (nothing new starts), then container processes, mounts, directories, cgroups. Each step is
 * idempotent; Engine.open does the same for what this one could not do.
 */
export const SWEEP_SCRIPT = `group=$1 session=$2 run=$3 parent=$4
shift 4
kill -KILL -- "-$group" 2>/dev/null
each_group() {
  for c in "$session"/c/*/; do
    id=\${c%/} id=\${id##*/}
    for m in "$@"; do
      g=$m$parent/caisson-$id
      [ -d "$g" ] && on_group "$g"
    done
  done
}
kill_group() {
  for procs in "$1"/cgroup.procs "$1"/*/cgroup.procs; do
    [ -e "$procs" ] || continue
    while read -r pid; do
      kill -KILL "$pid" 2>/dev/null && busy=1
    done <"$procs"
  done
  if [ -e "$1/cgroup.kill" ]; then echo 1 >"$1/cgroup.kill"; fi
  if [ -e "$1/freezer.state" ]; then echo THAWED >"$1/freezer.state"; fi
} 2>/dev/null
remove_group() { rmdir "$1"/*/ "$1" 2>/dev/null || { [ -d "$1" ] && busy=1; }; }
for x in "$session"/x/*/pid; do
  [ -s "$x" ] || continue
  read -r pid <"$x" 2>/dev/null || pid=$(cat "$x")
  grep -q "caisson-" "/proc/$pid/cgroup" 2>/dev/null && kill -KILL -- "-$pid" "$pid" 2>/dev/null
done
tries=0 busy=1
while [ $busy = 1 ] && [ $tries -lt 100 ]; do
  busy=0 tries=$((tries + 1))
  on_group() { kill_group "$1"; }
  each_group "$@"
  [ $busy = 0 ] || sleep 0.01
done
set -- "$@"
for c in "$session"/c/*/; do
  [ -d "$c" ] || continue
  umount -l "\${c}rootfs" 2>/dev/null
  for own in "\${c}own"/*; do
    [ -L "$own" ] || continue
    path=$(readlink -- "$own"; echo x)
    rm -rf -- "\${path%??}"
  done
  id=\${c%/} id=\${id##*/}
  rm -rf -- "$run"/runtime/*/"$id"
done
tries=0 busy=1
while [ $busy = 1 ] && [ $tries -lt 100 ]; do
  busy=0 tries=$((tries + 1))
  on_group() { kill_group "$1"; remove_group "$1"; }
  each_group "$@"
  [ $busy = 0 ] || sleep 0.01
done
rm -rf -- "$session"/c/* "$session"/x
`;
