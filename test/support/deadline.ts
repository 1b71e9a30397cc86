/** Aborts as `AbortSignal.timeout` does, but keeps the event loop running until then: nothing else may. */
export function deadline(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new DOMException('the time is up', 'TimeoutError')), ms);
  return controller.signal;
}
