import { describe, expect, it } from 'vitest';
import { HardwareIds, type IdSource } from '../../lib/validate/hardware-ids.ts';

/** Where a thread is sent, the id that is read there, and the CPU that the operating system sees it on. */
type Look = readonly [to: number, id: number | null, os?: number];

function sent(machine: Partial<IdSource>, ...looks: Look[]): { seen: number[]; doubt: string | undefined } {
  let read: number | null = null;
  const ids = new HardwareIds({ id: () => read, told: [], running: 2, underHypervisor: false, ...machine });
  const seen = looks.map(([to, id, os = to]) => {
    read = id;
    return ids.cpu(to, os);
  });
  return { seen, doubt: ids.doubt };
}

const told = [
  { cpu: 0, id: 0 },
  { cpu: 1, id: 16 },
];
const doubt = undefined;
const another = 'a hypervisor shows programs its own processors';

describe('ids that the operating system tells', () => {
  it('name the CPU, whatever was expected', () => {
    expect(sent({ told }, [0, 0], [1, 16], [1, 0])).toEqual({ seen: [0, 1, 0], doubt });
  });

  it('hold against the operating system below a hypervisor as well', () => {
    expect(sent({ told, underHypervisor: true }, [1, 0])).toEqual({ seen: [0], doubt });
  });

  it('prove nothing once a processor tells one that no CPU has', () => {
    expect(sent({ told }, [0, 0], [1, 77], [1, 16])).toEqual({
      seen: [0, -1, 1],
      doubt: `a processor told its id 77, which the operating system gave none: ${another}`,
    });
  });
});

describe('ids that are only seen', () => {
  it('are learnt at the first look and hold from then on', () => {
    expect(sent({}, [0, 4], [1, 6], [0, 4], [1, 6])).toEqual({ seen: [0, 1, 0, 1], doubt });
  });

  it.each([false, true])('find out a thread that stays where it was, under a hypervisor: %s', (underHypervisor) => {
    expect(sent({ underHypervisor }, [0, 4], [1, 4, 0], [0, 4])).toEqual({ seen: [0, 0, 0], doubt });
  });

  it('hold against the operating system where nothing is below it', () => {
    expect(sent({}, [0, 4], [1, 4])).toEqual({ seen: [0, 0], doubt });
    expect(sent({ running: 3 }, [0, 4], [1, 6], [1, 9])).toEqual({ seen: [0, 1, -1], doubt });
  });

  it('prove nothing when they are more than the processors that run', () => {
    expect(sent({}, [0, 4], [1, 6], [0, 9], [1, 6])).toEqual({
      seen: [0, 1, -1, 1],
      doubt: `processors told the ids 4, 6, 9, and 2 run: ${another}`,
    });
  });

  it('prove nothing when one goes to another CPU under a hypervisor', () => {
    expect(sent({ underHypervisor: true }, [0, 4], [1, 6], [0, 6])).toEqual({
      seen: [0, 1, 1],
      doubt: `a processor told the id 6 on CPU 0, and on CPU 1 before: ${another}`,
    });
    expect(sent({ underHypervisor: true, running: 8 }, [0, 4], [0, 9])).toEqual({
      seen: [0, -1],
      doubt: `a processor told the id 9 on CPU 0, and another id before: ${another}`,
    });
  });
});

it('ids name no CPU where programs cannot read them', () => {
  expect(sent({ told }, [0, null])).toEqual({ seen: [-1], doubt });
});
