// Writes the types that the package carries, from those that tsc left in dist/: behind each door what it exports and what
// that names, and nothing else, so that a reader finds no word that can't be imported. Each file stands twice: as .d.ts
// for `import`, as .d.cts for `require`. Maps lead to the sources.
import { existsSync, readdirSync, readFileSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseAst } from 'rolldown/parseAst';

const packageRoot = dirname(import.meta.dirname);

/** The declarations of each door, by the name that it is imported under. */
export function doors() {
  const { name, exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  return Object.entries(exports)
    .filter(([, conditions]) => conditions.default?.types !== undefined)
    .map(([path, conditions]) => [name + path.slice(1), join(packageRoot, conditions.default.types)]);
}

const declared = (statement) => {
  const declaration = statement.declaration ?? statement;
  if (declaration.type === 'VariableDeclaration') return declaration.declarations.map(({ id }) => id.name);
  return declaration.id ? [declaration.id.name] : [];
};

const leftmost = (name) => (name.type === 'TSQualifiedName' ? leftmost(name.left) : name.type === 'Identifier' ? name.name : undefined);

/** The names that a declaration refers to: not those of its members and parameters. */
function referred(node, found = new Set()) {
  if (Array.isArray(node)) for (const item of node) referred(item, found);
  if (node === null || typeof node !== 'object' || typeof node.type !== 'string') return found;
  const names = [node.typeName, node.exprName, node.superClass];
  if (node.type === 'TSInterfaceHeritage' || node.type === 'TSClassImplements') names.push(node.expression);
  if (node.computed === true) names.push(node.key?.object ?? node.key);
  for (const name of names) if (name && leftmost(name) !== undefined) found.add(leftmost(name));
  for (const [key, value] of Object.entries(node)) if (key !== 'parent' && typeof value === 'object') referred(value, found);
  return found;
}

/** A file of declarations: its statements in order, each with the lines that it and its comment take. */
export function readDeclarations(file) {
  const text = readFileSync(file, 'utf8');
  const lineOf = (offset) => text.slice(0, offset).split('\n').length - 1;
  let next = 0;
  const { body } = parseAst(text, { lang: 'dts' });
  const statements = body.map((node) => {
    const first = next;
    next = lineOf(node.end) + 1;
    const target = node.source?.value.startsWith('.') ? join(dirname(file), node.source.value.replace(/\.[jt]s$/, '.d.ts')) : undefined;
    return { node, first, last: next - 1, names: declared(node), target };
  });
  return { file, lines: text.split('\n'), statements };
}

/**
 * What can be reached from the doors: by file, the statements to keep, and of its imports the names; by door, the names
 * that it exports. `foreign` are the names that are needed and that no door exports.
 */
export function reachable(entries) {
  const files = new Map();
  const exported = new Map();
  const open = (path) => {
    if (!files.has(path)) files.set(path, { ...readDeclarations(path), kept: new Set(), imports: new Set() });
    return files.get(path);
  };
  const exportsOf = (path) =>
    open(path).statements.flatMap(({ node, names, target }) => {
      if (node.type === 'ExportAllDeclaration') return exportsOf(target);
      if (node.type !== 'ExportNamedDeclaration') return [];
      return node.declaration ? names : node.specifiers.map(({ exported }) => exported.name);
    });

  function keep(path, name) {
    const { statements, kept, imports } = open(path);
    for (const statement of statements) {
      const { node, names, target } = statement;
      if (node.type === 'ImportDeclaration') {
        const specifier = node.specifiers.find(({ local }) => local.name === name);
        if (specifier === undefined || imports.has(name)) continue;
        kept.add(statement);
        imports.add(name);
        if (target !== undefined) keepExport(target, specifier.imported?.name ?? 'default');
      } else if (names.includes(name) && !kept.has(statement)) {
        kept.add(statement);
        for (const other of referred(node)) keep(path, other);
      }
    }
  }

  function keepExport(path, name) {
    const { statements, kept } = open(path);
    for (const statement of statements) {
      const { node, target } = statement;
      if (node.type === 'ExportAllDeclaration' && exportsOf(target).includes(name)) {
        kept.add(statement);
        keepExport(target, name);
      } else if (node.type === 'ExportNamedDeclaration' && !node.declaration) {
        const specifier = node.specifiers.find(({ exported }) => exported.name === name);
        if (specifier === undefined) continue;
        kept.add(statement);
        if (target === undefined) keep(path, specifier.local.name);
        else keepExport(target, specifier.local.name);
      }
    }
    keep(path, name);
  }

  for (const [door, path] of entries) {
    exported.set(door, exportsOf(path));
    for (const name of exported.get(door)) keepExport(path, name);
  }
  const importable = new Set([...exported.values()].flat());
  const needed = [...files.values()].flatMap(({ kept }) => [...kept].flatMap(({ names }) => names));
  return { files, exported, foreign: [...new Set(needed.filter((name) => !importable.has(name)))] };
}

// ---- source maps: base64 VLQ, of which only whole lines are left out here --------------------------------------------

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function decode(segment) {
  const fields = [];
  let [value, shift] = [0, 0];
  for (const character of segment) {
    const digit = digits.indexOf(character);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    fields.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return fields;
}

function encode(fields) {
  return fields
    .map((field) => {
      let rest = field < 0 ? (-field << 1) | 1 : field << 1;
      let text = '';
      do {
        text += digits[(rest & 31) | (rest > 31 ? 32 : 0)];
        rest >>= 5;
      } while (rest > 0);
      return text;
    })
    .join('');
}

/** Mappings of which only the lines in `kept` are left, in that order; undefined stands for a line without any. */
function keepLines(mappings, kept) {
  const at = [0, 0, 0, 0];
  const absolute = mappings.split(';').map((line) => {
    at[0] = 0;
    return line === ''
      ? []
      : line.split(',').map((segment) => {
          decode(segment).forEach((field, index) => (at[index] += field));
          return [...at];
        });
  });
  let before = [0, 0, 0, 0];
  return kept
    .map((line) => {
      before = [0, ...before.slice(1)];
      return (absolute[line] ?? [])
        .map((segment) => {
          const fields = segment.map((field, index) => field - before[index]);
          before = segment;
          return encode(fields);
        })
        .join(',');
    })
    .join(';');
}

// ---- writing ---------------------------------------------------------------------------------------------------------

const specified = ({ imported, exported, local }) => {
  const [from, to] = imported ? [imported.name, local.name] : [local.name, exported.name];
  return from === to ? from : `${from} as ${to}`;
};

function write({ file, lines, statements, kept, imports }) {
  const out = [];
  for (const statement of statements) {
    const { node, first, last } = statement;
    if (!kept.has(statement)) continue;
    if (node.type === 'ImportDeclaration') {
      // All are types here, whatever they were in the source.
      const names = node.specifiers.filter(({ local }) => imports.has(local.name)).map(specified);
      out.push([`import type { ${names.join(', ')} } from '${node.source.value}';`, undefined]);
    } else {
      for (let line = first; line <= last; line += 1) out.push([lines[line], line]);
    }
  }
  const map = JSON.parse(readFileSync(`${file}.map`, 'utf8'));
  const mappings = keepLines(
    map.mappings,
    out.map(([, line]) => line),
  );
  const text = out.map(([line]) => line).join('\n');
  for (const [ending, suffix] of [
    ['.d.ts', 'js'],
    ['.d.cts', 'cjs'],
  ]) {
    const name = file.replace(/\.d\.ts$/, ending);
    const own = relative(dirname(name), name);
    writeFileSync(name, `${text.replace(/(from\s+'\.[^']*)\.ts'/g, `$1.${suffix}'`)}\n//# sourceMappingURL=${own}.map\n`);
    writeFileSync(`${name}.map`, JSON.stringify({ ...map, file: own, mappings }));
  }
}

function main() {
  const { files, foreign } = reachable(doors());
  if (foreign.length > 0) {
    console.error(`the public types name ${foreign.join(', ')}, which no door exports`);
    process.exitCode = 1;
    return;
  }
  const dist = join(packageRoot, 'dist');
  for (const name of readdirSync(dist, { recursive: true }).sort().reverse()) {
    const path = join(dist, name);
    if (/\.d\.ts(\.map)?$/.test(name) && !files.get(path.replace(/\.map$/, ''))?.kept.size) rmSync(path);
    else if (existsSync(path) && statSync(path).isDirectory() && readdirSync(path).length === 0) rmdirSync(path);
  }
  for (const file of files.values()) if (file.kept.size > 0) write(file);
}

if (process.argv[1] === import.meta.filename) main();
