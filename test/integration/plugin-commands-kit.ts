/** An agent's socket with two plugins behind it, and `limpet plugin` asking it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { Test } from 'tap';
import { listenLocal } from '../../agent/api/local-api.ts';
import { pluginRoutes, type PluginDesk } from '../../agent/api/plugin-routes.ts';
import { run } from '../../cli/run.ts';
import type { PluginFact } from '../../wire/plugins.ts';
import { tempDir } from '../kit/temp-dir.ts';

export const NOW = Date.parse('2026-03-01T12:00:00Z');

export const docker: PluginFact = {
  name: 'docker',
  source: 'built-in',
  command: ['/usr/bin/node', '/opt/limpet/executor-docker.js'],
  path: '/opt/limpet/executor-docker.js',
  sha256: 'ab'.repeat(32),
  pinned: false,
  state: 'running',
  health: 'healthy',
  reason: '',
  version: '1.2.0',
  protocol: 1,
  pid: 4711,
  instance: '0badcafe-0000-4000-8000-000000000000',
  address: '/run/limpet/0badcafe/plugin.sock',
  startedAt: NOW - 300_000,
  reattached: true,
  restarts: 1,
  runs: 3,
  capabilities: ['renew'],
};

export const flaky: PluginFact = {
  name: 'flaky',
  source: 'folder',
  command: ['/usr/local/lib/limpet/plugins/flaky'],
  path: '/usr/local/lib/limpet/plugins/flaky',
  pinned: true,
  state: 'restarting',
  health: 'unhealthy',
  reason: 'it ended with code 3; it said: no disk; next try in 4 s',
  version: '',
  reattached: false,
  restarts: 7,
  runs: 0,
  capabilities: [],
};

export const HCLOG = `{"@level":"warn","@message":"pull is slow","@module":"docker","@timestamp":"2026-03-01T11:59:58.123000Z","image":"busybox","tries":2,"why":"no answer"}`;

export async function agentOf(t: Test, change: Partial<PluginDesk> = {}) {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'plugins'));
  const logFile = (name: string): string => join(folder, 'plugins', `${name}.log`);
  const desk: PluginDesk = {
    set: () => [docker, flaky],
    restart: async () => undefined,
    attributes: (name) => (name === 'docker' ? { 'docker.version': '24.0' } : {}),
    record: async (name) => (name === 'docker' ? { Protocol: 'grpc', Pid: 4711 } : undefined),
    schemas: (name) =>
      name === 'docker' ? { config: { title: 'config' }, params: { title: 'params' } } : undefined,
    logFile,
    ...change,
  };
  const socket = join(folder, 'a.sock');
  let close = await listenLocal(pluginRoutes(desk), socket);
  writeFileSync(join(folder, 'agent.json'), JSON.stringify({ socket, pid: process.pid }));
  t.teardown(() => close());
  const end = async (): Promise<void> => {
    await close();
    close = async () => undefined;
  };
  return { folder, logFile, end, plugin: (...args: string[]) => limpet(folder, args) };
}

/** `limpet plugin ...`, to its end. */
export async function limpet(folder: string, args: readonly string[]) {
  const out = sink();
  const err = sink();
  const code = await run(['plugin', ...args, '--data', folder], {
    env: {},
    stdin: Readable.from([]),
    stdout: out.stream,
    stderr: err.stream,
    now: () => NOW,
  });
  return { code, stdout: out.text(), stderr: err.text() };
}

export function sink(): { readonly stream: Writable; text(): string } {
  let text = '';
  const stream = new Writable({
    write(part: Buffer, _encoding, done) {
      text += part.toString();
      done();
    },
  });
  return { stream, text: () => text };
}
