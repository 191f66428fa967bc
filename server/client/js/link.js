// @ts-check
// One connection: a WebSocket from the dial to its end, the welcome, the heartbeat, and the watch over a node
// that has gone silent.
import { decode, encode, WireError } from './wire.js';
import { HEALTHY_AFTER, MOST_WIDE, verdict } from './core.js';

/** A dial, with everything up to the welcome, is given up after this. */
export const DIAL_TIMEOUT = 20_000;
/** How long a replaced connection may wait for the node's 4002, and a closed one for the answer to its close. */
export const LINGER = 10_000;
export const CLOSE_TIMEOUT = 2_000;

const OPEN = 1;

/** @typedef {import('./wire.js').Message} Message */
/** @typedef {import('./core.js').Clock} Clock */
/**
 * @typedef {object} LinkEvents
 * @property {(link: Link, welcome: Message) => void} welcome
 * @property {(link: Link, m: Message) => void} message
 * @property {(link: Link, code: number | undefined, reason: string, retryAfter: number) => void} closed `code` is
 *   undefined when nobody said one; comes again when a socket that was given up is really gone
 * @property {(error: unknown) => void} fault
 * @property {() => Message} beat the next heartbeat
 * @property {(ms: number) => void} wide what the node says of dials that nobody takes
 */

/** The welcome with what it may leave out; undefined if it is none. @param {Message} m @returns {Message | undefined} */
function complete(m) {
  const { sid, epoch, seq = 0, acked = 0 } = m;
  if (typeof sid !== 'string' || typeof epoch !== 'string') return undefined;
  const back = { base: positive(m.back?.base, 1000), max: positive(m.back?.max, 120_000) };
  const hb = Math.max(1000, positive(m.hb, 55_000));
  return { ...m, sid, epoch, seq, acked, hb, back, spread: m.spread ?? 0, wide: m.wide ?? 0, win: positive(m.win, 32), max: positive(m.max, 65_536) };
}

/** @param {unknown} value @param {number} otherwise */
function positive(value, otherwise) {
  return typeof value === 'number' && value > 0 ? value : otherwise;
}

export class Link {
  /** @param {{WebSocket: any, url: string, form: import('./wire.js').Form, clock: Clock, random: () => number, on: LinkEvents}} env */
  constructor(env) {
    this.env = env;
    /** 'dial' until the welcome, then 'up'; 'old' when another one has replaced it, 'over' when it is gone. @type {'dial' | 'up' | 'old' | 'over'} */
    this.phase = 'dial';
    this.spread = 0;
    /** Nobody takes connections where the dial led to. A browser does not say why a dial failed: with a network it was that. */
    this.nobody = false;
    this.max = 65_536;
    this.hb = 55_000;
    this.upSince = 0;
    this.lastInput = 0;
    this.beaten = false;
    this.answered = false;
    this.retryAfter = 0;
    /** @type {(() => void)[]} */
    this.onGone = [];
    /** At most three timers: dial or watch, heartbeat, linger. @type {Map<string, () => void>} */
    this.timers = new Map();
    this.socket = this.open();
    this.after('watch', DIAL_TIMEOUT, () => this.lose());
  }

  open() {
    const { WebSocket, url, form } = this.env;
    const socket = new WebSocket(url, [`roost.v1.${form}`]);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = (/** @type {{data: any}} */ event) => this.input(event.data);
    socket.onclose = (/** @type {{code: number, reason: string}} */ event) => this.ended(event.code, event.reason);
    // What went wrong comes with onclose; but some WebSockets throw an error that nobody listens to.
    socket.onerror = (/** @type {any} */ event) => {
      this.nobody ||= event?.error?.code === 'ECONNREFUSED';
    };
    this.readRefusal(socket);
    return socket;
  }

  /** The standard hides the answer to a refused upgrade; the ws package shows it. @param {any} socket */
  readRefusal(socket) {
    if (typeof socket.on !== 'function') {
      this.nobody = globalThis.navigator?.onLine === true;
      return;
    }
    socket.on('unexpected-response', (/** @type {any} */ request, /** @type {any} */ response) => {
      this.retryAfter = 1000 * (Number(response.headers['retry-after']) || 0);
      this.nobody = this.retryAfter === 0 && response.statusCode >= 502 && response.statusCode <= 504;
      request.destroy();
      this.lose();
    });
  }

  /** @param {string} name @param {number} ms @param {() => void} run */
  after(name, ms, run) {
    this.timers.get(name)?.();
    this.timers.set(name, this.env.clock.after(ms, run));
  }

  clear() {
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
  }

  /** @param {any} data */
  input(data) {
    if (this.phase === 'over') return;
    this.lastInput = this.env.clock.now();
    let m;
    try {
      m = decode(data, this.env.form);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      // Rule 2: it may have been a kept message, and is a hole then.
      this.env.on.fault(error);
      this.lose(4000);
      return;
    }
    if (this.phase === 'dial') {
      if (m.t === 'welcome') this.welcome(m);
      // What a refusal has in its Retry-After, for who cannot read that.
      else if (m.t === 'away' && verdict(m.code) === 'backoff') this.retryAfter = m.in;
    } else if (m.t === 'hb') {
      this.spread = m.spread ?? this.spread;
      this.env.on.wide(Math.min(m.wide ?? 0, MOST_WIDE));
      this.answered ||= this.beaten;
    } else this.env.on.message(this, m);
  }

  /** @param {Message} m */
  welcome(m) {
    const welcome = complete(m);
    if (!welcome) {
      this.env.on.fault(new WireError('a welcome without sid or epoch'));
      this.lose();
      return;
    }
    this.phase = 'up';
    this.hb = welcome.hb;
    this.max = welcome.max;
    this.spread = welcome.spread;
    this.env.on.wide(Math.min(welcome.wide, MOST_WIDE));
    this.upSince = this.env.clock.now();
    this.after('beat', this.env.random() * this.hb, () => this.beat());
    this.watch();
    this.env.on.welcome(this, welcome);
  }

  beat() {
    this.beaten = true;
    this.after('beat', this.hb, () => this.beat());
    this.send(this.env.on.beat());
  }

  /** One timer that looks at the time of the last input, instead of one that every message sets anew. */
  watch() {
    const left = this.lastInput + 1.5 * this.hb - this.env.clock.now();
    if (left <= 0) this.lose();
    else this.after('watch', left, () => this.watch());
  }

  /** Rule 7. */
  healthy() {
    return this.answered && this.env.clock.now() - this.upSince >= HEALTHY_AFTER;
  }

  /** @param {Message} m @returns {boolean} whether it went to the socket */
  send(m) {
    if (this.phase !== 'up' || this.socket.readyState !== OPEN) return false;
    this.socket.send(encode(m, this.env.form));
    return true;
  }

  /** Bytes that the socket has not taken. */
  waiting() {
    return this.socket.bufferedAmount ?? 0;
  }

  /** Another connection has taken over. Live messages that were under way may still come; the rest is moot. */
  retire() {
    this.phase = 'old';
    this.clear();
    this.after('linger', LINGER, () => this.close(4000));
  }

  /** Given up from here: nobody waits for the other end, which may not be there. @param {number} [code] what to report */
  lose(code) {
    this.close(4000);
    this.env.on.closed(this, code, '', this.retryAfter);
  }

  /** Closes and is silent from then on. Resolves when the socket is gone, or soon. @param {number} code @returns {Promise<void>} */
  close(code) {
    if (this.phase === 'over') return Promise.resolve();
    this.phase = 'over';
    this.clear();
    return new Promise((resolve) => {
      const cancel = this.env.clock.after(CLOSE_TIMEOUT, () => {
        this.socket.terminate?.();
        resolve();
      });
      this.onGone.push(cancel, resolve);
      try {
        this.socket.close(code);
      } catch {
        // A socket that refuses to close is closed.
        this.gone();
      }
    });
  }

  gone() {
    for (const run of this.onGone.splice(0)) run();
  }

  /** @param {number} code @param {string} reason */
  ended(code, reason) {
    this.phase = 'over';
    this.clear();
    this.gone();
    this.env.on.closed(this, code === 1005 || code === 1006 ? undefined : code, reason ?? '', this.retryAfter);
  }
}
