#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { AffinityError } from '../errors.ts';
import { exitStatus, UsageError } from './usage.ts';

interface Command {
  readonly usage: string;
  run(args: string[]): number | Promise<number>;
}

const commands = {
  topology: { summary: 'the machine as a picture: groups, nodes, packages, cores', load: () => import('./topology.ts') },
  validate: { summary: 'every claim of the documents against this machine, with what was seen', load: () => import('./validate.ts') },
  run: { summary: 'an unchanged program, placed: its main thread, workers, pool and child processes', load: () => import('./run.ts') },
  ps: { summary: "a running Node process's threads: what they do, where they may run, where they are", load: () => import('./ps.ts') },
  bench: { summary: 'what affinity costs on this machine, and whether pinning pays', load: () => import('./bench.ts') },
  report: { summary: 'what validate and bench found on many machines, together', load: () => import('./report.ts') },
  demo: { summary: 'one worker a core on real work, and where the kernel saw it', load: () => import('./demo.ts') },
} satisfies Record<string, { summary: string; load: () => Promise<Command> }>;

const isCommand = (name: string): name is keyof typeof commands => Object.hasOwn(commands, name);

function usage(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  return [
    'Usage: groupaffinity <command> [options]',
    '',
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'groupaffinity <command> --help tells its options. Exit status: 0 good, 1 a claim failed, 2 wrong usage, 3 not supported here.',
  ].join('\n');
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined) throw new UsageError('a command is missing', usage());
  if (name === '--help' || name === '-h' || name === 'help') {
    console.log(usage());
    return exitStatus.good;
  }
  if (name === '--version' || name === '-v') {
    console.log(version());
    return exitStatus.good;
  }
  if (!isCommand(name)) throw new UsageError(`there is no command '${name}'`, usage());
  const command = await commands[name].load();
  // What comes after -- is another program's.
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  if (own.includes('--help') || own.includes('-h')) {
    console.log(command.usage);
    return exitStatus.good;
  }
  return command.run(args);
}

function report(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`groupaffinity: ${error.message}\n\n${error.usage}`);
    return exitStatus.usage;
  }
  if (error instanceof AffinityError) {
    console.error(error.message.startsWith('groupaffinity:') ? error.message : `groupaffinity: ${error.message}`);
    return error.code === 'ERR_AFFINITY_UNSUPPORTED' || error.code === 'ERR_AFFINITY_NO_BINARY' ? exitStatus.unsupported : exitStatus.usage;
  }
  console.error(error);
  return exitStatus.failed;
}

// A reader that has seen enough (`| head`) is no error; the command goes on, for its exit status and its files.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  console.error(`groupaffinity: the output could not be written: ${error.message}`);
  process.exit(exitStatus.failed);
});

process.exitCode = await main(process.argv.slice(2)).catch(report);
