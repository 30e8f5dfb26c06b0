/** What is refused before a runner is started, and the memory cap that is written into a module. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import wabt from 'wabt';
import { readMemory, readSections } from '../../executors/wasm/module/binary.ts';
import { boundModule } from '../../executors/wasm/module/validate.ts';

const { parseWat } = await wabt();

function wat(text: string): Uint8Array {
  const features = { threads: true, multi_memory: true, memory64: true };
  return parseWat('test.wat', text, features).toBinary({}).buffer;
}

function limitsOf(bytes: Uint8Array) {
  return readMemory(
    bytes,
    readSections(bytes).find((one) => one.id === 5),
  );
}

const START = '(func (export "_start"))';

await t.test('a memory without a maximum gets the cap, a lower maximum stays', async (t) => {
  const open = await boundModule(wat(`(module (memory 1) ${START})`), '_start', 1024);
  t.same(limitsOf(open), { minPages: 1, maxPages: 1024 });
  const own = await boundModule(wat(`(module (memory 1 300) ${START})`), '_start', 1024);
  t.same(limitsOf(own), { minPages: 1, maxPages: 300 });
  const above = await boundModule(wat(`(module (memory 2 60000) ${START})`), '_start', 1024);
  t.same(limitsOf(above), { minPages: 2, maxPages: 1024 });
});

await t.test('the bounded module is still a module with everything else in it', async (t) => {
  const file = fileURLToPath(new URL('../../fixtures/wasm/wordcount.wasm', import.meta.url));
  const bytes = readFileSync(file);
  const bounded = await boundModule(bytes, '_start', 777);
  t.equal(limitsOf(bounded)?.maxPages, 777);
  const ids = (of: Uint8Array): readonly number[] => readSections(of).map((one) => one.id);
  t.same(ids(bounded), ids(bytes));
});

await t.test('a module without memory passes as it is', async (t) => {
  const bytes = wat(`(module ${START})`);
  t.same(await boundModule(bytes, '_start', 16), bytes);
});

const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['text', Buffer.from('hello world'), /magic number is missing/],
  ['an empty file', new Uint8Array(0), /magic number is missing/],
  ['a component', Buffer.from('0061736d0d000100', 'hex'), /component; a core module is needed/],
  ['a cut module', wat(`(module (memory 1) ${START})`).subarray(0, 20), /not a valid wasm module/],
  ['a start section', wat(`(module (func $f) (start $f) ${START})`), /start section/],
  ['a large memory', wat(`(module (memory 17) ${START})`), /asks for 1114112 bytes .* 1048576/],
  ['a shared memory', wat(`(module (memory 1 2 shared) ${START})`), /shared memory/],
  ['a 64-bit memory', wat(`(module (memory i64 1) ${START})`), /64-bit memory/],
  ['two memories', wat(`(module (memory 1) (memory 1) ${START})`), /2 memories/],
  ['an unknown import', wat(`(module (import "env" "now" (func)) ${START})`), /env\.now/],
  [
    'an imported memory',
    wat(`(module (import "env" "memory" (memory 1)) ${START})`),
    /env\.memory \(memory\)/,
  ],
  [
    'no such entry',
    wat('(module (func (export "main")))'),
    /no function '_start'; it exports main/,
  ],
  [
    'WASI without a memory',
    wat(`(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) ${START})`),
    /does not export its memory/,
  ],
];

for (const [what, bytes, reason] of refused)
  await t.test(`refused with its reason: ${what}`, async (t) => {
    await t.rejects(boundModule(bytes, '_start', 16), { code: 'refused', message: reason });
  });
