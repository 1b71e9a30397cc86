import { closeSync, openSync } from 'node:fs';
import { type Compression, decompress, detectCompression } from '../archive/index.js';
