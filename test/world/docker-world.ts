/** A cluster whose node has docker on an engine of the test's own, and what people do to its containers. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type Docker from 'dockerode';
import type { Test } from 'tap';
import { z } from 'zod';
import { containerName } from '../../executors/docker/labels.ts';
import { rawEngine } from '../integration/executor-docker/raw-engine.ts';
import { eventually } from '../kit/eventually.ts';
import type { Teardown } from '../kit/teardown.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';
import { startWorld, type Work, type World } from './host-world.ts';

/** `unix:///folder/docker.sock`, with the engine's pid file beside the socket. */
export interface EnginePlace {
  readonly host: string;
}

export interface DockerWorld extends World {
  readonly raw: Docker;
}

export function dockerConfig({ host }: EnginePlace): JsonObject {
  const pidFile = join(dirname(new URL(host).pathname), 'pid');
  return { host, pidFile, pullPolicy: 'never' };
}

export function dockerExecutor(engine: EnginePlace): JsonObject {
  return {
    docker: { enabled: true, config: dockerConfig(engine) },
    wasm: { enabled: false },
  };
}

export async function startDockerWorld(
  t: Test,
  engine: EnginePlace,
  config: JsonObject = {},
): Promise<DockerWorld> {
  const world = await startWorld(t, { executors: dockerExecutor(engine), ...config });
  return { ...world, raw: rawEngine(engine.host) };
}

const identity = z.looseObject({ nodeId: z.string(), instanceId: z.string() });

export function nameOf(agent: TestAgent, { execution }: Work, run = 0): string {
  const text = readFileSync(join(agent.folder, 'identity.json'), 'utf8');
  return containerName(identity.parse(JSON.parse(text)), { executionId: execution, run });
}

export function containerOf({ raw, agent }: DockerWorld, work: Work, run = 0): Docker.Container {
  return raw.getContainer(nameOf(agent, work, run));
}

export interface Life {
  readonly id: string;
  readonly startedAt: string;
  readonly status: string;
}

export async function lifeOf(world: DockerWorld, work: Work, run = 0): Promise<Life> {
  const { Id, State } = await containerOf(world, work, run).inspect();
  return { id: Id, startedAt: State.StartedAt, status: State.Status };
}

export function untilStatus(
  world: DockerWorld,
  work: Work,
  { status, run = 0 }: { readonly status: string; readonly run?: number },
): Promise<Life> {
  return eventually(
    `the container of ${work.execution} to be ${status}`,
    async () => {
      const life = await lifeOf(world, work, run);
      if (life.status !== status) throw new Error(`it is ${life.status}`);
      return life;
    },
    30_000,
  );
}

/** No container under its labels, but for those named here, and no run folder. */
export async function nothingLeftOf(
  { raw, agent }: DockerWorld,
  { execution }: Work,
  but: readonly string[] = [],
): Promise<void> {
  const filters = { label: [`limpet.execution-id=${execution}`] };
  await eventually(
    `nothing of ${execution} to be left`,
    async () => {
      const found = await raw.listContainers({ all: true, filters });
      const left = found.flatMap(({ Names }) => Names).filter((name) => !but.includes(name));
      const folder = join(agent.folder, 'runs', 'docker', execution);
      if (left.length === 0 && !existsSync(folder)) return true;
      throw new Error(JSON.stringify({ left, folder: existsSync(folder) }));
    },
    20_000,
  );
}

/** What somebody runs from a commit of one of our containers: our labels, not our name. */
export async function commitCopy(
  t: Teardown,
  { raw }: DockerWorld,
  { from, name }: { readonly from: Docker.Container; readonly name: string },
): Promise<Docker.Container> {
  await from.commit({ repo: 'fixture/copied', tag: name });
  const made = await raw.createContainer({
    name,
    Image: `fixture/copied:${name}`,
    Cmd: ['sleep', '600'],
    HostConfig: { NetworkMode: 'none' },
  });
  t.teardown(() => made.remove({ force: true }));
  await made.start();
  return made;
}

/** The gap in a log when its engine was restarted. */
export const RESTARTED = /^the engine restarted at \S+Z; lines may be missing here$/;

/** Part of a script that waits until `letGo`. */
export const WAIT = `go=; trap 'go=yes' HUP; until [ "$go" ]; do sleep 0.1; done`;

/** Ends the wait. By a signal, since an engine that was killed may not be able to exec any more. */
export async function letGo(container: Docker.Container): Promise<void> {
  await container.kill({ signal: 'SIGHUP' });
}

/** Has never been touched: it runs, and was started when we saw it last. */
export async function sinceWhen(container: Docker.Container): Promise<string> {
  const { State } = await container.inspect();
  return State.Running ? State.StartedAt : `it is ${State.Status}`;
}
