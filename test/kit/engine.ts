/**
 * A Docker engine for tests: the one that `npm test` names in LIMPET_TEST_DOCKER, the one that answers on this machine,
 * or a private dockerd. The machine's own engine may hold other people's containers: touch only what your test made.
 */
import { BUSYBOX_IMAGE, importBusybox } from '../../fixtures/image/busybox.mjs';
import {
  engineAnswers,
  engineHost,
  privateEngineMissing,
  startPrivateEngine,
  type PrivateEngine,
} from '../../scripts/engine.mjs';
import { findStaticBusybox } from '../../scripts/programs.mjs';
import type { Teardown } from './teardown.ts';

export interface TestEngine {
  /** `unix:///path`, for DOCKER_HOST or a plugin's config; empty when skipped. */
  readonly host: string;
  /** Already in the engine: a static busybox, CMD sh, PATH=/bin. */
  readonly image: string;
  /** For tap's `skip` option: false, or why there is no engine here. */
  readonly skip: false | string;
}

export interface PrivateTestEngine extends TestEngine {
  readonly daemon: PrivateEngine;
}

/** For tap's `skip` option: false, or why this machine cannot run a dockerd of a test's own. */
export function privateEngineSkip(): false | string {
  const missing = privateEngineMissing() ?? imageMissing();
  return missing === undefined ? false : `needs a Docker engine: ${missing}`;
}

/** The engine shared by tests; a private one that had to be started ends at teardown. */
export async function testEngine(t: Teardown): Promise<TestEngine> {
  const host = process.env['LIMPET_TEST_DOCKER'] ?? engineHost();
  if (imageMissing() === undefined && (await engineAnswers(host))) {
    return { host, image: await importBusybox(host), skip: false };
  }
  const skip = privateEngineSkip();
  return skip === false ? privateEngine(t) : { host: '', image: BUSYBOX_IMAGE, skip };
}

/** A dockerd of this test alone, to be killed and started again at will; ends at teardown with all its containers. */
export async function privateEngine(
  t: Teardown,
  options: { readonly liveRestore?: boolean } = {},
): Promise<PrivateTestEngine> {
  const daemon = await startPrivateEngine(options);
  t.teardown(() => daemon.stop());
  return { host: daemon.host, image: await importBusybox(daemon.host), skip: false, daemon };
}

function imageMissing(): string | undefined {
  return findStaticBusybox() === undefined ? 'no static busybox to make its image from' : undefined;
}
