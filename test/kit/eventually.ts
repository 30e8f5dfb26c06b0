/** Polls until `look` answers something true; past the deadline it fails with the last state that was seen. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs: number,
): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    let last: T | string;
    try {
      last = await look();
    } catch (thrown) {
      last = `threw ${String(thrown)}`;
      if (performance.now() > end)
        throw new Error(`${what}: not within ${deadlineMs} ms; last: ${last}`);
      await pause();
      continue;
    }
    if (last !== undefined && last !== null && last !== false) return last;
    if (performance.now() > end)
      throw new Error(`${what}: not within ${deadlineMs} ms; last: ${String(last)}`);
    await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
