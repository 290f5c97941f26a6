// Writes docs/api.md from the declarations that the package carries; with --check says whether it is that already.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { doors, reachable } from './declarations.mjs';

const packageRoot = dirname(import.meta.dirname);
const file = join(packageRoot, 'docs', 'api.md');

/** The text of a comment in the source, without what makes it one. */
const plain = (comment) =>
  comment
    .replace(/^\s*\/\*\*\s?|\s*\*\/\s*$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, ''))
    .join('\n')
    .trim();

/** A comment's parts: what it says first, then its tags in order. */
function parts(comment) {
  const [said = '', ...tagged] = plain(comment).split(/^@(?=[a-z]+\b)/m);
  const tags = tagged.map((text) => {
    const [, tag, rest] = /^([a-z]+)\s*(.*)$/s.exec(text);
    return { tag, text: rest.trim() };
  });
  return { said: said.trim(), tags };
}

const oneLine = (text) => text.replace(/\s*\n\s*/g, ' ');

/** Where the names that examples use come from; what is not here is a door's. */
const others = { Worker: 'node:worker_threads', Piscina: 'piscina' };

function example(code, doorOf) {
  const used = new Map();
  const bare = code.replace(/'[^'\n]*'|\/\/.*$/gm, '');
  for (const [name] of bare.matchAll(/(?<![.\w])[A-Za-z_]\w*\b(?!\s*:)/g)) {
    const from = others[name] ?? doorOf.get(name);
    if (from !== undefined) used.set(from, new Set(used.get(from)).add(name));
  }
  const imports = [...used].map(([from, names]) => `import { ${[...names].join(', ')} } from '${from}';`);
  return ['```js', ...imports, '', code, '```'].join('\n');
}

function described({ said, tags }, doorOf) {
  const paragraphs = [said];
  const parameters = tags.filter(({ tag }) => tag === 'param').map(({ text }) => /^(\w+)\s+(.*)$/s.exec(text));
  if (parameters.length > 0) paragraphs.push(parameters.map(([, name, text]) => `- \`${name}\`: ${oneLine(text)}`).join('\n'));
  for (const { tag, text } of tags) {
    if (tag === 'returns') paragraphs.push(`Returns ${oneLine(text)}`);
    if (tag === 'throws') paragraphs.push(`Throws ${oneLine(text).replace(/^\{(.+?)\}\s*/, '`$1` ')}`.replace(/` (?=[a-z`])/, '`: '));
    if (tag === 'example') paragraphs.push(example(text, doorOf));
  }
  return paragraphs.filter((text) => text !== '');
}

const hexadecimal = (text) => text.replace(/ = (\d{5,});/, (_, digits) => ` = 0x${Number(digits).toString(16)};`);

/** A declaration as it is shown: without `export declare`, and without what nobody outside can use. */
const shown = (lines) =>
  lines
    .join('\n')
    .replace(/^export (declare )?/, '')
    .replace(/^ *(#private|private constructor\(\));\n/gm, '')
    .replace(/^ +/gm, ({ length }) => ' '.repeat((length >> 1) + (length % 2)))
    .replace(/^type .{120,}$/m, (type) => type.replace(/ = /, ' =\n  | ').replaceAll(" | '", "\n  | '"))
    .trim();

function section({ name, statement, lines }, doorOf) {
  const text = lines.slice(statement.first, statement.last + 1).join('\n');
  const [, comment = '', code] = /^(\s*\/\*\*.*?\*\/\n)?(.*)$/s.exec(text);
  return [`### ${name}`, ...described(parts(comment), doorOf), ['```ts', hexadecimal(shown(code.split('\n'))), '```'].join('\n')].join(
    '\n\n',
  );
}

function reference() {
  const entries = doors();
  const { files, exported } = reachable(entries);
  const doorOf = new Map();
  for (const [door, names] of exported) for (const name of names) if (!doorOf.has(name)) doorOf.set(name, door);

  // As GitHub numbers headings of the same letters.
  const anchors = new Map();
  const taken = new Map();
  const anchor = (heading) => {
    const slug = heading.toLowerCase().replace(/[^\w -]/g, '');
    const times = taken.get(slug) ?? 0;
    taken.set(slug, times + 1);
    anchors.set(heading, times === 0 ? slug : `${slug}-${times}`);
  };
  const link = (name, text = name) => `[${text}](#${anchors.get(name)})`;

  /** Where a name that a door exports is declared. */
  const declarationOf = (path, name) => {
    const { statements, lines } = files.get(path);
    for (const statement of statements) {
      if (statement.names.includes(name) && statement.node.type !== 'ImportDeclaration') return { name, statement, lines };
      const specifier = statement.node.specifiers?.find(({ exported, local }) => (exported ?? local).name === name);
      if (specifier !== undefined && statement.target !== undefined)
        return declarationOf(statement.target, (specifier.imported ?? specifier.local).name);
    }
    throw new Error(`${path} does not say what ${name} is`);
  };

  const textOf = ({ lines, statement }) => lines.slice(statement.first, statement.last + 1).join('\n');
  const isConstant = (found) => /^(\s*\/\*\*.*?\*\/\n)?export declare const \w+ = .*$/s.test(textOf(found));
  const isType = ({ statement }) => statement.node.declaration.type.startsWith('TS');
  const chapters = entries.map(([door, path]) => {
    const all = exported.get(door).map((name) => ({ ...declarationOf(path, name), as: name }));
    const own = all.filter(({ name }) => doorOf.get(name) === door);
    const values = own.filter((found) => !isConstant(found));
    return {
      door,
      same: all.filter((found) => !own.includes(found)),
      constants: own.filter(isConstant).sort((one, other) => (one.lines === other.lines ? one.statement.first - other.statement.first : 0)),
      sections: [...values.filter((found) => !isType(found)), ...values.filter(isType)],
    };
  });
  anchor('API');
  for (const { door, sections } of chapters) {
    anchor(door);
    for (const { name } of sections) anchor(name);
  }
  const text = chapters.map(({ door, same, constants, sections }) => {
    const told = same.map(({ as, name }) => `\`${as}\` is ${link(name, `\`${name}\``)} of \`${doorOf.get(name)}\`.`);
    const lines = constants.map((found) =>
      hexadecimal(
        textOf(found)
          .trim()
          .replace(/^export declare /m, ''),
      ),
    );
    return [
      `## ${door}`,
      ...(told.length > 0 ? [told.join(' ')] : []),
      ...(lines.length > 0 ? [['```ts', ...lines, '```'].join('\n')] : []),
      ...sections.map((found) => section(found, doorOf)),
    ].join('\n\n');
  });
  const contents = chapters.map(
    ({ door, sections }) => `- ${link(door, `\`${door}\``)}: ${sections.map(({ name }) => link(name)).join(' · ')}`,
  );
  return [
    '# API',
    "Made by `npm run reference` from the declarations that the package carries; an editor shows the same. Masks are bigint;\nCPUs go by the operating system's numbers.",
    contents.join('\n'),
    ...text,
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

const asked = process.argv.slice(2);
if (asked.length === 0) writeFileSync(file, reference());
else if (asked.length === 1 && asked[0] === '--check') {
  if (readFileSync(file, 'utf8') !== reference()) {
    console.error('docs/api.md is not what the declarations say: npm run build && npm run reference');
    process.exitCode = 1;
  }
} else {
  console.error('node lib/reference.mjs [--check]');
  process.exitCode = 2;
}
