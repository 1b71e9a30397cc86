/** What other engines and Node call our options, in lower case; the first that is known serves. */
const SYNONYMS: ReadonlyMap<string, readonly string[]> = new Map([
  ['cmd', ['command']],
  ['args', ['command']],
  ['cwd', ['workingDir']],
  ['workdir', ['workingDir']],
  ['environment', ['env']],
  ['volumes', ['mounts']],
  ['volume', ['mounts']],
  ['bindmounts', ['mounts']],
  ['networkmode', ['network']],
  ['rm', ['autoRemove']],
  ['securityopt', ['seccomp']],
  ['stdin', ['input', 'openStdin']],
  ['maxbuffer', ['maxOutputBytes']],
  ['timeout', ['timeoutMs', 'stopTimeoutMs']],
  ['tag', ['reference']],
  ['name', ['reference']],
  ['filters', ['labels']],
]);

/** The known name nearest to a mistyped one: one that begins with it or differs in few letters, or what others call it; a hint for an error. */
export function closestName(name: string, known: Iterable<string>): string | undefined {
  const typed = name.slice(0, 64).toLowerCase();
  const names = [...known];
  const meant = SYNONYMS.get(typed)?.find((name) => names.includes(name));
  if (meant !== undefined) return meant;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(typed.length / 2.3)) + 1;
  for (const candidate of names) {
    const lower = candidate.toLowerCase();
    const distance = typed.length >= 3 && lower.startsWith(typed) ? 0.5 : editDistance(typed, lower);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitute, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
