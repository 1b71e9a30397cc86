import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import { EngineError } from '#src/errors/index.js';

/** Gives each test of a file its own directories and removes them after it. */
export function scratch(): (name?: string) => string {
  const made: string[] = [];
  afterEach(() => {
    for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
  });
  return (name = 'plain') => {
    const dir = mkdtempSync(join(tmpdir(), 'caisson-state-'));
    made.push(dir);
    return join(dir, name);
  };
}

/** For assert.throws and assert.rejects: an EngineError with this reason whose details match. */
export function reason(name: string, details: Record<string, unknown> = {}): (error: unknown) => true {
  return (error) => {
    if (!EngineError.is(error)) throw error;
    if (error.reason !== name) throw new Error(`reason ${error.reason}, expected ${name}: ${error.message}`);
    for (const [key, value] of Object.entries(details)) {
      if (JSON.stringify(error.details[key]) !== JSON.stringify(value)) {
        throw new Error(`details.${key} is ${JSON.stringify(error.details[key])}, expected ${JSON.stringify(value)}`);
      }
    }
    return true;
  };
}
