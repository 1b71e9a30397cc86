import type { EngineParts } from './parts.js';

/** The order matters: what still writes goes before what it writes to. */
export async function closeEngine(parts: EngineParts): Promise<void> {
  const { deps } = parts;
  await deps.live.close();
  await parts.closeRegistry();
  await parts.closeFilters();
  await deps.exits.close();
  await parts.volumes.close();
  await deps.session.close();
  parts.closeRuntimes();
  parts.closeJournal();
}
