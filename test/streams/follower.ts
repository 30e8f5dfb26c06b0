/** Somebody who follows the log of one execution over HTTP and stays, whatever happens. */
import type { Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { logEventSchema } from '../kit/log-events.ts';

export class Follower {
  readonly execution: string;
  readonly #leaving = new AbortController();
  readonly #reading: Promise<void>;
  #text = '';
  #gaps = '';
  /** How it ended, which it must not. */
  #ended: string | undefined;

  constructor(cluster: Cluster, job: string, execution: string) {
    this.execution = execution;
    this.#reading = this.#read(cluster, job).catch((thrown: unknown) => {
      this.#ended = String(thrown);
    });
  }

  /** Lines so far; rejects what is not `line 1` to `line n`, each once and in order. */
  get lines(): number {
    if (this.#gaps !== '') throw new Error(`gaps: ${this.#gaps}`);
    const all = this.#text.split('\n').slice(0, -1);
    const wrong = all.findIndex((line, at) => line !== `line ${at + 1}`);
    if (wrong !== -1)
      throw new Error(`after line ${wrong} came ${all.slice(wrong, wrong + 3).join(', ')}`);
    return all.length;
  }

  /** Waits for lines that were not there before; they follow those without gap or double. */
  async goesOn(deadlineMs = 40_000): Promise<void> {
    const before = this.lines;
    const more = await eventually(
      `more lines of ${this.execution}`,
      () => {
        if (this.#ended !== undefined) return this.#ended;
        return this.#text.split('\n').length > before + 4;
      },
      deadlineMs,
    );
    if (more !== true) throw new Error(`the log of ${this.execution} ended: ${more}`);
    if (this.lines <= before) throw new Error('no more lines');
  }

  async leave(): Promise<void> {
    this.#leaving.abort();
    await this.#reading;
  }

  async #read(cluster: Cluster, job: string): Promise<void> {
    const { signal } = this.#leaving;
    const query = { execution: this.execution, follow: true };
    for await (const { event, data } of cluster.api.events(`limpet/jobs/${job}/logs`, {
      query,
      signal,
    })) {
      if (event === 'end') this.#ended = data;
      if (event !== 'message') continue;
      const log = logEventSchema.parse(JSON.parse(data));
      const text = Buffer.from(log.data, 'base64').toString();
      if (log.stream === 'gap') this.#gaps += text;
      else this.#text += text;
    }
  }
}
