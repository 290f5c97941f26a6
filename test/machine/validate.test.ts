import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cpuset, noCpuset } from './cpuset.ts';
import { checkout, cpus } from './own-process.ts';

const main = join(checkout, 'dist', 'cli', 'main.js');
const command = (...args: string[]): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [main, 'validate', ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });

interface Claim {
  id: string;
  sentence: string;
  source: string;
  verdict: 'pass' | 'fail' | 'skip';
  expected: string;
  observed: string;
  reason?: string;
}

interface Document {
  machine: Record<string, string | number>;
  claims: Claim[];
  passed: number;
  failed: number;
  skipped: number;
}

interface Element {
  name: string;
  attributes: Record<string, string>;
  text: string;
  children: Element[];
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replace(/&(?:#(\d+)|(\w+));?/g, (whole, code: string | undefined, name: string | undefined) => {
    const value = code === undefined ? entities[name ?? ''] : String.fromCodePoint(Number(code));
    if (value === undefined || !whole.endsWith(';')) throw new Error(`not well-formed: ${whole}`);
    return value;
  });
}

/** The root of a document without comments, CDATA and DOCTYPE; throws for what is not well-formed XML. */
function parseXml(document: string): Element {
  const top: Element = { name: '', attributes: {}, text: '', children: [] };
  const open = [top];
  const body = document.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, '');
  if (body === document) throw new Error('no XML declaration');
  const pieces = /<(\/?)([A-Za-z][\w.-]*)((?:\s+[A-Za-z][\w.-]*="[^"<]*")*)\s*(\/?)>|([^<]+)|</g;
  for (const [whole, end, name = '', attributes = '', empty, text] of body.matchAll(pieces)) {
    const here = open.at(-1) as Element;
    if (text !== undefined) {
      if (/&(?!(?:amp|lt|gt|quot|apos|#\d+);)|]]>/.test(text)) throw new Error(`not well-formed: ${text}`);
      here.text += plain(text);
    } else if (whole === '<') throw new Error('not well-formed: a stray <');
    else if (end === '/') {
      if (here.name !== name) throw new Error(`not well-formed: </${name}> closes <${here.name}>`);
      open.pop();
    } else {
      const pairs = [...attributes.matchAll(/([\w.-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, plain(value)] as const);
      if (new Set(pairs.map(([key]) => key)).size !== pairs.length) throw new Error(`not well-formed: an attribute twice in <${name}>`);
      const element: Element = { name, attributes: Object.fromEntries(pairs), text: '', children: [] };
      here.children.push(element);
      if (empty !== '/') open.push(element);
    }
  }
  const [root, ...others] = top.children;
  if (open.length !== 1 || root === undefined || others.length > 0 || top.text.trim() !== '')
    throw new Error('not well-formed: not one closed root');
  return root;
}

const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-validate-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('groupaffinity validate', () => {
  const report = join(folder, 'report.xml');
  let run: SpawnSyncReturns<string>;
  let document: Document;
  beforeAll(() => {
    run = command('--json', '--junit', report);
    document = JSON.parse(run.stdout) as Document;
  });

  it('every claim passes here or is skipped, and one document goes to standard output', () => {
    expect(document.claims.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('the document has the shape that is promised', () => {
    expect(Object.keys(document)).toEqual(['machine', 'claims', 'passed', 'failed', 'skipped']);
    const facts = ['platform', 'release', 'arch', 'node', 'version', 'cpuModel', 'cpus', 'allowed', 'groups', 'topology'];
    expect(Object.keys(document.machine)).toEqual(facts);
    for (const { verdict, ...claim } of document.claims)
      expect(Object.keys(claim)).toEqual(['id', 'sentence', 'source', 'expected', 'observed', ...(verdict === 'skip' ? ['reason'] : [])]);
    const count = (wanted: string): number => document.claims.filter(({ verdict }) => verdict === wanted).length;
    expect([document.passed, document.failed, document.skipped]).toEqual([count('pass'), count('fail'), count('skip')]);
  });

  it('there are more than a hundred claims, each with an id of its own, a sentence and a source', () => {
    expect(document.claims.length).toBeGreaterThan(100);
    expect(new Set(document.claims.map(({ id }) => id)).size).toBe(document.claims.length);
    for (const { id, sentence, source } of document.claims) {
      expect(id).toMatch(/^[a-z]+\.[a-z-]+$/);
      expect(sentence).toMatch(/^\S.{15,}\.$/);
      expect(source).not.toBe('');
    }
  });

  it('what passed was seen as expected; every skip says what is missing', () => {
    for (const { verdict, expected, observed, reason } of document.claims) {
      if (verdict === 'skip') expect(reason).toMatch(/\w+ \w+/);
      else expect(observed).toBe(expected);
    }
  });

  it.skipIf(cpus.length < 2)('each CPU was moved to a thousand times in each way, and every witness found the thread there', () => {
    const moves = document.claims.filter(({ id, verdict }) => /^moves\.(set|revert|pin)-/.test(id) && verdict === 'pass');
    expect(moves.length).toBeGreaterThanOrEqual(6);
    for (const { observed } of moves) expect(observed).toBe(`${cpus.length} CPUs, 1000 moves to each, each there on return`);
  });

  it('the JUnit report is well-formed and has the same verdicts', () => {
    const root = parseXml(readFileSync(report, 'utf8'));
    expect(root.name).toBe('testsuites');
    expect(root.attributes).toMatchObject({
      tests: String(document.claims.length),
      failures: String(document.failed),
      errors: '0',
      skipped: String(document.skipped),
    });
    for (const suite of root.children) {
      const cases = suite.children.filter(({ name }) => name === 'testcase');
      const having = (name: string): Element[] => cases.filter(({ children }) => children.some((child) => child.name === name));
      expect(suite.name).toBe('testsuite');
      expect(suite.attributes).toMatchObject({
        tests: String(cases.length),
        failures: String(having('failure').length),
        skipped: String(having('skipped').length),
      });
    }
    const told = root.children.flatMap(({ children }) => children.filter(({ name }) => name === 'testcase'));
    expect(told.map(({ attributes }) => attributes['name'])).toEqual(document.claims.map(({ id, sentence }) => `${id}: ${sentence}`));
    for (const { children } of told.filter(({ children }) => children[0]?.name === 'skipped'))
      expect(children[0]?.attributes['message']).toMatch(/\w+ \w+/);
  });

  it('people get a line a claim, the reason of a skip, and the totals', () => {
    const { status, stdout, stderr } = command('--moves', '5', 'structure', 'inactive.set-');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^ok {4}structure\.fields +The structure has/);
    expect(lines.at(-1)).toMatch(/^\d+ passed, 0 failed, \d+ skipped, of \d+ claims$/);
    expect(stdout).toMatch(/^(ok {4}|skip {2})inactive\.set-trims /m);
  });

  it('claims are selected by id and by beginning, each once and in their order', () => {
    const { claims } = JSON.parse(command('--json', 'set.same', 'set', 'status.codes').stdout) as Document;
    const ids = claims.map(({ id }) => id);
    expect(ids).toEqual(document.claims.map(({ id }) => id).filter((id) => id.startsWith('set') || id === 'status.codes'));
    expect(ids.length).toBeGreaterThan(10);
  });

  it('--list tells the claims and checks none', () => {
    const { status, stdout } = command('--list');
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual(document.claims.map(({ id, sentence }) => [id, sentence]));
    expect(command('--list', 'wait').stdout.trimEnd().split('\n').length).toBeLessThan(10);
  });

  it('--list leaves the file of --junit alone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-list-'));
    try {
      const file = join(folder, 'junit.xml');
      expect(command('--list', '--junit', file).status).toBe(0);
      expect(existsSync(file)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    [['set.confine', 'set.confinse'], "no claim begins with 'set.confinse'; near it are set.confines"],
    [['irlq.passive'], 'irql.passive'],
    [['Set'], "no claim begins with 'Set'"],
    [[''], "no claim begins with ''"],
    [['--moves', '0'], '--moves is a whole number'],
    [['--moves', '1e3'], '--moves is a whole number'],
    [['--moves', '2000000'], '--moves is a whole number'],
    [['--junit', '/nowhere/at/all.xml'], '--junit: ENOENT'],
    [['--junit'], 'argument missing'],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])('%j is wrong usage: status 2, and says so', (args, message) => {
    const { status, stdout, stderr } = command(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage: groupaffinity validate');
  });

  it.skipIf(cpus.length < 2)('Ctrl-C ends it at once; what was not checked is told, and the status is 1', async () => {
    const child = spawn(process.execPath, [main, 'validate', '--moves', '1000000', 'set.confines', 'moves'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    await new Promise((go) => child.stdout.once('data', go));
    const begun = performance.now();
    const ended = new Promise((end) => child.once('close', (code, signal) => end(signal ?? code)));
    child.kill('SIGINT');
    expect(await ended).toBe(1);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(out).toMatch(/^ok {4}set\.confines/);
    expect(out).toMatch(/interrupted: \d+ claims were not checked\n1 passed, 0 failed, \d+ skipped/);
  });

  it.skipIf(cpus.length < 2)('Ctrl-C leaves one whole document, with the missing claims as skips', async () => {
    const child = spawn(process.execPath, [main, 'validate', '--json', '--moves', '1000000', 'moves'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    await new Promise((go) => setTimeout(go, 1000));
    const ended = new Promise((end) => child.once('close', (code, signal) => end(signal ?? code)));
    child.kill('SIGTERM');
    expect(await ended).toBe(1);
    const { claims, skipped } = JSON.parse(out) as Document;
    expect(skipped).toBe(claims.length);
    expect(claims.map(({ reason }) => reason)).toContain('interrupted');
  });

  it('with one CPU nothing fails, and the claims that need two say so', () => {
    const { status, stdout } = spawnSync('taskset', ['-c', `${cpus[0]}`, process.execPath, main, 'validate', '--json', '--moves', '5'], {
      encoding: 'utf8',
    });
    const { claims } = JSON.parse(stdout) as Document;
    expect(claims.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
    expect(status).toBe(0);
    expect(claims.find(({ id }) => id === 'moves.set-os')?.reason).toBe('needs a second CPU that this process may use');
  });

  it.skipIf(cpus.length < 2)('with the CPUs dealt to two groups nothing fails, and what needs groups is checked', () => {
    const groups = join(folder, 'two-groups.cjs');
    writeFileSync(
      groups,
      `const table = new Uint32Array(128).fill(0xffffffff);
       ${JSON.stringify(cpus)}.forEach((cpu, at) => (table[(at % 2) * 64 + (at >> 1)] = cpu));
       require(${JSON.stringify(join(checkout, 'node_modules', 'node-gyp-build'))})(${JSON.stringify(checkout)}).complete().formGroups(table);`,
    );
    const { stdout } = spawnSync(process.execPath, ['-r', groups, main, 'validate', '--json', '--moves', '5'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    const { machine, claims } = JSON.parse(stdout) as Document;
    expect(machine['groups']).toBe(2);
    expect(claims.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
    for (const id of ['set.across-groups', 'revert.spans-groups', 'moves.set-os'])
      expect(claims.find((claim) => claim.id === id)).toMatchObject({ id, verdict: 'pass' });
  });

  it.skipIf(noCpuset !== undefined)(
    `in a cpuset it sees that withheld CPUs are refused${noCpuset === undefined ? '' : `: ${noCpuset}`}`,
    () => {
      using cpuset = new Cpuset(`${cpus[0]}`);
      const { stdout } = spawnSync(
        'sh',
        ['-c', `echo $$ > ${cpuset.folder}/tasks; exec "$@"`, 'sh', process.execPath, main, 'validate', '--json', '--moves', '5'],
        { encoding: 'utf8' },
      );
      const { claims } = JSON.parse(stdout) as Document;
      expect(claims.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
      expect(claims.find(({ id }) => id === 'set.withheld')?.verdict).toBe('pass');
    },
  );
});

// Taking a CPU of somebody's machine offline is nothing that a test does unasked.
const switches = (cpu: number): string => `/sys/devices/system/cpu/cpu${cpu}/online`;
const victim = cpus.at(-1) ?? 0;
const noHotplug =
  process.env['GROUPAFFINITY_TEST_HOTPLUG'] !== '1'
    ? 'needs GROUPAFFINITY_TEST_HOTPLUG=1'
    : process.getuid?.() !== 0
      ? 'needs root'
      : cpus.length < 2 || !existsSync(switches(victim))
        ? 'needs a CPU that can be taken offline'
        : undefined;
const because = noHotplug === undefined ? '' : `: ${noHotplug}`;

describe.skipIf(noHotplug !== undefined)('groupaffinity validate --hotplug', () => {
  const online = '/sys/devices/system/cpu/online';
  const before = readFileSync(online, 'utf8');
  const isOffline = (): boolean => readFileSync(switches(victim), 'utf8').trim() === '0';
  const until = async (condition: () => boolean): Promise<void> => {
    const end = performance.now() + 20_000;
    while (!condition()) {
      if (performance.now() > end) throw new Error('it did not come to that');
      await new Promise((go) => setTimeout(go, 1));
    }
  };

  it(`sees that offline CPUs are left out, and has the machine as it was${because}`, () => {
    const { claims } = JSON.parse(command('--hotplug', '--json', 'inactive', 'hotplug').stdout) as Document;
    expect(claims.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(claims.length).toBeGreaterThan(8);
    expect(readFileSync(online, 'utf8')).toBe(before);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
    `brings the CPU back when it is ended by %s while the CPU is offline${because}`,
    async (signal) => {
      const child = spawn(process.execPath, [main, 'validate', '--hotplug', 'inactive', 'hotplug'], { stdio: 'ignore' });
      const ended = new Promise((end) => child.once('exit', (code, by) => end(by ?? code)));
      await until(isOffline);
      child.kill(signal);
      expect(await ended).toBe(signal === 'SIGKILL' ? signal : 1);
      await until(() => !isOffline());
      expect(readFileSync(online, 'utf8')).toBe(before);
    },
  );
});
