/**
 * How far a pull is: the engine tells it of each layer, people want it of the image. What is counted is the download; a
 * total is told as soon as the size of every layer is known, which of many layers is late: the engine begins with three.
 */
import { z } from 'zod';
import type { Progress } from '../../plugins/sdk/index.ts';

/** One line of the engine's answer to a pull. */
export const pullLine = z.object({
  status: z.string().default(''),
  id: z.string().default(''),
  error: z.string().optional(),
  progressDetail: z
    .object({ current: z.number().optional(), total: z.number().optional() })
    .optional(),
});
type PullLine = z.infer<typeof pullLine>;

interface Layer {
  readonly done: number;
  /** undefined: not known yet. */
  readonly total: number | undefined;
}

const BEGINS = ['Pulling fs layer', 'Waiting'];
const IS_THERE = ['Already exists', 'Download complete', 'Extracting', 'Pull complete'];

export class PullProgress {
  readonly #image: string;
  readonly #layers = new Map<string, Layer>();

  constructor(image: string) {
    this.#image = image;
  }

  take(line: PullLine): Progress {
    this.#note(line);
    const layers = [...this.#layers.values()];
    const known = layers.every(({ total }) => total !== undefined);
    const totalBytes = known ? sum(layers.map(({ total }) => total ?? 0)) : 0;
    return {
      message: line.id === '' ? line.status : `${line.id}: ${line.status}`,
      kind: 'image',
      item: this.#image,
      currentBytes: sum(layers.map(({ done }) => done)),
      ...(totalBytes === 0 ? {} : { totalBytes }),
    };
  }

  #note({ id, status, progressDetail }: PullLine): void {
    const layer = this.#layers.get(id);
    if (BEGINS.includes(status)) this.#layers.set(id, layer ?? { done: 0, total: undefined });
    else if (status === 'Downloading') {
      const { current = 0, total } = progressDetail ?? {};
      this.#layers.set(id, { done: current, total: total ?? layer?.total });
    } else if (IS_THERE.includes(status)) {
      // One that came at once was never told the size of.
      const bytes = layer?.total ?? layer?.done ?? 0;
      this.#layers.set(id, { done: bytes, total: bytes });
    }
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
