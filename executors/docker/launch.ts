/**
 * Starting a run once and only once:
 *
 *   create under the deterministic name  (409: inspect, compare, adopt or refuse), and read the engine's id
 *   write the mark `launching`           (fsynced: from here on this run may have begun)
 *   start
 *
 * Called again after any crash. What decides is the engine: a container that has never been started is started, marked or
 * not; any other is left as it is. A mark without a container means that the run is lost: nothing is created again. The
 * same when the engine was restarted since the mark: see `observe.ts`.
 */
import { LimpetError, pause, type ExecutorHost, type RunContext } from '../../plugins/sdk/index.ts';
import type { DockerConfig } from './config.ts';
import { createOptions } from './create-options.ts';
import { engineMessage, isAway, statusOf } from './engine-error.ts';
import type { Container, Engine } from './engine.ts';
import { containerName, isOurs, specHashOf, type Identity } from './labels.ts';
import type { Limit } from './limit.ts';
import type { DockerParams } from './params.ts';
import { prepareImage, type ImageSource } from './prepare.ts';
import { readMark, writeMark, type Mark } from './run-files.ts';

export interface Launcher {
  readonly engine: Engine;
  readonly source: ImageSource;
  /** undefined: the engine has no id and may get none, since runs of another engine are on record. */
  readonly engineId: () => Promise<string | undefined>;
  /** undefined: not known. */
  readonly engineProcess: () => Promise<string | undefined>;
  readonly identity: Identity;
  readonly config: DockerConfig;
  readonly host: Pick<ExecutorHost, 'bootId' | 'reach'>;
  readonly starts: Limit;
  readonly closing: AbortSignal;
}

type Run = RunContext<DockerParams>;
/** `engineId` when it was asked together with the create. */
type Created = Pick<Container, 'id' | 'name'> & { readonly engineId?: string | undefined };

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

/** Another create of the same name may hold it and not be done yet. */
const CREATE_TRIES = 50;
const CREATE_RETRY_MS = 100;

/** The container of this run that has never been started; undefined when it has been. */
async function createOrFind(on: Launcher, run: Run, name: string): Promise<Created | undefined> {
  const { digest, params } = run.spec;
  on.source.images.use(digest);
  try {
    return await createNamed(on, run, { name, image: digest === '' ? params.Image : digest });
  } catch (thrown) {
    if (statusOf(thrown) !== 404) throw createError(thrown, run);
  }
  // The image that was prepared is not here: this may be another engine.
  const { config, closing } = on;
  const options = { config, progress: () => undefined, signal: closing };
  const image = await prepareImage(on.source, params, options);
  try {
    return await createNamed(on, run, { name, image });
  } catch (thrown) {
    throw createError(thrown, run);
  }
}

async function createNamed(
  on: Launcher,
  run: Run,
  { name, image }: { readonly name: string; readonly image: string },
): Promise<Created | undefined> {
  const options = createOptions(run.spec, image, on);
  for (let tries = 0; tries < CREATE_TRIES; tries++) {
    try {
      // Both connect at once, so that one and the same engine answers.
      const create = on.engine.create(name, options);
      const [id, engineId] = await Promise.all([create, on.engineId()]);
      return { id, name, engineId };
    } catch (thrown) {
      if (statusOf(thrown) !== 409) throw thrown;
    }
    const container = await on.engine.inspect(name);
    if (container !== undefined) return neverStarted(container, run, on.identity);
    await pause(CREATE_RETRY_MS, on.closing);
  }
  throw new LimpetError(
    'conflict',
    `the name ${name} is taken, but the engine shows no such container`,
  );
}

function createError(thrown: unknown, { spec }: Run): unknown {
  const options = { cause: thrown };
  const status = statusOf(thrown);
  if (status === 404)
    return new LimpetError(
      'refused',
      `image ${spec.params.Image} is not on this node any more`,
      options,
    );
  if (status === 400)
    return new LimpetError(
      'refused',
      `the engine refused the run: ${engineMessage(thrown)}`,
      options,
    );
  return thrown;
}

/** Returns when the run has been launched now or before, or is lost. LimpetError `refused`: the work itself cannot run. */
export async function launch(on: Launcher, run: Run): Promise<void> {
  const name = containerName(on.identity, run.spec.key);
  const mark = await readMark(run.folder);
  const container =
    mark === undefined ? await createOrFind(on, run, name) : await findMarked(on, run, name);
  if (container === undefined || (await isCutOff(on, mark))) return;
  if (mark?.containerId !== container.id) await writeMark(run.folder, await newMark(on, container));
  on.host.reach('plugin.start.marked');
  await startCreated(on, container);
}

/** The engine was restarted since the mark: the start may have been under way. */
async function isCutOff(on: Launcher, mark: Mark | undefined): Promise<boolean> {
  if (mark?.engineProcess === undefined) return false;
  const now = await on.engineProcess();
  return now !== undefined && now !== mark.engineProcess;
}

async function findMarked(on: Launcher, run: Run, name: string): Promise<Created | undefined> {
  const container = await on.engine.inspect(name);
  return container === undefined ? undefined : neverStarted(container, run, on.identity);
}

function neverStarted(container: Container, run: Run, identity: Identity): Created | undefined {
  requireOurs(container, run, identity);
  const isNew = container.status === 'created' && container.startedAt === undefined;
  return isNew ? container : undefined;
}

async function newMark(on: Launcher, { id: containerId, ...found }: Created): Promise<Mark> {
  const engineId = found.engineId ?? (await on.engineId());
  if (engineId === undefined)
    throw new LimpetError('unavailable', 'engine changed: runs of another engine are on record');
  const mark = { containerId, bootId: on.host.bootId, engineId };
  const engineProcess = await on.engineProcess();
  return engineProcess === undefined ? mark : { ...mark, engineProcess };
}

async function startCreated(on: Launcher, { id, name }: Created): Promise<void> {
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
