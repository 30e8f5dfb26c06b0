/** All rules, in the order in which they are told. */
import { deadlineRules } from './rules-deadline.ts';
import { exitRules } from './rules-exit.ts';
import { handshakeRules } from './rules-handshake.ts';
import { logsRules } from './rules-logs.ts';
import { recoveryRules } from './rules-recovery.ts';
import { runsRules } from './rules-runs.ts';
import { stopRules } from './rules-stop.ts';
import { streamsRules } from './rules-streams.ts';
import type { Rule } from './types.ts';

export const RULES: readonly Rule[] = [
  ...handshakeRules,
  ...runsRules,
  ...recoveryRules,
  ...stopRules,
  ...logsRules,
  ...streamsRules,
  ...deadlineRules,
  ...exitRules,
];
