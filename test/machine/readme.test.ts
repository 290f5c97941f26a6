import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compose } from '../fixtures/compose.ts';
import { checkout, inOwnProcess } from './own-process.ts';

const text = readFileSync(join(checkout, 'README.md'), 'utf8');
const programs = [...text.matchAll(/^## (.+?)$|^```js\n(.*?)^```/gms)].reduce<{ under: string; source: string }[]>(
  (found, [, heading, source]) => {
    if (heading !== undefined) found.push({ under: heading, source: '' });
    else {
      const last = found.at(-1);
      if (last !== undefined && last.source === '') last.source = source ?? '';
      else if (last !== undefined) found.push({ under: `${last.under}, next`, source: source ?? '' });
    }
    return found;
  },
  [],
);

describe('README', () => {
  it.each(programs.filter(({ source }) => source !== '').map(({ under, source }) => [under, source]))(
    'the program under "%s" runs',
    async (_, source) => {
      const lines = source.split('\n');
      const imports = lines.filter((line) => line.startsWith('import '));
      const body = lines.filter((line) => !line.startsWith('import '));
      const job = `import { writeFileSync } from 'node:fs'; import { fileURLToPath } from 'node:url'; writeFileSync(new URL('./job.js', import.meta.url), 'setTimeout(() => {}, 100)'); process.chdir(fileURLToPath(new URL('.', import.meta.url)));`;
      const before = await inOwnProcess<{ same: boolean }>(
        `${imports.join('\n')}\n${job}\nconst before = exactly();\n${body.join('\n')}\nexport default { same: exactly() === before };`,
      );
      expect(before).toEqual({ same: true });
    },
  );

  it('the picture is the one that topology draws', () => {
    const cores = { level: 3, type: 'unified', size: 2 ** 25, cores: 12 } as const;
    const { root } = compose({
      packages: 2,
      nodes: 2,
      cores: 36,
      threads: 2,
      numbering: 'siblings-adjacent',
      offline: '143',
      caches: [cores],
    });
    const { stdout } = spawnSync(process.execPath, [join(checkout, 'dist', 'cli', 'main.js'), 'topology', '--sysroot', root], {
      encoding: 'utf8',
    });
    rmSync(root, { recursive: true });
    expect(text).toContain(`<!-- picture: 2 nodes of 72 -->\n\`\`\`\n${stdout}\`\`\``);
  });

  it('the claims that it quotes are claims, and as many as it says', () => {
    const { stdout } = spawnSync(process.execPath, [join(checkout, 'dist', 'cli', 'main.js'), 'validate', '--list'], { encoding: 'utf8' });
    const quoted = [...text.matchAll(/^(?:ok|skip) {2,4}([a-z.-]+ {2,}.+)$/gm)].map(([, line]) => line ?? '');
    expect(quoted.length).toBeGreaterThan(2);
    for (const line of quoted) expect(stdout.split('\n')).toContain(line);
    expect(text).toContain(`holds ${stdout.trim().split('\n').length} claims`);
  });

  it('no link is dead', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target ?? '');
    const files = [...text.matchAll(/`((?:test|lib|native)\/[\w./-]+?)\/?`/g)].map(([, name]) => name ?? '');
    expect([...links, ...files].filter((name) => !existsSync(join(dirname(join(checkout, 'README.md')), name)))).toEqual([]);
  });
});
