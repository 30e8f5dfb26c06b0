/**
 * The stores of requesters that this node has been linked to, in `epochs.json` beside the store: it outlives the store,
 * as the identity does. A word on work without a record counts only when it comes out of a store that was known before.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import type { Logger } from '../../adapters/log/port.ts';

const entrySchema = z.object({ requesterId: z.string(), epoch: z.string(), since: z.number() });
const fileSchema = z.object({ v: z.literal(1), epochs: z.array(entrySchema) });
type Entry = Readonly<z.infer<typeof entrySchema>>;

/** A node has one requester; the oldest of more than this many stores are forgotten. */
const MOST = 100;

export class KnownEpochs {
  readonly #write: (text: string) => Promise<void>;
  #entries: readonly Entry[];
  #current: Entry | undefined;

  /** In memory alone, unless told where to write. */
  constructor(
    entries: readonly Entry[] = [],
    write: (text: string) => Promise<void> = () => Promise.resolve(),
  ) {
    this.#entries = entries;
    this.#write = write;
  }

  /** A file that is not there or cannot be read is none: then nothing is known before now. */
  static async load(dataDir: string, log: Logger): Promise<KnownEpochs> {
    const file = join(dataDir, 'epochs.json');
    const text = await readFile(file, 'utf8').catch(() => '');
    return new KnownEpochs(parse(text), (changed) =>
      writeDurably(file, changed).catch((error: unknown) => {
        log.warn('epochs.not-written', { file, error });
      }),
    );
  }

  /** Of the requester that accepted this node last. */
  get current(): Entry | undefined {
    return this.#current;
  }

  async accepted(requesterId: string, epoch: string, now: number): Promise<void> {
    const same = (one: Entry): boolean => one.requesterId === requesterId && one.epoch === epoch;
    const known = this.#entries.find(same);
    this.#current = known ?? { requesterId, epoch, since: now };
    if (known !== undefined) return;
    this.#entries = [...this.#entries, this.#current].slice(-MOST);
    await this.#write(`${JSON.stringify({ v: 1, epochs: this.#entries })}\n`);
  }
}

function parse(text: string): readonly Entry[] {
  try {
    return fileSchema.parse(JSON.parse(text)).epochs;
  } catch {
    return [];
  }
}
