/** `limpet recover --plan`: what recovery would do on this host. A live agent is asked, for a dead one its store is read. */
import { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { recoveryPlanSchema, type RecoveryPlan } from '../../wire/explain.ts';
import { folderOfOrder } from '../agent-folder.ts';
import { runAgentProgram } from '../agent-program.ts';
import { askAgent } from '../agent-socket.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { outputOption } from '../options.ts';
import type { OutputOptions } from '../options.ts';
import { planText } from '../output/explanation.ts';
import type { ProgramOptions } from './agent.ts';

const PLAN_MS = 60_000;

interface RecoverOptions extends ProgramOptions, OutputOptions {
  readonly plan?: boolean;
}

export function recover(context: Context): Command {
  return new Command('recover')
    .description('show what recovery would do with every execution of this host')
    .requiredOption('--plan', 'print it and change nothing (the agent itself recovers, by itself)')
    .option('--config <file>', "the agent's configuration: which executors it has")
    .option(
      '--data <folder>',
      "the agent's folder; else agent/ in LIMPET_DATA, ~/.limpet or /var/lib/limpet",
    )
    .addOption(outputOption())
    .action(async (options: RecoverOptions) => {
      const plan = await findPlan(context, options);
      print(
        context,
        options.output === 'json' ? JSON.stringify(plan, undefined, 2) : planText(plan),
      );
    });
}

async function findPlan(context: Context, options: RecoverOptions): Promise<RecoveryPlan> {
  const folder = folderOfOrder(context, options);
  try {
    return recoveryPlanSchema.parse(await askAgent(folder, 'GET', '/recover/plan'));
  } catch (thrown) {
    // Nobody answers: it was never started, or killed.
    if (LimpetError.from(thrown).code !== 'unavailable') throw thrown;
  }
  const order = { folder, config: options.config, order: ['--plan'] };
  return recoveryPlanSchema.parse(await runAgentProgram(order, PLAN_MS));
}
