/**
 * `npm run demo`: set-up, then the main job on real input. Exits 0 when everything that this machine can show held.
 *
 *   1  the same text counted by a WASM, a Docker and a process job, and by `wc -w`
 *   2  three 20-second jobs at once; the agent is killed after 5 s, each plugin after 10 s; nothing may be lost
 *   3  bad input, refused in one line each
 */
import { engineAnswers, engineHost, privateEngineMissing, startPrivateEngine } from './engine.mjs';
import { setup } from './setup.mjs';
import { countWords } from './demo/words.mjs';
import { Report } from './demo/report.mjs';
import { showRefusals } from './demo/refusals.mjs';
import { surviveKills } from './demo/survive.mjs';
import { World } from './demo/world.mjs';

const began = performance.now();
const report = new Report();
process.exitCode = await main().then(
  () => report.finish((performance.now() - began) / 1000),
  (error) => {
    console.error(`demo: ${error.stack ?? error}`);
    return 1;
  },
);

async function main() {
  report.title('Set-up');
  await setup();
  const engine = await findEngine();
  const world = await World.open(engine?.host, report);
  try {
    await countWords(world, report);
    await surviveKills(world, report);
    await showRefusals(world, report);
  } catch (error) {
    await world.explain();
    throw error;
  } finally {
    await world.close();
    await engine?.stop();
  }
}

/** The machine's own engine, else a private one, else none: then the Docker parts are left out. */
async function findEngine() {
  const host = engineHost();
  if (await engineAnswers(host)) return { host, stop: () => undefined };
  const missing = privateEngineMissing();
  if (missing === undefined) return startPrivateEngine();
  report.note(`Docker parts are left out: no engine answers, and ${missing}`);
  return undefined;
}
