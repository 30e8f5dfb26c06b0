import { getEventListeners } from 'node:events';
import t from 'tap';
import { EitherSignal } from '../../core/either-signal.ts';

const listenersOf = ({ signal }: AbortController) => getEventListeners(signal, 'abort').length;

t.test('it fires when one of the two does, once, with its reason', async (t) => {
  for (const first of [0, 1]) {
    const both = [new AbortController(), new AbortController()] as const;
    using either = new EitherSignal(both[0].signal, both[1].signal);
    let fired = 0;
    either.signal.addEventListener('abort', () => (fired += 1));
    t.equal(either.signal.aborted, false);
    both[first]?.abort('first');
    both[1 - first]?.abort('second');
    t.strictSame([fired, either.signal.reason], [1, 'first']);
  }
});

t.test('it has fired when one of them had', async (t) => {
  const later = new AbortController();
  using either = new EitherSignal(later.signal, AbortSignal.abort('before'));
  t.strictSame([either.signal.aborted, either.signal.reason], [true, 'before']);
});

t.test('disposed, it leaves nothing at either of them', async (t) => {
  const both = [new AbortController(), new AbortController()] as const;
  const either = new EitherSignal(both[0].signal, both[1].signal);
  t.strictSame(both.map(listenersOf), [1, 1]);
  either[Symbol.dispose]();
  t.strictSame(both.map(listenersOf), [0, 0]);
  both[0].abort();
  t.equal(either.signal.aborted, false);
});
