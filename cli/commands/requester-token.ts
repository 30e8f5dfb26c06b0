/** `limpet requester token create`, `list` and `revoke`: tokens of the HTTP API besides the admin's. */
import { Command, Option } from 'commander';
import { z } from 'zod';
import { ROLES, type Role } from '../../wire/roles.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { apiCommand, connect, outputOption, seconds } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { age, timestamp } from '../output/format.ts';
import { formatTable } from '../output/table.ts';

const PATH = 'limpet/api-tokens';

const tokenSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  role: z.string(),
  state: z.string(),
  createdAt: z.number(),
  expiresAt: z.number().optional(),
  lastUsedAt: z.number().optional(),
});
type Token = z.infer<typeof tokenSchema>;

const madeSchema = tokenSchema.extend({ token: z.string() });
const listSchema = z.object({ tokens: z.array(tokenSchema) });

interface CreateOptions extends ApiOptions, OutputOptions {
  readonly role: Role;
  readonly name?: string;
  /** Seconds; undefined: no end. */
  readonly ttl: number | undefined;
}

export function requesterToken(context: Context): Command {
  return new Command('token')
    .description('make, list and revoke tokens of the HTTP API')
    .enablePositionalOptions()
    .addCommand(create(context))
    .addCommand(list(context))
    .addCommand(revoke(context));
}

function create(context: Context): Command {
  return apiCommand('create', 'make a token; it is shown this once')
    .addOption(
      new Option('--role <role>', 'what it may do; see docs/security.md')
        .choices(ROLES)
        .makeOptionMandatory(),
    )
    .option('--name <name>', 'whose it is: a submitter stops what its name submitted')
    .addOption(
      new Option('--ttl <time>', 'such as 12h or 90d; never: it has no end')
        .argParser(lifetime)
        .default(90 * 86_400, '90d'),
    )
    .addOption(outputOption())
    .action(async (options: CreateOptions) => {
      const { role, name, ttl } = options;
      const body = {
        role,
        ...(name === undefined ? {} : { name }),
        ...(ttl === undefined ? {} : { ttlMs: ttl * 1000 }),
      };
      const made = await connect(context, options).call('POST', PATH, madeSchema, { body });
      if (options.output === 'json') {
        print(context, JSON.stringify(made));
        return;
      }
      // Alone on stdout: `LIMPET_TOKEN=$(limpet requester token create --role reader)`.
      print(context, made.token);
      const end = made.expiresAt === undefined ? 'no end' : `ends ${timestamp(made.expiresAt)}`;
      note(
        context,
        `token ${made.id} '${made.name}', ${made.role}, ${end}; it cannot be shown again`,
      );
    });
}

function lifetime(text: string): number | undefined {
  return text === 'never' ? undefined : seconds(text);
}

function list(context: Context): Command {
  return apiCommand('list', 'list the tokens')
    .addOption(outputOption())
    .action(async (options: ApiOptions & OutputOptions) => {
      const { tokens } = await connect(context, options).get(PATH, listSchema);
      if (options.output === 'json') print(context, JSON.stringify(tokens));
      else if (tokens.length === 0) note(context, 'no tokens but the one of the file `token`');
      else print(context, tokenTable(tokens, context.now()));
    });
}

function tokenTable(tokens: readonly Token[], nowMs: number): string {
  const rows = tokens.map(({ id, name, role, state, createdAt, expiresAt, lastUsedAt }) => [
    ...[id, name, role, state, age(createdAt, nowMs)],
    expiresAt === undefined ? 'never' : timestamp(expiresAt),
    lastUsedAt === undefined ? 'never' : `${age(lastUsedAt, nowMs)} ago`,
  ]);
  return formatTable(['id', 'name', 'role', 'state', 'age', 'ends', 'used'], rows);
}

function revoke(context: Context): Command {
  return apiCommand('revoke', 'make a token void')
    .argument('<id>', 'at-...')
    .action(async (id: string, options: ApiOptions) => {
      const path = `${PATH}/${encodeURIComponent(id)}`;
      const gone = await connect(context, options).call('DELETE', path, tokenSchema);
      print(context, `token ${gone.id} '${gone.name}' is revoked`);
    });
}
