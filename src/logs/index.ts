export { CriLogWriter, formatCriRecords } from './cri-log-writer.js';
export { type LogEntry, type LogStream, parseCriRecord } from './cri-record.js';
export { type ReadLogOptions, readLog } from './read-log.js';
