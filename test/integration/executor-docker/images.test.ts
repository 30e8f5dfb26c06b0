/** Images that jobs brought are removed when nobody uses them; those of the operator never. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { privateEngine, privateEngineSkip } from '../../kit/engine.ts';
import { eventually } from '../../kit/eventually.ts';
import { drivePlugin } from '../../kit/plugin-driver.ts';
import { registry } from '../../kit/registry.ts';
import { rawEngine } from './raw-engine.ts';

const LIMIT_MS = 3_000;
const GONE_MS = 60_000;

t.setTimeout(300_000);

void t.test('images', { skip: privateEngineSkip() }, async (t) => {
  const { host } = await privateEngine(t);
  const raw = rawEngine(host);
  const { put, lookups } = await registry(t);
  const plugin = await drivePlugin(t, {
    program: 'dist/executor-docker.js',
    config: { host, images: { keepUnusedMs: LIMIT_MS, everyMs: 1_000 } },
  });
  const prepare = (Image: string, PullPolicy = 'missing') =>
    plugin.prepare({ executionId: 'e-1', params: { Image, PullPolicy } });
  const isThere = (image: string) =>
    raw
      .getImage(image)
      .inspect()
      .then(
        () => true,
        () => false,
      );
  const gone = (image: string) =>
    eventually(`${image} to be gone`, async () => !(await isThere(image)), GONE_MS);
  const byHand = async (image: string) => {
    const progress = await raw.pull(image);
    await new Promise((resolve) => raw.modem.followProgress(progress, resolve));
    t.equal(await isThere(image), true, `${image} was pulled by hand`);
  };
  const record = () => readFileSync(join(plugin.folder, 'state/pulled-images.json'), 'utf8');

  const before = put('before:1', 'before');
  const theirs = put('theirs:1', 'the same');
  const same = put('same:1', 'the same');
  const used = put('used:1', 'used');
  const tagged = put('tagged:1', 'tagged');
  const moved = put('moved:1', 'older');
  const last = put('last:1', 'last');

  await byHand(before);
  await prepare(before, 'always');
  await byHand(theirs);
  await prepare(same);
  const usedId = await prepare(used);
  const container = await raw.createContainer({ Image: used, Cmd: ['/text'] });
  const taggedId = await prepare(tagged);
  await raw.getImage(tagged).tag({ repo: 'kept', tag: '1' });
  const olderId = await prepare(moved, 'always');
  put('moved:1', 'newer');
  const newerId = await prepare(moved, 'always');
  t.not(newerId, olderId, 'the name has moved on');
  const lastId = await prepare(last);
  await plugin.kill9();
  t.equal(await isThere(last), true, 'not removed before its time');
  t.ok(record().includes(lastId), 'what was pulled is on record when the plugin is killed');
  await plugin.respawn();

  await t.test('one that was pulled for a job goes, by whatever plugin process', async (t) => {
    await gone(lastId);
    await eventually('its entry to be gone', () => !record().includes(lastId));
    const told = await eventually('its removal to be told', () =>
      plugin.stderr.split('\n').find((line) => line.includes(lastId)),
    );
    t.has(JSON.parse(told), { '@message': 'image.removed', image: lastId, names: [last] });
    t.match(told, /"bytes":4,/);
  });

  await t.test('one that a moved name has left behind goes too', async (t) => {
    t.equal(await gone(olderId), true);
    t.equal(await gone(newerId), true);
  });

  await t.test('those of the operator stay', async (t) => {
    t.equal(await isThere(before), true, 'pulled by hand before a job pulled it again');
    t.equal(await isThere(theirs), true, 'the same image under another name');
    t.equal(await isThere(taggedId), true, 'tagged by the operator since');
    t.notOk(record().includes(taggedId), "and it is the operator's from then on");
  });

  await t.test('what is in use stays, and what was removed is pulled again', async (t) => {
    t.equal(await isThere(used), true, "somebody's container uses it");
    await container.remove({ force: true });
    t.equal(await prepare(last), lastId, 'the next job pulls it again');
    const asked = lookups('last:1');
    const marker = await prepare(put('marker:1', 'marker'));
    await eventually(
      'others to be removed meanwhile',
      async () => (await prepare(last)) === lastId && !(await isThere(marker)),
      GONE_MS,
    );
    t.equal(await gone(usedId), true, 'the one of the container, once that is gone');
    t.equal(lookups('last:1'), asked, 'the one that jobs use was there all the time');
  });
});
