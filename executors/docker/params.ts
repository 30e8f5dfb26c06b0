/**
 * The docker engine's task params: Bacalhau's five names and ours. Keys are matched without regard to case; null and an
 * empty working directory mean "not given", as Bacalhau's CLI sends them.
 */
import { z } from 'zod';
import { PULL_POLICIES } from './config.ts';

const ulimit = z.strictObject({
  Name: z.string().min(1),
  Soft: z.int().min(-1),
  Hard: z.int().min(-1),
});

const strictParams = z.strictObject({
  Image: z
    .string()
    .regex(/^[^\s-]\S*$/, 'expected an image name such as busybox:1.36')
    .describe('Image to run, by name, tag, digest or id.'),
  Entrypoint: z.array(z.string()).optional().describe("Replaces the image's entry point."),
  Parameters: z.array(z.string()).optional().describe("Replaces the image's command."),
  EnvironmentVariables: z
    .array(z.string().regex(/^[^=\s]+=/, 'expected NAME=value'))
    .optional()
    .describe('Variables as NAME=value; the Env of the task wins.'),
  WorkingDirectory: z
    .string()
    .startsWith('/')
    .optional()
    .describe('Absolute path inside the container.'),
  User: z.string().min(1).optional().describe('User, or user:group, by name or number.'),
  StopSignal: z
    .string()
    .regex(/^SIG[A-Z0-9+-]+$/, 'expected a signal name such as SIGTERM')
    .optional()
    .describe('Signal that asks the run to end.'),
  PullPolicy: z.enum(PULL_POLICIES).optional().describe('When to pull the image.'),
  Init: z
    .boolean()
    .default(true)
    .describe("Runs the engine's init as pid 1: it reaps and passes signals on."),
  Tmpfs: z
    .record(z.string().startsWith('/'), z.string())
    .optional()
    .describe('Memory file systems: path to mount options, such as size=64m.'),
  Ulimits: z.array(ulimit).optional().describe('Limits such as nofile.'),
  ReadOnlyRoot: z.boolean().default(false).describe('Makes the root file system read-only.'),
});

export type DockerParams = z.infer<typeof strictParams>;

const CANONICAL = new Map(Object.keys(strictParams.shape).map((key) => [key.toLowerCase(), key]));

function canonicalKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const given = Object.entries(value).filter(([key, v]) => v !== null && !isEmptyFolder(key, v));
  return Object.fromEntries(given.map(([key, v]) => [CANONICAL.get(key.toLowerCase()) ?? key, v]));
}

function isEmptyFolder(key: string, value: unknown): boolean {
  return key.toLowerCase() === 'workingdirectory' && value === '';
}

export const dockerParams = z.preprocess(canonicalKeys, strictParams);
