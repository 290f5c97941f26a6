import { describe, expect, it } from 'vitest';
import { parsePlan } from '../../lib/workers/plan-text.ts';

describe('a plan in words', () => {
  it.each([
    ['core', { by: 'core' }],
    [' numa ', { by: 'numa' }],
    ['cpu,count=4', { by: 'cpu', count: 4 }],
    ['cpu,count=quota', { by: 'cpu', count: 'quota' }],
    ['core,within=0-3,8', { by: 'core', within: '0-3,8' }],
    ['core,within=numa:0,2,count=3', { by: 'core', within: 'numa:0,2', count: 3 }],
    ['core,pack,exclude=isolated,prefer=performance', { by: 'core', pack: true, exclude: 'isolated', prefer: 'performance' }],
    ['l3,exclude=0,64,pack', { by: 'l3', exclude: '0,64', pack: true }],
    ['cpu,within=1:0xff', { by: 'cpu', within: '1:0xff' }],
    ['0', ['0']],
    ['0-1/2-3', ['0-1', '2-3']],
    ['numa:0 / numa:1', ['numa:0', 'numa:1']],
    ['core:4', ['core:4']],
    ['isolated', ['isolated']],
  ])('%j', (text, plan) => expect(parsePlan(text)).toEqual(plan));

  it.each([
    ['', 'nothing is no plan'],
    ['  ', 'nothing is no plan'],
    ['/', 'a seat has no CPUs'],
    ['0/', 'a seat has no CPUs'],
    ['core,', "no option ''"],
    ['core,count', 'count is a whole number'],
    ['core,count=', 'count is a whole number'],
    ['core,count=0', 'count is a whole number'],
    ['core,count=-1', 'count is a whole number'],
    ['core,count=1e3', 'count is a whole number'],
    ['core,count=1,count=2', 'count is there twice'],
    ['core,within=', 'within is of CPUs'],
    ['core,pack=yes', 'pack stands alone'],
    ['core,prefer=speed', 'prefer is performance or efficiency'],
    ['core,by=cpu', "no option 'by'"],
    ['core,__proto__=1', "no option '__proto__'"],
    ['core,constructor', "no option 'constructor'"],
  ])('%j is none', (text, why) => {
    expect(() => parsePlan(text)).toThrow(expect.objectContaining({ code: 'ERR_AFFINITY_SYNTAX', message: expect.stringContaining(why) }));
  });

  it('takes any text for what it is, or refuses it', () => {
    for (const text of ['core,within=0-3,8:2', 'thread', 'cores', 'core:', 'core;1', 'core,within=a=b', '\u0000', 'x'.repeat(10_000)])
      try {
        expect(parsePlan(text)).toBeTruthy();
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_AFFINITY_SYNTAX' });
      }
  });
});
