/**
 * How much of the raw output of a held run is safe in its log: the file `taken` of the run folder,
 * `<bytes of stdout>:<bytes of stderr>`, the form of the cursor.
 */
import { join } from 'node:path';
import { readIfThere } from '../../adapters/durable/if-there.ts';

export interface RawPositions {
  readonly stdout: number;
  readonly stderr: number;
}

export const TAKEN_FILE = 'taken';

export function parsePositions(text: string): RawPositions {
  const [stdout = 0, stderr = 0] = text.split(':').map(Number);
  return { stdout, stderr };
}

export function readTaken(folder: string): RawPositions {
  return parsePositions(readIfThere(join(folder, TAKEN_FILE)) ?? '');
}
