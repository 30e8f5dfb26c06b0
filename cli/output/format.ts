/** How times, sizes and labels are shown to people. */

const STEPS = [
  [1000, 's', 120],
  [60_000, 'm', 120],
  [3_600_000, 'h', 48],
  [86_400_000, 'd', Infinity],
] as const;

/** `45s`, `3m`, `5h`, `12d`: the age of something at `atMs`; '' when it has no time. */
export function age(atMs: number | undefined, nowMs: number): string {
  if (atMs === undefined || Number.isNaN(atMs)) return '';
  const passed = Math.max(0, nowMs - atMs);
  for (const [unit, letter, limit] of STEPS)
    if (passed < unit * limit) return `${Math.floor(passed / unit)}${letter}`;
  return '';
}

/** `0.8s`, `12s`, `2m05s`, `1h03m`: how long something took. */
export function duration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${two(seconds % 60)}s`;
  return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** Powers of 1000, as in job files: `512 MB`, `1.5 GB`. */
export function bytes(count: number | null | undefined): string {
  let value = count ?? 0;
  for (const unit of ['B', 'kB', 'MB', 'GB', 'TB'])
    if (value < 1000 || unit === 'TB') return `${Number(value.toFixed(1))} ${unit}`;
    else value /= 1000;
  return '';
}

/** `a=b c=d`, sorted. */
export function labels(map: Readonly<Record<string, string>> | null | undefined): string {
  return Object.entries(map ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(' ');
}

/** `2026-04-18 10:31:23` in UTC. */
export function timestamp(atMs: number | undefined): string {
  if (atMs === undefined || Number.isNaN(atMs)) return '';
  return new Date(atMs).toISOString().slice(0, 19).replace('T', ' ');
}
