import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const house = fileURLToPath(new URL('../..', import.meta.url));

/** Rooms of lib/, the lowest first. A file imports from its own room and from lower ones. */
const floors = [
  ['errors.ts'],
  ['binding.ts'],
  ['machine'],
  ['threads'],
  ['storport'],
  ['workers'],
  ['validate', 'bench', 'run'],
  ['report'],
  ['cli'],
];
/** What the reports' pages run; the build puts it into one file together with the packages that it names. */
const browser = join('lib', 'bench', 'page', 'browser');
const inlined = new Set(['uplot']);
/** What the build puts into a file of the commands. */
const bundled: Readonly<Record<string, readonly string[]>> = {
  [join('lib', 'run', 'metrics.ts')]: ['prom-client/lib/counter.js', 'prom-client/lib/gauge.js', 'prom-client/lib/registry.js'],
  [join('lib', 'run', 'prom-client.d.ts')]: ['prom-client'],
};
const doors = new Set(['index.ts']);

function files(folder: string, ending: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => join(folder, name));
}

function floorOf(root: string, file: string): number {
  const room = relative(join(root, 'lib'), file).split(sep)[0] ?? '';
  return doors.has(room) ? floors.length : floors.findIndex((rooms) => rooms.includes(room));
}

function wrongImports(root: string): string[] {
  const wrong: string[] = [];
  for (const file of files(join(root, 'lib'), /\.[cm]?ts$/)) {
    const text = readFileSync(file, 'utf8');
    const name = relative(root, file);
    const own = floorOf(root, file);
    const inBrowser = name.startsWith(browser);
    if (own < 0) wrong.push(`${name}: its room has no floor`);
    for (const [, , target] of text.matchAll(/\b(?:from|import|require)\s*\(?\s*(['"])(.+?)\1/g)) {
      if (target === undefined) continue;
      if (!target.startsWith('.')) {
        const may = inBrowser
          ? inlined.has(target)
          : target.startsWith('node:') ||
            (name === join('lib', 'binding.ts') && target === 'node-gyp-build') ||
            bundled[name]?.includes(target) === true;
        if (!may) wrong.push(`${name}: imports the package ${target}`);
        continue;
      }
      if (!inBrowser && relative(root, resolve(dirname(file), target)).startsWith(browser))
        wrong.push(`${name}: imports what runs in a browser, ${target}`);
      const other = floorOf(root, resolve(dirname(file), target));
      if (other > own) wrong.push(`${name}: imports upwards, ${target}`);
    }
    if (name !== join('lib', 'binding.ts')) {
      if (/node-gyp-build|\.node['"]|createRequire|process\.dlopen/.test(text)) wrong.push(`${name}: loads the addon itself`);
    }
    // Ending a system thread is what StorPortTerminateSystemThread is for, and a worker has no other way.
    const mayExit = name.startsWith(join('lib', 'cli')) || /storport.(system-)?threads?\.ts$/.test(name);
    const code = text.replace(/^\s*(\*|\/\/).*$/gm, '');
    if (/\bconsole\./.test(code) && !name.startsWith(join('lib', 'cli'))) wrong.push(`${name}: prints`);
    if (/\bprocess\.exit\b/.test(code) && !mayExit) wrong.push(`${name}: exits`);
  }
  return wrong;
}

function wrongIncludes(root: string): string[] {
  const wrong: string[] = [];
  const native = join(root, 'native');
  for (const file of files(native, /\.(cc|h)$/)) {
    const name = relative(native, file);
    const text = readFileSync(file, 'utf8');
    const folder = name.includes(sep) ? name.split(sep)[0] : undefined;
    for (const [, target] of text.matchAll(/^\s*#\s*include\s+[<"](.+?)[>"]/gm)) {
      if (target === undefined) continue;
      if (/napi|node_api|js_native_api/.test(target) && name !== 'addon.cc') wrong.push(`${name}: includes ${target}`);
      if (folder !== undefined && target.startsWith('..') && target !== '../platform.h') wrong.push(`${name}: includes ${target}`);
      if (folder === undefined && /^(linux|windows|unsupported)\//.test(target)) wrong.push(`${name}: includes ${target}`);
    }
    if (/^\s*#\s*if.*\b(_WIN32|__linux__|__APPLE__|__unix__|WIN32|__FreeBSD__)\b/m.test(text))
      wrong.push(`${name}: asks which operating system it is`);
  }
  const platforms = ['linux', 'windows', 'unsupported'];
  for (const job of ['affinity.cc', 'threads.cc', 'processors.cc'])
    for (const platform of platforms)
      if (!files(join(native, platform), /\.cc$/).includes(join(native, platform, job))) wrong.push(`native/${platform} has no ${job}`);
  return wrong;
}

describe('the house', () => {
  it('nothing in lib imports upwards, loads the addon or prints where it must not', () => {
    expect(wrongImports(house)).toEqual([]);
  });

  it('nothing in native includes what is not its own', () => {
    expect(wrongIncludes(house)).toEqual([]);
  });

  it('has no room for leftovers', () => {
    const names = [...files(join(house, 'lib'), /\.ts$/), ...files(join(house, 'native'), /\.(cc|h)$/)];
    expect(names.filter((name) => /(^|[/_-])(utils?|helpers?|common|misc)[./_-]/.test(relative(house, name)))).toEqual([]);
  });
});

describe('a wrong line fails it', () => {
  const planted = mkdtempSync(join(tmpdir(), 'groupaffinity-house-'));
  const plant = (name: string, text: string): void => {
    mkdirSync(dirname(join(planted, name)), { recursive: true });
    writeFileSync(join(planted, name), text);
  };
  for (const platform of ['linux', 'windows', 'unsupported'])
    for (const job of ['affinity.cc', 'threads.cc', 'processors.cc']) plant(`native/${platform}/${job}`, '#include "../platform.h"\n');
  afterAll(() => rmSync(planted, { recursive: true }));

  it.each([
    ['lib/machine/a.ts', "import { pin } from '../threads/pin.ts';\n", 'imports upwards'],
    ['lib/errors.ts', "export * from './binding.ts';\n", 'imports upwards'],
    ['lib/threads/b.ts', "const late = await import('../cli/main.ts');\n", 'imports upwards'],
    ['lib/machine/c.ts', "import lodash from 'lodash';\n", 'imports the package'],
    ['lib/workers/d.ts', "console.error('x');\n", 'prints'],
    ['lib/storport/e.ts', 'process.exit(1);\n', 'exits'],
    ['lib/threads/f.ts', "import { createRequire } from 'node:module';\n", 'loads the addon'],
    ['lib/elsewhere/g.ts', 'export {};\n', 'no floor'],
    ['lib/bench/page/browser/h.ts', "import { readFileSync } from 'node:fs';\n", 'imports the package node:fs'],
    ['lib/bench/i.ts', "import uPlot from 'uplot';\n", 'imports the package uplot'],
    ['lib/bench/j.ts', "import { ramp } from './page/browser/ramp.ts';\n", 'imports what runs in a browser'],
  ])('%s', (name, text, complaint) => {
    plant(name, text);
    expect(wrongImports(planted).join('\n')).toContain(complaint);
    rmSync(join(planted, name));
    expect(wrongImports(planted)).toEqual([]);
  });

  it.each([
    ['native/linux/a.cc', '#include <napi.h>\n', 'includes napi.h'],
    ['native/seats.cc', '#include <node_api.h>\n', 'includes node_api.h'],
    ['native/windows/b.cc', '#include "../linux/sysfs_text.h"\n', 'includes ../linux'],
    ['native/linux/c.cc', '#include "../groups.h"\n', 'includes ../groups.h'],
    ['native/groups.cc', '#include "linux/start.h"\n', 'includes linux/'],
    ['native/groups.cc', '#ifdef _WIN32\n#endif\n', 'asks which operating system'],
  ])('%s', (name, text, complaint) => {
    plant(name, text);
    expect(wrongIncludes(planted).join('\n')).toContain(complaint);
    rmSync(join(planted, name));
    expect(wrongIncludes(planted)).toEqual([]);
  });
});
