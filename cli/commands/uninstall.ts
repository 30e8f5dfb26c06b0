/** `limpet uninstall [agent|requester]`: takes away what `limpet install` has made, and says what it leaves. */
import { Argument, Command, Option } from 'commander';
import { note, type Context } from '../context.ts';
import { carryOut } from '../install/carry-out.ts';
import { refuseDuringUpgrade } from '../install/journal.ts';
import { LAYOUT, type ServiceName } from '../install/layout.ts';
import { openHost, type HostOrder } from '../install/open-host.ts';
import { processesOf } from '../install/processes-of.ts';
import { readRecord } from '../install/record.ts';
import { leftBehind, uninstallPlan } from '../install/uninstall-plan.ts';

interface UninstallOptions extends HostOrder {
  readonly purge?: boolean;
}

type Which = 'agent' | 'requester' | undefined;

export function uninstall(context: Context): Command {
  return new Command('uninstall')
    .description('take away services and programs; work, data, configuration and keys stay')
    .addArgument(
      new Argument('[what]', 'only this; else everything').choices(['agent', 'requester']),
    )
    .option('--purge', 'end the work, and remove data, configuration, keys and users as well')
    .option('--dry-run', 'only show what would be done')
    .option('--root <folder>', 'of an installation with --root')
    .addOption(new Option('--systemctl <program>').hideHelp())
    .action((what: Which, options: UninstallOptions) => {
      // Without systemd there is nothing to stop.
      const host = openHost({ ...options, start: false });
      refuseDuringUpgrade(host);
      const record = readRecord(host);
      const services = record?.services.filter((service) => isMeant(what, service)) ?? [];
      if (record === undefined || services.length === 0) {
        note(context, `${what ?? 'limpet'} is not installed here; nothing to do`);
        return;
      }
      const wishes = { services, purge: options.purge === true };
      const dryRun = options.dryRun === true;
      carryOut(context, host, { steps: uninstallPlan(record, wishes), dryRun });
      if (dryRun) return;
      for (const line of leftBehind(record, wishes)) note(context, line);
      const running = processesOf(host.at(LAYOUT.versions));
      if (running.length > 0)
        note(context, `still running, with their work: processes ${running.join(' ')}`);
    });
}

function isMeant(what: Which, service: ServiceName): boolean {
  if (what === undefined) return true;
  return what === 'agent' ? service === 'agent' : service !== 'agent';
}
