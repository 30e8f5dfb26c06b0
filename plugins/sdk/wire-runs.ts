/** Runs between their wire form (generated messages) and the plain form of `types.ts`. */
import { constants } from 'node:os';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { RunPhase } from '../../core/execution/observed.ts';
import {
  Health,
  LogsResponse_Stream,
  Phase,
  type FingerprintResponseSchema,
  type LogsResponseSchema,
  type RunKey as WireKey,
  type RunSpec as WireSpec,
  type RunStateSchema,
  type StopRequest,
} from '../proto/gen/limpet/executor/v1/executor_pb.js';
import type { FrameKind } from './log-frame.ts';
import type { LogPiece } from './log-reader.ts';
import { checkExecutionId } from './run-folder.ts';
import type { Fingerprint, Observation, RunKey, RunSpec, StopOrder } from './types.ts';

const PHASES: Readonly<Record<RunPhase, Phase>> = {
  absent: Phase.ABSENT,
  created: Phase.CREATED,
  running: Phase.RUNNING,
  paused: Phase.PAUSED,
  exited: Phase.EXITED,
  removing: Phase.REMOVING,
  unobservable: Phase.UNOBSERVABLE,
};

const HEALTHS: Readonly<Record<Fingerprint['health'], Health>> = {
  undetected: Health.UNDETECTED,
  unhealthy: Health.UNHEALTHY,
  healthy: Health.HEALTHY,
};

const STREAMS: Readonly<Record<FrameKind, LogsResponse_Stream>> = {
  stdout: LogsResponse_Stream.STDOUT,
  stderr: LogsResponse_Stream.STDERR,
  gap: LogsResponse_Stream.GAP,
  end: LogsResponse_Stream.UNSPECIFIED,
};

/** Errors: `invalid-argument`, `invalid-id`. */
export function keyFromWire(key: WireKey | undefined): RunKey {
  if (key === undefined) throw new LimpetError('invalid-argument', 'the request names no run');
  return { executionId: checkExecutionId(key.executionId), run: key.run };
}

/** Params stay as received; see `parseParams`. Errors: `invalid-argument`, `invalid-id`. */
export function specFromWire(spec: WireSpec | undefined): RunSpec {
  if (spec === undefined) throw new LimpetError('invalid-argument', 'the request holds no spec');
  const { limits } = spec;
  return {
    key: keyFromWire(spec.key),
    specHash: spec.specHash,
    jobId: spec.jobId,
    jobName: spec.jobName,
    kind: spec.kind,
    owner: spec.owner,
    token: spec.token,
    params: parseJson(spec.paramsJson, 'params_json'),
    env: { ...spec.env },
    mounts: spec.mounts.map(({ source, target, readOnly }) => ({ source, target, readOnly })),
    limits: {
      cpuMillis: limits?.cpuMillis ?? 0,
      memoryBytes: Number(limits?.memoryBytes ?? 0n),
      pids: limits?.pids ?? 0,
      diskBytes: Number(limits?.diskBytes ?? 0n),
    },
    network: spec.network,
    deadlineAt: Number(spec.deadlineMs),
    digest: spec.digest,
    stopGraceMs: spec.stopGraceMs,
  };
}

/** An empty text is an empty object. Errors: `invalid-argument`. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch (thrown) {
    throw new LimpetError('invalid-argument', `${what} is not JSON: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

export function stateToWire(
  seen: Observation,
  logOffset: number,
): MessageInitShape<typeof RunStateSchema> {
  return {
    key: { ...seen.key },
    phase: PHASES[seen.phase],
    marked: seen.marked,
    sameBoot: seen.sameBoot,
    ours: seen.ours,
    specHash: seen.specHash ?? '',
    handle: Buffer.from(seen.handle ?? ''),
    startedAtMs: BigInt(seen.startedAt ?? 0),
    finishedAtMs: BigInt(seen.finishedAt ?? 0),
    ...(seen.outcome === undefined ? {} : { outcome: { ...seen.outcome } }),
    startError: seen.startError ?? '',
    logOffset: BigInt(logOffset),
    facts: { ...seen.facts },
    supervised: seen.supervised ?? false,
  };
}

/** Errors: `invalid-argument` for an unknown cause or signal. */
export function stopFromWire(request: StopRequest): StopOrder {
  const by = request.by === '' ? 'stop' : request.by;
  if (by !== 'stop' && by !== 'limit')
    throw new LimpetError('invalid-argument', `stop cause '${by}'; expected stop or limit`);
  return {
    reason: request.reason,
    by,
    signal: parseSignal(request.signal),
    graceMs: request.graceMs,
  };
}

function parseSignal(text: string): NodeJS.Signals {
  const wanted = text === '' ? 'SIGTERM' : text.startsWith('SIG') ? text : `SIG${text}`;
  const known = Object.keys(constants.signals).find((name) => name === wanted);
  if (known === undefined) throw new LimpetError('invalid-argument', `unknown signal '${text}'`);
  return known as NodeJS.Signals;
}

export function fingerprintToWire(
  found: Fingerprint,
): MessageInitShape<typeof FingerprintResponseSchema> {
  return {
    health: HEALTHS[found.health],
    reason: found.reason,
    attributes: { ...found.attributes },
    freeSlots: found.freeSlots ?? 0,
  };
}

export function pieceToWire(piece: LogPiece): MessageInitShape<typeof LogsResponseSchema> {
  const { hole } = piece;
  return {
    frames: framesToWire(piece.frames),
    nextOffset: BigInt(piece.nextOffset),
    end: piece.end,
    truncatedBefore: BigInt(hole?.to ?? 0),
    ...(hole?.cause === 'damage' ? { lostFrom: BigInt(hole.from) } : {}),
  };
}

export function framesToWire(frames: LogPiece['frames']) {
  return frames.map(({ kind, timeMs, data, offset }) => ({
    stream: STREAMS[kind],
    timeMs: BigInt(Math.floor(timeMs)),
    data,
    offset: BigInt(offset),
  }));
}
