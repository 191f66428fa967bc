// A clock and sockets that do what the test says, nothing of themselves.
import { DEVICE, SERVER, decode, encode } from '../../wire.js';
import { RoostClient } from '../../roost.js';

/** Everything that is ready to run has run. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export class FakeClock {
  time = 1_000_000;
  #next = 1;
  #timers = new Map();

  now = () => this.time;

  timers = {
    setTimeout: (run, ms) => {
      this.#timers.set(this.#next, { at: this.time + Math.max(0, ms), run, order: this.#next });
      return this.#next++;
    },
    clearTimeout: (id) => this.#timers.delete(id),
  };

  get pending() {
    return this.#timers.size;
  }

  /** The time of the next timer, or undefined. */
  get due() {
    return this.#first()?.[1].at;
  }

  #first() {
    return [...this.#timers].sort(([, a], [, b]) => a.at - b.at || a.order - b.order)[0];
  }

  async advance(ms) {
    const end = this.time + ms;
    await settle();
    for (let first; (first = this.#first()) && first[1].at <= end; await settle()) {
      this.#timers.delete(first[0]);
      this.time = Math.max(this.time, first[1].at);
      first[1].run();
    }
    this.time = end;
  }
}

export class FakeSocket {
  readyState = 0;
  bufferedAmount = 0;
  /** What the device said, decoded. */
  heard = [];
  /** The code that the device closed with. */
  closedWith = undefined;

  constructor(url, protocols) {
    this.url = new URL(url);
    this.form = protocols[0].slice('roost.v1.'.length);
    this.query = Object.fromEntries(this.url.searchParams);
  }

  send(data) {
    const m = decode(data, this.form, DEVICE);
    this.heard.push(m);
    this.onsaid?.(m);
  }

  close(code) {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    this.closedWith = code;
    this.ondeviceclose?.(code);
  }

  // ---- the node's side

  /** What came over the wire, as the client gets it. */
  raw(data) {
    if (this.readyState <= 2) this.onmessage({ data });
  }

  say(m) {
    const data = encode(m, this.form, SERVER);
    this.raw(typeof data === 'string' ? data : data.buffer);
  }

  welcome(m = {}) {
    this.readyState = 1;
    this.say({ t: 'welcome', sid: '0123456789abcdef', epoch: 'e1', seq: 0, acked: 0, resumed: false, hb: 55_000, spread: 0, node: 'n', max: 65_536, win: 32, back: { base: 1000, max: 120_000 }, ...m });
  }

  msg(seq, payload = seq, id = `m${seq}`) {
    this.say({ t: 'msg', seq, ttl: 60, id, payload });
  }

  /** The end, with a code or (1006) without. */
  end(code = 1006, reason = '') {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose({ code, reason });
  }

  said(type) {
    return this.heard.filter((m) => m.t === type);
  }
}

/** A client on a fake clock, and the sockets that it opens. */
export function setup(options = {}) {
  const clock = new FakeClock();
  const sockets = [];
  const handled = [];
  const events = [];
  const client = new RoostClient({
    url: 'ws://node.test/v1/connect',
    device: 'd1',
    random: () => 0.5,
    now: clock.now,
    timers: clock.timers,
    WebSocket: class extends FakeSocket {
      constructor(...args) {
        super(...args);
        sockets.push(this);
      }
    },
    ...options,
  });
  client.onmessage = (m) => void handled.push(m.payload);
  for (const type of ['state', 'skip', 'error', 'stopped']) client.addEventListener(type, (event) => events.push(event));
  return {
    client,
    clock,
    sockets,
    handled,
    events,
    last: () => sockets.at(-1),
    of: (type) => events.filter((event) => event.type === type),
    /** Started and welcomed. */
    async connect(welcome) {
      client.start();
      await settle();
      sockets.at(-1).welcome(welcome);
      await settle();
      return sockets.at(-1);
    },
    /** How long until the next dial: runs the clock until a socket appears. */
    async untilDial(limit = 1_000_000) {
      const before = sockets.length;
      const from = clock.time;
      await settle();
      while (sockets.length === before && clock.due !== undefined && clock.due - from <= limit) await clock.advance(clock.due - clock.time);
      return sockets.length > before ? clock.time - from : undefined;
    },
  };
}
