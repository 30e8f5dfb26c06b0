/** The logs that are in use in this process, one writer per execution however many pumps and readers share it. */
import { join } from 'node:path';
import { checkExecutionId } from './run-folder.ts';
import { LOG_LIMITS, LogWriter, type LogLimits } from './log-writer.ts';

interface Entry {
  readonly opening: Promise<LogWriter>;
  users: number;
}

export class LogTable {
  readonly #folder: string;
  readonly #limits: LogLimits;
  readonly #open = new Map<string, Entry>();

  constructor(folder: string, limits: LogLimits = LOG_LIMITS) {
    this.#folder = folder;
    this.#limits = limits;
  }

  /** Lends the log to `use`; it is closed when nobody uses it any more. */
  async using<T>(executionId: string, use: (log: LogWriter) => Promise<T>): Promise<T> {
    const entry = this.#enter(executionId);
    try {
      return await use(await entry.opening);
    } finally {
      this.#leave(executionId, entry);
    }
  }

  /** Keeps what is known of a log in memory until the answer is called, so that a look costs no reading. */
  hold(executionId: string): () => void {
    const entry = this.#enter(executionId);
    let held = true;
    return () => {
      if (held) this.#leave(executionId, entry);
      held = false;
    };
  }

  /** The same for a stream: the log is lent until the reader leaves. */
  async *stream<Piece, Out>(
    executionId: string,
    read: (log: LogWriter) => AsyncIterable<Piece>,
    convert: (piece: Piece) => Out,
  ): AsyncGenerator<Out> {
    const entry = this.#enter(executionId);
    try {
      for await (const piece of read(await entry.opening)) yield convert(piece);
    } finally {
      this.#leave(executionId, entry);
    }
  }

  #leave(executionId: string, entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#open.delete(executionId);
    void entry.opening.then(
      (log) => log.close(),
      () => undefined,
    );
  }

  #enter(executionId: string): Entry {
    checkExecutionId(executionId);
    const known = this.#open.get(executionId);
    if (known !== undefined) {
      known.users += 1;
      return known;
    }
    const entry = {
      opening: LogWriter.open(join(this.#folder, executionId), this.#limits),
      users: 1,
    };
    this.#open.set(executionId, entry);
    return entry;
  }
}
