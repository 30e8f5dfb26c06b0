/**
 * Sees to it that the image is there, and names it by its id, which is a digest of its content. Where no image of that id
 * is (another engine, or removed meanwhile) it is looked for again by its name.
 */
import { LimpetError, type Progress, type RunSpec } from '../../plugins/sdk/index.ts';
import type { DockerConfig } from './config.ts';
import { imageId, listImages, type LocalImage } from './engine-images.ts';
import { pullImage } from './engine-streams.ts';
import type { Engine } from './engine.ts';
import type { DockerParams } from './params.ts';
import type { PulledImages } from './pulled-images.ts';

export interface ImageSource {
  readonly engine: Engine;
  /** undefined: it has none, and may get none. */
  readonly engineId: () => Promise<string | undefined>;
  readonly images: PulledImages;
}

export interface PrepareOptions {
  readonly config: DockerConfig;
  readonly progress: (p: Progress) => void;
  readonly signal: AbortSignal;
}

/** The image id. LimpetError `refused`: not here and may not be, or cannot be, pulled. */
export async function prepareImage(
  source: ImageSource,
  params: RunSpec<DockerParams>['params'],
  { config, progress, signal }: PrepareOptions,
): Promise<string> {
  const image = params.Image;
  const policy = params.PullPolicy ?? config.pullPolicy;
  const local = await look(source, image);
  if (local !== undefined && policy !== 'always') return local;
  if (policy === 'never')
    throw new LimpetError(
      'refused',
      `image ${image} is not on this node and the pull policy is never; load it there or allow pulling`,
    );
  progress({ message: `pulling ${image}`, kind: 'image', item: image });
  const { pullLookupMs: lookupMs, pullStallMs: stallMs } = config;
  const before = await listImages(source.engine.calls);
  await pullImage(source.engine.calls, image, { lookupMs, stallMs, progress, signal });
  const pulled = await look(source, image);
  if (pulled === undefined)
    throw new LimpetError(
      'engine-failed',
      `image ${image} was pulled, but the engine does not show it`,
    );
  // What cannot be recorded is never removed, and no reason not to run.
  await record(source, pulled, before).catch(() => undefined);
  return pulled;
}

/** The id of a local image, which from now on counts as used; undefined when there is none of that name. */
async function look({ engine, images }: ImageSource, image: string): Promise<string | undefined> {
  for (;;) {
    const id = await imageId(engine.calls, image);
    const leaving = id === undefined ? undefined : images.leaving(id);
    if (leaving === undefined) {
      if (id !== undefined) images.use(id);
      return id;
    }
    await leaving;
  }
}

async function record(
  { engine, engineId, images }: ImageSource,
  id: string,
  before: readonly LocalImage[],
): Promise<void> {
  const name = await engineId();
  const image = (await listImages(engine.calls)).find((one) => one.id === id);
  if (name !== undefined && image !== undefined) await images.add({ engine: name, image, before });
}
