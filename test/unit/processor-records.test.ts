import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const compiler = process.env['CXX'] ?? 'g++';
const flags = [
  '-std=c++20',
  '-Wall',
  '-Wextra',
  '-Wconversion',
  '-Werror',
  '-g',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
];
const folder = mkdtempSync(join(tmpdir(), 'processor-records-'));
const program = join(folder, 'processor-records');
const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What keeps this test from running here; empty where nothing does. */
function missing(): string {
  const source = join(folder, 'empty.cc');
  writeFileSync(source, 'int main() {}\n');
  const asked = spawnSync(compiler, ['--version']);
  if (asked.error !== undefined || asked.status !== 0) return `no C++ compiler (${compiler})`;
  const built = spawnSync(compiler, [...flags, source, '-o', program]);
  if (built.status !== 0) return `${compiler} has no C++20 or no address sanitizer`;
  return spawnSync(program).status === 0 ? '' : 'programs with the address sanitizer do not run';
}

const lacking = missing();

describe('the records of GetLogicalProcessorInformationEx', () => {
  const title = 'decode to the machine they describe, and no damage makes the decoder read beyond them';
  test.skipIf(lacking !== '')(lacking === '' ? title : `${title} (skipped: ${lacking})`, { timeout: 120_000 }, () => {
    const sources = [file('./processor_records.cc'), file('../../native/windows/processor_records.cc')];
    const built = spawnSync(compiler, [...flags, ...sources, '-o', program], { encoding: 'utf8' });
    expect(built.stderr).toBe('');
    expect(built.status).toBe(0);
    const ran = spawnSync(program, { encoding: 'utf8' });
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toMatch(/^ok \d+\n$/);
    expect(ran.status).toBe(0);
  });
});
