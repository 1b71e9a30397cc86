// docs/errors.md, made from the tables of reasons.

/** What a caller can do about each code; the order is the page's. */
const CODES = {
  INVALID_ARGUMENT: 'Fix the call.',
  NOT_FOUND: 'The named thing is not there.',
  ALREADY_EXISTS: 'The named thing is there already.',
  CONFLICT: 'Change other state first: something is in use, or an id means several things.',
  FAILED_PRECONDITION: 'The thing, or the host, is not in the state that this needs.',
  PERMISSION_DENIED: 'The host refuses.',
  UNAUTHENTICATED: 'A registry wants other credentials.',
  UNAVAILABLE: 'Try again later.',
  RESOURCE_EXHAUSTED: 'Free something, or raise a limit.',
  ABORTED: 'Do the whole operation again.',
  CANCELED: 'Your signal ended the call.',
  DEADLINE_EXCEEDED: 'A time limit ended the call.',
  NOT_IMPLEMENTED: 'Use another driver, kernel or version.',
  DATA_LOSS: 'A record or blob is damaged.',
  INTERNAL: 'A tool failed in a way that has no name; details carry its argv, exit code and last output.',
};

/** The page as text. `reasons`: reason to { code, remedy }. */
export function renderErrorsDoc(reasons) {
  const lines = [
    '# Errors',
    '',
    '<!-- Written by npm run api from src/errors/reasons; a test compares. -->',
    '',
    'Every error that caisson throws is an `EngineError` with a `code` that says what you can do, a `reason` that says',
    'what happened, `details` (plain data, safe to log) and often a `cause`. Messages name the field and the value and',
    'end with the remedy. Ask with `EngineError.is(error, code, reason)`, not with `instanceof`: a program may have',
    'loaded two copies of the package.',
    '',
    '```ts',
    'try {',
    "  await engine.containers.remove('db');",
    '} catch (error) {',
    "  if (!EngineError.is(error, 'NOT_FOUND')) throw error;",
    '}',
    '```',
    '',
    'The codes are a closed set. Reasons may be added in any version.',
  ];
  const rows = Object.entries(reasons);
  for (const [code, meaning] of Object.entries(CODES)) {
    const mine = rows.filter(([, row]) => row.code === code).sort(([a], [b]) => (a < b ? -1 : 1));
    lines.push('', `## ${code}`, '', meaning, '');
    if (mine.length === 0) lines.push('No reason of this version has this code.');
    else {
      lines.push('| reason | remedy |', '| --- | --- |');
      for (const [reason, { remedy }] of mine) lines.push(`| \`${reason}\` | ${remedy.replaceAll('|', '\\|')} |`);
    }
  }
  const unknown = rows.filter(([, row]) => !Object.hasOwn(CODES, row.code));
  if (unknown.length > 0) throw new Error(`codes without a section: ${unknown.map(([, row]) => row.code).join(', ')}`);
  return `${lines.join('\n')}\n`;
}
