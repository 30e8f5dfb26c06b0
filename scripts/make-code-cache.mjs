/** `node FLAGS scripts/make-code-cache.mjs PROGRAM.cjs CACHE ARGUMENT...`: runs the program to its end and keeps its code. */
import { writeFileSync } from 'node:fs';
import { load } from './code-cache.mjs';

const [file, cache] = process.argv.splice(2, 2);
const program = load(file);
process.once('exit', () => {
  if (!program.isCached) writeFileSync(cache, program.cache());
});
program.run();
