import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../project.js';

/** What Docker asked a volume plugin for one command; made by record-docker-calls.ts, never by hand. */
export interface DockerStep {
  /** The command line, or in words what was done: `docker volume create -d testvol vol`. */
  readonly does: string;
  /** The command said no. */
  readonly fails?: true;
  /** In order. Random ids are named `id1`, `id2`… in the order they came, in the whole recording. */
  readonly calls: readonly { readonly path: string; readonly body: string }[];
}

export interface DockerRecording {
  readonly recordedWith: string;
  readonly httpMethod: string;
  /** null: the header was not sent, or empty. */
  readonly headersOfTheLastCall: Readonly<Record<string, string | null>>;
  readonly steps: readonly DockerStep[];
}

export function readDockerRecording(): DockerRecording {
  const path = join(PROJECT, 'test/support/plugins/docker-calls.json');
  return JSON.parse(readFileSync(path, 'utf8')) as DockerRecording;
}

/** The first step whose description starts so. */
export function dockerStep(does: string): DockerStep {
  const step = readDockerRecording().steps.find((candidate) => candidate.does.startsWith(does));
  if (step === undefined) throw new Error(`nothing recorded for ${does}`);
  return step;
}
