/**
 * `npx tsx scripts/cli-docs.mjs [--check]`: writes the help of every command into docs/cli.md, behind its introduction.
 * `--check` writes nothing and exits 1 when the page is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { createProgram } from '../cli/program.ts';

const file = fileURLToPath(new URL('../docs/cli.md', import.meta.url));
const MARK = '<!-- What follows is written by `npx tsx scripts/cli-docs.mjs`. -->';
const WIDTH = 100;

const page = readFileSync(file, 'utf8');
const introduction = page.slice(
  0,
  page.includes(MARK) ? page.indexOf(MARK) : page.indexOf('\n## ') + 1,
);
const wanted = `${introduction}${MARK}\n\n${sections().join('\n\n')}\n`;
if (wanted !== page) {
  if (process.argv.includes('--check')) {
    console.error('docs/cli.md is out of date; run `npx tsx scripts/cli-docs.mjs`');
    process.exitCode = 1;
  } else writeFileSync(file, wanted);
}

function sections() {
  const none = Object.assign(new PassThrough(), { columns: WIDTH });
  const context = { env: {}, stdin: none, stdout: none, stderr: none, now: () => 0 };
  return commandsOf(
    createProgram(context, () => undefined),
    '',
  ).map(({ name, help }) => `## ${name}\n\n\`\`\`\n${help.trim()}\n\`\`\``);
}

/** Depth first, as the help lists them. A command that only groups others is left out, the first one is not. */
function commandsOf(command, parents) {
  const name = `${parents}${command.name()}`;
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => WIDTH });
  command.outputHelp();
  const children = command.commands.flatMap((child) => commandsOf(child, `${name} `));
  const groups = command.commands.length > 0 && command.options.length === 0 && parents !== '';
  return groups ? children : [{ name, help }, ...children];
}
