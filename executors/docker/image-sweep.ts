/**
 * Removes images that this plugin has pulled and that nobody has used for a while. By name, never by force: what the engine
 * refuses stays, and is tried again. An image that got a name from somebody else is theirs from then on.
 */
import { messageOf, type PluginLog } from '../../plugins/sdk/index.ts';
import type { DockerConfig } from './config.ts';
import type { EngineId } from './engine-id.ts';
import { isAway, statusOf } from './engine-error.ts';
import { imageId, listImages, removeImage, usedImages, type LocalImage } from './engine-images.ts';
import type { Engine } from './engine.ts';
import type { PulledImage, PulledImages } from './pulled-images.ts';

/** After a start there is more urgent work. */
const FIRST_MS = 60_000;

export interface ImageSweepParts {
  readonly engine: Engine;
  readonly engineId: EngineId;
  readonly images: PulledImages;
  readonly config: DockerConfig['images'];
  readonly log: PluginLog;
}

/** Until `signal` fires. Holds no process alive. */
export function sweepImages(parts: ImageSweepParts, signal: AbortSignal): void {
  const { keepUnusedMs, everyMs } = parts.config;
  if (keepUnusedMs === 0) return;
  const after = (ms: number) => {
    if (signal.aborted) return;
    setTimeout(() => {
      if (!signal.aborted) void look(parts).then(() => after(everyMs));
    }, ms).unref();
  };
  after(Math.min(FIRST_MS, everyMs));
}

/** Never throws. */
async function look(parts: ImageSweepParts): Promise<void> {
  try {
    await sweep(parts);
  } catch (thrown) {
    if (!isAway(thrown)) parts.log.warn('images.sweep-failed', { reason: messageOf(thrown) });
  }
}

async function sweep(parts: ImageSweepParts): Promise<void> {
  const { engine, engineId, images, log } = parts;
  const id = await engineId.read();
  const ours = id === undefined ? [] : images.of(id);
  if (ours.length === 0) return;
  const local = await listImages(engine.calls);
  const shown = new Map(local.map((image) => [image.id, image]));
  const used = new Set([...(await usedImages(engine.calls)), ...local.map(({ parent }) => parent)]);
  for (const one of ours) {
    const image = shown.get(one.id);
    const foreign = image?.names.find((name) => !one.names.includes(name));
    if (image === undefined) await images.forget(one);
    else if (foreign !== undefined) {
      await images.forget(one);
      log.info('image.taken-over', { image: one.id, name: foreign });
    } else if (used.has(one.id)) images.use(one.id);
    else await images.remove(one, () => remove(parts, one, image));
  }
}

async function remove(
  { engine, images, log }: ImageSweepParts,
  one: PulledImage,
  image: LocalImage,
): Promise<void> {
  const tags = image.names.filter((name) => !name.includes('@'));
  const names = tags.length > 0 ? tags : image.names;
  try {
    for (const name of names.length > 0 ? names : [one.id]) await removeImage(engine.calls, name);
  } catch (thrown) {
    if (isAway(thrown)) throw thrown;
    log[statusOf(thrown) === 409 ? 'debug' : 'warn']('image.kept', {
      image: one.id,
      reason: messageOf(thrown),
    });
    return;
  }
  if ((await imageId(engine.calls, one.id)) !== undefined) return;
  await images.forget(one);
  const unusedMs = Date.now() - one.usedAt;
  log.info('image.removed', { image: one.id, names, bytes: image.bytes, unusedMs });
}
