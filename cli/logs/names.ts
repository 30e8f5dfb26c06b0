/** What the executions of a job are called before their lines: `NAME/partition`, one below the other. */
import { shortId } from '../../core/ids.ts';
import type { LogSource } from '../../wire/log-frames.ts';
import { shortenIds } from '../output/table.ts';
import { NO_COLOURS, plainText } from '../output/terminal-text.ts';

const COLOURS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94].map((number) => `\x1b[${number}m`);
const LONGEST_NAME = 24;

export class Names {
  #several: boolean;
  readonly #count: number;
  /** By partition: the execution that is its newest. */
  readonly #executions = new Map<string, string>();
  /** By execution. */
  readonly #labels = new Map<string, string>();
  #width = 0;
  #version = 0;

  /** `count`: how many partitions the job has, 1 when nobody knows; `several`: lines have names from the first on. */
  constructor(count: number, several: boolean) {
    this.#count = count;
    this.#several = several;
  }

  /** More than one partition writes. */
  get several(): boolean {
    return this.#several;
  }

  /** Another one when prefixes may have changed. */
  get version(): number {
    return this.#version;
  }

  /** Answers the execution in whose place this one is. */
  add(source: LogSource): string | undefined {
    const key = partitionKey(source);
    const before = this.#executions.get(key);
    this.#version += 1;
    this.#executions.set(key, source.executionId);
    if (this.#executions.size > 1) this.#several = true;
    const label = labelOf(source);
    const last =
      source.partition === undefined ? source : { ...source, partition: this.#count - 1 };
    this.#labels.set(source.executionId, label);
    this.#width = Math.max(this.#width, label.length, labelOf(last).length);
    return before === source.executionId ? undefined : before;
  }

  /** `NAME/1 | `, or nothing while one writes alone. */
  prefixOf(source: LogSource, colours: boolean): string {
    if (!this.#several) return '';
    const prefix = `${this.#labelOf(source).padEnd(this.#width)} |`;
    return colours ? `${this.#colourOf(source)}${prefix}${NO_COLOURS} ` : `${prefix} `;
  }

  /** The same in a sentence: `NAME/1: `. */
  inText(source: LogSource | undefined): string {
    return this.#several && source !== undefined ? `${this.#labelOf(source)}: ` : '';
  }

  #labelOf({ executionId }: LogSource): string {
    return this.#labels.get(executionId) ?? shortId(executionId);
  }

  #colourOf(source: LogSource): string {
    const seen = [...this.#executions.keys()].indexOf(partitionKey(source));
    return COLOURS[(source.partition ?? Math.max(0, seen)) % COLOURS.length] ?? '';
  }
}

function partitionKey({ partition, executionId }: LogSource): string {
  return partition === undefined ? executionId : String(partition);
}

function labelOf({ partition, executionId, jobName }: LogSource): string {
  if (partition === undefined) return shortId(executionId);
  const name = shortenIds(plainText(jobName));
  const shown = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
  return `${shown}/${partition}`;
}
