/** A trivial container by raw calls to the engine: what the same work costs without Limpet. */
import { callEngine } from '../../scripts/engine.mjs';
import type { Task } from './jobs.ts';

export const IMAGE = 'fixture/busybox:1';
const COMMAND = ['true'];

export const containerTask: Task = {
  Engine: { Type: 'docker', Params: { Image: IMAGE, Parameters: COMMAND } },
  Resources: { Memory: '64Mi', CPU: '100m' },
};

/** The same limits and settings as Limpet's docker executor gives. */
const BODY = {
  Image: IMAGE,
  Cmd: COMMAND,
  HostConfig: {
    NanoCpus: 1e8,
    Memory: 64 * 2 ** 20,
    MemorySwap: 64 * 2 ** 20,
    PidsLimit: 512,
    NetworkMode: 'none',
    SecurityOpt: ['no-new-privileges'],
    CapDrop: ['NET_RAW', 'MKNOD', 'AUDIT_WRITE', 'SYS_CHROOT', 'SETFCAP'],
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
  },
};

/** Create, start, wait, logs, remove; answers the ms that all of it took. */
export async function runRawContainer(host: string): Promise<number> {
  const began = performance.now();
  const body = Buffer.from(JSON.stringify(BODY));
  const created = await call(host, 'POST', '/containers/create', body);
  const path = `/containers/${JSON.parse(created).Id}`;
  await call(host, 'POST', `${path}/start`);
  const { StatusCode } = JSON.parse(await call(host, 'POST', `${path}/wait`));
  if (StatusCode !== 0) throw new Error(`the raw container ended with ${StatusCode}`);
  await call(host, 'GET', `${path}/logs?stdout=1&stderr=1`);
  await call(host, 'DELETE', path);
  return performance.now() - began;
}

async function call(
  host: string,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: Buffer,
): Promise<string> {
  const content = body === undefined ? {} : { body, type: 'application/json' };
  const answer = await callEngine(host, { method, path, ...content });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
  return answer.body;
}
