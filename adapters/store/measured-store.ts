/** A store whose writes are timed: how long the caller of a batch waits until it is durable. */
import type { Corrupt, Range, ScanResult, Store, StoreOp } from './port.ts';

export function measuredStore(store: Store, took: (seconds: number) => void): Store {
  return {
    get: (key: string): Promise<unknown> => store.get(key),
    scan: (range: Range): Promise<ScanResult> => store.scan(range),
    batch: async (ops: readonly StoreOp[]): Promise<void> => {
      const begun = performance.now();
      await store.batch(ops);
      took((performance.now() - begun) / 1000);
    },
    get failing(): string | undefined {
      return store.failing;
    },
    quarantine: (corrupt: Corrupt): Promise<void> => store.quarantine(corrupt),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
