// An HTTP server whose event loop has a core for itself: libuv's pool, V8's helpers and workers run elsewhere.
//   node http-server.mjs [--seconds N]
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import { setInterval, setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { allowedCpus, pin, placeProcess, threads } from 'groupaffinity';
import { spread } from 'groupaffinity/workers';
import { compare, interleave, machine, percentile, seconds, table } from './measure.mjs';

/** Sends a request every five milliseconds, whether the last one is answered or not, for as long as a message says. */
function client([port, cpus]) {
  pin(cpus);
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });

  async function ask() {
    const sent = performance.now();
    const [response] = await once(get({ port, agent }), 'response');
    await once(response.resume(), 'end');
    return performance.now() - sent;
  }

  async function failed(error) {
    // When the server was ended, this process ends before that, by 'disconnect'.
    await setTimeout(1000);
    throw error;
  }

  process.once('disconnect', () => process.exit());
  process.on('message', async (milliseconds) => {
    const answers = [];
    for await (const begun of setInterval(5, performance.now())) {
      answers.push(ask().catch(failed));
      if (performance.now() > begun + milliseconds) break;
    }
    process.send(await Promise.all(answers));
  });
}

async function server() {
  const everywhere = allowedCpus();
  const cores = spread({ by: 'core' }).seats.map(({ cpus }) => cpus);
  const loop = cores[0];
  const clientCpus = cores.length > 2 ? cores[1] : loop;
  const others = everywhere.minus(loop).minus(clientCpus);
  const elsewhere = others.size > 0 ? others : loop;
  const place = () => placeProcess({ main: loop, workers: elsewhere, libuv: elsewhere, v8: elsewhere });
  const release = () => placeProcess({ main: everywhere, workers: everywhere, libuv: everywhere, v8: everywhere });

  const catalogue = Array.from({ length: 100 }, (_, id) => ({ id, name: `article ${id}`, price: id * 7 }));
  const http = createServer({ keepAliveTimeout: 60_000 }, (_, response) => response.end(JSON.stringify(catalogue))).listen(0, 'localhost');
  await once(http, 'listening');
  const load = fork(import.meta.filename, { env: { ...process.env, HTTP_CLIENT: `${http.address().port} ${clientCpus}` } });
  load.once('exit', (status) => process.exit(status ?? 1));

  place();
  // What keeps libuv's pool busy: logs are compressed, four at a time.
  const log = Buffer.from(randomBytes(48 * 1024).toString('base64'));
  let compressed = 0;
  for (let at = 0; at < 4; at += 1)
    void (async () => {
      for (;;) {
        await promisify(gzip)(log);
        compressed += log.length;
      }
    })();

  let turns = [];
  /** Notes again and again how long the event loop takes to come round to a timer of a millisecond. */
  async function watchTheLoop() {
    let last = performance.now();
    for await (const _ of setInterval(1)) {
      turns.push(performance.now() - last);
      last = performance.now();
    }
  }
  void watchTheLoop();

  async function serve(milliseconds) {
    const [before, begun] = [compressed, performance.now()];
    turns = [];
    load.send(milliseconds);
    const [latencies] = await once(load, 'message');
    await setTimeout(5);
    return {
      'median latency, ms': percentile(latencies, 0.5),
      'p99 latency, ms': percentile(latencies, 0.99),
      'p99 turn of the event loop, ms': percentile(turns, 0.99),
      'MiB compressed a second': (compressed - before) / 2 ** 20 / ((performance.now() - begun) / 1000),
    };
  }

  console.log(machine());
  if (cores.length === 1) console.log('There is one core, and all share it: placing can gain nothing.');
  if (cores.length === 2) console.log("There are two cores: the client runs on the event loop's.");
  await serve(200);
  table(threads().map(({ role, tid, allowed, lastCpu }) => ({ role, tid, 'kernel allows': allowed, 'ran last on': lastCpu })));
  const found = await interleave(seconds, {
    placed: (milliseconds) => {
      place();
      return serve(milliseconds);
    },
    free: (milliseconds) => {
      release();
      return serve(milliseconds);
    },
  });
  release();
  compare(found, {
    'median latency, ms': 'less',
    'p99 latency, ms': 'less',
    'p99 turn of the event loop, ms': 'less',
    'MiB compressed a second': 'more',
  });
  load.disconnect();
}

const { HTTP_CLIENT } = process.env;
if (HTTP_CLIENT === undefined) await server();
else client(HTTP_CLIENT.split(' '));
