import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from './own-process.ts';

const dist = join(checkout, 'dist');
const declarations = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => /\.d\.c?ts$/.test(name));
const exported = /^export declare (?:abstract )?(?:class|function|const) (\w+)|^export (?:interface|type) (\w+)[ <]/;

describe('the declarations of the package', () => {
  it.each(declarations.map((name) => [name]))(
    '%s: what it exports leads to the line of its source, and what it imports is there',
    (name) => {
      const text = readFileSync(join(dist, name), 'utf8');
      const map = new SourceMap(JSON.parse(readFileSync(join(dist, `${name}.map`), 'utf8')) as ConstructorParameters<typeof SourceMap>[0]);
      for (const [line, content] of text.split('\n').entries()) {
        const found = exported.exec(content);
        const word = found?.[1] ?? found?.[2];
        if (word === undefined) continue;
        const entry = map.findEntry(line, content.indexOf(word));
        if (!('originalSource' in entry)) throw new Error(`${word} leads nowhere`);
        const source = join(dist, dirname(name), entry.originalSource);
        expect(readFileSync(source, 'utf8').split('\n')[entry.originalLine]).toMatch(new RegExp(`\\b${word}\\b`));
      }
      for (const [, target = ''] of text.matchAll(/from '(\..+)'/g)) {
        expect(target.endsWith(name.endsWith('.d.cts') ? '.cjs' : '.js')).toBe(true);
        expect(existsSync(join(dist, dirname(name), target.replace(/\.(c?)js$/, '.d.$1ts')))).toBe(true);
      }
    },
  );

  it('none is there that no door leads to', () => {
    expect(declarations.filter((name) => /^(cli|validate|bench|parts|binding)/.test(name))).toEqual([]);
    expect(declarations.length).toBeGreaterThan(20);
  });
});
