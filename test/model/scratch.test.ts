import fc from 'fast-check';
import { it } from 'vitest';
import { play, print, programs, resolve } from './programs.ts';
import { start, step } from './reference.ts';
it('times', { timeout: 600000 }, () => {
  let t = performance.now();
  const n = 20000;
  const all = fc.sample(programs(), { numRuns: n, seed: 1 });
  console.log('generate', n, performance.now() - t);
  t = performance.now();
  let calls = 0; let raws = 0;
  const kinds = new Map<string, number>();
  const steps = all.map((p) => { raws += p.calls.length; return play(p); });
  console.log('play', performance.now() - t);
  const plain = all.map((p, i) => ({ start: start(p.machine, p.user), calls: steps[i]!.map((s) => s.call) }));
  t = performance.now();
  for (const p of plain) { let s = p.start; for (const c of p.calls) s = step(s, c).state; }
  console.log('step only', performance.now() - t);
  let groups = 0;
  for (const [i, s] of steps.entries()) { groups += all[i]!.machine.groups.length; for (const { call, result } of s) { calls += 1;
    const name = `${call.call}${'ke' in call && call.ke ? '-ke' : ''} ${result.outcome.kind} ${'status' in result.outcome ? result.outcome.status.toString(16) : ''}`;
    kinds.set(name, (kinds.get(name) ?? 0) + 1); } }
  console.log(calls / n, raws / n, groups / n, [...kinds].sort().map(([k, v]) => `${k}: ${v}`).join('\n'));
  for (const p of all.slice(0, 8)) console.log(print(p) + '\n');
});
