/**
 * Sees to it that the image is there, and names it by its id, which is a digest of its content. Where no image of that id
 * is (another engine, or removed meanwhile) it is looked for again by its name.
 */
import { LimpetError, type Progress, type RunSpec } from '../../plugins/sdk/index.ts';
import type { DockerConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { pullImage } from './engine-streams.ts';
import type { DockerParams } from './params.ts';

export interface PrepareOptions {
  readonly config: DockerConfig;
  readonly progress: (p: Progress) => void;
  readonly signal: AbortSignal;
}

/** The image id. LimpetError `refused`: not here and may not be, or cannot be, pulled. */
export async function prepareImage(
  engine: Engine,
  params: RunSpec<DockerParams>['params'],
  { config, progress, signal }: PrepareOptions,
): Promise<string> {
  const image = params.Image;
  const policy = params.PullPolicy ?? config.pullPolicy;
  const local = await engine.imageId(image);
  if (local !== undefined && policy !== 'always') return local;
  if (policy === 'never')
    throw new LimpetError(
      'refused',
      `image ${image} is not on this node and the pull policy is never; load it there or allow pulling`,
    );
  progress({ message: `pulling ${image}` });
  const { pullLookupMs: lookupMs, pullStallMs: stallMs } = config;
  await pullImage(engine.calls, image, { lookupMs, stallMs, progress, signal });
  const pulled = await engine.imageId(image);
  if (pulled !== undefined) return pulled;
  throw new LimpetError(
    'engine-failed',
    `image ${image} was pulled, but the engine does not show it`,
  );
}
