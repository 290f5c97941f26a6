// The start routine of the system threads that claims make.
import { native } from '../binding.ts';
import { StorPortTerminateSystemThread, type ThreadContext } from '../storport/index.ts';
import { KeGetCurrentIrql } from '../storport/wdm.ts';
import { at, exactly, extension, revert, set, structure, told, where } from './look.ts';
import { header, length, patience, released, reported, survived, type Part, type Report } from './part.ts';

function words({ task, victim }: Part, own: ThreadContext): string {
  switch (task) {
    case 'own-context': {
      const [before, cpu] = [structure(), native.currentCpu()];
      const done = set(at(cpu), before, own);
      const there = where() === `on ${cpu}` ? 'there' : where();
      return told(done, there, revert(before, own));
    }
    case 'terminate-other':
      StorPortTerminateSystemThread(extension, victim as ThreadContext);
      return 'went on';
    default:
      return task;
  }
}

export default function routine(part: Part, own: ThreadContext): void {
  const { task, memory } = part;
  const signal = new Int32Array(memory);
  if (task === 'nap') {
    Atomics.wait(signal, released, 0, 50);
    return;
  }
  const report: Report = {
    thread: native.currentThread(),
    irql: KeGetCurrentIrql(),
    where: where(),
    bits: exactly(),
    words: words(part, own),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(report));
  new Uint8Array(memory, header).set(bytes);
  signal[length] = bytes.length;
  Atomics.store(signal, reported, 1);
  Atomics.notify(signal, reported);
  if (task === 'terminate') {
    StorPortTerminateSystemThread(extension, null);
    Atomics.store(signal, survived, 1);
    return;
  }
  Atomics.wait(signal, released, 0, patience);
}
