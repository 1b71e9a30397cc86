/** One challenge of a WWW-Authenticate header. */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case; the first of a name counts. */
  readonly params: ReadonlyMap<string, string>;
}

const MAX_HEADER = 16 * 1024;
const MAX_CHALLENGES = 16;
const MAX_PARAMS = 32;
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const SEPARATORS = /[ \t,]*/y;
const SPACE = /[ \t]*/y;

/**
 * Reads WWW-Authenticate by RFC 9110, several challenges in one header included. Never throws: from the first thing on
 * that makes no sense, the rest is left out.
 */
export function parseChallenges(header: string | undefined): Challenge[] {
  const challenges: Challenge[] = [];
  if (header === undefined || header.length > MAX_HEADER) return challenges;
  const reader = new Reader(header);
  for (;;) {
    reader.take(SEPARATORS);
    const scheme = reader.take(TOKEN);
    if (scheme === '' || challenges.length === MAX_CHALLENGES) return challenges;
    const params = new Map<string, string>();
    challenges.push({ scheme: scheme.toLowerCase(), params });
    reader.take(SPACE);
    if (reader.take(TOKEN68) !== '') continue;
    if (!readParams(reader, params)) return challenges;
  }
}

/** False when the header makes no sense from here on. */
function readParams(reader: Reader, params: Map<string, string>): boolean {
  for (;;) {
    const start = reader.at;
    reader.take(SEPARATORS);
    const name = reader.take(TOKEN);
    reader.take(SPACE);
    if (name === '' || !reader.skip('=')) {
      // The next challenge, or the end.
      reader.at = start;
      return true;
    }
    reader.take(SPACE);
    const value = reader.skip('"') ? reader.quoted() : reader.take(TOKEN) || undefined;
    if (value === undefined || params.size === MAX_PARAMS) return false;
    const key = name.toLowerCase();
    if (!params.has(key)) params.set(key, value);
    // Only a comma or the end may follow a value.
    reader.take(SPACE);
    if (!reader.isAt(',') && !reader.isAtEnd()) return false;
  }
}

/** A place in a text. */
class Reader {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** What a sticky pattern matches here; empty when it does not. */
  take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  skip(character: string): boolean {
    if (!this.isAt(character)) return false;
    this.at++;
    return true;
  }

  isAt(character: string): boolean {
    return this.#text[this.at] === character;
  }

  isAtEnd(): boolean {
    return this.at >= this.#text.length;
  }

  /** The rest of a quoted string behind its first quote; `undefined` when it does not end. */
  quoted(): string | undefined {
    let value = '';
    for (; this.at < this.#text.length; this.at++) {
      const character = this.#text[this.at];
      if (character === '"') {
        this.at++;
        return value;
      }
      if (character === '\\') this.at++;
      value += this.#text[this.at] ?? '';
    }
    return undefined;
  }
}
