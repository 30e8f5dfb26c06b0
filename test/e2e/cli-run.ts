/** The built cli against a fake requester. */
import { join } from 'node:path';
import { startDist } from '../kit/program.ts';
import type { Teardown } from '../kit/teardown.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { FakeRequester } from './cli-fake-requester.ts';

export const JOB = 'j-0193d5a0-1111-7000-8000-0000aabbccdd';
export const EXECUTION = 'e-0193d5a0-1111-7000-8000-00000000000a';

export async function limpet(
  t: Teardown,
  requester: Pick<FakeRequester, 'url'>,
  args: string[],
  input = '',
) {
  const env = {
    LIMPET_DATA: join(tempDir(t), 'none'),
    LIMPET_API: requester.url,
    LIMPET_TOKEN: 'secret',
  };
  const program = await startDist(t, 'limpet', { args, env, input });
  const { code } = await program.waitForExit(20_000);
  return { code, stdout: program.stdout, stderr: program.stderr };
}
