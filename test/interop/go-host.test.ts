/** A host built on hashicorp/go-plugin drives a plugin that is built with our SDK. */
import t from 'tap';
import { goProgram, withoutGo } from '../kit/examples.ts';
import { distPath, startProgram } from '../kit/program.ts';
import { programDir } from '../kit/program-dir.ts';

t.setTimeout(300_000);

t.test(
  'a Go host starts, configures, runs, reattaches and ends our plugin',
  { skip: withoutGo },
  async (t) => {
    const folder = programDir(t);
    const host = await goProgram(t, 'example.com/interop/go-host');
    const args = [folder, process.execPath, distPath('executor-process.js')];
    const program = await startProgram(t, host, { args });
    const exit = await program.waitForExit(120_000);
    t.equal(exit.code, 0, exit.code === 0 ? 'it ends well' : program.stderr);
    t.same(JSON.parse(program.stdout), {
      Protocol: 'grpc',
      Name: 'process',
      Instance: '5f3b7c1e-0000-4000-8000-000000000001',
      Phase: 'PHASE_EXITED',
      Code: '7',
      Log: 'driven by Go\n',
      ReattachedInstance: '5f3b7c1e-0000-4000-8000-000000000001',
      ReattachedPhase: 'PHASE_EXITED',
      ExitedAfterKill: true,
    });
    // One that it cannot read is shown as it is, as debug text.
    t.match(
      program.stderr,
      /\[INFO\] .*: plugin\.serving: .*name=process/,
      'our log lines are records',
    );
    t.notMatch(program.stderr, /panic|failed to exit gracefully/);
  },
);
