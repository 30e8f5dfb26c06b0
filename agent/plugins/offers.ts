/** Which plugins there should be: those of the config, built-in ones too, and those of the folder. */
import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import type { Clock } from '../../adapters/clock/port.ts';
import { messageOf } from '../../core/errors.ts';
import { PluginFolder, type Offer } from './folder.ts';
import type { PluginSpec } from './port.ts';
import { checkProgram } from './program.ts';

export interface OfferSources {
  readonly specs: () => readonly PluginSpec[];
  /** undefined: there is none. */
  readonly folder: () => string | undefined;
}

export interface Offered extends Offer {
  /** Of its program now; undefined while that cannot be told. */
  readonly sha256: string | undefined;
}

export interface Offers {
  readonly offered: readonly Offered[];
  /** Names of which nothing is known now: they stay what they are. `all`: the folder cannot be read. */
  readonly unknown: ReadonlySet<string> | 'all';
  /** Look again soon. */
  readonly unsettled: boolean;
}

export class OfferBook {
  readonly #sources: OfferSources;
  readonly #folder: PluginFolder;
  /** By the files that a command names, as they were. */
  readonly #hashes = new Map<string, { readonly stamp: string; readonly sha256: string }>();

  constructor(sources: OfferSources, clock: Clock) {
    this.#sources = sources;
    this.#folder = new PluginFolder(clock);
  }

  /** A release is looked at anew after this; it does not change under a running agent. */
  forgetBuiltIn(): void {
    for (const { source, name } of this.#sources.specs())
      if (source === 'built-in') this.#hashes.delete(name);
  }

  /** Never throws, unless `warn` does; that is told why the folder is not read. */
  async look(warn: (reason: string) => void): Promise<Offers> {
    const given = this.#sources.specs().map((spec): Offer => ({ spec, refused: '' }));
    const folder = this.#sources.folder();
    try {
      const found = folder === undefined ? undefined : await this.#folder.look(folder);
      const known = new Map(given.map(({ spec }) => [spec.name, spec.source ?? 'config']));
      const own = (found?.offers ?? []).map((offer) => withoutTwin(offer, known));
      return {
        offered: await Promise.all([...given, ...own].map((offer) => this.#hashed(offer))),
        unknown: new Set(found?.unsettled),
        unsettled: (found?.unsettled.length ?? 0) > 0,
      };
    } catch (thrown) {
      warn(messageOf(thrown));
      const offered = await Promise.all(given.map((offer) => this.#hashed(offer)));
      return { offered, unknown: 'all', unsettled: false };
    }
  }

  async #hashed(offer: Offer): Promise<Offered> {
    const { spec, refused } = offer;
    if (refused !== '') return { ...offer, sha256: undefined };
    const known = this.#hashes.get(spec.name);
    if (spec.source === 'built-in' && known !== undefined)
      return { ...offer, sha256: known.sha256 };
    try {
      const stamp = await stampOf(spec);
      const sha256 = known?.stamp === stamp ? known.sha256 : await checkProgram(spec);
      this.#hashes.set(spec.name, { stamp, sha256 });
      return { ...offer, sha256 };
    } catch {
      // Told by whoever starts it.
      return { ...offer, sha256: undefined };
    }
  }
}

function withoutTwin(offer: Offer, known: ReadonlyMap<string, string>): Offer {
  const twin = known.get(offer.spec.name);
  if (twin === undefined) return offer;
  const whose = twin === 'built-in' ? 'of a built-in executor' : 'of a plugin of the config';
  return { ...offer, refused: `the name ${offer.spec.name} is that ${whose}; rename the file` };
}

async function stampOf({ command }: PluginSpec): Promise<string> {
  const stamps = command.filter(isAbsolute).map(async (path) => {
    const found = await stat(path).catch(() => undefined);
    const facts = found && [found.ino, found.size, found.mtimeMs, found.ctimeMs];
    return `${path} ${facts?.join(' ') ?? ''}`;
  });
  return (await Promise.all(stamps)).join('\n');
}
