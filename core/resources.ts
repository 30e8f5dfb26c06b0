/** Resources in whole units: thousandths of a core, bytes, devices. Text forms follow Bacalhau 1.9 (job spec, 6.4). */
import { LimpetError } from './errors.ts';

export interface Resources {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly gpus: number;
}

export const NO_RESOURCES: Resources = { cpuMillis: 0, memoryBytes: 0, diskBytes: 0, gpus: 0 };

export function addResources(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: a.cpuMillis + b.cpuMillis,
    memoryBytes: a.memoryBytes + b.memoryBytes,
    diskBytes: a.diskBytes + b.diskBytes,
    gpus: a.gpus + b.gpus,
  };
}

export function subtractResources(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: a.cpuMillis - b.cpuMillis,
    memoryBytes: a.memoryBytes - b.memoryBytes,
    diskBytes: a.diskBytes - b.diskBytes,
    gpus: a.gpus - b.gpus,
  };
}

/** The first resource of `wanted` that `available` cannot give, as a short sentence; undefined when all fit. */
export function firstShortage(wanted: Resources, available: Resources): string | undefined {
  if (wanted.cpuMillis > available.cpuMillis)
    return `cpu: ${wanted.cpuMillis}m wanted, ${Math.max(0, available.cpuMillis)}m free`;
  if (wanted.memoryBytes > available.memoryBytes)
    return `memory: ${wanted.memoryBytes} bytes wanted, ${Math.max(0, available.memoryBytes)} free`;
  if (wanted.diskBytes > available.diskBytes)
    return `disk: ${wanted.diskBytes} bytes wanted, ${Math.max(0, available.diskBytes)} free`;
  if (wanted.gpus > available.gpus)
    return `gpu: ${wanted.gpus} wanted, ${Math.max(0, available.gpus)} free`;
  return undefined;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  t: 1e12,
  tb: 1e12,
  p: 1e15,
  pb: 1e15,
  e: 1e18,
  eb: 1e18,
  ki: 2 ** 10,
  kib: 2 ** 10,
  mi: 2 ** 20,
  mib: 2 ** 20,
  gi: 2 ** 30,
  gib: 2 ** 30,
  ti: 2 ** 40,
  tib: 2 ** 40,
  pi: 2 ** 50,
  pib: 2 ** 50,
  ei: 2 ** 60,
  eib: 2 ** 60,
};

function tidy(text: string): string {
  return text.toLowerCase().replace(/\s+/g, '');
}

/** `500m` or `0.5` to 500. Throws `invalid-argument`. */
export function parseCpu(text: string): number {
  const value = tidy(text);
  const millis = /^(\d+)m$/.exec(value)?.[1];
  if (millis !== undefined) return Number(millis);
  if (/^(\d+\.?\d*|\.\d+)$/.test(value)) return Math.floor(Number(value) * 1000 + 1e-6);
  throw new LimpetError(
    'invalid-argument',
    `invalid CPU value '${text}'; expected cores such as 0.5 or 500m`,
  );
}

/** `512Mb` to 512000000, `1Gi` to 1073741824. Throws `invalid-argument`. */
export function parseBytes(text: string, what = 'memory'): number {
  const match = /^(\d+\.?\d*|\.\d+)([a-z]*)$/.exec(tidy(text));
  const factor = match?.[2] === undefined ? undefined : UNITS[match[2]];
  if (match?.[1] === undefined || factor === undefined)
    throw new LimpetError(
      'invalid-argument',
      `invalid ${what} value '${text}'; expected a number and a unit such as 512Mb or 1Gi`,
    );
  return Math.floor(Number(match[1]) * factor);
}
