/**
 * Escapes control characters and those that turn the direction of text, so that foreign bytes can't drive a terminal
 * or forge a log line. Line feeds stay out too.
 */
export function escapeForeign(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A foreign value as it may stand in a message: JSON-quoted, escaped, cut at `max` characters. */
export function quote(value: unknown, max = 200): string {
  let text: string;
  try {
    if (typeof value === 'bigint') text = `${value}n`;
    // JSON would turn NaN and Infinity into null.
    else text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  } catch {
    // It has a circle or a bigint; String() would run (or miss) the value's own toString.
    text = Object.prototype.toString.call(value);
  }
  if (text.length > max) text = `${text.slice(0, max)}…`;
  return escapeForeign(text);
}
