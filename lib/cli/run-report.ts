import { basename } from 'node:path';
import { CpuSet } from '../machine/cpu-set.ts';
import type { Order } from '../run/order.ts';
import type { PlacedProcess, Sighting } from '../run/sightings.ts';
import type { ThreadRole } from '../threads/roles.ts';
import { plain } from './plain-text.ts';
import { table } from './table.ts';

const order: readonly ThreadRole[] = ['main', 'worker', 'libuv', 'v8', 'inspector', 'other'];

/** More threads of a role than this are told of together. */
const most = 32;

const byRole = (a: Sighting, b: Sighting): number =>
  order.indexOf(a.role.role) - order.indexOf(b.role.role) || (a.role.threadId ?? 0) - (b.role.threadId ?? 0) || a.tid - b.tid;

type Row = readonly (string | number)[];

function row({ role, name, tid, seat, allowed, seenOn, looks, migrations }: Sighting): Row {
  const doing = role.role === 'worker' && role.threadId !== null ? `worker ${role.threadId}` : role.role;
  return [
    role.certainty === 'unsure' ? `${doing}?` : doing,
    `${tid}`,
    name,
    `${seat ?? '-'}`,
    allowed.join(' then '),
    seenOn.size === 0 ? '-' : String(seenOn),
    looks,
    migrations ?? '-',
  ];
}

function together(threads: readonly Sighting[]): Row {
  const [first] = threads as [Sighting];
  const sets = [...new Set(threads.flatMap(({ allowed }) => allowed))];
  const union = threads.reduce((all, { seenOn }) => all.union(seenOn), CpuSet.empty);
  return [
    `${first.role.role} ×${threads.length}`,
    '…',
    '',
    '…',
    sets.length > 4 ? `${sets.length} sets` : sets.join(' or '),
    String(union),
    threads.reduce((sum, { looks }) => sum + looks, 0),
    threads.every(({ migrations }) => migrations !== null) ? threads.reduce((sum, { migrations }) => sum + (migrations ?? 0), 0) : '-',
  ];
}

function rows(threads: readonly Sighting[]): Row[] {
  return order.flatMap((role) => {
    const own = threads.filter((thread) => thread.role.role === role).sort(byRole);
    return own.length > most ? [...own.slice(0, most - 1).map(row), together(own.slice(most - 1))] : own.map(row);
  });
}

/** Where every thread of every placed process was seen. */
export function runReport(processes: readonly PlacedProcess[], { shares }: Order, looks: number): string {
  if (processes.length === 0) return 'groupaffinity: no Node process was placed';
  const title = `groupaffinity: where every thread was seen, in ${looks.toLocaleString('en')} looks`;
  const heads = ['thread', 'tid', 'name', 'seat', 'allowed', 'seen on', 'looks', 'migrations'];
  return [
    title,
    ...processes.map(({ pid, arguments: words, share, threads, living }) => {
      const cpus = share === null ? '' : ` · share ${share}: CPUs ${shares?.[share]?.cpus}`;
      return `process ${pid} · ${plain([basename(words[0] ?? ''), ...words.slice(1)].join(' '))}${cpus}${living ? ' · still running' : ''}\n${table(heads, rows(threads))}`;
    }),
    'allowed: what the kernel let the thread use, from its placing on. seen on: where it had run, at those looks since\nwhose last one it had run. migrations: since its placing, or the first look.',
  ].join('\n\n');
}
