/**
 * A Linux with musl instead of glibc: Node for musl, on this machine's kernel. No registry has it by itself; pnpm's own
 * executable is one, with a program built in that a marker in the file switches on. Its C++ library is Debian's.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bench, must, npmPackage, run, Unavailable, type Machine } from './lab.ts';
import { runSuite, withPrebuilt } from './suite.ts';

const loader = '/lib/ld-musl-x86_64.so.1';
const home = join(bench, 'musl');
const names = join(home, 'glibc-names.so');
/** Node's marker for a program built in, and what libstdc++ calls glibc's loader: both are replaced by as many bytes. */
const builtIn = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1';
const glibcLoader = 'ld-linux-x86-64.so.2';

function copyWithout(marker: string, replacement: string, from: string, to: string): void {
  const bytes = readFileSync(from);
  const at = bytes.indexOf(marker);
  if (at < 0) throw new Error(`${from} has no ${marker}`);
  bytes.write(replacement.padEnd(marker.length, '\0'), at, 'latin1');
  writeFileSync(to, bytes);
}

/** The command that starts Node, with its first arguments. */
async function makeNode(): Promise<string[]> {
  const pnpm = join(await npmPackage('@pnpm/linuxstatic-x64', '11.21.0'), 'pnpm');
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const node = join(home, 'node');
  copyWithout(builtIn, builtIn.replace(/1$/, '0'), pnpm, node);
  chmodSync(node, 0o755);
  const own = ['-std=c++20', '-O1', '-shared', '-fPIC', '-nostdlib', '-fno-exceptions', '-fno-rtti', '-fno-stack-protector'];
  await must('g++', [...own, '-Wall', '-Wextra', '-Werror', join('test', 'lab', 'glibc_names.cc'), '-o', names]);
  for (const library of ['libstdc++.so.6', 'libgcc_s.so.1']) {
    const [file = ''] = (await must('g++', [`-print-file-name=${library}`])).trim().split('\n');
    const copy = join(home, library);
    // Without glibc's loader, so that an addon for glibc does not load here: as on any system with musl.
    if (readFileSync(file).includes(glibcLoader)) copyWithout(glibcLoader, 'glibc-names.so', realpathSync(file), copy);
    else copyFileSync(realpathSync(file), copy);
  }
  symlinkSync(loader, join(home, 'libc.musl-x86_64.so.1'));
  return ['--library-path', home, '--preload', names, node];
}

export const musls: Machine[] = [
  {
    name: 'musl-node26',
    about: 'this machine with musl for its C library, and Node 26 for that',
    async run(found) {
      if (!existsSync(loader)) throw new Unavailable(`needs ${loader}: on Debian, apt-get install musl`);
      const cwd = await withPrebuilt('linux-x64', 'groupaffinity.musl.node');
      const node = await makeNode();
      await runSuite(found, (args) => run(loader, [...node, ...args], { cwd }), { moves: 200 });
      found.system = `${found.system}, musl`;
    },
  },
];
