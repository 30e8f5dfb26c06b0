/** The licences of all packages that a release has code of, as one text. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const NOTICES = 'THIRD-PARTY-NOTICES.txt';

/** By these anybody may pass on what is licensed, with its notice. Another one is looked at by a person, then added. */
const KNOWN = [
  ...['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'CC0-1.0', 'ISC'],
  ...['MIT', 'MIT-0', 'Python-2.0', 'Unlicense', 'Zlib'],
];
const LICENCE_FILE = /^(licen[cs]e|copying|notice)([-.][\w.-]*)?$/i;
const CODE = /\.([cm]?[jt]s|json|map)$/;
const RULE = '-'.repeat(80);
const HEAD = `What lies here has code of the packages below, each under the licence that is named with it.
Limpet's own licence is in LICENSE.
`;

/** `folders`: of packages, relative to `root`. The same packages make the same text, wherever they lie. */
export function noticesOf(root, folders) {
  const found = new Map();
  for (const folder of folders) {
    const { name, version, licence } = describe(root, folder);
    const texts = textsIn(join(root, folder)).map(({ file, text }) => `${file}:\n\n${text}\n`);
    const head = `${name} ${version}\nLicence: ${licence}\n`;
    found.set(`${name} ${version}`, [RULE, head, ...texts].join('\n'));
  }
  const sorted = [...found.keys()].sort().map((key) => found.get(key));
  return [HEAD, ...sorted].join('\n');
}

/** Throws when nobody has said that its licence is good for a release. */
function describe(root, folder) {
  const about = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const { name, version, license: licence } = about;
  if (typeof licence !== 'string' || !isKnown(licence))
    throw new Error(
      `${name} ${version} (${folder}) is part of the release, and its licence is ${JSON.stringify(licence) ?? 'not told'}; expected one of ${KNOWN.join(', ')} (scripts/release/notices.mjs)`,
    );
  return { name, version, licence };
}

/** An expression of SPDX: in `A OR B` one has to be known, in `A AND B` both. */
function isKnown(expression) {
  const plain = expression.replaceAll(/[()]/g, ' ').trim();
  const isId = (id) => KNOWN.includes(id.trim());
  return plain.includes(' AND ')
    ? plain.split(/ AND | OR /).every(isId)
    : plain.split(' OR ').some(isId);
}

/** Sorted; of sources that a package has taken over too, of packages inside it not. Each text once. */
function textsIn(folder) {
  const files = readdirSync(folder, { recursive: true })
    .filter((file) => !file.split('/').includes('node_modules'))
    .filter((file) => LICENCE_FILE.test(file.split('/').at(-1)) && !CODE.test(file))
    .filter((file) => statSync(join(folder, file)).isFile())
    .sort();
  const texts = files.map((file) => ({ file, text: textOf(join(folder, file)) }));
  return texts.filter(({ text }, i) => texts.findIndex((one) => one.text === text) === i);
}

function textOf(file) {
  return readFileSync(file, 'utf8').replaceAll('\r\n', '\n').trim();
}
