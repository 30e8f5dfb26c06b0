/**
 * The compute-node agent. SIGTERM and SIGINT let go of everything, unless `onStop` of the config says otherwise: runs and
 * plugins go on, the next start finds them.
 */
import { parseArgs } from 'node:util';
import { LimpetError } from '../core/errors.ts';
import { logFormat, pinoLog } from '../adapters/log/pino-log.ts';
import { silentLog } from '../adapters/log/silent-log.ts';
import { systemClock } from '../adapters/clock/system-clock.ts';
import { checkOwner } from '../adapters/identity/folder-owner.ts';
import { identityFile } from '../adapters/identity/identity-file.ts';
import { failedStart } from '../adapters/systemd/failed-start.ts';
import { agentDoctor } from './doctor/doctor.ts';
import { planOfDeadAgent } from './explain/dead-agent.ts';
import { composeAgent, type ConfigSource } from './compose.ts';
import { loadAgentConfig, type AgentConfig } from './config.ts';
import { adoptHost } from './host.ts';
import { resetAgent } from './reset.ts';
import { makeIdentity } from './state.ts';
import type { StopMode } from './stopping.ts';

const USAGE = `usage: agent [--config FILE] [--data DIR] [--doctor] [--plan] [--identify]
  --config FILE  JSON; every field has a default (see agent.config.json)
  --data DIR     everything it keeps; else dataDir of the config
  --doctor       look at everything that it needs, print as JSON what was found, and end; change nothing
  --plan         print as JSON what recovery would do, on a copy of the store; start and change nothing
  --identify     make who it is, unless it was made before, print its node id as JSON, and end
  --reset        remove everything of this agent, print what as JSON, and end; --identity: who it is, too
  --adopt-host   make the folder this machine's, print what it was as JSON, and end
  --dry-run      with --reset and --adopt-host: only print
`;

const OPTIONS = {
  config: { type: 'string' },
  data: { type: 'string' },
  doctor: { type: 'boolean' },
  plan: { type: 'boolean' },
  identify: { type: 'boolean' },
  reset: { type: 'boolean' },
  'adopt-host': { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  identity: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function args() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (thrown) {
    const { message } = LimpetError.from(thrown);
    throw new LimpetError('invalid-argument', `${message}\n${USAGE.trimEnd()}`, { cause: thrown });
  }
}

type Args = ReturnType<typeof args>;

/** What is asked for instead of an agent, as JSON; undefined when it is the agent itself. */
async function order(
  config: AgentConfig,
  { plan, identify, reset, identity, 'dry-run': dryRun, 'adopt-host': adopt }: Args,
): Promise<unknown> {
  if (plan === true) return planOfDeadAgent(config, systemClock());
  if (identify === true) {
    const { nodeId } = await makeIdentity(config, systemClock());
    return { nodeId };
  }
  if (adopt === true) return adoptHost(config, dryRun === true);
  if (reset === true)
    return resetAgent(config, silentLog, {
      dryRun: dryRun === true,
      identity: identity === true,
    });
  return undefined;
}

async function main(): Promise<void> {
  const asked = args();
  if (asked.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  // Timers of the clock keep no program alive: an order is carried out to its end, and a started agent has its sockets.
  const alive = setInterval(() => undefined, 60_000);
  if (asked.doctor === true) return tell(await agentDoctor(asked));
  const config = await loadAgentConfig(asked.config, asked.data);
  checkOwner(identityFile(config.dataDir), 'limpet-agent');
  const answer = await order(config, asked);
  if (answer !== undefined) return tell(answer);
  await run({ config, read: () => loadAgentConfig(asked.config, asked.data) });
  clearInterval(alive);
}

function tell(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
}

async function run(source: ConfigSource): Promise<void> {
  const { level } = source.config.log;
  const log = pinoLog({ format: logFormat(process.env, process.stderr.isTTY), level });
  let stop: (mode?: StopMode) => void = () => undefined;
  const agent = await composeAgent(source, log, (mode) => {
    stop(mode);
  });
  stop = (mode) => {
    agent.stop(mode).then(
      () => process.exit(0),
      (thrown: unknown) => {
        log.error('agent.stop-failed', { reason: LimpetError.from(thrown).message });
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      stop();
    });
  process.on('SIGHUP', () => void agent.reload());
}

main().catch((thrown: unknown) => {
  const error = LimpetError.from(thrown);
  process.stderr.write(`limpet agent: ${error.message}\n`);
  void failedStart(error, process.env).then((code) => process.exit(code));
});
