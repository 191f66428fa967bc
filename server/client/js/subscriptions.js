// @ts-check
// Which topics the application wants, and what the node has said to that. Requests are asked again after each
// welcome: the answer to one that was under way is lost with its connection.

/** The node holds 64; as many again may wait to be unsubscribed. */
export const MAX_TOPICS = 64;

export class RoostError extends Error {
  /** @param {string} code @param {string} text */
  constructor(code, text) {
    super(text || code);
    this.name = 'RoostError';
    this.code = code;
  }
}

/** The rule for names of devices and topics. @param {unknown} name @param {string} what */
export function checkName(name, what) {
  if (typeof name !== 'string' || !/^[!-~]{1,128}$/.test(name)) {
    throw new RoostError(what, `${what}: 1 to 128 printable ASCII characters without spaces`);
  }
}

/** @typedef {import('./wire.js').Message} Message */
/** @typedef {{topic: string, want: 'sub' | 'unsub', done: boolean, r: number, tries: number, waiter: Waiter | null, cancel: (() => void) | null}} Entry */
/** @typedef {{promise: Promise<void>, resolve: () => void, reject: (error: Error) => void}} Waiter */

/** @returns {Waiter} */
function waiter() {
  /** @type {any} */
  const w = {};
  w.promise = new Promise((resolve, reject) => Object.assign(w, { resolve, reject }));
  // Who does not wait for the answer has chosen not to hear it.
  w.promise.catch(() => {});
  return w;
}

export class Subscriptions {
  /**
   * @param {{send: (m: Message) => boolean, clock: import('./core.js').Clock, jitter: (n: number) => number,
   *   fault: (error: Error) => void}} env
   */
  constructor(env) {
    this.env = env;
    /** @type {Map<string, Entry>} */
    this.topics = new Map();
    this.last = 0;
  }

  /** @param {string} topic @param {'sub' | 'unsub'} want @returns {Promise<void>} */
  async request(topic, want) {
    checkName(topic, 'channel');
    const old = this.topics.get(topic);
    if (old && old.want === want) {
      if (old.done) return;
      old.waiter ??= waiter();
      return old.waiter.promise;
    }
    if (!old) this.checkRoom(want);
    old?.cancel?.();
    old?.waiter?.reject(new RoostError('superseded', `${topic}: asked otherwise since`));
    /** @type {Entry} */
    const entry = { topic, want, done: false, r: 0, tries: 0, waiter: waiter(), cancel: null };
    this.topics.set(topic, entry);
    this.ask(entry);
    return entry.waiter?.promise;
  }

  /** @param {'sub' | 'unsub'} want */
  checkRoom(want) {
    const wanted = [...this.topics.values()].filter((entry) => entry.want === want).length;
    if (wanted >= MAX_TOPICS) throw new RoostError('limit', `${MAX_TOPICS} topics`);
  }

  /** @param {Entry} entry */
  ask(entry) {
    entry.cancel = null;
    entry.r = ++this.last;
    this.env.send({ t: entry.want, r: entry.r, ch: entry.topic });
  }

  /** After each welcome. */
  repeat() {
    for (const entry of this.topics.values()) {
      entry.cancel?.();
      entry.done = false;
      entry.tries = 0;
      this.ask(entry);
    }
  }

  /** @param {Message} res */
  answer(res) {
    const entry = [...this.topics.values()].find((e) => e.r === res.r);
    if (!entry) return;
    if (!res.ok && res.code === 'unavailable') {
      entry.cancel?.();
      entry.cancel = this.env.clock.after(this.env.jitter(entry.tries++), () => this.ask(entry));
      return;
    }
    entry.done = true;
    if (!res.ok || entry.want === 'unsub') this.topics.delete(entry.topic);
    const { waiter } = entry;
    entry.waiter = null;
    if (res.ok) waiter?.resolve();
    else this.refused(entry, waiter, new RoostError(res.code ?? 'unknown', `${entry.topic}: ${res.text ?? ''}`));
  }

  /** @param {Entry} entry @param {Waiter | null} waiter @param {RoostError} error */
  refused(entry, waiter, error) {
    if (waiter) waiter.reject(error);
    else this.env.fault(error);
  }

  /** What is wanted stays for the next start; those who wait are told. */
  stop() {
    for (const entry of this.topics.values()) {
      entry.cancel?.();
      entry.cancel = null;
      entry.waiter?.reject(new RoostError('stopped', 'the client was stopped'));
      entry.waiter = null;
    }
  }
}
