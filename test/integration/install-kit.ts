/** Releases of several versions, and `limpet` run from one of them on a host below a folder. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOf, readRelease, versionName, type Release } from '../../cli/install/release.ts';
import { startProgram, type Program } from '../kit/program.ts';
import type { Teardown } from '../kit/teardown.ts';

const SYSTEMCTL = fileURLToPath(new URL('install-systemctl.mjs', import.meta.url));

/** A copy of an unpacked release that is another version, or whose agent is another program. */
export function otherVersion(release: string, version: string, agent?: string): string {
  const folder = `${release}-${version}`;
  cpSync(release, folder, { recursive: true });
  const about = readRelease(folder);
  for (const name of ['agent.cjs', 'limpet.js'])
    edit(join(folder, 'dist', name), (text) =>
      text.replaceAll(`"${about.version}"`, `"${version}"`),
    );
  if (agent !== undefined) writeFileSync(join(folder, 'dist/agent.cjs'), agent);
  describe(folder, { ...about, version });
  return folder;
}

/** Its release.json, with the build that fits its files. */
export function describe(folder: string, about: Release): void {
  const release = { ...about, build: buildOf(folder) };
  writeFileSync(join(folder, 'release.json'), `${JSON.stringify(release, undefined, 2)}\n`);
}

export function nameOf(release: string): string {
  return versionName(readRelease(release));
}

export function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

export class InstalledHost {
  readonly root: string;
  readonly #t: Teardown;

  constructor(t: Teardown, root: string) {
    this.#t = t;
    this.root = root;
  }

  at(path: string): string {
    return join(this.root, path);
  }

  text(path: string): string {
    return readFileSync(this.at(path), 'utf8');
  }

  /** A configuration that is there before. */
  write(path: string, config: unknown): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), JSON.stringify(config));
  }

  json(path: string): unknown {
    return JSON.parse(this.text(path));
  }

  /** `limpet` of `release`, with services. */
  start(release: string, ...args: string[]): Promise<Program> {
    return startProgram(this.#t, process.execPath, {
      args: [join(release, 'bin/limpet'), ...args, '--root', this.root, '--systemctl', SYSTEMCTL],
      env: { LIMPET_TEST_ROOT: this.root, LIMPET_LOG: 'json' },
    });
  }

  /** To its end. */
  async run(release: string, ...args: string[]): Promise<Program> {
    const program = await this.start(release, ...args);
    await program.waitForExit(120_000);
    return program;
  }
}
