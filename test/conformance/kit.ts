/** The suite of `limpet plugin test` on a plugin, in this process: rules, and what is said of each. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { meet, type Met } from '../../plugins/conformance/meet.ts';
import { RULES } from '../../plugins/conformance/rules.ts';
import type { SubjectFile } from '../../plugins/conformance/subject.ts';
import { runSuite } from '../../plugins/conformance/suite.ts';
import type { Rule, Verdict } from '../../plugins/conformance/types.ts';
import { passedEnvironment } from '../../plugins/conformance/command.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const PLAIN: SubjectFile = {
  ...{ config: {}, env: {}, passEnv: [], mounts: [], network: 'none' },
};

const processes = procProcesses();
const signal = new AbortController().signal;

export interface Tried {
  readonly command: readonly string[];
  readonly file?: SubjectFile;
  /** Benches are below; short, for the sockets. */
  readonly folder: string;
}

/** Who the plugin is, and what it can be asked. */
export function met({ command, file = PLAIN, folder }: Tried): Promise<Met> {
  const env = passedEnvironment(process.env, file.passEnv, file.env);
  return meet({ command, env, file }, { folder, processes, signal, slow: false });
}

/** The verdicts over these rules; `env` is laid over the plugin's environment. */
export function judge(
  { subject, capabilities }: Met,
  { rules = RULES, folder, jobs = 1, env = {} }: JudgeOptions,
): Promise<readonly Verdict[]> {
  return runSuite({
    ...{ rules, capabilities, processes, folder: join(folder, 'b'), jobs, signal },
    subject: { ...subject, env: { ...subject.env, ...env } },
    onVerdict: () => undefined,
  });
}

interface JudgeOptions {
  readonly rules?: readonly Rule[];
  readonly folder: string;
  readonly jobs?: number;
  readonly env?: Readonly<Record<string, string>>;
}
