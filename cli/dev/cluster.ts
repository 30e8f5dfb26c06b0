/**
 * The programs of `limpet dev`: broker, requester, agent, started in this order and ended in the other. What runs is
 * written to `dev.json` whenever it changes.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { askAgent } from '../agent-socket.ts';
import type { Context } from '../context.ts';
import { nodeFlags, programPath } from '../programs.ts';
import type { ProgramName } from '../programs.ts';
import { startBroker } from './broker.ts';
import type { Broker, BrokerChildOptions } from './broker.ts';
import { Child } from './child.ts';
import { writeAgentConfig, writeRequesterConfig } from './configs.ts';
import type { BrokerAccess } from './configs.ts';
import { writeDevFile } from './dev-file.ts';
import type { DevFile } from './dev-file.ts';
import type { DevOptions } from './dev-options.ts';
import { speaker } from './line-output.ts';
import type { Say } from './line-output.ts';
import { agentReady, requesterReady } from './readiness.ts';
import { devUsers, nodeOfAgent, type DevUsers } from './users.ts';

/** The agent ends its runs first: their grace, then KILL. */
const KILL_ALL_MS = 45_000;
const STOP_MS = 10_000;

export class Cluster {
  readonly #context: Context;
  readonly #options: DevOptions;
  readonly #say: Say;
  readonly #onGivenUp: (error: LimpetError) => void;
  #file: DevFile;
  #broker: Broker | undefined;
  #requester: Child | undefined;
  #agent: Child | undefined;
  #brokerStart: Promise<string> | undefined;
  #ending = false;

  constructor(
    context: Context,
    options: DevOptions,
    own: DevFile,
    onGivenUp: (error: LimpetError) => void,
  ) {
    this.#context = context;
    this.#options = options;
    this.#say = speaker(context, 'dev');
    this.#file = own;
    this.#onGivenUp = onGivenUp;
  }

  /** Resolves when all of it does its work. */
  async start(): Promise<DevFile> {
    const users = devUsers(await this.#nodeOfAgent());
    const url = await (this.#brokerStart = this.#startBroker(users));
    this.#throwIfEnding();
    await this.#startRequester({ ...users.requester, url });
    this.#throwIfEnding();
    const access = { ...users.agent, url };
    if (this.#options.agent) await this.#startAgent(access);
    else writeAgentConfig(this.#options, access);
    this.#note({ ready: true });
    return this.#file;
  }

  /** Everything ends, running work too. */
  async stop(): Promise<void> {
    this.#ending = true;
    // Its program is known only when it is up.
    await this.#brokerStart?.catch(() => undefined);
    await this.#stopAgent();
    await this.#requester?.stop(STOP_MS);
    await this.#broker?.child.stop(STOP_MS);
  }

  /** At once and without farewell; work may stay behind. */
  kill(): void {
    for (const child of this.#children()) child.kill();
  }

  /** The broker has to know it before the agent comes. */
  #nodeOfAgent(): Promise<string> {
    const folder = this.#options.agent ? this.#agentFolder : undefined;
    return nodeOfAgent(writeAgentConfig(this.#options, undefined), folder);
  }

  async #startBroker(users: DevUsers): Promise<string> {
    this.#throwIfEnding();
    const { data, broker: wanted } = this.#options;
    const child = this.#childOptions('broker');
    const broker = await startBroker({ data, users, child }, wanted);
    this.#broker = broker;
    this.#note({ broker: { kind: broker.kind, url: broker.url } });
    return broker.url;
  }

  #throwIfEnding(): void {
    if (this.#ending) throw new LimpetError('cancelled', 'limpet dev is ending');
  }

  get #agentFolder(): string {
    return join(this.#options.data, 'agent');
  }

  async #startRequester(broker: BrokerAccess): Promise<void> {
    const { data } = this.#options;
    const folder = join(data, 'requester');
    rmSync(join(folder, 'endpoint.json'), { force: true });
    const config = writeRequesterConfig(data, broker, 0);
    this.#requester = this.#program('requester', ['--config', config, '--data', folder]);
    await this.#requester.start();
    const url = await requesterReady(this.#requester, folder);
    // Started again, it is found where it was.
    writeRequesterConfig(data, broker, Number(new URL(url).port));
    this.#requester.supervise();
    this.#note({ requester: { url } });
  }

  async #startAgent(broker: BrokerAccess): Promise<void> {
    const folder = this.#agentFolder;
    const config = writeAgentConfig(this.#options, broker);
    this.#agent = this.#program('agent', ['--config', config, '--data', folder]);
    await this.#agent.start();
    const ready = await agentReady(this.#agent, folder);
    this.#agent.supervise();
    this.#note({ agent: ready });
  }

  async #stopAgent(): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined || !agent.running) return;
    agent.expectEnd();
    try {
      await askAgent(this.#agentFolder, 'POST', '/stop', { mode: 'kill' });
      if (await agent.waitForEnd(KILL_ALL_MS)) return;
    } catch (error) {
      this.#say(`running work may stay behind: ${LimpetError.from(error).message}`);
    }
    await agent.stop(STOP_MS);
  }

  #program(name: ProgramName & ('agent' | 'requester'), args: readonly string[]): Child {
    const { out, ...options } = this.#childOptions(name);
    return new Child({
      name,
      command: process.execPath,
      args: [...nodeFlags(name), programPath(name), ...args],
      env: { LIMPET_LOG: this.#context.env['LIMPET_LOG'] ?? 'pretty' },
      onLine: out,
      ...options,
    });
  }

  #childOptions(name: string): BrokerChildOptions {
    return {
      say: this.#say,
      out: speaker(this.#context, name),
      onRestart: () => {
        this.#note({});
      },
      onGivenUp: this.#onGivenUp,
    };
  }

  #children(): Child[] {
    return [this.#agent, this.#requester, this.#broker?.child].filter(
      (child) => child !== undefined,
    );
  }

  #note(news: Partial<DevFile>): void {
    const named = { broker: this.#broker?.child, requester: this.#requester, agent: this.#agent };
    const children: DevFile['children'] = {};
    for (const [name, child] of Object.entries(named)) {
      const identity = child?.identity;
      if (identity !== undefined) children[name] = identity;
    }
    this.#file = { ...this.#file, ...news, children };
    writeDevFile(this.#options.data, this.#file);
  }
}
