/** Node's processes on this machine, as the operating system shows them. */
import { native, Outcome, type NativeProcess } from '../binding.ts';
import { AffinityError, osDetails } from '../errors.ts';
import { rolesOf, type Knowledge, type Role } from './roles.ts';
import { poolSizeBy, told, type Listed } from './threads.ts';

/** A process of anybody's. */
export type ProcessInfo = Omit<NativeProcess, 'environment'>;

const nodes = /^node(js)?[\d.]*(\.exe)?( \(deleted\))?$/i;
const nodesMain = /^(node|nodejs|(node-)?MainThread)$/;
const nodesThread = /^((node-)?(V8Worker|DelayedTaskSche)|libuv-worker)/;

const isNamedNode = ({ program, name }: NativeProcess): boolean =>
  nodes.test(program.split(/[\\/]/).at(-1) ?? '') || (program === '' && nodes.test(name)) || nodesMain.test(name);

function find(pid: number): NativeProcess {
  const { outcome, osError, ...found } = native.readProcess(pid);
  const { platform } = native.support();
  if (outcome === Outcome.done) return found as NativeProcess;
  if (outcome === Outcome.unsupported) throw new AffinityError('ERR_AFFINITY_UNSUPPORTED', `other processes can't be seen on ${platform}`);
  if (outcome === Outcome.gone) throw new AffinityError('ERR_AFFINITY_NO_THREAD', `there is no process ${pid}`);
  throw new AffinityError('ERR_AFFINITY_REFUSED', `the operating system does not show process ${pid}`, osDetails(platform, osError));
}

/** What a process was started with says of its threads. */
function knowledge({ process, arguments: args, environment }: NativeProcess): Knowledge {
  const variable = environment.find((one) => one.startsWith('UV_THREADPOOL_SIZE='))?.slice('UV_THREADPOOL_SIZE='.length);
  const flag = args.findLastIndex((one) => /^--v8[-_]pool[-_]size(=|$)/.test(one));
  const v8PoolSize = Number(args[flag]?.split('=')[1] ?? args[flag + 1]);
  return {
    ...(native.support().platform === 'linux' ? { main: process } : {}),
    poolSize: poolSizeBy(variable),
    ...(flag >= 0 && Number.isInteger(v8PoolSize) && v8PoolSize > 0 ? { v8PoolSize } : {}),
  };
}

/** A Node process without its cooperation: what only it could tell of its threads is inferred. */
export interface SeenProcess {
  readonly process: ProcessInfo;
  readonly threads: readonly Listed[];
}

/**
 * @throws {AffinityError} `ERR_AFFINITY_NO_THREAD`: there is no such process, or it is none of Node's;
 *   `ERR_AFFINITY_REFUSED`; `ERR_AFFINITY_UNSUPPORTED`.
 */
export function seeProcess(pid: number): SeenProcess {
  const { environment, ...process } = find(pid);
  if (process.leader !== pid) throw new AffinityError('ERR_AFFINITY_NO_THREAD', `${pid} is a thread of process ${process.leader}`);
  const states = told(pid);
  if (!isNamedNode({ ...process, environment }) && !states.some(({ name }) => nodesThread.test(name)))
    throw new AffinityError('ERR_AFFINITY_NO_THREAD', `process ${pid} is none of Node's: it runs ${process.program || process.name}`);
  const roles = rolesOf(states, knowledge({ ...process, environment }));
  return { process, threads: states.map((state) => ({ state, role: roles.get(state.thread) as Role })) };
}

/**
 * The Node processes that this user may look at, by their numbers: those of its own; everybody's, where it is root.
 *
 * @throws {AffinityError} `ERR_AFFINITY_UNSUPPORTED`, `ERR_AFFINITY_REFUSED`
 */
export function nodeProcesses(): SeenProcess[] {
  const { outcome, osError, processes } = native.findProcesses();
  const { platform } = native.support();
  if (outcome === Outcome.unsupported) throw new AffinityError('ERR_AFFINITY_UNSUPPORTED', `other processes can't be seen on ${platform}`);
  if (outcome !== Outcome.done)
    throw new AffinityError('ERR_AFFINITY_REFUSED', 'the operating system does not list processes', osDetails(platform, osError));
  const user = native.currentUser();
  return processes
    .sort((a, b) => a - b)
    .flatMap((pid) => {
      try {
        const process = find(pid);
        if (!isNamedNode(process) || (user !== 0 && process.user !== null && process.user !== user)) return [];
        return [seeProcess(pid)];
      } catch (error) {
        // It has ended meanwhile, or is not shown.
        if (error instanceof AffinityError) return [];
        throw error;
      }
    });
}
