/** The engine's long answers: logs, wait, pull, events. All end with the connection, none is waited for without a bound. */
import type { IncomingMessage } from 'node:http';
import { EitherSignal, LimpetError, type Progress } from '../../plugins/sdk/index.ts';
import type { EngineCalls } from './engine-call.ts';
import { engineError, engineMessage, isAway, isMissing, statusOf } from './engine-error.ts';
import { pullLine, PullProgress } from './pull-progress.ts';

export interface LogsOptions {
  /** `<seconds>.<nine digits>`, inclusive; '' is the start. */
  readonly since: string;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** A follower ends by itself on a container that has ended. */
export async function openLogs(
  calls: EngineCalls,
  id: string,
  { since, follow, signal }: LogsOptions,
): Promise<IncomingMessage> {
  const query = { follow, stdout: true, stderr: true, timestamps: true };
  return calls.stream({
    what: `logs of container ${id.slice(0, 12)}`,
    path: `/containers/${id}/logs`,
    query: since === '' ? query : { ...query, since },
    signal,
  });
}

/**
 * Resolves when the engine says that the container is not running or not there (true), or after `maxMs` (false). Rejects
 * when the connection breaks. Only a hint: inspect is the truth. The container must have been started before.
 */
export async function waitForExit(
  calls: EngineCalls,
  container: string,
  { maxMs, signal }: { readonly maxMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const what = `wait for container ${container.slice(0, 12)}`;
  const stream = await openWait(calls, container, { what, signal });
  if (stream === undefined) return true;
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    stream.destroy();
  }, maxMs);
  try {
    for await (const _ of stream);
    return true;
  } catch (thrown) {
    if (expired) return false;
    throw engineError(what, calls.host, thrown);
  } finally {
    clearTimeout(timer);
  }
}

/** undefined: there is no such container. */
async function openWait(
  calls: EngineCalls,
  container: string,
  { what, signal }: { readonly what: string; readonly signal: AbortSignal },
): Promise<IncomingMessage | undefined> {
  const path = `/containers/${encodeURIComponent(container)}/wait`;
  const query = { condition: 'not-running' };
  try {
    return await calls.stream({ what, method: 'POST', path, query, signal });
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** One JSON document per line; what is not JSON is left out. */
async function* jsonLines(stream: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const value = parseJson(line);
      if (value !== undefined) yield value;
    }
  }
  const last = parseJson(rest);
  if (last !== undefined) yield last;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export interface PullOptions {
  /** Until the registry has named the image. */
  readonly lookupMs: number;
  /** Between two signs of progress after that. */
  readonly stallMs: number;
  readonly progress: (p: Progress) => void;
  readonly signal: AbortSignal;
}

/** `busybox` to `busybox:latest`: without a tag the engine would pull all of them. */
function withTag(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1);
  return image.includes('@') || last.includes(':') ? image : `${image}:latest`;
}

/** LimpetError `refused` with the engine's reason; `unavailable` when the engine or the download went away. */
export async function pullImage(
  calls: EngineCalls,
  image: string,
  options: PullOptions,
): Promise<void> {
  const late = new AbortController();
  using either = new EitherSignal(options.signal, late.signal);
  const expire = () => late.abort();
  let timer = setTimeout(expire, options.lookupMs);
  let lookedUp = false;
  const pull = new PullProgress(image);
  try {
    const stream = await calls.stream({
      what: `pull ${image}`,
      method: 'POST',
      path: '/images/create',
      query: { fromImage: withTag(image) },
      timeoutMs: options.lookupMs + 1_000,
      signal: either.signal,
    });
    for await (const value of jsonLines(stream)) {
      const line = pullLine.parse(value);
      if (line.error !== undefined)
        throw new LimpetError('refused', `image ${image} cannot be pulled: ${line.error}`);
      lookedUp = true;
      clearTimeout(timer);
      timer = setTimeout(expire, options.stallMs);
      options.progress(pull.take(line));
    }
  } catch (thrown) {
    if (options.signal.aborted)
      throw new LimpetError('cancelled', `pull of ${image} was cancelled`);
    throw pullError(thrown, image, { calls, options, expired: late.signal.aborted, lookedUp });
  } finally {
    clearTimeout(timer);
  }
}

interface PullFailure {
  readonly calls: EngineCalls;
  readonly options: PullOptions;
  readonly expired: boolean;
  readonly lookedUp: boolean;
}

function pullError(thrown: unknown, image: string, failure: PullFailure): LimpetError {
  const { calls, options, expired, lookedUp } = failure;
  if (expired && lookedUp)
    return new LimpetError(
      'unavailable',
      `image ${image}: the download made no progress for ${options.stallMs} ms`,
    );
  if (expired)
    return new LimpetError(
      'refused',
      `image ${image} is not on this node and no registry answered within ${options.lookupMs} ms`,
    );
  if (thrown instanceof LimpetError && thrown.code === 'refused') return thrown;
  if (statusOf(thrown) !== undefined && !isAway(thrown))
    return new LimpetError('refused', `image ${image} cannot be pulled: ${engineMessage(thrown)}`, {
      cause: thrown,
    });
  return engineError(`pull ${image}`, calls.host, thrown);
}
