/** Holds a log of numbered lines against what was written. Lines may be missing only where the log itself tells of a gap. */
import type { LogPart } from '../kit/cluster.ts';

export interface LogFinding {
  readonly kind: 'lost' | 'doubled' | 'out of order';
  readonly what: string;
}

export interface LogAudit {
  readonly finding: LogFinding | undefined;
  /** Missing, and told as a gap. */
  readonly missing: number;
}

export function auditLog(parts: readonly LogPart[], lines: number): LogAudit {
  const seen = new Set<string>();
  let next = 1;
  let missing = 0;
  let inGap = false;
  const wrong = (kind: LogFinding['kind'], what: string): LogAudit => ({
    finding: { kind, what: `the log of ${lines} lines ${what}` },
    missing,
  });
  for (const line of linesOf(parts)) {
    if (line === 'gap') {
      inGap = true;
      continue;
    }
    if (seen.has(line)) return wrong('doubled', `has '${line}' twice`);
    seen.add(line);
    const n = Number(/^line (\d+)$/.exec(line)?.[1]);
    if (!(n >= next && n <= lines)) return wrong('out of order', `has '${line}' for line ${next}`);
    if (n > next && !inGap) return wrong('lost', `has no line ${next}, and tells no gap there`);
    missing += n - next;
    next = n + 1;
    inGap = false;
  }
  if (next <= lines && !inGap) return wrong('lost', `ends before line ${next}, and tells no gap`);
  return { finding: undefined, missing: missing + lines + 1 - next };
}

/** Whole lines, and the word `gap` where one stands. */
function linesOf(parts: readonly LogPart[]): readonly string[] {
  const found: string[] = [];
  let rest = '';
  for (const { stream, text } of parts) {
    if (stream === 'gap') {
      found.push('gap');
      continue;
    }
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    found.push(...lines);
  }
  return rest === '' ? found : [...found, rest];
}
