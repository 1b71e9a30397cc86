/** Kinds of things that events are about. @public */
export type EventType = 'container' | 'image' | 'volume' | 'network' | 'plugin' | 'engine';

export const EVENT_TYPES: ReadonlySet<string> = new Set<EventType>([
  'container',
  'image',
  'volume',
  'network',
  'plugin',
  'engine',
]);

/**
 * Something that happened under a root, in whichever process.
 *
 * One event is made by the reader itself: type `engine`, action `overflow`. It says that events between
 * `attributes.from` and `attributes.to` (positions as `seq`) are no longer kept: compare with what exists now.
 *
 * @public
 */
export interface EngineEvent {
  /** Position in the journal: grows with every event, the same for every reader. Resume with `since: seq`. */
  readonly seq: number;
  /** When it happened, by the clock of the process that saw it. */
  readonly time: Date;
  /** What kind of thing it happened to. */
  readonly type: EventType;
  /** What happened: `create`, `start`, `die`… */
  readonly action: string;
  /** Id of the object. */
  readonly id: string;
  /** Facts and labels; no prototype, so any key is data. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Which events are wanted; each field that is given must fit. @public */
export interface EventFilter {
  readonly type?: EventType | readonly EventType[];
  readonly action?: string | readonly string[];
  readonly id?: string | readonly string[];
  /** Attributes that must be there: with this value, or with any for `true`. */
  readonly labels?: Readonly<Record<string, string | true>>;
}

/** A predicate for a filter. */
export function eventMatcher(filter: EventFilter = {}): (event: EngineEvent) => boolean {
  const types = oneOf(filter.type);
  const actions = oneOf(filter.action);
  const ids = oneOf(filter.id);
  const labels = Object.entries(filter.labels ?? {});
  return (event) =>
    types(event.type) &&
    actions(event.action) &&
    ids(event.id) &&
    labels.every(([key, value]) =>
      value === true ? event.attributes[key] !== undefined : event.attributes[key] === value,
    );
}

function oneOf(wanted: string | readonly string[] | undefined): (value: string) => boolean {
  if (wanted === undefined) return () => true;
  const set = new Set(typeof wanted === 'string' ? [wanted] : wanted);
  return (value) => set.has(value);
}
