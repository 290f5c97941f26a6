/** Every name that the package is imported under, by import and by require. Writes JSON: `[{ name, verdict, observed }]`. */
import { createRequire } from 'node:module';
import { Found } from '../lab.ts';

const require = createRequire(import.meta.url);
const found = new Found();

/** A door, and a few of the names behind it. */
const doors = {
  groupaffinity: [
    'affinity',
    'allowedCpus',
    'currentCpu',
    'pin',
    'support',
    'topology',
    'withAffinity',
    'CpuSet',
    'AffinityError',
    'threads',
    'setThreadAffinity',
    'placeProcess',
    'setThreadPriority',
    'getThreadPriority',
  ],
  'groupaffinity/storport': ['StorPortSetSystemGroupAffinityThread', 'STOR_GROUP_AFFINITY', 'STOR_STATUS_SUCCESS'],
  'groupaffinity/wdm': ['KeSetSystemGroupAffinityThread', 'KeRaiseIrql', 'GROUP_AFFINITY'],
  'groupaffinity/workers': ['spread', 'workerOptions', 'seat', 'sitters'],
};

for (const [door, names] of Object.entries(doors)) {
  const imported = (await import(door)) as Record<string, unknown>;
  found.same(
    `import of ${door}`,
    [],
    names.filter((name) => imported[name] === undefined),
  );
  await found.check(`require of ${door}, the same module`, () => {
    const required = require(door) as Record<string, unknown>;
    const other = names.filter((name) => required[name] !== imported[name]);
    if (other.length > 0) throw new Error(`${other.join()} differ`);
  });
}
found.same('require of package.json', 'groupaffinity', (require('groupaffinity/package.json') as { name: string }).name);

const { header, sharedObjects } = process.report.getReport() as { header: { glibcVersionRuntime?: string }; sharedObjects: string[] };
const libc = process.platform !== 'linux' ? '' : header.glibcVersionRuntime === undefined ? '.musl' : '.glibc';
found.same(
  'the addon is the one prebuilt for this system',
  [`prebuilds/${process.platform}-${process.arch}/groupaffinity${libc}.node`],
  sharedObjects.filter((file) => file.endsWith('.node')).map((file) => file.replaceAll('\\', '/').replace(/^.*(?=prebuilds)/, '')),
);

console.log(JSON.stringify(found.checks));
