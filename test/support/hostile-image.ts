import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from 'caisson';
import { makeBusyboxRootfs } from './busybox-rootfs.js';

export interface HostileImage {
  /** Puts what the image's upper layer holds into an empty directory; below it is a busybox tree. */
  readonly tree?: (dir: string) => void;
  /** The `config` object of the image config, as it comes: nothing checks it before the engine does. */
  readonly config?: object;
  /** Of manifest, index entry and config alike. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Imports an image that no builder would make, through an OCI layout that is written by hand. */
export async function importHostile(engine: Engine, reference: string, image: HostileImage): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-hostile-'));
  try {
    mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
    const store = (bytes: Buffer) => {
      const hex = createHash('sha256').update(bytes).digest('hex');
      writeFileSync(join(dir, 'blobs/sha256', hex), bytes);
      return { digest: `sha256:${hex}`, size: bytes.length };
    };
    const json = (value: object) => store(Buffer.from(JSON.stringify(value)));
    const upper = join(dir, 'upper');
    mkdirSync(upper);
    image.tree?.(upper);
    const layers = [tarOf(makeBusyboxRootfs(join(dir, 'base'))), tarOf(upper)].map(store);
    const config = json({
      architecture: arch() === 'x64' ? 'amd64' : arch(),
      os: 'linux',
      config: image.config ?? {},
      annotations: image.annotations,
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    });
    const manifest = json({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config, annotations: image.annotations },
      layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
      annotations: image.annotations,
    });
    const index = {
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          ...(image.annotations && { annotations: image.annotations }),
        },
      ],
    };
    writeFileSync(join(dir, 'index.json'), JSON.stringify(index));
    writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await engine.images.import(dir, { reference });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function tarOf(dir: string): Buffer {
  return execFileSync('tar', ['--numeric-owner', '--sparse', '-C', dir, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
}
