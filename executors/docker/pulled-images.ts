/**
 * What this plugin itself has pulled, kept in its state folder: only such an image may be removed one day. An image is
 * known by its id, the engine by ours, since the same image may be somebody else's in another engine. What a crash takes
 * away leaves an image in the engine; it never makes one ours.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, readIfThere, writeDurably, type PluginLog } from '../../plugins/sdk/index.ts';
import type { LocalImage } from './engine-images.ts';

const entrySchema = z.object({
  id: z.string(),
  engine: z.string(),
  /** Tags and digests that came with our pulls. */
  names: z.array(z.string()),
  pulledAt: z.number(),
  usedAt: z.number(),
});
const fileSchema = z.object({ version: z.literal(1), images: z.array(entrySchema) });

export type PulledImage = Readonly<z.infer<typeof entrySchema>>;

/** So much older than the truth may be what the file says of the last use. */
const LAG_MS = 3_600_000;
const LAG_PART = 10;

export interface PulledImagesOptions {
  readonly folder: string;
  readonly log: PluginLog;
  /** 0: for ever. */
  readonly keepUnusedMs: number;
}

export interface Pulled {
  readonly engine: string;
  readonly image: LocalImage;
  /** All images of that engine before the pull. */
  readonly before: readonly LocalImage[];
}

export class PulledImages {
  readonly #options: PulledImagesOptions;
  readonly #file: string;
  readonly #images: Map<string, PulledImage>;
  readonly #leaving = new Map<string, Promise<void>>();
  /** As the file has it. */
  #written: ReadonlyMap<string, PulledImage>;
  #writing = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: PulledImagesOptions) {
    this.#options = options;
    this.#file = join(options.folder, 'pulled-images.json');
    this.#images = this.#read();
    this.#written = new Map(this.#images);
  }

  of(engine: string): readonly PulledImage[] {
    return [...this.#images.values()].filter((image) => image.engine === engine);
  }

  /** Durable on return. An image that was there before, and that we had not pulled, stays whose it is. */
  async add({ engine, image, before }: Pulled): Promise<void> {
    const known = this.#images.get(keyOf(engine, image.id));
    const older = before.find(({ id }) => id === image.id);
    if (older !== undefined && known === undefined) return;
    const came = image.names.filter((name) => older?.names.includes(name) !== true);
    const names = [...new Set([...(known?.names ?? []), ...came])];
    const now = Date.now();
    this.#set({ id: image.id, engine, names, pulledAt: known?.pulledAt ?? now, usedAt: now });
    await this.#write();
  }

  /** Counts at once, and is written when the file has become too old. */
  use(id: string): void {
    const now = Date.now();
    const { keepUnusedMs } = this.#options;
    const lag = keepUnusedMs === 0 ? LAG_MS : Math.min(LAG_MS, keepUnusedMs / LAG_PART);
    let isOld = false;
    for (const [key, image] of this.#images) {
      if (image.id !== id) continue;
      this.#images.set(key, { ...image, usedAt: now });
      isOld ||= now - (this.#written.get(key)?.usedAt ?? 0) > lag;
    }
    if (isOld) void this.#write();
  }

  async forget({ engine, id }: PulledImage): Promise<void> {
    this.#images.delete(keyOf(engine, id));
    await this.#write();
  }

  isDue({ engine, id }: PulledImage): boolean {
    const image = this.#images.get(keyOf(engine, id));
    return image !== undefined && Date.now() - image.usedAt > this.#options.keepUnusedMs;
  }

  /** Resolves when the removal of this image that is under way is over; undefined when there is none. */
  leaving(id: string): Promise<void> | undefined {
    return this.#leaving.get(id);
  }

  /** `remove`, unless the image has been used meanwhile; whoever comes to use it waits for the end. */
  async remove(image: PulledImage, remove: () => Promise<void>): Promise<void> {
    if (!this.isDue(image)) return;
    const work = remove();
    const over = work.catch(() => undefined).finally(() => this.#leaving.delete(image.id));
    this.#leaving.set(image.id, over);
    await work;
    await over;
  }

  #set(image: PulledImage): void {
    this.#images.set(keyOf(image.engine, image.id), image);
  }

  #read(): Map<string, PulledImage> {
    try {
      const text = readIfThere(this.#file);
      if (text === undefined) return new Map();
      const { images } = fileSchema.parse(JSON.parse(text));
      return new Map(images.map((image) => [keyOf(image.engine, image.id), image]));
    } catch (thrown) {
      this.#options.log.warn('images.record-damaged', {
        file: this.#file,
        reason: messageOf(thrown),
        effect: 'begun anew: images pulled until now are never removed',
      });
      return new Map();
    }
  }

  /** One after the other; what changes before the next one begins goes with it. Never throws. */
  #write(): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      return this.#put();
    });
    this.#writing = this.#next;
    return this.#next;
  }

  async #put(): Promise<void> {
    const now = new Map(this.#images);
    const text = JSON.stringify({ version: 1, images: [...now.values()] });
    try {
      await writeDurably(this.#file, `${text}\n`);
      this.#written = now;
    } catch (thrown) {
      const reason = messageOf(thrown);
      this.#options.log.warn('images.record-not-written', { file: this.#file, reason });
    }
  }
}

function keyOf(engine: string, id: string): string {
  return `${engine} ${id}`;
}
