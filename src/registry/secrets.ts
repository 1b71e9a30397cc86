const MAX_KNOWN = 256;
// A shorter one would tear every message apart; it is shown to nobody anyhow.
const MIN_LENGTH = 4;

/**
 * The secrets that one client has handled: what a registry, a token server or a helper says passes through `redact`
 * before it may stand in a message, because it may repeat them.
 */
export class Secrets {
  readonly #known = new Set<string>();

  /** Remembers a secret and the forms in which it travels. */
  add(secret: string): void {
    const base64 = Buffer.from(secret).toString('base64');
    const quoted = JSON.stringify(secret).slice(1, -1);
    const forms = [secret, quoted, encodeURIComponent(secret), base64, base64.replace(/=+$/, '')];
    for (const form of forms) {
      if (form.length < MIN_LENGTH) continue;
      this.#known.delete(form);
      this.#known.add(form);
    }
    for (const oldest of this.#known) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
  }

  redact(text: string): string {
    let result = text;
    // Longest first: one may be part of another.
    for (const secret of [...this.#known].sort((a, b) => b.length - a.length)) {
      result = result.replaceAll(secret, '[redacted]');
    }
    return result;
  }
}

/** A URL as it may stand in a message: without user, password, query and fragment, which carry secrets and signatures. */
export function safeUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
