import { afterEach, describe, expect, it } from 'vitest';
import { addedTo, isPlacing, preload, quoted, restoreEnvironment, withPlacing } from '../../lib/run/environment.ts';

describe('NODE_OPTIONS', () => {
  it.each([
    ['/a/b.cjs', '/a/b.cjs'],
    ['/a b/c.cjs', '"/a b/c.cjs"'],
    ['C:\\x y\\z.cjs', '"C:\\\\x y\\\\z.cjs"'],
    ['/a"b.cjs', '"/a\\"b.cjs"'],
    ['/a\tb', '"/a\tb"'],
  ])('%j is written %j', (path, text) => expect(quoted(path)).toBe(text));

  it('keep what they had, behind what places, and have that once', () => {
    const placing = `--require ${quoted(preload)}`;
    expect(withPlacing(undefined)).toBe(placing);
    expect(withPlacing('  ')).toBe(placing);
    expect(withPlacing('--no-warnings --require "/x y.cjs"')).toBe(`${placing} --no-warnings --require "/x y.cjs"`);
    expect(withPlacing(withPlacing('--a'))).toBe(withPlacing('--a'));
    expect(isPlacing('--a')).toBe(false);
    expect(isPlacing(withPlacing('--a'))).toBe(true);
  });
});

describe('an environment that placing was put into', () => {
  const before = { ...process.env };
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });

  it.each([undefined, '', '--no-warnings'])('is as it was afterwards: NODE_OPTIONS %j', (options) => {
    if (options === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = options;
    const was = { ...process.env };
    Object.assign(process.env, addedTo(process.env), { GROUPAFFINITY_RUN: '{}' });
    expect(isPlacing(process.env['NODE_OPTIONS'])).toBe(true);
    restoreEnvironment();
    expect({ ...process.env }).toEqual(was);
    restoreEnvironment();
    expect({ ...process.env }).toEqual(was);
  });
});
