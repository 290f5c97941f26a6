/** A system thread that does what it is told: the start routine of the programs that run on real threads. */
import { readlinkSync } from 'node:fs';
import { affinity, CpuSet, pin } from 'groupaffinity';
import * as storport from 'groupaffinity/storport';
import * as wdm from 'groupaffinity/wdm';
import { FacadeThread, fieldsOf } from './facade.ts';
import { Mailbox } from './mailbox.ts';
import type { Call, Value } from './reference.ts';

export interface AgentStart {
  readonly memory: SharedArrayBuffer;
  /** The CPUs of each group. */
  readonly cpus: readonly (readonly number[])[];
  readonly maximum: readonly bigint[];
}

export type Question =
  | { readonly do: 'number' }
  | { readonly do: 'call'; readonly call: Exclude<Call, { call: 'hotplug' | 'create' }>; readonly contexts: readonly (object | null)[] }
  | { readonly do: 'copy'; readonly slot: number; readonly value: Value };

export default function agent({ memory, cpus, maximum }: AgentStart): void {
  let contexts: readonly (object | null)[] = [];
  const thread = new FacadeThread(
    { storport, wdm, pin, affinity, CpuSet },
    {
      flat: (set) =>
        set.reduce(
          (flat, mask, group) =>
            (cpus[group] ?? []).reduce((all, cpu, bit) => (((mask >> BigInt(bit)) & 1n) === 1n ? all | (1n << BigInt(cpu)) : all), flat),
          0n,
        ),
      maximum: (group) => maximum[group] ?? 0n,
      context: (id) => contexts[id] ?? {},
    },
  );
  new Mailbox(memory).serve((asked) => {
    const question = asked as Question;
    switch (question.do) {
      case 'number':
        return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
      case 'call': {
        ({ contexts } = question);
        const done = thread.run(question.call);
        return { done, structures: thread.structures.map(fieldsOf) };
      }
      case 'copy':
        thread.copy(question.slot, question.value);
        return { structures: thread.structures.map(fieldsOf) };
    }
  });
}
