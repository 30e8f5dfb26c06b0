/**
 * Which frames of a container's log have been taken. The engine's follower loses the tail at exit and repeats lines at
 * rotation, so every connection is read against a cursor per stream: `k` is the last timestamp in ns, `c` how many frames
 * with it were taken. A connection counts for itself from its start (`pass`); what it counts no further than the cursor is
 * a duplicate. Cursors are per stream because the engine copies the two independently.
 *
 * Several frames have one timestamp when they are parts of one line, of which only the last ends in LF. When the
 * first of them comes once more right after the last, the follower is repeating itself at rotation.
 */
import { z } from 'zod';
import { LimpetError } from '../../plugins/sdk/index.ts';
import { entryBytes, mayHoldFile } from './log-file.ts';
import type { Frame } from './log-frames.ts';

interface Position {
  readonly k: bigint;
  readonly c: number;
}

type Stream = Frame['stream'];

const START: Position = { k: 0n, c: 0 };
/** The engine stamps a line before it writes it; the two streams are never apart by more than an instant. */
const OVERLAP_NS = 10_000_000_000n;
const position = z.object({ k: z.string().regex(/^\d+$/), c: z.int().min(0) });
const cursorSchema = z.object({
  stdout: position.optional(),
  stderr: position.optional(),
  file: z.int().min(0).optional(),
  engine: z.string().optional(),
  lostAt: z.number().optional(),
});

/** Which restart of the engine the log has told last. It stands in the cursor, and so is kept with the frame that tells. */
export interface Told {
  /** Id of the engine's process since. */
  readonly engine?: string;
  /** When the plugin lost the engine, ms since the epoch. */
  readonly lostAt?: number;
}

/** The engine's file that is being read. */
interface LogFile {
  /** What has been taken of it. */
  bytes: number;
}

export class LogCursor {
  readonly #taken: Record<Stream, Position>;
  readonly #file: LogFile;
  #told: Told;

  private constructor(taken: Record<Stream, Position>, file: LogFile, told: Told) {
    this.#taken = taken;
    this.#file = file;
    this.#told = told;
  }

  /** '' is the very start. */
  static parse(text: string): LogCursor {
    if (text === '') return new LogCursor({ stdout: START, stderr: START }, { bytes: 0 }, {});
    try {
      const { stdout, stderr, file = 0, engine, lostAt } = cursorSchema.parse(JSON.parse(text));
      const told = {
        ...(engine === undefined ? {} : { engine }),
        ...(lostAt === undefined ? {} : { lostAt }),
      };
      const read = (p: typeof stdout): Position =>
        p === undefined ? START : { k: BigInt(p.k), c: p.c };
      return new LogCursor({ stdout: read(stdout), stderr: read(stderr) }, { bytes: file }, told);
    } catch (thrown) {
      throw new LimpetError('store-corrupt', `log cursor '${text}' is not valid`, {
        cause: thrown,
      });
    }
  }

  /** The text of the cursor as it is now, made only when it is asked for. */
  snapshot(): () => string {
    const told = this.#told;
    const { bytes: file } = this.#file;
    const entries = Object.entries(this.#taken).filter(([, p]) => p.c > 0);
    const positions = () => entries.map(([s, p]) => [s, { k: String(p.k), c: p.c }]);
    return () => JSON.stringify({ ...Object.fromEntries(positions()), file, ...told });
  }

  get told(): Told {
    return this.#told;
  }

  tell(told: Told): void {
    this.#told = told;
  }

  /**
   * Where the next connection begins, in ns, inclusive; 0 is the start. The older of the two positions would be enough, but
   * a stream that is silent would then have everything read again, so no further back than `OVERLAP_NS` from the newer.
   */
  get #since(): bigint {
    const { stdout, stderr } = this.#taken;
    const [older, newer] = stdout.k < stderr.k ? [stdout.k, stderr.k] : [stderr.k, stdout.k];
    const bound = newer - OVERLAP_NS;
    return older > bound ? older : bound > 0n ? bound : 0n;
  }

  /** The engine's form, seconds and nine digits, made without floating point; '' is the start. */
  get since(): string {
    const ns = this.#since;
    return ns === 0n
      ? ''
      : `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
  }

  /** One connection, which must have been asked from `since`. */
  pass(options: PassOptions = {}): LogPass {
    const places = { taken: this.#taken, file: this.#file };
    return new LogPass(places, this.#since, options);
  }
}

export interface PassOptions {
  /** Size in bytes at which the engine begins a new file while the connection lasts; without it no frame is `unsure`. */
  readonly fileSize?: number | undefined;
  /** The connection was made to look again at an `unsure` frame: what it shows first is what follows. */
  readonly again?: boolean;
}

/** `unsure`: a whole file may have been left out before the frame, which is not taken; a new connection shows it. */
export type Verdict = 'new' | 'duplicate' | 'new-after-gap' | 'unsure';

interface Seen extends Position {
  /** The last frame, and the first one with its timestamp. */
  readonly data: Buffer;
  readonly first: Buffer;
}

const LF = 0x0a;
const EMPTY = Buffer.alloc(0);
const NOTHING: Seen = { ...START, data: EMPTY, first: EMPTY };

function next(before: Seen, { at, data }: Frame): Seen {
  const repeated = before.data.at(-1) === LF && before.first.equals(data);
  if (before.k !== at || repeated) return { k: at, c: 1, data, first: data };
  return { k: at, c: before.c + 1, data, first: before.first };
}

interface Places {
  readonly taken: Record<Stream, Position>;
  readonly file: LogFile;
}

class LogPass {
  readonly #taken: Record<Stream, Position>;
  readonly #file: LogFile;
  readonly #options: PassOptions;
  readonly #seen: Record<Stream, Seen> = { stdout: NOTHING, stderr: NOTHING };
  /** Streams whose frame at the cursor has to come back first. */
  readonly #expected: Set<Stream>;
  #isFirst = true;

  constructor({ taken, file }: Places, since: bigint, options: PassOptions) {
    this.#taken = taken;
    this.#file = file;
    this.#options = options;
    const returns = (stream: Stream) => taken[stream].c > 0 && taken[stream].k >= since;
    this.#expected = new Set((['stdout', 'stderr'] as const).filter(returns));
  }

  /** Says whether the frame is to be taken, and takes it. */
  take(frame: Frame): Verdict {
    const { stream, at } = frame;
    const seen = next(this.#seen[stream], frame);
    this.#seen[stream] = seen;
    const taken = this.#taken[stream];
    if (at <= taken.k) this.#expected.delete(stream);
    if (at < taken.k || (at === taken.k && seen.c <= taken.c)) return 'duplicate';
    if (this.#isUnsure(frame)) return 'unsure';
    const isAfterGap = this.#expected.delete(stream);
    this.#count(frame, isAfterGap);
    this.#taken[stream] = { k: seen.k, c: seen.c };
    return isAfterGap ? 'new-after-gap' : 'new';
  }

  #isUnsure({ at }: Frame): boolean {
    const { fileSize, again = false } = this.#options;
    if (fileSize === undefined || this.#file.bytes < fileSize) return false;
    if (again && this.#isFirst) return false;
    const { stdout, stderr } = this.#taken;
    return mayHoldFile(stdout.k > stderr.k ? stdout.k : stderr.k, at, fileSize);
  }

  #count(frame: Frame, isAfterGap: boolean): void {
    const { fileSize } = this.#options;
    // The oldest that is left after a gap is the beginning of a file.
    const begins = isAfterGap && this.#isFirst;
    this.#isFirst = false;
    if (fileSize === undefined) return;
    const isFull = this.#file.bytes >= fileSize;
    this.#file.bytes = entryBytes(frame) + (begins || isFull ? 0 : this.#file.bytes);
  }
}
