/** What is tested, and the file that tells about it. */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Samples } from './types.ts';

const params = z.record(z.string(), z.unknown());

const samplesSchema = z.strictObject({
  short: params.optional(),
  fails: params.optional(),
  long: params.optional(),
  stubborn: params.optional(),
  flood: params.optional(),
  huge: params.optional(),
  env: params.optional(),
  invalid: params.optional(),
});

const mount = z.strictObject({
  source: z.string().startsWith('/', 'expected an absolute path'),
  target: z.string().startsWith('/', 'expected an absolute path'),
  readOnly: z.boolean().default(true),
});

const subjectFile = z.strictObject({
  /** The plugin's section of the agent's config. */
  config: params.default({}),
  /** Variables for the plugin's process. */
  env: z.record(z.string(), z.string()).default({}),
  /** Variables of this process that it gets too. */
  passEnv: z.array(z.string()).default([]),
  samples: samplesSchema.optional(),
  /** In every run. */
  mounts: z.array(mount).default([]),
  network: z.enum(['none', 'default', 'host', 'bridge', 'http']).default('none'),
});

export type SubjectFile = z.infer<typeof subjectFile>;

export interface Subject {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly config: unknown;
  readonly samples: Samples;
  readonly mounts: SubjectFile['mounts'];
  readonly network: string;
  readonly slow: boolean;
}

/** JSON or YAML. Without a file everything has its default. Errors: `invalid-config` with file and path. */
export function readSubjectFile(file: string | undefined): SubjectFile {
  if (file === undefined) return subjectFile.parse({});
  const parsed = subjectFile.safeParse(documentOf(file) ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  const what = issue === undefined ? 'not as expected' : whatIsWrong(issue);
  throw new LimpetError('invalid-config', `${file}: ${path === '' ? '' : `${path}: `}${what}`);
}

function whatIsWrong(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') return issue.message;
  const [section] = issue.path;
  const known = section === 'samples' ? samplesSchema : section === 'mounts' ? mount : subjectFile;
  return `unknown: ${issue.keys.join(', ')}; expected ${Object.keys(known.shape).join(', ')}`;
}

function documentOf(file: string): unknown {
  if (!existsSync(file)) throw new LimpetError('invalid-config', `${file}: there is no such file`);
  try {
    const document: unknown = parse(readFileSync(file, 'utf8'));
    return document;
  } catch (thrown) {
    throw new LimpetError('invalid-config', `${file}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/** The samples of the file; undefined when it has none. */
export function samplesOf({ samples }: SubjectFile): Samples | undefined {
  if (samples === undefined) return undefined;
  return Object.fromEntries(Object.entries(samples).filter(([, value]) => value !== undefined));
}
