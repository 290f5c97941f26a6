/** A machine as hwloc sees it, from lstopo's XML. */
import { CpuSet } from '../../lib/machine/cpu-set.ts';

/** CPU lists, sorted as text; nodes by id as `id: list`; caches as `level type list`. */
export interface HwlocView {
  readonly packages: readonly string[];
  readonly cores: readonly string[];
  readonly nodes: readonly string[];
  readonly caches: readonly string[];
}

/** hwloc's own writing of a set: hexadecimal words of 32 bits, the highest first, a word of zeros as nothing. */
function cpusOf(text: string): string {
  let mask = 0n;
  for (const word of text.split(',')) mask = (mask << 32n) | BigInt(word === '' ? 0 : word);
  return String(CpuSet.fromMask(mask));
}

const cacheTypes: Record<string, string> = { 0: 'unified', 1: 'data', 2: 'instruction' };

export function hwlocView(xml: string): HwlocView {
  const objects = [...xml.matchAll(/<object ([^>]*)>/g)].map(([, attributes = '']) =>
    Object.fromEntries([...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value])),
  );
  const of = (type: string): string[] =>
    objects.filter((object) => object['type'] === type).map((object) => cpusOf(object['cpuset'] ?? ''));
  return {
    packages: of('Package').sort(),
    cores: of('Core').sort(),
    nodes: objects
      .filter((object) => object['type'] === 'NUMANode')
      .sort((a, b) => Number(a['os_index']) - Number(b['os_index']))
      .map((object) => `${object['os_index']}: ${cpusOf(object['cpuset'] ?? '')}`),
    caches: objects
      .filter((object) => /^L\di?Cache$/.test(object['type'] ?? ''))
      .map((object) => `${object['depth']} ${cacheTypes[object['cache_type'] ?? '']} ${cpusOf(object['cpuset'] ?? '')}`)
      .sort(),
  };
}
