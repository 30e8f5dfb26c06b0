/** Readers of each form that take nothing, while 200 MB pass to another. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { WebSocket } from 'ws';
import { LOG_FRAMES_TYPE, LogFrameDecoder } from '../../wire/log-frames.ts';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { oneAgent } from '../integration/requester/one-agent.ts';
import { open } from './readers.ts';

t.setTimeout(240_000);

const TOTAL = 200_000_000;
/** What the requester may take for four of them, and one that is quick. */
const MOST_BYTES = 100_000_000;
const PIECE = Array.from({ length: 1024 }, (_, i) => `${String(i).padStart(63, '.')}\n`).join('');

async function* endless(from: number): AsyncIterable<string> {
  for (let at = from; at < TOTAL; at += PIECE.length - (at % PIECE.length))
    yield await Promise.resolve(PIECE.slice(at % PIECE.length, (at % PIECE.length) + TOTAL - at));
}

t.test(
  'readers that take nothing delay nobody and take no memory, and lose nothing',
  { skip: natsServerSkip() },
  async (t) => {
    const { requester } = await oneAgent(t, { behaviour: 'hold', log: endless });
    const { url, token } = requester;
    await requester.submit('flood');
    await requester.jobIs('flood', 'Running');
    const rss = (): number => {
      const status = readFileSync(`/proc/${requester.program.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
    };
    const before = rss();
    const logs = 'limpet/jobs/flood/logs?follow=true';
    const slow = await open({ url, token }, logs, { accept: LOG_FRAMES_TYPE });
    const others = [
      await open({ url, token }, logs),
      await open({ url, token }, `${logs}&download=1`),
    ];
    const socket = new WebSocket(
      `${url.replace('http', 'ws')}/api/v1/orchestrator/jobs/flood/logs?follow=true`,
      { headers: { authorization: `Bearer ${token}` } },
    );
    socket.on('open', () => socket.pause());
    t.teardown(() => {
      socket.terminate();
      for (const one of [slow, ...others]) one.destroy();
    });
    await eventually('the socket', () => socket.isPaused);

    const quick = await open({ url, token }, logs, { accept: LOG_FRAMES_TYPE });
    const started = performance.now();
    let [got, most] = [0, 0];
    quick.on('data', (part: Buffer) => {
      got += part.length;
      most = Math.max(most, rss());
    });
    await eventually('all of it', () => got > TOTAL, 120_000);
    const seconds = (performance.now() - started) / 1000;
    t.comment(`${Math.round(TOTAL / seconds / 1e6)} MB/s; ${Math.round((most - before) / 1e6)} MB`);
    t.ok(most - before < MOST_BYTES, `${most - before} bytes more than before`);

    const decoder = new LogFrameDecoder();
    let [next, faults] = [0, 0];
    for await (const part of slow) {
      for (const { kind, offset, data } of decoder.take(part)) {
        if (kind !== 'stdout') continue;
        const at = next % PIECE.length;
        const good = offset === next && Buffer.from(data).equals(wanted(at, data.length));
        if (!good) faults += 1;
        next = offset + data.length;
      }
      if (next > 30_000_000) break;
    }
    t.equal(faults, 0, 'it goes on at its own byte');
    t.ok(next > 30_000_000);
  },
);

const TWICE = Buffer.from(PIECE + PIECE);

function wanted(at: number, length: number): Buffer {
  return TWICE.subarray(at, at + length);
}
