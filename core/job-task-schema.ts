/** The schema of one task: its engine, inputs, results and limits. See job-spec-schema. */
import { z } from 'zod';
import { MAX_TIMEOUT_S } from './job-defaults.ts';
import { A_TEXT, amount, text, texts, wholeNumber } from './job-spec-values.ts';
import { parseBytes, parseCpu } from './resources.ts';
import { URL_SOURCE } from './url-source.ts';

const A_MAPPING = 'a mapping';

/** `Type` compares without case; two names of the same source are one. */
function config(synonyms: Readonly<Record<string, string>>, example: string) {
  const expected = `a type such as ${example}`;
  return z.object(
    {
      Type: z
        .string(expected)
        .transform((type) => type.trim().toLowerCase())
        .refine((type) => type !== '', expected)
        .transform((type) => (Object.hasOwn(synonyms, type) ? (synonyms[type] ?? type) : type))
        .describe(`Which one: ${example}.`),
      Params: z
        .record(z.string(), z.unknown(), A_MAPPING)
        .nullable()
        .exactOptional()
        .describe('What it is told; the keys depend on Type.'),
    },
    `a mapping with Type (such as ${example}) and Params`,
  );
}

const SOURCE_SYNONYMS = { localdirectory: 'local', urldownload: URL_SOURCE };

const BYTES = 'a number and a unit such as 512Mb or 1Gi';
const resources = z.object(
  {
    CPU: amount(parseCpu, 'cores such as 0.5 or 500m')
      .exactOptional()
      .describe("Cores, in quotes: '0.5' or 500m. 500m when it is missing."),
    Memory: amount(parseBytes, BYTES)
      .exactOptional()
      .describe('512Mi (2^20 bytes each) or 512Mb (10^6 bytes each). 512mb when it is missing.'),
    Disk: amount(parseBytes, BYTES)
      .exactOptional()
      .describe('10Gi (2^30 bytes each) or 10Gb (10^9 bytes each). None when it is missing.'),
    GPU: z
      .string('a count of devices such as 1, in quotes')
      .regex(/^\s*\d{1,4}\s*$/, 'a count of devices such as 1')
      .transform((count) => count.trim())
      .exactOptional()
      .describe('Number of devices, in quotes. None when it is missing.'),
  },
  'a mapping with CPU, Memory, Disk, GPU',
);

const NETWORKS = ['none', 'default', 'host', 'bridge', 'http'] as const;
const A_NETWORK = 'none, default, host (or full), bridge or http';
const PORT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,236}$/;
const HOST_NAME =
  /^\.?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$/;
const IP = /^[0-9a-fA-F:.]+$/;

const port = z.object(
  {
    Name: z
      .string(A_TEXT)
      .regex(PORT_NAME, 'a letter or _, then letters, digits, _; at most 237 characters')
      .describe('Name of the port.'),
    Static: z
      .int('a host port from 1024 to 65535, or 0 for any')
      .refine(
        (n) => n === 0 || (n >= 1024 && n <= 65535),
        'a host port from 1024 to 65535, or 0 for any',
      )
      .exactOptional()
      .describe('Port of the host, from 1024 to 65535; 0 for any that is free.'),
    Target: wholeNumber(0, 65535).exactOptional().describe('Port inside.'),
    HostNetwork: z
      .string(A_TEXT)
      .regex(IP, 'an IP address')
      .exactOptional()
      .describe('Address of the host that it listens on.'),
  },
  'a mapping with Name, Static, Target, HostNetwork',
);

const network = z.object(
  {
    Type: z
      .string(A_NETWORK)
      .transform((type) => type.trim().toLowerCase())
      .transform((type) => (type === 'full' ? 'host' : type))
      .pipe(z.enum(NETWORKS, A_NETWORK))
      .default('none')
      .describe('none, default, bridge, host (or full) or http. Nodes decide what they allow.'),
    Domains: z
      .array(
        z
          .string('a host name or an IP address')
          .refine((d) => HOST_NAME.test(d) || IP.test(d), 'a host name or an IP address')
          .transform((domain) => domain.toLowerCase()),
        'a list of host names',
      )
      .exactOptional()
      .describe('With http: host names and addresses that may be reached.'),
    Ports: z
      .array(port, 'a list of ports')
      .exactOptional()
      .describe('With host or bridge: ports that the work listens on.'),
  },
  'a mapping with Type, Domains, Ports',
);

const seconds = wholeNumber(0, MAX_TIMEOUT_S);
const timeouts = z.object(
  {
    ExecutionTimeout: seconds
      .exactOptional()
      .describe('Of one execution, from its placement, seconds; 0 for none. 3600 when missing.'),
    QueueTimeout: seconds.exactOptional().describe('Until a node is found, seconds; 0 for none.'),
    TotalTimeout: seconds.exactOptional().describe('Of the whole job, seconds; 0 for none.'),
  },
  'a mapping with ExecutionTimeout, QueueTimeout, TotalTimeout in seconds',
);

const inputSource = z.object(
  {
    Source: config(SOURCE_SYNONYMS, 'inline, local or urlDownload').describe(
      'Where the input comes from.',
    ),
    Alias: text.exactOptional().describe('Another name of the input.'),
    Target: text.describe('Absolute path at which the work finds it.'),
  },
  'a mapping with Source, Alias, Target',
);

const resultPath = z.object(
  {
    Name: text.describe('Name of its folder in the results.'),
    Path: text.describe('Absolute path at which the work leaves it.'),
  },
  'a mapping with Name, Path',
);

export const taskSchema = z.object(
  {
    Name: text.describe('Name of the task.'),
    Engine: config({}, 'docker, wasm or process').describe(
      'The executor that runs it (docker, wasm, process, or the name of a plugin), and what it runs.',
    ),
    Publisher: config({}, 'local')
      .exactOptional()
      .describe('Where results go. None when it is missing.'),
    Env: texts
      .exactOptional()
      .describe(
        'Variables of its environment; a value env:NAME takes that of the node, if it allows that.',
      ),
    Meta: texts.exactOptional().describe('Texts by name, for people and programs.'),
    InputSources: z
      .array(inputSource, 'a list of input sources')
      .exactOptional()
      .describe('Files and folders that are there before it starts.'),
    ResultPaths: z
      .array(resultPath, 'a list of result paths')
      .exactOptional()
      .describe('What is published when it has ended; needs a Publisher.'),
    Resources: resources.default({}).describe('What one execution may use.'),
    Network: network.default({ Type: 'none' }).describe('What it may reach. Nothing when missing.'),
    Timeouts: timeouts.default({}).describe('How long it may take, seconds.'),
  },
  'a mapping with Name and Engine',
);

export type ParsedTask = z.infer<typeof taskSchema>;
