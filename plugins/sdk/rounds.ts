/** Looks that many wait for now and then: one timer for all of them, and none while nobody waits. */

const EVERY_MS = 1_000;

const looks = new Set<() => void>();
let timer: NodeJS.Timeout | undefined;

/** Calls `look` once a second, until the answer is called. */
export function eachRound(look: () => void): () => void {
  looks.add(look);
  timer ??= setInterval(() => {
    for (const one of [...looks]) one();
  }, EVERY_MS);
  return () => {
    looks.delete(look);
    if (looks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
