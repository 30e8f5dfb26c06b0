/**
 * `npx tsx scripts/conformance-docs.mjs [--check]`: writes the list of rules in docs/plugin-conformance.md from the rules
 * themselves; what stands above the mark is written by hand. `--check` writes nothing and exits 1 when the page is out of
 * date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { RULES } from '../plugins/conformance/rules.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/plugin-conformance.md');
const MARK = '<!-- from here on written by scripts/conformance-docs.mjs -->';

const before = readFileSync(page, 'utf8');
const [byHand] = before.split(MARK);
const groups = [...new Set(RULES.map(groupOf))];
const text = [`${byHand.trimEnd()}\n\n${MARK}`, '', '## Rules', '', ...groups.map(section)].join(
  '\n',
);
const pretty = await format(text, { ...(await resolveConfig(page)), filepath: page });

if (pretty !== before && process.argv.includes('--check')) {
  console.error(
    'out of date: docs/plugin-conformance.md; run `npx tsx scripts/conformance-docs.mjs`',
  );
  process.exitCode = 1;
} else if (pretty !== before) writeFileSync(page, pretty);

function groupOf({ id }) {
  return id.split('/')[0];
}

function section(group) {
  const rows = RULES.filter((rule) => groupOf(rule) === group).map(
    ({ id, title, needs = [], slow }) =>
      `| \`${id}\` | ${title.replaceAll('|', '\\|')} | ${[...needs, ...(slow ? ['--slow'] : [])].join(', ')} |`,
  );
  return [
    '### ' + group,
    '',
    '| Rule | What the plugin does | Needs |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
