/**
 * The cgroup of a container, below each hierarchy's mount point. It is a direct child of the configured parent: a
 * group of our own in between would have to be removed by someone, and two processes would race for that.
 */
export function containerCgroup(parent: string, id: string): string {
  return `${parent}/caisson-${id}`;
}
