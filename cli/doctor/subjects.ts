/** Whom `limpet doctor` looks at: what the options name, else what is installed or stands in the data folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LAYOUT } from '../install/layout.ts';
import { dataFolder } from '../api/endpoint.ts';

export interface DoctorOptions {
  readonly config?: string;
  readonly data?: string;
  readonly requesterConfig?: string;
  readonly requesterData?: string;
}

/** Arguments of each program; undefined when it is not looked at. */
export interface Subjects {
  readonly agent: readonly string[] | undefined;
  readonly requester: readonly string[] | undefined;
}

export function subjectsOf(options: DoctorOptions, env: Readonly<NodeJS.ProcessEnv>): Subjects {
  const base = dataFolder(env);
  const configs = base === LAYOUT.data ? LAYOUT.etc : base;
  const agentAsked = options.config !== undefined || options.data !== undefined;
  const requesterAsked =
    options.requesterConfig !== undefined || options.requesterData !== undefined;
  const place = (program: 'agent' | 'requester', config?: string, data?: string) => ({
    config:
      config ??
      (data === undefined ? existing(join(configs, `${program}.config.json`)) : undefined),
    data: data ?? (config === undefined ? join(base, program) : undefined),
  });
  const requester = place('requester', options.requesterConfig, options.requesterData);
  const requesterHere =
    requesterAsked ||
    (!agentAsked && existsSync(requester.data ?? '')) ||
    (!agentAsked && requester.config !== undefined);
  const agent = place('agent', options.config, options.data);
  const agentHere =
    agentAsked ||
    (!requesterAsked &&
      (existsSync(agent.data ?? '') || agent.config !== undefined || !requesterHere));
  return {
    agent: agentHere ? argsOf(agent) : undefined,
    // Its data folder stands in no config.
    requester: requesterHere
      ? argsOf({ ...requester, data: requester.data ?? join(base, 'requester') })
      : undefined,
  };
}

function argsOf(place: { readonly config: string | undefined; readonly data: string | undefined }) {
  return [
    '--doctor',
    ...(place.config === undefined ? [] : ['--config', place.config]),
    ...(place.data === undefined ? [] : ['--data', place.data]),
  ];
}

function existing(file: string): string | undefined {
  return existsSync(file) ? file : undefined;
}
