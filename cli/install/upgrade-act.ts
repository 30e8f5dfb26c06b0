/**
 * The act of an upgrade, from what its journal says: swaps the version, starts the services anew, and swaps back when one of
 * them is not ready in time. Called again after a death in the middle, it carries the upgrade to its end.
 */
import { rmSync } from 'node:fs';
import { LimpetError } from '../../core/errors.ts';
import { agentIsUp, lastLogLines } from './agent-check.ts';
import { writeLink } from './durable-file.ts';
import type { Host } from './host.ts';
import { writeJournal, type Journal } from './journal.ts';
import { LAYOUT, SERVICES } from './layout.ts';
import { swapUnits } from './swap-units.ts';

/** Ends with the journal at `over`; answers it. Errors: those of the file system. */
export async function act(host: Host, journal: Journal): Promise<Journal> {
  if (journal.phase === 'over') return journal;
  if (journal.phase === 'back') return back(host, journal);
  writeJournal(host, journal);
  const told = swap(host, journal, 'forward');
  const reason = await restart(host, journal);
  if (reason === undefined)
    return over(host, journal, [
      ...told,
      `limpet ${journal.to} runs; before: ${journal.from}, which is kept`,
    ]);
  const log = lastLogLines(host, journal.services);
  const next: Journal = { ...journal, phase: 'back', reason, told: log };
  writeJournal(host, next);
  return back(host, next);
}

async function back(host: Host, journal: Journal): Promise<Journal> {
  const { from, to, reason = 'it was interrupted', told = [] } = journal;
  const notes = swap(host, journal, 'back');
  const failed = await restart(host, { ...journal, to: from });
  const end =
    failed === undefined
      ? `limpet ${to} was not ready: ${reason}; ${from} runs again`
      : `limpet ${to} was not ready: ${reason}; back at ${from}, which is not ready either: ${failed}`;
  return over(host, journal, [...told, ...notes, end]);
}

function over(host: Host, journal: Journal, told: readonly string[]): Journal {
  const last: Journal = { ...journal, phase: 'over', told: [...told] };
  writeJournal(host, last);
  return last;
}

/** Answers what the operator has to know. */
function swap(host: Host, journal: Journal, way: 'forward' | 'back'): readonly string[] {
  const { from, to, previous } = journal;
  const [now, before] = way === 'forward' ? [to, from] : [from, previous];
  if (before === undefined) rmSync(host.at(LAYOUT.previous), { force: true });
  else writeLink(host.at(LAYOUT.previous), `versions/${before}`);
  writeLink(host.at(LAYOUT.current), `versions/${now}`);
  return swapUnits(host, { old: way === 'forward' ? from : to, now });
}

/** Why not all of them are ready; undefined when they are. */
async function restart(host: Host, journal: Journal): Promise<string | undefined> {
  for (const service of journal.services) {
    try {
      host.systemctl?.restart(SERVICES[service].unit, journal.timeoutMs);
      if (service === 'agent') await agentIsUp(host, journal);
    } catch (thrown) {
      return LimpetError.from(thrown).message;
    }
  }
  return undefined;
}
