/** Before the first rule: starts the plugin once, to learn who it is and what it can be asked. */
import { join } from 'node:path';
import type { Processes } from '../../adapters/processes/port.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Identity } from './report.ts';
import { samplesFromSchema } from './samples.ts';
import { SuiteBench } from './suite-bench.ts';
import { samplesOf, type Subject, type SubjectFile } from './subject.ts';
import type { Need } from './types.ts';

export interface Met {
  readonly identity: Identity;
  readonly subject: Subject;
  /** What the needs of rules are compared with: capabilities that it claims, and samples. */
  readonly capabilities: ReadonlySet<Need>;
}

interface Words {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly file: SubjectFile;
}

interface Place {
  readonly folder: string;
  readonly processes: Processes;
  readonly signal: AbortSignal;
  readonly slow: boolean;
}

/** Errors: `plugin-failed` with what it said. */
export async function meet({ command, env, file }: Words, place: Place): Promise<Met> {
  const { config, mounts, network } = file;
  const subject = { command, env, config, mounts, network, slow: place.slow };
  const bench = new SuiteBench(
    join(place.folder, '0'),
    { ...subject, samples: {} },
    place.processes,
  );
  const close = () => void bench.close();
  place.signal.addEventListener('abort', close, { once: true });
  try {
    await bench.open();
    const { name, version, capabilities } = await bench.plugin.calls.info({});
    const { paramsSchemaJson } = await bench.plugin.calls.configSchema({});
    const samples = samplesOf(file) ?? samplesFromSchema(paramsSchemaJson) ?? {};
    const claims = bench.capabilities;
    const claimed = (['held', 'renew', 'exec', 'stats'] as const).filter((one) => claims[one]);
    const given = Object.keys(samples) as (keyof typeof samples)[];
    return {
      identity: { name, version, capabilities: capabilities ?? claims },
      subject: { ...subject, samples },
      capabilities: new Set<Need>([...claimed, ...given]),
    };
  } catch (thrown) {
    throw new LimpetError('plugin-failed', `the plugin cannot be tested: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  } finally {
    place.signal.removeEventListener('abort', close);
    await bench.close();
  }
}
