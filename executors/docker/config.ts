/** The plugin's section of the agent's config. */
import { z } from 'zod';

export const PULL_POLICIES = ['missing', 'never', 'always'] as const;

/**
 * Docker gives 14 capabilities. Dropping them all breaks every image whose entry point chowns or changes its user, so
 * these five go: raw sockets, device nodes, audit records, chroot, file capabilities. Nothing can be gained back, since
 * `no-new-privileges` is always set.
 */
const DROPPED_CAPABILITIES = ['NET_RAW', 'MKNOD', 'AUDIT_WRITE', 'SYS_CHROOT', 'SETFCAP'];

const DEFAULT_HOST = 'unix:///var/run/docker.sock';

/** undefined: not known. That of the default engine says nothing of one at another address. */
export function pidFileOf({ host, pidFile }: DockerConfig): string | undefined {
  return pidFile ?? (host === DEFAULT_HOST ? '/var/run/docker.pid' : undefined);
}

export const dockerConfig = z.strictObject({
  host: z
    .string()
    .regex(
      /^unix:\/\/\/.+/,
      'expected unix:// and an absolute path, such as unix:///var/run/docker.sock',
    )
    .default(DEFAULT_HOST)
    .describe('The socket of the Docker engine. DOCKER_HOST is not read.'),
  pidFile: z
    .string()
    .optional()
    .describe(
      'Pid file of the engine; tells when the engine was started. Missing: /var/run/docker.pid for the default host. Without one, restarts of the engine while the plugin is away are not told in logs.',
    ),
  pullPolicy: z
    .enum(PULL_POLICIES)
    .default('missing')
    .describe('When an image is pulled, unless the job says otherwise: missing, never or always.'),
  pullLookupMs: z
    .int()
    .min(100)
    .max(600_000)
    .default(10_000)
    .describe('How long a registry may take to answer the look-up of an image, in ms.'),
  pullStallMs: z
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(60_000)
    .describe('A download without any progress for this long is given up, in ms.'),
  images: z
    .strictObject({
      keepUnusedMs: z
        .int()
        .min(0)
        .max(31_536_000_000)
        .default(604_800_000)
        .describe(
          'How long an image that was pulled for a job is kept after its last use, in ms; 0: for ever. Images that were loaded or pulled by hand are never removed.',
        ),
      everyMs: z
        .int()
        .min(1_000)
        .max(86_400_000)
        .default(3_600_000)
        .describe('How often unused images are looked for, in ms.'),
    })
    .prefault({})
    .describe('How long images that were pulled for jobs are kept.'),
  maxStartConcurrency: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe('Containers that are started at the same time. Missing: twice the number of cores.'),
  pidsLimit: z
    .int()
    .min(16)
    .max(1_000_000)
    .default(512)
    .describe('Processes and threads of one run, unless the job asks for fewer.'),
  capDrop: z
    .array(z.string())
    .default(DROPPED_CAPABILITIES)
    .describe("Capabilities taken from Docker's default set; ALL takes every one."),
  networks: z
    .array(z.enum(['none', 'default', 'bridge', 'host']))
    .default(['none', 'default', 'bridge'])
    .describe('Network types that jobs may ask for; host shares the network of the node.'),
  logSize: z
    .string()
    .regex(/^\d+[kmg]$/, 'expected a number and k, m or g, such as 10m')
    .default('10m')
    .describe("Size of one of the engine's log files of a container."),
  logFiles: z
    .int()
    .min(2)
    .max(100)
    .default(5)
    .describe("Number of the engine's log files of a container; following needs two at least."),
});

export type DockerConfig = z.infer<typeof dockerConfig>;
