/** `limpet agent key FILE`: a node's own key, for a node that no installer sets up. */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { createUser } from '@nats-io/nkeys';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { note } from '../context.ts';
import type { Context } from '../context.ts';

export function agentKey(context: Context): Command {
  return new Command('key')
    .description("make a node's key for `nats.keyFile`; `limpet install agent` does so by itself")
    .argument('<file>', 'where it is put; a file that is there is never replaced')
    .action((file: string) => {
      const pair = createUser();
      try {
        writeFileSync(file, `${new TextDecoder().decode(pair.getSeed())}\n`, {
          mode: 0o600,
          flag: 'wx',
        });
      } catch (thrown) {
        throw new LimpetError('invalid-argument', `cannot make a key: ${messageOf(thrown)}`, {
          cause: thrown,
        });
      }
      note(
        context,
        `the key is in ${file}, readable by you alone; its public half is ${pair.getPublicKey()}`,
      );
    });
}
