/**
 * A log as server-sent events: LogEvent without a name, `source`, `notice`, and `end` as the last. The id of each is the
 * position after it, so that a client goes on where it was.
 */
import type { Clock } from '../../adapters/clock/port.ts';
import { asBuffer } from '../../core/as-buffer.ts';
import type { LogEvent, LogNoticeEvent, LogSourceEvent } from '../../wire/http.ts';
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';
import { formatLogPosition, type LogPosition } from '../../wire/log-position.ts';
import { offsetAfter, type LogOutput } from '../logs/log-items.ts';
import { withPulse } from '../logs/pulse.ts';

const PULSE_MS = 15_000;
/** What a browser waits before it connects again. */
const RETRY = 'retry: 1000\n\n';
const PULSE = ': still there\n\n';

export async function* logEvents(
  outputs: AsyncGenerator<readonly LogOutput[]>,
  clock: Clock,
  after: LogPosition = new Map(),
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(RETRY);
  const events = new Events(after);
  for await (const some of withPulse(outputs, clock, PULSE_MS))
    yield Buffer.from(some === undefined ? PULSE : some.map((one) => events.text(one)).join(''));
}

class Events {
  readonly #position: Map<string, number>;
  readonly #sources = new Map<number, LogSource>();

  constructor(after: LogPosition) {
    this.#position = new Map(after);
  }

  text(output: LogOutput): string {
    switch (output.type) {
      case 'frame':
        return this.#frame(output.index, output.frame);
      case 'source':
        this.#sources.set(output.index, output.source);
        return named('source', {
          ...output.source,
          index: output.index,
        } satisfies LogSourceEvent);
      case 'notice': {
        const executionId = this.#sources.get(output.index)?.executionId ?? '';
        return named('notice', { text: output.text, executionId } satisfies LogNoticeEvent);
      }
      case 'end':
        return named('end', output.data);
    }
  }

  #frame(index: number, frame: LogFrame): string {
    const source = this.#sources.get(index);
    if (source === undefined) return '';
    const { executionId, nodeId, recorded = false } = source;
    const event = eventOf(frame, { executionId, nodeId });
    if (!recorded) this.#position.set(executionId, offsetAfter(frame));
    const id = this.#position.size === 0 ? '' : `id: ${formatLogPosition(this.#position)}\n`;
    return `${id}data: ${JSON.stringify(event)}\n\n`;
  }
}

function eventOf(
  { kind, timeMs, offset, data }: LogFrame,
  whose: Pick<LogEvent, 'executionId' | 'nodeId'>,
): LogEvent {
  return {
    ...whose,
    stream: kind === 'stdout' || kind === 'stderr' ? kind : 'gap',
    timeMs,
    offset,
    data: asBuffer(data).toString('base64'),
    ...(kind === 'cut' ? { truncatedBefore: offset } : {}),
  };
}

function named(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
