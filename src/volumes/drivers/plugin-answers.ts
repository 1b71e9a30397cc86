import { quote } from '../../errors/index.js';
import { badAnswer, type DriverCall } from './driver-error.js';

/** An answer of a plugin, member by member. Plugins that Docker understands write them in any case. */
export class PluginAnswer {
  readonly #call: DriverCall;
  readonly #members: ReadonlyMap<string, unknown>;

  constructor(call: DriverCall, answer: unknown) {
    if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
      throw badAnswer(call, `${quote(answer)} instead of an object`);
    }
    this.#call = call;
    const members = new Map<string, unknown>();
    // Like Go's decoder: letter case does not matter, the last one counts, null is nothing.
    for (const [key, value] of Object.entries(answer)) {
      if (value !== null) members.set(key.toLowerCase(), value);
    }
    this.#members = members;
  }

  /** A member that is text; undefined when it is not there or empty. */
  text(name: string): string | undefined {
    const value = this.#members.get(name.toLowerCase());
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw this.#bad(name, value, 'text');
    return value;
  }

  object(name: string): PluginAnswer | undefined {
    const value = this.#members.get(name.toLowerCase());
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) throw this.#bad(name, value, 'an object');
    return new PluginAnswer(this.#call, value);
  }

  array(name: string): readonly unknown[] {
    const value = this.#members.get(name.toLowerCase());
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.#bad(name, value, 'an array');
    return value;
  }

  /** A member as it came. */
  raw(name: string): unknown {
    return this.#members.get(name.toLowerCase());
  }

  #bad(name: string, value: unknown, wanted: string): Error {
    return badAnswer(this.#call, `${name} ${quote(value)} instead of ${wanted}`);
  }
}
