/** The parser must not care how the bytes come in. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Frame } from '../../adapters/dev-broker/control-line.ts';
import { FrameParser, MAX_CONTROL_LINE_BYTES } from '../../adapters/dev-broker/parser.ts';
import { isLiteralSubject, isSubject, SubjectTrie } from '../../adapters/dev-broker/subjects.ts';

const token = fc.stringMatching(/^[a-zA-Z0-9_-]{1,8}$/);
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'));
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

const frame = fc.oneof(
  fc.constant(Buffer.from('PING\r\n')),
  fc.constant(Buffer.from('pong\r\n')),
  fc.constant(Buffer.from('CONNECT {"verbose":false}\r\n')),
  fc.tuple(subject, token).map(([s, sid]) => Buffer.from(`SUB ${s} ${sid}\r\n`)),
  fc.tuple(token, fc.nat(99)).map(([sid, max]) => Buffer.from(`UNSUB ${sid} ${max}\r\n`)),
  fc.tuple(subject, payload).map(([s, p]) => sized(`PUB ${s} ${p.length}`, p)),
  fc.tuple(subject, subject, payload).map(([s, r, p]) => sized(`HPUB ${s} ${r} 0 ${p.length}`, p)),
);

function sized(line: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${line}\r\n`), body, Buffer.from('\r\n')]);
}

function parsed(pieces: readonly Buffer[]): readonly Frame[] {
  const parser = new FrameParser(1_000);
  return pieces.flatMap((piece) => [...parser.feed(piece)].map(plain));
}

/** Payload pieces differ in their backing memory, never in their bytes. */
function plain(frame: Frame): Frame {
  return frame.op === 'PUB' ? { ...frame, payload: Buffer.from(frame.payload) } : frame;
}

function cut(bytes: Buffer, at: readonly number[]): readonly Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

t.test('any split of the stream gives the same frames', (t) => {
  const cases = fc.tuple(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }));
  const property = fc.property(cases, ([frames, places]) => {
    const whole = Buffer.concat(frames);
    const expected = parsed([whole]);
    if (expected.length !== frames.length) return false;
    assert.deepEqual(parsed(cut(whole, places)), expected);
    assert.deepEqual(parsed([...whole].map((byte) => Buffer.from([byte]))), expected);
    return true;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 200 }));
  t.end();
});

t.test('a control line beyond its bound is refused, ended or not', (t) => {
  const long = Buffer.alloc(MAX_CONTROL_LINE_BYTES + 1, 'x');
  t.throws(() => parsed([long]), { message: 'maximum control line exceeded' });
  t.throws(() => parsed([...long].map((byte) => Buffer.from([byte]))), { message: /control line/ });
  t.throws(() => parsed([Buffer.concat([long, Buffer.from('\r\n')])]), { message: /control line/ });
  t.end();
});

t.test('a payload beyond its bound is refused before it is read', (t) => {
  t.throws(() => parsed([Buffer.from('PUB x 1001\r\n')]), { message: 'Maximum Payload Violation' });
  t.end();
});

t.test('the trie matches as a plain reading of the rules does', (t) => {
  const name = fc.constantFrom('a', 'b');
  const literal = fc.array(name, { minLength: 1, maxLength: 4 });
  const head = fc.array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 4 });
  const pattern = fc.tuple(head, fc.boolean()).map(([h, rest]) => (rest ? [...h, '>'] : h));
  const property = fc.property(
    fc.array(pattern),
    fc.array(fc.nat()),
    literal,
    (all, gone, asked) => {
      const trie = new SubjectTrie<number>();
      all.forEach((tokens, i) => trie.add(tokens.join('.'), i));
      trie.match(asked.join('.'));
      const removed = new Set(gone.map((i) => i % Math.max(1, all.length)));
      for (const i of removed) trie.delete(all[i]?.join('.') ?? 'none', i);
      const expected = all.flatMap((tokens, i) =>
        !removed.has(i) && covers(tokens, asked) ? [i] : [],
      );
      assert.deepEqual([...trie.match(asked.join('.'))].sort(byNumber), expected);
    },
  );
  t.doesNotThrow(() => fc.assert(property, { numRuns: 300 }));
  t.end();
});

function byNumber(a: number, b: number): number {
  return a - b;
}

function covers(pattern: readonly string[], tokens: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === '>') return tokens.length > 0;
  if (first === undefined) return tokens.length === 0;
  return (
    (first === '*' || first === tokens[0]) && tokens.length > 0 && covers(rest, tokens.slice(1))
  );
}

t.test('subjects are told from what is none', (t) => {
  for (const good of ['a', 'a.b', '*', '>', 'a.*.>', 'a*']) t.ok(isSubject(good), good);
  for (const bad of ['', '.', 'a.', '.a', 'a..b', '>.a']) t.notOk(isSubject(bad), bad);
  t.notOk(isLiteralSubject('a.*'));
  t.ok(isLiteralSubject('a.b*'));
  t.end();
});
