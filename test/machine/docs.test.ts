import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, describe, expect, it } from 'vitest';
import { compose } from '../fixtures/compose.ts';
import { pictured } from '../fixtures/pictured.ts';
import { checkout, inOwnProcess } from './own-process.ts';

const main = join(checkout, 'dist', 'cli', 'main.js');
const command = (...args: string[]): string => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' }).stdout;

const markdown = (folder: string): string[] =>
  existsSync(join(checkout, folder))
    ? readdirSync(join(checkout, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.md'))
        .map((name) => join(folder, name))
    : [];
const pages = ['README.md', 'CHANGELOG.md', ...markdown('docs'), ...markdown('.github')].filter((page) => existsSync(join(checkout, page)));
const textOf = (page: string): string => readFileSync(join(checkout, page), 'utf8');

/** Pages whose commands have a test of their own, which knows what they must say. */
const elsewhere: Record<string, string> = { 'docs/bench.md': 'test/machine/bench.test.ts' };
/** Declarations, not programs; `npm run reference -- --check` holds them against the package's. */
const declarations = 'docs/api.md';

interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly source: string;
  /** Why it is not run, as its first line tells every reader. */
  readonly needs: string | undefined;
}

function blocks(page: string): Block[] {
  const text = textOf(page);
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(({ index, 1: language = '', 2: source = '' }) => ({
    page,
    line: text.slice(0, index).split('\n').length,
    language,
    source,
    needs: /^(?:#|REM|\/\/) Needs (.+)\n/.exec(source)?.[1],
  }));
}

const all = pages.filter((page) => elsewhere[page] === undefined).flatMap(blocks);
const titled = (languages: string[]): [string, Block][] =>
  all
    .filter(({ page, language }) => languages.includes(language) && !(page === declarations && language === 'ts'))
    .map((block) => [`${block.page}:${block.line}${block.needs === undefined ? '' : `, needs ${block.needs}`}`, block]);

/** A folder where the package is installed, as its users have it. */
const folder = mkdtempSync(join(checkout, 'build', 'docs-'));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
symlinkSync(checkout, join(folder, 'node_modules', 'groupaffinity'));
writeFileSync(join(folder, 'node_modules', '.bin', 'groupaffinity'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, {
  mode: 0o755,
});
const job = 'import { seat } from "groupaffinity/workers"; seat(); setTimeout(() => {}, 100);';

/** Without what Node 20 can't read: types, and using declarations. */
async function readable(program: string, language: string): Promise<string> {
  const file = join(folder, `program.${language}`);
  writeFileSync(file, program);
  const made = await rolldown({
    input: file,
    platform: 'node',
    external: [/^node:/, /^groupaffinity/, 'piscina'],
    transform: { target: 'es2022' },
    treeshake: false,
  });
  const { output } = await made.generate({ format: 'esm', codeSplitting: false });
  return output[0].code;
}

/** Milliseconds: validate and hardware differ, and the machine has others to serve. */
const patience = 300_000;

describe('the programs in the documentation run', () => {
  for (const [title, { page, language, source, needs }] of titled(['js', 'ts']))
    it.runIf(needs === undefined)(title, { timeout: patience }, async () => {
      const lines = source.split('\n');
      const imports = lines.filter((line) => line.startsWith('import '));
      const body = lines.filter((line) => !line.startsWith('import '));
      const prelude = `import { writeFileSync } from 'node:fs'; import { fileURLToPath } from 'node:url'; writeFileSync(new URL('./job.js', import.meta.url), ${JSON.stringify(job)}); process.chdir(fileURLToPath(new URL('.', import.meta.url)));`;
      const program = `${imports.join('\n')}\n${prelude}\nconst before = exactly();\n${body.join('\n')}\nexport default { same: exactly() === before };`;
      const { same } = await inOwnProcess<{ same: boolean }>(await readable(program, language));
      // The examples of the reference show one call each, not how to go back.
      expect(same || page === declarations).toBe(true);
    });
});

describe('the commands in the documentation run', () => {
  for (const [title, { source, needs }] of titled(['sh']))
    it.runIf(needs === undefined)(title, { timeout: patience }, () => {
      const env = { ...process.env, NODE_OPTIONS: '' };
      const { status, stderr } = spawnSync('sh', ['-e', '-c', source], { cwd: folder, encoding: 'utf8', env });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    });
});

describe('the documentation', () => {
  it('has no code that nobody runs, and says so in its first line where a machine like this can not', () => {
    const known = new Set(['js', 'ts', 'sh', 'bat', 'json', 'yaml']);
    expect(all.filter(({ language }) => !known.has(language)).map(({ page, line }) => `${page}:${line}`)).toEqual([]);
    expect(all.filter(({ language, needs }) => language === 'bat' && needs === undefined)).toEqual([]);
    for (const [page, test] of Object.entries(elsewhere)) expect(textOf(test)).toContain(basename(page));
    expect(all.length).toBeGreaterThan(20);
  });

  it.each(pages.map((page) => [page]))('%s: its pictures are those that topology draws', (page) => {
    const text = textOf(page);
    for (const [, name = ''] of text.matchAll(/^<!-- picture: (.+) -->$/gm)) {
      const description = pictured[name];
      if (description === undefined) throw new Error(`there is no machine '${name}'`);
      const { root } = compose(description);
      const drawn = command('topology', '--sysroot', root);
      rmSync(root, { recursive: true });
      expect(text).toContain(`<!-- picture: ${name} -->\n\`\`\`\n${drawn}\`\`\``);
    }
  });

  it('shows every machine that is there to be shown', () => {
    const shown = pages.flatMap((page) => [...textOf(page).matchAll(/^<!-- picture: (.+) -->$/gm)].map(([, name]) => name));
    expect(new Set(shown)).toEqual(new Set(Object.keys(pictured)));
    expect(shown).toHaveLength(Object.keys(pictured).length);
  });

  it('the claims that README quotes are claims, and as many as it says', () => {
    const claims = command('validate', '--list').trim().split('\n');
    const text = textOf('README.md');
    const quoted = [...text.matchAll(/^(?:ok|skip) {2,4}([a-z.-]+ {2,}.+)$/gm)].map(([, line]) => line ?? '');
    expect(quoted.length).toBeGreaterThan(2);
    for (const line of quoted) expect(claims).toContain(line);
    expect(text).toContain(`holds ${claims.length} claims`);
  });

  it('docs/semantics.md names every claim, and no other', () => {
    const claims = command('validate', '--list')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '');
    const named = [...textOf('docs/semantics.md').matchAll(/`([a-z]+\.[a-z-]+)`/g)].map(([, name]) => name ?? '');
    expect(named.sort()).toEqual(claims.sort());
  });

  it('docs/api.md is what the declarations say', () => {
    const { status, stderr } = spawnSync(process.execPath, [join('lib', 'reference.mjs'), '--check'], { cwd: checkout, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('docs/coming-from.md', () => {
  const cells = [...textOf('docs/coming-from.md').matchAll(/^\| .+ \| `([^`]+)` \|$/gm)].map(([, cell]) => cell ?? '');
  const isCommand = (cell: string): boolean => cell.startsWith('npx ');

  it('every program on a right-hand side runs', { timeout: patience }, async () => {
    const programs = cells.filter((cell) => !isCommand(cell));
    expect(programs.length).toBeGreaterThan(20);
    const ran = await inOwnProcess<number>(`
      import * as core from 'groupaffinity';
      import * as workers from 'groupaffinity/workers';
      const doors = { ...core, ...workers };
      const before = exactly();
      let ran = 0;
      for (const cell of ${JSON.stringify(programs)}) {
        const result = new Function(...Object.keys(doors), 'return (' + cell + ')')(...Object.values(doors));
        if (result === undefined) throw new Error(cell + ' tells nothing');
        result.restore?.();
        ran += 1;
      }
      export default ran;`);
    expect(ran).toBe(programs.length);
  });

  for (const cell of new Set(cells.filter(isCommand)))
    it(cell, { timeout: patience }, () => {
      writeFileSync(join(folder, 'app.js'), 'setTimeout(() => {}, 50)');
      const { status, stderr } = spawnSync('sh', ['-e', '-c', cell], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, NODE_OPTIONS: '' },
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    });
});

/** Anchors of a page, as GitHub makes them of its headings. */
function anchors(page: string): Set<string> {
  const found = new Set<string>();
  const text = textOf(page).replace(/^```.*?^```$/gms, '');
  for (const [, heading = ''] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-');
    let [name, times] = [slug, 0];
    while (found.has(name)) name = `${slug}-${(times += 1)}`;
    found.add(name);
  }
  return found;
}

/** Where links may lead out of the project. A new one is a decision. */
const hosts = new Set([
  'docs.kernel.org',
  'github.com',
  'keepachangelog.com',
  'kubernetes.io',
  'learn.microsoft.com',
  'man7.org',
  'nodejs.org',
  'prometheus.io',
  'semver.org',
  'slurm.schedmd.com',
]);

function deadLinks(page: string, text: string): string[] {
  const dead: string[] = [];
  const prose = text.replace(/^```.*?^```$/gms, '');
  for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]*)\)/g)) {
    if (/^[a-z]+:/i.test(target)) {
      const url = URL.canParse(target) ? new URL(target) : undefined;
      if (url?.protocol !== 'https:' || !hosts.has(url.hostname)) dead.push(target);
      continue;
    }
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(checkout, file))) dead.push(target);
    else if (anchor !== undefined && !anchors(file).has(anchor)) dead.push(target);
  }
  for (const [, name = ''] of prose.matchAll(/`((?:test|lib|native|docs)\/[\w./-]+?)\/?`/g))
    if (!existsSync(join(checkout, name))) dead.push(name);
  return dead;
}

describe('no link is dead', () => {
  it.each(pages.map((page) => [page]))('%s', (page) => {
    expect(deadLinks(page, textOf(page))).toEqual([]);
  });

  it.each([
    ['[x](nowhere.md)'],
    ['[x](#nowhere)'],
    ['[x](docs/lab.md#nowhere)'],
    ['[x](http://github.com/)'],
    ['[x](https://example.org/)'],
    ['`lib/nowhere.ts`'],
  ])('%s would be', (text) => {
    expect(deadLinks('README.md', text)).toHaveLength(1);
    expect(deadLinks('README.md', '[x](docs/lab.md#the-lab) [y](#the-house) `lib/binding.ts`')).toEqual([]);
  });
});
