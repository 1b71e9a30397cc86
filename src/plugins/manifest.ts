import * as v from 'valibot';
import { engineError, quote } from '../errors/index.js';
import type { PluginDefinition } from './plugin-definition.js';
import { badAnswer } from './post-to-plugin.js';

export const ACTIVATE = 'Plugin.Activate';
export const MAX_MANIFEST_BYTES = 64 * 1024;

const manifestSchema = v.object({
  // Go writes an empty list as null.
  Implements: v.pipe(
    v.nullish(v.array(v.pipe(v.string(), v.maxLength(128))), []),
    v.transform((types) => types ?? []),
    v.maxLength(64),
  ),
  Err: v.nullish(v.string(), ''),
});

/** What a plugin implements, as its answer to the handshake says. Throws PLUGIN_BAD_ANSWER, PLUGIN_CALL_FAILED for an Err. */
export function readManifest(plugin: PluginDefinition, answer: unknown): readonly string[] {
  // A list is an object to the schema, and would be one without capabilities.
  if (Array.isArray(answer)) throw badAnswer(plugin, { method: ACTIVATE }, 'is no manifest but a list');
  const result = v.safeParse(manifestSchema, answer, { abortEarly: true });
  if (!result.success) {
    const issue = result.issues[0];
    const field = quote(v.getDotPath(issue) ?? '');
    throw badAnswer(plugin, { method: ACTIVATE }, `is no manifest: field ${field} ${quote(issue.input)}`);
  }
  const { Implements, Err } = result.output;
  if (Err) {
    throw engineError('PLUGIN_CALL_FAILED', `plugin ${plugin.name} refuses to be activated: ${quote(Err)}`, {
      details: { plugin: plugin.name, method: ACTIVATE, status: 200, answer: Err.slice(0, 2000) },
    });
  }
  return [...new Set(Implements)];
}
