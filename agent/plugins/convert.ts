/** Between the proto's messages and the plain types of the core. Numbers that are 0 on the wire are "unknown". */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ObservedRun } from '../../core/execution/observed.ts';
import { OUTCOME_CAUSES, type Outcome } from '../../core/execution/outcome.ts';
import type {
  FingerprintResponse,
  Outcome as WireOutcome,
  RunSpecSchema,
  RunState,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { HEALTHS, PHASES } from '../../plugins/proto/states.ts';
import type { ExecutorHealth, RunOrder, RunRef } from './port.ts';

export function toRunSpec(order: RunOrder): MessageInitShape<typeof RunSpecSchema> {
  const { ref, params, limits, deadlineAt, ...same } = order;
  return {
    ...same,
    key: { ...ref },
    paramsJson: JSON.stringify(params ?? {}),
    mounts: order.mounts.map((mount) => ({ ...mount })),
    env: { ...order.env },
    limits: {
      cpuMillis: Math.floor(limits.cpuMillis),
      memoryBytes: BigInt(Math.floor(limits.memoryBytes)),
      pids: Math.floor(limits.pids),
      diskBytes: BigInt(Math.floor(limits.diskBytes)),
    },
    deadlineMs: BigInt(Math.floor(deadlineAt)),
    stopGraceMs: Math.floor(order.stopGraceMs),
  };
}

export function absent(ref: RunRef): ObservedRun {
  return { ...ref, phase: 'absent', marked: false, sameBoot: false, ours: true };
}

/** `asked` stands in for a key that the plugin left out. */
export function toObserved(state: RunState, asked?: RunRef): ObservedRun {
  const startedAt = Number(state.startedAtMs);
  const finishedAt = Number(state.finishedAtMs);
  return {
    executionId: state.key?.executionId ?? asked?.executionId ?? '',
    run: state.key?.run ?? asked?.run ?? 0,
    phase: PHASES[state.phase] ?? 'unobservable',
    marked: state.marked,
    sameBoot: state.sameBoot,
    ours: state.ours,
    ...(state.specHash === '' ? {} : { specHash: state.specHash }),
    ...(state.handle.length === 0 ? {} : { handle: Buffer.from(state.handle).toString('base64') }),
    ...(startedAt === 0 ? {} : { startedAt }),
    ...(finishedAt === 0 ? {} : { finishedAt }),
    ...(state.outcome === undefined ? {} : { outcome: toOutcome(state.outcome) }),
    ...(state.startError === '' ? {} : { startError: state.startError }),
    ...(state.supervised ? { supervised: true } : {}),
  };
}

function toOutcome({ by, code, reason }: WireOutcome): Outcome {
  const known = OUTCOME_CAUSES.find((cause) => cause === by);
  return {
    by: known ?? 'lost',
    ...(code === undefined ? {} : { code }),
    reason: known === undefined ? `the plugin names the unknown cause '${by}'` : reason,
  };
}

export type FingerprintFacts = Pick<
  ExecutorHealth,
  'health' | 'reason' | 'attributes' | 'freeSlots'
>;

export function toFingerprint(message: FingerprintResponse): FingerprintFacts {
  const health = HEALTHS[message.health] ?? 'unhealthy';
  const reason = health === 'healthy' ? '' : message.reason || `the plugin says ${health}`;
  return { health, reason, attributes: { ...message.attributes }, freeSlots: message.freeSlots };
}
