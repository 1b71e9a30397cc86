/**
 * Lets the event loop do what waits, timers and input first. Between two pieces of synchronous work of a millisecond
 * each it keeps the host's other work from waiting for their sum.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
