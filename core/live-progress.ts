/** How far what an execution needs has come: known now, stored nowhere. */
import { z } from 'zod';

const KINDS = ['image', 'module', 'download', 'other'] as const;
const MOST_ITEM = 256;

export const liveProgressSchema = z.object({
  /** Newer ones tell of kinds that are not known here. */
  kind: z.enum(KINDS).catch('other'),
  /** The name of what is fetched; of `other`, what is being done, in words. */
  item: z.string().min(1).max(MOST_ITEM),
  doneBytes: z.number().int().nonnegative(),
  /** Missing: not known. */
  totalBytes: z.number().int().positive().exactOptional(),
});
export type LiveProgress = z.infer<typeof liveProgressSchema>;

export interface ToldProgress {
  readonly kind?: string | undefined;
  readonly item?: string | undefined;
  /** For people, where kind or item are not told. */
  readonly message: string;
  readonly doneBytes?: number | undefined;
  /** 0 is not known, too. */
  readonly totalBytes?: number | undefined;
}

/** Of what somebody else's program tells; undefined when that says nothing. */
export function liveProgress(told: ToldProgress): LiveProgress | undefined {
  const { doneBytes = 0, totalBytes = 0 } = told;
  const kind = KINDS.find((known) => known === told.kind) ?? 'other';
  const named = kind !== 'other' && (told.item ?? '') !== '';
  const item = (named ? (told.item ?? '') : told.message).slice(0, MOST_ITEM);
  if (item === '') return undefined;
  return {
    kind: named ? kind : 'other',
    item,
    doneBytes: whole(doneBytes),
    ...(whole(totalBytes) === 0 ? {} : { totalBytes: whole(totalBytes) }),
  };
}

function whole(bytes: number): number {
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : 0;
}

/** `image busybox:1 12 of 40 MB (30 %)` */
export function progressLine({ kind, item, doneBytes, totalBytes }: LiveProgress): string {
  const what = kind === 'other' ? item : `${kind} ${item}`;
  const amount = amountOf(doneBytes, totalBytes);
  return amount === '' ? what : `${what} ${amount}`;
}

const UNITS = [
  [1e12, 'TB'],
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
  [1, 'B'],
] as const;

/** Both in the unit of the larger one. */
function amountOf(done: number, total: number | undefined): string {
  const largest = Math.max(done, total ?? 0);
  if (largest === 0) return '';
  const [size, unit] = UNITS.find(([least]) => largest >= least) ?? [1, 'B'];
  const shown = (count: number): string => String(Number((count / size).toFixed(1)));
  if (total === undefined) return `${shown(done)} ${unit}`;
  const percent = Math.min(100, Math.floor((100 * done) / total));
  return `${shown(done)} of ${shown(total)} ${unit} (${percent} %)`;
}
