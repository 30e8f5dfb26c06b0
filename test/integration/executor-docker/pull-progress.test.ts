/** How far the pull of an image is, of a real engine and a registry that sends when the test says so. */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import type { Progress } from '../../../plugins/sdk/index.ts';
import { testEngine } from '../../kit/engine.ts';
import { eventually } from '../../kit/eventually.ts';
import { registry } from '../../kit/registry.ts';
import { newRun, openPlugin } from './node.ts';
import { onePlugin } from './one-plugin.ts';

const TEXT_BYTES = 3_000_000;
const PIECE_BYTES = 64 * 1024;
const TOLD_MS = 60_000;

t.setTimeout(240_000);

const engine = await testEngine(t);

interface Layer {
  readonly response: ServerResponse;
  readonly body: Buffer;
  sent: number;
}

void t.test('a pull', { skip: engine.skip }, async (t) => {
  const { node, raw } = await onePlugin(t, engine.host);
  const asked: Layer[] = [];
  const { put } = await registry(t, {
    sendLayer: (response, body) => void asked.push({ response, body, sent: 0 }),
  });
  const image = put(`slow:${process.pid}`, randomBytes(TEXT_BYTES).toString('base64'));
  t.teardown(() => raw.getImage(image).remove({ force: true }).catch(String));
  const plugin = await openPlugin(node, engine.host, { config: { pullPolicy: 'missing' } });
  const { spec } = newRun(node, 'true', { params: { Image: image } });
  const seen: Progress[] = [];
  const preparing = plugin.prepare(spec, (now) => seen.push(now), AbortSignal.timeout(180_000));
  const layer = await eventually('the layer to be asked for', () => asked[0], TOLD_MS);
  const size = layer.body.length;

  await t.test('tells of the whole image as it comes', async (t) => {
    for (const part of [0.25, 0.5, 0.75]) {
      // The engine leaves out what comes soon after it has told: a little more brings the next word.
      const told = await eventually(`${part} of it to be told`, () => more(layer, part), TOLD_MS);
      t.ok((told.currentBytes ?? 0) <= layer.sent, `${told.currentBytes} of ${layer.sent} sent`);
      t.equal(told.totalBytes, size);
      t.strictSame([told.kind, told.item], ['image', image]);
    }
  });

  await t.test('never tells less than before, and ends with all of it', async (t) => {
    layer.response.end(layer.body.subarray(layer.sent));
    t.match(await preparing, /^sha256:/);
    const bytes = seen.map(({ currentBytes = 0 }) => currentBytes);
    t.strictSame(
      bytes,
      [...bytes].sort((a, b) => a - b),
    );
    t.equal(bytes.at(-1), size);
  });

  function more(to: Layer, part: number): Progress | undefined {
    const told = seen.at(-1);
    if ((told?.currentBytes ?? 0) >= part * size) return told;
    const end = Math.min(to.sent + PIECE_BYTES, size - PIECE_BYTES);
    to.response.write(to.body.subarray(to.sent, end));
    to.sent = end;
    throw new Error(`${told?.currentBytes} told, ${end} of ${size} sent`);
  }
});
