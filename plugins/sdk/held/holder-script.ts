/** The program that holds a run, as text: a bundle has it inside (scripts/bundle-plugins.mjs). */
import { readFileSync } from 'node:fs';

export function holderScript(): string {
  return readFileSync(new URL('holder.sh', import.meta.url), 'utf8');
}
