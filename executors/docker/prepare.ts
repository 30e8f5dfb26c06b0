/**
 * Sees to it that the image is there, and names it by its id: `<image id>@<engine id>`. An image id says nothing of
 * another engine, so a run that is to start in another one than its image was found in has it looked for again there.
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

/** What Prepare answers. */
export function preparedImage(imageId: string, engineId: string | undefined): string {
  return engineId === undefined ? imageId : `${imageId}@${engineId}`;
}

/** The image id out of what Prepare has answered; undefined when it was found in another engine than this one. */
export async function imageHere(
  engine: Engine,
  digest: string,
  engineId: string | undefined,
): Promise<string | undefined> {
  const [imageId = '', foundIn] = digest.split('@');
  if (foundIn !== undefined) return foundIn === engineId ? imageId : undefined;
  // Of a version that did not note the engine.
  return imageId === '' ? undefined : engine.imageId(imageId);
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
