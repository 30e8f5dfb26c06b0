/** The Node that services are run by. */
import { spawnSync } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { Release } from './release.ts';

const ANSWER_MS = 30_000;
/** The units see nothing below these. */
const HIDDEN = /^\/(home|root|run\/user|tmp|var\/tmp)\//;

export interface NodeProgram {
  readonly path: string;
  /** Without the `v`. */
  readonly version: string;
}

const aboutSchema = z.object({ version: z.string(), arch: z.string(), glibc: z.boolean() });
const ABOUT =
  'JSON.stringify({ version: process.versions.node, arch: process.arch, glibc: process.report.getReport().header.glibcVersionRuntime !== undefined })';

/** Errors: `invalid-argument` when `release` does not run by it. */
export function checkNode(path: string, release: Release, services: boolean): NodeProgram {
  const about = ask(path);
  if (isOlder(about.version, release.node))
    throw unfit(`Node ${about.version} of ${path} is too old: expected ${release.node}`);
  if (about.arch !== release.arch)
    throw unfit(
      `this release is for ${release.arch}, and ${path} is a Node for ${about.arch}; take limpet-${release.version}-linux-${about.arch}.tar.gz`,
    );
  if (!about.glibc)
    throw unfit(`this release needs glibc, and ${path} is linked with another libc`);
  if (services && HIDDEN.test(path))
    throw unfit(
      `the services cannot see ${path}: home folders and /tmp are hidden from them; install Node for the whole system, or name another with --node`,
    );
  return { path, version: about.version };
}

function ask(path: string): z.infer<typeof aboutSchema> {
  if (!isAbsolute(path)) throw unfit(`--node ${path}: expected an absolute path`);
  const { stdout, error, status } = spawnSync(path, ['-p', ABOUT], {
    encoding: 'utf8',
    timeout: ANSWER_MS,
  });
  if (error !== undefined || status !== 0)
    throw unfit(`${path} is no Node that runs: ${error?.message ?? `exit ${status}`}`);
  return aboutSchema.parse(JSON.parse(stdout));
}

/** `wanted`: `>=20.11`. */
export function isOlder(version: string, wanted: string): boolean {
  const [have, least] = [version, wanted.replace(/^>=/, '')].map((text) =>
    text.split('.').map(Number),
  );
  const [major = 0, minor = 0] = have ?? [];
  const [leastMajor = 0, leastMinor = 0] = least ?? [];
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

function unfit(message: string): LimpetError {
  return new LimpetError('invalid-argument', message);
}
