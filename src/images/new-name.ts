import { engineError, quote } from '../errors/index.js';
import { parseReference, type Reference, withDefaultTag } from './reference.js';

/** Parses a name that is to be given to an image: with the default tag, without a digest. Throws BAD_REFERENCE. */
export function assertNewName(field: string, text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest === undefined) return reference;
  throw engineError('BAD_REFERENCE', `${field} ${quote(text)} has a digest, which no one can give`, {
    details: { field, value: quote(text) },
  });
}
