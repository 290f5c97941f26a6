// node test/smoke.mjs FOLDER [--groups]
//
// Says whether the package that is installed in FOLDER works on this machine: both kinds of importer, a pin that holds,
// and every claim of validate; where the system has no such calls, that it says so. --groups: there must be several.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder = '.', ...options] = process.argv.slice(2);
const { resolve: find } = createRequire(join(resolve(folder), 'program.js'));
const required = createRequire(join(resolve(folder), 'program.js'))('groupaffinity');
const main = join(find('groupaffinity/package.json'), '..', 'dist', 'cli', 'main.js');
const imported = await import(pathToFileURL(join(main, '..', '..', 'index.js')).href);
const { affinity, allowedCpus, currentCpu, pin, support, topology } = imported;

function check(what, holds) {
  if (holds) return;
  console.error(`${what}: does not hold`);
  process.exit(1);
}

const can = support();
console.log(process.platform, process.arch, process.version, can);
check('the addon loads', can.error === undefined);
check('import and require give one module', required.pin === pin && required.CpuSet === imported.CpuSet);
const validate = spawnSync(process.execPath, [main, 'validate'], { stdio: 'inherit' });
if (can.affinity) {
  const cpu = allowedCpus().first;
  const here = pin([cpu]);
  check('a pinned thread is where it was put', currentCpu().cpu === cpu && affinity().size === 1);
  here.restore();
  check('validate', validate.status === 0);
  if (options.includes('--groups')) check('there are several groups', topology().groups.length > 1);
} else {
  check('this platform is one of those without', !['linux', 'win32'].includes(process.platform));
  check('validate says that it can not', validate.status === 3);
}
