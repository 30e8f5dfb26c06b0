/** `limpet job get ID`: the published results into a folder. */
import type { Command } from 'commander';
import { shortId } from '../../core/ids.ts';
import { resultPage } from '../api/models.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { findJobId } from '../jobs/find-job.ts';
import { fetchResults } from '../jobs/fetch-results.ts';
import { apiCommand, byteCount, connect, outputOption, wholeNumber } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';

const MOST_BYTES = 100 * 1024 ** 3;
const MOST_FILES = 1_000_000;

interface GetOptions extends ApiOptions, OutputOptions {
  readonly outputDir?: string;
  readonly maxSize: number;
  readonly maxFiles: number;
}

export function jobGet(context: Context): Command {
  return apiCommand('get', 'fetch the results of a job into a new folder')
    .argument('<job>', 'name, id, or a unique beginning or end of the id')
    .option('--output-dir <folder>', 'the folder; else ./job-ID')
    .option('--max-size <size>', 'refuse an archive that unpacks to more', byteCount, MOST_BYTES)
    .option('--max-files <n>', 'refuse an archive of more files', wholeNumber, MOST_FILES)
    .addOption(outputOption())
    .action(async (text: string, options: GetOptions) => {
      const api = connect(context, options);
      const id = await findJobId(api, text);
      const path = `orchestrator/jobs/${encodeURIComponent(id)}/results`;
      const { Items } = await api.get(path, resultPage);
      if (Items.length === 0) {
        if (options.output === 'json') print(context, JSON.stringify({ folder: null, files: [] }));
        note(
          context,
          'no results: the job has none yet, or publishes none (ResultPaths, Publisher)',
        );
        return;
      }
      const folder = options.outputDir ?? `job-${shortId(id)}`;
      const { files, leftOut } = await fetchResults(api, Items, {
        folder,
        limits: { maxBytes: options.maxSize, maxFiles: options.maxFiles },
      });
      for (const what of leftOut) note(context, `left out: ${what}`);
      if (options.output === 'json')
        print(context, JSON.stringify({ folder, files }, undefined, 2));
      else
        print(context, [`results in ${folder}:`, ...files.map((file) => `  ${file}`)].join('\n'));
    });
}
