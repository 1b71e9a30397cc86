// A node:test reporter that writes one JSON line per skipped, todo or finished leaf test, for the closing summary.
export default async function* skipReporter(events) {
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    // A suite that ran counts by its tests; one that was skipped has none.
    if (data.details?.type === 'suite' && !data.skip) continue;
    const outcome = data.skip ? 'skip' : data.todo ? 'todo' : type === 'test:pass' ? 'pass' : 'fail';
    const reason = data.skip ?? data.todo;
    yield `${JSON.stringify({
      outcome,
      name: data.name,
      file: data.file,
      reason: typeof reason === 'string' ? reason : undefined,
    })}\n`;
  }
}
