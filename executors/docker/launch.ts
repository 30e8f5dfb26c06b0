/**
 * Starting a run once and only once:
 *
 *   create under the deterministic name  (409: inspect, compare, adopt or refuse)
 *   write the mark `launching`           (fsynced: from here on this run may have begun)
 *   start
 *
 * Called again after any crash. What decides is the engine: a container that has never been started is started, marked or
 * not; any other is left as it is. A mark without a container means that the run is lost: nothing is created again.
 */
import { LimpetError } from '../../core/errors.ts';
import type { RunContext } from '../../plugins/sdk/types.ts';
import type { DockerConfig } from './config.ts';
import { createOptions } from './create-options.ts';
import { engineMessage, isAway, statusOf } from './engine-error.ts';
import type { Container, Engine } from './engine.ts';
import { containerName, isOurs, specHashOf, type Identity } from './labels.ts';
import type { Limit } from './limit.ts';
import type { DockerParams } from './params.ts';
import { readMark, writeMark } from './run-files.ts';

export interface Launcher {
  readonly engine: Engine;
  /** undefined: the engine has no id and may get none, since runs of another engine are on record. */
  readonly engineId: () => Promise<string | undefined>;
  readonly identity: Identity;
  readonly config: DockerConfig;
  readonly bootId: string;
  readonly starts: Limit;
  /** Crash points of `core/crash-points.ts`. */
  readonly reach: (point: 'plugin.start.marked' | 'plugin.start.launched') => void;
}

type Run = RunContext<DockerParams>;

/** Throws unless the container is this very run's. */
function requireOurs(container: Container, run: Run, identity: Identity): void {
  if (!isOurs(identity, container))
    throw new LimpetError(
      'refused',
      `the name ${container.name} is taken by container ${container.id.slice(0, 12)}, which is not ours; rename or remove it`,
    );
  if (specHashOf(container.labels) !== run.spec.specHash)
    throw new LimpetError(
      'already-exists',
      `container ${container.name} was made from another spec of the same run`,
    );
}

async function createOrFind(on: Launcher, run: Run, name: string): Promise<Container | undefined> {
  const options = createOptions(run.spec, on.config, on.identity);
  try {
    await on.engine.create(name, options);
  } catch (thrown) {
    const status = statusOf(thrown);
    if (status === 404)
      throw new LimpetError('refused', `image ${run.spec.params.Image} is not on this node any more`, {
        cause: thrown,
      });
    if (status === 400)
      throw new LimpetError('refused', `the engine refused the run: ${engineMessage(thrown)}`, {
        cause: thrown,
      });
    if (status !== 409) throw thrown;
  }
  return await on.engine.inspect(name);
}

/** Returns when the run has been launched now or before, or is lost. LimpetError `refused`: the work itself cannot run. */
export async function launch(on: Launcher, run: Run): Promise<void> {
  const name = containerName(on.identity, run.spec.key);
  const mark = await readMark(run.folder);
  let container = await on.engine.inspect(name);
  if (container === undefined) {
    if (mark !== undefined) return;
    container = await createOrFind(on, run, name);
  }
  if (container === undefined)
    throw new LimpetError('engine-failed', `container ${name} was gone right after it had been created`);
  requireOurs(container, run, on.identity);
  if (container.status !== 'created' || container.startedAt !== undefined) return;
  if (mark?.containerId !== container.id) await writeMark(run.folder, await newMark(on, container.id));
  on.reach('plugin.start.marked');
  await startCreated(on, container);
  on.reach('plugin.start.launched');
}

async function newMark(on: Launcher, containerId: string) {
  const engineId = await on.engineId();
  if (engineId === undefined)
    throw new LimpetError('unavailable', 'engine changed: runs of another engine are on record');
  return { containerId, bootId: on.bootId, engineId };
}

async function startCreated(on: Launcher, { id, name }: Container): Promise<void> {
  try {
    await on.starts.run(() => on.engine.start(id));
  } catch (thrown) {
    if (isAway(thrown) || statusOf(thrown) === undefined) throw thrown;
    const now = await on.engine.inspect(id);
    if (now !== undefined && now.startedAt !== undefined) return;
    throw new LimpetError('refused', `${name} could not be started: ${engineMessage(thrown)}`, {
      cause: thrown,
    });
  }
}
