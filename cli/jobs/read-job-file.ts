/** Job files: YAML or JSON, checked strictly before anything is sent. */
import { readFile } from 'node:fs/promises';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { parseJobSpec } from '../../core/job-spec.ts';
import type { ParsedJobSpec } from '../../core/job-spec.ts';
import type { Context } from '../context.ts';

const MAX_BYTES = 10 * 1024 * 1024;

export interface JobFile extends ParsedJobSpec {
  /** As written, decoded: the requester fills in its own defaults. */
  readonly data: unknown;
}

/** `file` may be `-` for stdin. Throws `not-found`, `permission-denied`, `too-large` or `invalid-job`, naming the file. */
export async function readJobFile(context: Context, file: string): Promise<JobFile> {
  const text = file === '-' ? await readStdin(context) : await readText(file);
  const name = file === '-' ? 'stdin' : file;
  try {
    const data = await decode(text);
    return { ...parseJobSpec(data, 'strict'), data };
  } catch (error) {
    if (!(error instanceof LimpetError)) throw error;
    throw new LimpetError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return bounded(await readFile(file, 'utf8'));
  } catch (error) {
    if (error instanceof LimpetError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new LimpetError('not-found', `there is no file ${file}`);
    if (code === 'EISDIR')
      throw new LimpetError('invalid-argument', `${file} is a folder; expected a job file`);
    throw new LimpetError('permission-denied', `cannot read ${file}: ${messageOf(error)}`);
  }
}

async function readStdin(context: Context): Promise<string> {
  let text = '';
  for await (const chunk of context.stdin.setEncoding('utf8')) text = bounded(text + String(chunk));
  return text;
}

function bounded(text: string): string {
  if (text.length > MAX_BYTES) throw new LimpetError('too-large', 'a job file has at most 10 MiB');
  return text;
}

/** One document; `yes`, `no`, `on` and `off` are booleans, as where these files come from. */
async function decode(text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, {
    merge: true,
    prettyErrors: true,
    customTags: (tags) => [
      {
        tag: 'tag:yaml.org,2002:bool',
        default: true,
        test: /^(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/,
        resolve: (word: string) => /^(yes|on)$/i.test(word),
      },
      ...tags,
    ],
  });
  const problem = document.errors[0];
  if (problem?.code === 'MULTIPLE_DOCS')
    throw new LimpetError('invalid-job', 'the file holds several documents; expected one job');
  if (problem !== undefined) throw notYaml(problem.message);
  try {
    const data: unknown = document.toJS({ maxAliasCount: 100 });
    return data;
  } catch (error) {
    throw notYaml(messageOf(error));
  }
}

function notYaml(message: string): LimpetError {
  const line = message.split('\n')[0]?.replace(/:$/, '') ?? '';
  return new LimpetError('invalid-job', `not YAML or JSON: ${line}`);
}
