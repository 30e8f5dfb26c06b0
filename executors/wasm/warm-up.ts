/**
 * One run of a tiny guest before the real one: loads what Extism loads lazily (undici, for `instanceof Response`) and
 * compiles our own code on the way. It takes the first milliseconds off every run.
 */
import { call, prepare } from './guest.ts';
import { Verdict } from './verdict.ts';

/** `_start` writes one line feed to stdout; made from a few lines of .wat. */
const GUEST =
  'AGFzbQEAAAABDAJgBH9/f38Bf2AAAAIjARZ3YXNpX3NuYXBzaG90X3ByZXZpZXcxCGZkX3dyaXRlAAADAgEBBQMBAAEH' +
  'EwIGbWVtb3J5AgAGX3N0YXJ0AAEKDwENAEEBQQBBAUEQEAAaCwsPAQBBAAsJCAAAAAEAAAAK';

export async function warmUp(): Promise<void> {
  void Response;
  const entry = { function: '_start', config: {} };
  const assignment = {
    name: { executionId: 'warm-up', run: 0 },
    // Its stdout and stderr are ours, which the plugin has pointed at /dev/null.
    owner: '',
    folder: '/dev',
    modulePath: '',
    call: entry,
    args: [],
    env: {},
    mounts: [],
    memoryPages: 1,
    maxOutputBytes: 4096,
    maxDiskBytes: 0,
    maxFiles: 0,
    deadlineAt: 0,
  };
  const guest = prepare(assignment, new Verdict(), (outcome) => {
    throw new Error(`the warm-up ended with ${outcome.reason}`);
  });
  await call(new WebAssembly.Module(Buffer.from(GUEST, 'base64')), entry, guest);
  guest.close();
}
