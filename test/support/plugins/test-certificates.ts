import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { requireBinary } from '../require.js';
import { runOk } from '../run.js';

export interface TestCertificates {
  /** Paths of PEM files. */
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  /** For another name. */
  readonly other: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
  /** Content of one of them. */
  read(path: string): string;
}

/** A certificate authority, a server certificate for 127.0.0.1 and localhost, one for another name, and a client's; skips without openssl. */
export async function makeTestCertificates(
  t: Pick<TestContext, 'skip'>,
  dir: string,
): Promise<TestCertificates | undefined> {
  const openssl = requireBinary(t, 'openssl');
  if (openssl === undefined) return undefined;
  mkdirSync(dir, { recursive: true });
  const path = (name: string) => join(dir, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const ca = path('ca.pem');
  const about = (name: string) => ['-subj', `/CN=${name}`, '-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)];
  await runOk(openssl, ['req', '-x509', '-days', '2', ...key, ...about('ca')]);
  for (const [name, extension] of [
    ['server', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ['other', 'subjectAltName=DNS:other.example'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ] as const) {
    writeFileSync(path(`${name}.ext`), `${extension}\n`);
    await runOk(openssl, [
      'req',
      '-new',
      ...key,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      path(`${name}.key`),
      '-out',
      path(`${name}.csr`),
    ]);
    await runOk(openssl, [
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      path(`${name}.csr`),
      '-CA',
      ca,
      '-CAkey',
      path('ca.key'),
      '-CAcreateserial',
      '-extfile',
      path(`${name}.ext`),
      '-out',
      path(`${name}.pem`),
    ]);
  }
  return {
    ca,
    server: { cert: path('server.pem'), key: path('server.key') },
    other: { cert: path('other.pem'), key: path('other.key') },
    client: { cert: path('client.pem'), key: path('client.key') },
    read: (file) => readFileSync(file, 'utf8'),
  };
}
