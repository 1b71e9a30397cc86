export type { EngineEvent, EventFilter, EventType } from './event.js';
export type { EventInput } from './event-line.js';
export { EventJournal, type EventJournalOptions } from './journal.js';
export type { ReadOptions } from './journal-reader.js';
