/**
 * Where downloads may go: public addresses, and what the operator has listed. A name is resolved once, all its addresses
 * are checked, and the connection is made to one of these: what a second look-up would answer does not matter.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { LimpetError } from '../../core/errors.ts';
import { kindOf, liesIn, parseBlock, sameAddress, type Block } from './address.ts';

export type Resolve = (name: string) => Promise<readonly LookupAddress[]>;

export interface DestinationOptions {
  /** Host names, addresses, CIDR blocks. */
  readonly allow: readonly string[];
  readonly resolve?: Resolve;
  /** Of this machine itself. */
  readonly own?: () => readonly string[];
}

export class Destinations {
  readonly #names: ReadonlySet<string>;
  readonly #blocks: readonly Block[];
  readonly #resolve: Resolve;
  readonly #own: () => readonly string[];

  constructor({ allow, resolve = systemResolve, own = ownAddresses }: DestinationOptions) {
    this.#blocks = allow.map(parseBlock).filter((block) => block !== undefined);
    this.#names = new Set(allow.map((name) => plainName(name)));
    this.#resolve = resolve;
    this.#own = own;
  }

  /** Errors: `refused` for a host that is given as an address which may not be fetched from. */
  checkHost(hostname: string): void {
    const address = hostname.replace(/^\[|\]$/g, '');
    if (isIP(address) !== 0) this.#check(hostname, [address]);
  }

  /** For `http.request`: answers addresses that may be fetched from, or fails with `refused`. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.#resolved(hostname).then(
      (found) => {
        const fits = found.filter(({ family }) =>
          options.family !== 4 && options.family !== 6 ? true : family === options.family,
        );
        const [first] = fits;
        if (options.all === true) callback(null, [...fits]);
        else if (first === undefined)
          callback(new LimpetError('unavailable', `${hostname} has no such address`), '', 0);
        else callback(null, first.address, first.family);
      },
      (thrown: unknown) => callback(LimpetError.from(thrown, 'unavailable'), '', 0),
    );
  };

  async #resolved(hostname: string): Promise<readonly LookupAddress[]> {
    const found = await this.#resolve(hostname);
    if (found.length === 0)
      throw new LimpetError('unavailable', `${hostname} resolves to no address`);
    if (!this.#names.has(plainName(hostname)))
      this.#check(
        hostname,
        found.map(({ address }) => address),
      );
    return found;
  }

  /** One that is not allowed spoils them all. The address itself is not told: whoever sent the job need not know it. */
  #check(host: string, addresses: readonly string[]): void {
    const own = this.#own();
    for (const address of addresses) {
      if (this.#blocks.some((block) => liesIn(address, block))) continue;
      const kind = own.some((mine) => sameAddress(mine, address)) ? 'own' : kindOf(address);
      if (kind === 'public') continue;
      const what = kind === 'own' ? "one of this node's own addresses" : `a ${kind} address`;
      throw new LimpetError(
        'refused',
        `${host} is ${what}, which is not fetched from; the node's operator can allow it in urlDownload.allow`,
      );
    }
  }
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** The system's resolver, so that the node's hosts file counts as for any other program. */
const systemResolve: Resolve = (name) =>
  new Promise((resolve, reject) => {
    dnsLookup(name, { all: true }, (error, found) => {
      if (error === null) resolve(found);
      else reject(lookupError(name, error));
    });
  });

function lookupError(name: string, error: NodeJS.ErrnoException): LimpetError {
  return error.code === 'ENOTFOUND'
    ? new LimpetError('unavailable', `${name} cannot be resolved: there is no such name`)
    : new LimpetError('unavailable', `${name} cannot be resolved: ${error.code ?? error.message}`);
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap(
    (addresses) => addresses?.map(({ address }) => address) ?? [],
  );
}
