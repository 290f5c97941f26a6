import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const compiler = process.env['CXX'] ?? 'g++';
const missing =
  spawnSync(compiler, ['--version']).status !== 0 ? `no compiler ${compiler}` : process.platform !== 'linux' ? 'not Linux' : undefined;
const here = import.meta.dirname;
const native = join(here, '..', '..', 'native');

describe.skipIf(missing !== undefined)(
  `the Linux backend on a kernel whose CPUs come and go${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'groupaffinity-fake-kernel-'));
      const flags = ['-std=c++20', '-O1', '-g', '-Wall', '-Wextra', '-Wconversion', '-Werror', '-fsanitize=address,undefined'];
      const fake = ['-include', join(here, 'fake_kernel.h')];
      const steps = [
        [...flags, ...fake, '-c', join(native, 'linux', 'affinity.cc'), '-o', join(folder, 'affinity.o')],
        [
          ...flags,
          join(here, 'linux_affinity.cc'),
          join(folder, 'affinity.o'),
          join(native, 'groups.cc'),
          join(native, 'linux', 'sysfs_text.cc'),
          '-o',
          join(folder, 'test'),
        ],
      ];
      for (const step of steps) {
        const { status, stderr } = spawnSync(compiler, step, { encoding: 'utf8' });
        if (status !== 0) throw new Error(stderr);
      }
    }, 120_000);
    afterAll(() => rmSync(folder, { recursive: true }));

    const clocks = { clock: {}, counter: { FAKE_COUNTER: '1' } };
    it.each(Object.entries(clocks).flatMap(([clock, env]) => [1, 2, 3, 4].map((seed) => [clock, seed, env] as const)))(
      'exchanges and restores exactly, by the %s, seed %i',
      (_, seed, env) => {
        const { status, stdout, stderr } = spawnSync(join(folder, 'test'), [String(seed)], {
          encoding: 'utf8',
          env: { ...process.env, ...env },
        });
        expect({ status, stderr, stdout: stdout.slice(0, 3000) }).toEqual({
          status: 0,
          stderr: '',
          stdout: expect.stringMatching(/^ok \d+\n$/) as string,
        });
      },
    );
  },
);
