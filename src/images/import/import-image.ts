import type { DecompressLimits } from '../../archive/index.js';
import { EngineError, engineError, quote } from '../../errors/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { ImageDeps } from '../image-deps.js';
import { checkMadeConfig, type MadeImageConfig } from '../made-config.js';
import { assertNewName } from '../new-name.js';
import { parsePlatform } from '../platform.js';
import { familiarString, type Reference } from '../reference.js';
import type { Digest } from '../types.js';
import { buildTime } from './build-time.js';
import { chooseFormat, type ImageFormat } from './choose-format.js';
import { readDockerArchive } from './import-docker-archive.js';
import { readOciLayout, type SelectOptions } from './import-oci.js';
import { readRootfs } from './import-rootfs.js';
import { ImportSession } from './import-session.js';
import { readSkopeoDir } from './import-skopeo-dir.js';
import { badSource, type ImageInput, type Located, locateSource, openFiles } from './open-source.js';
import { type ImageToStore, storeImage } from './store-image.js';

/** Options of `images.load`. @public */
export interface LoadImagesOptions extends CallOptions {
  /** What the source is. @defaultValue `auto`: told by what is in it */
  readonly format?: ImageFormat | 'auto';
  /** Take only the image with this name (as the source has it) or digest. */
  readonly select?: string;
  /** `linux/arm64`: which of a multi-platform image. @defaultValue the host's */
  readonly platform?: string;
  /** Move a name that another image has, as `docker load` does; else NAME_TAKEN. @defaultValue true */
  readonly replaceTags?: boolean;
}

/** Options of `images.import`. @public */
export interface ImportImageOptions extends LoadImagesOptions {
  /** The image's name here, instead of those the source has. */
  readonly reference?: string;
  /** For root file systems only: what runs in it. */
  readonly config?: MadeImageConfig;
}

interface ImportPlan {
  readonly input: ImageInput;
  readonly options: ImportImageOptions;
  /** More than one image is fine. */
  readonly several: boolean;
  readonly limits: DecompressLimits;
}

/** Imports what a source holds; ids in the source's order. Nothing stays of an import that fails. */
export async function importImages(deps: ImageDeps, plan: ImportPlan): Promise<readonly Digest[]> {
  const { options } = plan;
  // All that can be wrong with the call is found before anything is read.
  const reference = options.reference === undefined ? undefined : assertNewName('reference', options.reference);
  if (options.platform !== undefined) parsePlatform(options.platform);
  const run = checkMadeConfig(options.config ?? {});
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  return ImportSession.run(
    deps,
    async (session) => {
      const located = await locateSource(plan.input, session.tempPath, call);
      try {
        const images = await readImages(deps, session, located, plan, { reference, run });
        if (images.length > 1 && !plan.several) throw severalImages(located, images);
        const ids: Digest[] = [];
        for (const image of images) {
          const references = reference === undefined ? image.references : [reference];
          const replaceTags = options.replaceTags ?? true;
          ids.push(await storeImage(deps, session, { ...image, references }, { ...call, replaceTags }));
        }
        return ids;
      } catch (error) {
        throw namingSource(error, located);
      }
    },
    call,
  );
}

async function readImages(
  deps: ImageDeps,
  session: ImportSession,
  located: Located,
  { options, limits }: ImportPlan,
  made: { reference: Reference | undefined; run: ReturnType<typeof checkMadeConfig> },
): Promise<readonly ImageToStore[]> {
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const selection: SelectOptions = { ...call, select: options.select, platform };
  const rootfs = async () => [
    await readRootfs(deps, session, located, {
      ...call,
      platform,
      run: made.run,
      references: made.reference === undefined ? [] : [made.reference],
      created: buildTime(deps.now()),
      limits,
    }),
  ];
  if (options.format === 'rootfs') return rootfs();
  const files = await openFiles(located, { tempPath: session.tempPath, limits }, call);
  session.closeAtEnd(files);
  const format = options.format === undefined || options.format === 'auto' ? chooseFormat(files) : options.format;
  if (format !== 'rootfs' && options.config !== undefined) {
    throw engineError('CONFLICTING_OPTIONS', `config is for root file systems, but the source is ${quote(format)}`, {
      details: { field: 'config', format },
    });
  }
  switch (format) {
    case 'oci':
      return readOciLayout(files, selection);
    case 'docker-archive':
      return readDockerArchive(deps, session, files, selection);
    case 'dir':
      return [readSkopeoDir(files)];
    case 'rootfs':
      return rootfs();
    default:
      throw badSource(located.path, `can't be read as format ${quote(format)}`);
  }
}

/** A damaged archive is told by its path, not by an offset alone. */
function namingSource(error: unknown, located: Located): unknown {
  const source = quote(located.kind === 'archive' ? located.name : located.path);
  if (!EngineError.is(error, 'DATA_LOSS', 'BAD_ARCHIVE') || error.message.includes(source)) return error;
  return new EngineError(error.code, error.reason, `image source ${source}: ${error.message}`, {
    details: { ...error.details, source },
    cause: error.cause,
  });
}

function severalImages(located: Located, images: readonly ImageToStore[]): Error {
  const names = images.flatMap(({ references }) => references.map(familiarString));
  return engineError('SEVERAL_IMAGES', `source ${quote(located.path)} holds ${images.length} images`, {
    details: { source: located.path, names },
  });
}
