/** A module that reads a script beside it, `plugins/sdk/held/holder-script.ts`, has the script's text inside a bundle. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const inlineScripts = {
  name: 'inline-scripts',
  setup({ onLoad }) {
    onLoad({ filter: /\/held\/holder-script\.ts$/ }, ({ path }) => {
      const script = join(dirname(path), 'holder.sh');
      const text = JSON.stringify(readFileSync(script, 'utf8'));
      return { contents: `export const holderScript = () => ${text};`, watchFiles: [script] };
    });
  },
};
