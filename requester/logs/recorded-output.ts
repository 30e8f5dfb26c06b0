/** What the requester itself has of an output: the head of each stream, as its node reported it with the end. */
import type { ExecutionRecord } from '../state/records.ts';
import type { LogItem } from './log-items.ts';

/** `why` goes before what these are: `node n-1 is away`. */
export function recordedOutput(execution: ExecutionRecord, why: string): readonly LogItem[] {
  const heads = [
    ['stdout', execution.stdout],
    ['stderr', execution.stderr],
  ] as const;
  const timeMs = execution.finishedAt ?? execution.modifiedAt;
  const frames = heads.flatMap(([kind, text]): readonly LogItem[] => {
    const data = Buffer.from(text ?? '');
    const frame = { kind, source: 0, timeMs, offset: 0, data };
    return data.length === 0 ? [] : [{ type: 'frame', frame }];
  });
  const text =
    frames.length === 0
      ? `${why}, and none of the output is in the requester's record`
      : `${why}; these are the first 2 KiB of the output, from the requester's record`;
  return [{ type: 'notice', text }, ...frames];
}
