/** `limpet node token create`, `list` and `revoke`: what new nodes join with. */
import { Command, Option } from 'commander';
import { z } from 'zod';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { apiCommand, connect, outputOption, seconds, wholeNumber } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { timestamp } from '../output/format.ts';
import { formatTable } from '../output/table.ts';

const PATH = 'limpet/node-tokens';

const tokenSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  expiresAt: z.number(),
  uses: z.number(),
  membership: z.string(),
  by: z.string(),
  used: z.array(z.looseObject({ nodeId: z.string() })),
});
type Token = z.infer<typeof tokenSchema>;

const madeSchema = tokenSchema.extend({ token: z.string() });
const listSchema = z.object({ tokens: z.array(tokenSchema) });

interface CreateOptions extends ApiOptions, OutputOptions {
  readonly ttl: number;
  readonly uses: number;
  readonly pending?: boolean;
  readonly name?: string;
}

export function nodeToken(context: Context): Command {
  return new Command('token')
    .description('make, list and revoke tokens with which nodes join')
    .enablePositionalOptions()
    .addCommand(create(context))
    .addCommand(list(context))
    .addCommand(revoke(context));
}

function create(context: Context): Command {
  return apiCommand('create', 'make a join token; it is shown this once')
    .addOption(
      new Option('--ttl <time>', 'how long nodes may join with it')
        .argParser(seconds)
        .default(3600, '1h'),
    )
    .addOption(new Option('--uses <count>', 'how many nodes may').argParser(wholeNumber).default(1))
    .option('--pending', 'they wait for `limpet node approve`; else they are approved by it')
    .option('--name <text>', 'what it is for')
    .addOption(outputOption())
    .action(async (options: CreateOptions) => {
      const { ttl, uses, pending, name } = options;
      const body = {
        ...{ ttlMs: ttl * 1000, uses, pending: pending === true },
        ...(name === undefined ? {} : { name }),
      };
      const made = await connect(context, options).call('POST', PATH, madeSchema, { body });
      if (options.output === 'json') {
        print(context, JSON.stringify(made));
        return;
      }
      // Alone on stdout, so that a script can take it.
      print(context, made.token);
      note(
        context,
        `token ${made.id}: ${made.uses === 1 ? 'one node' : `${made.uses} nodes`} may join with it until ${timestamp(made.expiresAt)} UTC, ${becomes(made)}; it cannot be shown again`,
      );
    });
}

function becomes({ membership }: Token): string {
  return membership === 'approved' ? 'and may work at once' : 'and waits for approval';
}

function list(context: Context): Command {
  return apiCommand('list', 'list the join tokens')
    .addOption(outputOption())
    .action(async (options: ApiOptions & OutputOptions) => {
      const { tokens } = await connect(context, options).get(PATH, listSchema);
      if (options.output === 'json') print(context, JSON.stringify(tokens));
      else if (tokens.length === 0)
        note(context, 'no join tokens; make one with `limpet node token create`');
      else print(context, tokenTable(tokens));
    });
}

function tokenTable(tokens: readonly Token[]): string {
  const rows = tokens.map((token) => [
    ...[token.id, token.name, token.state, `${token.used.length} of ${token.uses}`],
    ...[timestamp(token.expiresAt), token.membership, token.by],
    token.used.map(({ nodeId }) => nodeId).join(' '),
  ]);
  const head = ['id', 'name', 'state', 'used', 'ends', 'makes nodes', 'made by', 'nodes'];
  return formatTable(head, rows);
}

function revoke(context: Context): Command {
  return apiCommand('revoke', 'nobody joins with it any more; nodes that have joined stay')
    .argument('<id>', 'jt-...')
    .action(async (id: string, options: ApiOptions) => {
      const path = `${PATH}/${encodeURIComponent(id)}`;
      const gone = await connect(context, options).call('DELETE', path, tokenSchema);
      print(context, `token ${gone.id} is revoked`);
    });
}
