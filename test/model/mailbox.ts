/** One question and one answer at a time between two threads that block each other, through memory they share. */
const idle = 0;
const asked = 1;
const answered = 2;

const encode = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? { bigint: each.toString(16) } : each));
const decode = (text: string): unknown =>
  JSON.parse(text, (_, each: unknown) => {
    if (typeof each !== 'object' || each === null || !('bigint' in each) || typeof each.bigint !== 'string') return each;
    return each.bigint.startsWith('-') ? -BigInt(`0x${each.bigint.slice(1)}`) : BigInt(`0x${each.bigint}`);
  });

export class Mailbox {
  readonly memory: SharedArrayBuffer;
  readonly #state: Int32Array;
  readonly #text: Uint8Array;

  constructor(memory = new SharedArrayBuffer(65_536)) {
    this.memory = memory;
    this.#state = new Int32Array(memory, 0, 2);
    this.#text = new Uint8Array(memory, 8);
  }

  #write(value: unknown): void {
    const bytes = new TextEncoder().encode(encode(value));
    this.#text.set(bytes);
    Atomics.store(this.#state, 1, bytes.length);
  }

  #read(): unknown {
    return decode(new TextDecoder().decode(this.#text.slice(0, Atomics.load(this.#state, 1))));
  }

  /** The answer; undefined where `hasEnded` says that nobody answers any more. */
  ask(question: unknown, hasEnded: () => boolean): unknown {
    this.#write(question);
    Atomics.store(this.#state, 0, asked);
    Atomics.notify(this.#state, 0);
    const latest = Date.now() + 20_000;
    while (Atomics.load(this.#state, 0) === asked) {
      if (Date.now() > latest) throw new Error('the other thread does not answer');
      Atomics.wait(this.#state, 0, asked, 20);
      if (Atomics.load(this.#state, 0) === asked && hasEnded()) return undefined;
    }
    Atomics.store(this.#state, 0, idle);
    return this.#read();
  }

  /** Answers until the answer is undefined. */
  serve(answer: (question: unknown) => unknown): void {
    for (;;) {
      while (Atomics.load(this.#state, 0) !== asked) Atomics.wait(this.#state, 0, Atomics.load(this.#state, 0), 1000);
      const value = answer(this.#read());
      this.#write(value ?? null);
      Atomics.store(this.#state, 0, answered);
      Atomics.notify(this.#state, 0);
      if (value === undefined) return;
    }
  }
}
