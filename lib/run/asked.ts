import { CpuSet } from '../machine/cpu-set.ts';
import type { ThreadRole } from '../threads/roles.ts';
import type { Order } from './order.ts';

/**
 * Where an order has a thread, in the kernel's list format; null where it says nothing of it.
 *
 * @param share Of the thread's process; null where that took none.
 * @param seat Of the thread; null where it took none.
 */
export function askedFor(order: Order, share: number | null, role: ThreadRole, seat: number | null): string | null {
  const own = share === null ? undefined : order.shares?.[share];
  if (seat !== null) return (own === undefined ? order.workers : own.workers)?.[seat]?.[0] ?? null;
  if (role !== 'main' && role !== 'libuv' && role !== 'v8') return null;
  const place = order[role];
  if (own === undefined || place === undefined) return own?.cpus ?? place ?? null;
  const inside = CpuSet.parse(place).intersect(CpuSet.parse(own.cpus));
  return inside.size === 0 ? own.cpus : String(inside);
}
