// @ts-check
// The client of a roost node, for browsers and Node. It joins the parts: link.js is one connection, core.js the
// rules, subscriptions.js the topics, wire.js the messages. docs/PROTOCOL.md is the contract.
import { Retry, Stream, verdict } from './core.js';
import { Link } from './link.js';
import { Saver, localStorageStore, memoryStore, usable } from './store.js';
import { RoostError, Subscriptions, checkName } from './subscriptions.js';
import { toBytes, utf8 } from './wire.js';

export { RoostError, localStorageStore, memoryStore };

/** `up` says no when the socket holds this many bytes already. */
const UP_BUFFER = 256 * 1024;
/** The longest time a timer can be set to, in every runtime. */
const LONGEST = 2 ** 31 - 1;

/** @typedef {import('./wire.js').Message} Message */
/** @typedef {import('./core.js').Position} Position */
/** @typedef {import('./core.js').Clock} Clock */

class RoostMessage {
  /** @param {Message} m */
  constructor(m) {
    this.type = 'message';
    this.topic = m.ch;
    this.id = m.id;
    this.seq = m.seq;
    this.ttl = m.ttl;
    this.payload = m.payload;
  }

  bytes() {
    return toBytes(this.payload);
  }

  text() {
    return utf8(this.bytes());
  }

  json() {
    if (!(this.payload instanceof Uint8Array)) return this.payload;
    return this.payload.length ? JSON.parse(utf8(this.payload)) : undefined;
  }
}

/** @param {{now?: () => number, timers?: any}} options @returns {Clock} */
function makeClock({ now = () => performance.now(), timers = globalThis }) {
  return {
    now,
    after(ms, run) {
      const id = timers.setTimeout(run, Math.min(Math.ceil(ms), LONGEST));
      return () => timers.clearTimeout(id);
    },
  };
}

/** @param {string} text */
function parseURL(text) {
  const url = new URL(text, globalThis.location?.href);
  url.protocol = url.protocol.replace(/^http/, 'ws');
  if (url.pathname === '/') url.pathname = '/v1/connect';
  return url;
}

export class RoostClient {
  /** @type {((event: any) => void) | null} */ onstate = null;
  /** @type {((event: any) => void) | null} */ onskip = null;
  /** @type {((event: any) => void) | null} */ onerror = null;
  /** @type {((event: any) => void) | null} */ onstopped = null;
  /** @type {((message: any) => unknown) | null} */ #onmessage = null;
  /** @type {Map<string, Set<(event: any) => unknown>>} */ #listeners = new Map();
  #state = 'stopped';
  #running = false;
  /** The connection with a welcome. @type {Link | null} */ #active = null;
  /** The one that is to become it. @type {Link | null} */ #dialing = null;
  /** The one before, until the node closes it. @type {Link | null} */ #old = null;
  /** The next dial. `retry`: a dial has failed, and this is the wait after it. @type {{cancel: () => void, retry: boolean} | null} */ #plan = null;
  /** The last `away`: the slot, in the clock's time. @type {{at: number, url?: string} | null} */ #away = null;
  /** Host of the `away` that is being dialled; and of the last one that could not be reached, until a welcome. */
  #sentTo = '';
  #failed = '';

  /** @param {any} options */
  constructor(options) {
    const { url, device, protocol = 'json', heartbeat, topics = [], store = memoryStore(), random = Math.random } = options;
    checkName(device, 'device');
    if (protocol !== 'json' && protocol !== 'bin') throw new RangeError("protocol: 'json' or 'bin'");
    if (heartbeat !== undefined && !(heartbeat >= 30 && heartbeat <= 300)) throw new RangeError('heartbeat: 30 to 300 seconds');
    this.device = device;
    this.url = parseURL(url).href;
    this.protocol = protocol;
    this.heartbeat = heartbeat;
    this.store = store;
    this.saver = new Saver(store, (error) => this.#fault(error));
    this.random = random;
    this.WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!this.WebSocket) throw new TypeError('no WebSocket here: pass one, as in {WebSocket}');
    this.clock = makeClock(options);
    this.retry = new Retry(random);
    this.stream = this.#makeStream();
    this.subscriptions = this.#makeSubscriptions();
    for (const topic of topics) this.subscribe(topic).catch((error) => this.#fault(error));
  }

  #makeStream() {
    return new Stream({
      clock: this.clock,
      retry: this.retry,
      deliver: (m) => this.#deliver(m),
      ready: () => this.#running && this.#handlers('message').length > 0,
      skipped: (skip) => this.#emit('skip', skip),
      fault: (error, m) => this.#fault(error, m),
      save: (position) => this.saver.save(position),
    });
  }

  #makeSubscriptions() {
    return new Subscriptions({
      send: (m) => this.#active?.send(m) ?? false,
      clock: this.clock,
      jitter: (n) => this.retry.jitter(n),
      fault: (error) => this.#fault(error),
    });
  }

  /** 'connecting', 'connected', 'waiting' or 'stopped'. */
  get state() {
    return this.#state;
  }

  /** The session and the last kept message handled. @returns {Position} */
  get position() {
    return { ...this.stream.position };
  }

  /** Live messages that went because the handler was too slow for them. */
  get dropped() {
    return this.stream.dropped;
  }

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(handler) {
    this.#onmessage = handler;
    this.stream.pump();
  }

  /** @param {string} type @param {(event: any) => unknown} handler */
  addEventListener(type, handler) {
    const set = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, set.add(handler));
    if (type === 'message') this.stream.pump();
  }

  /** @param {string} type @param {(event: any) => unknown} handler */
  removeEventListener(type, handler) {
    this.#listeners.get(type)?.delete(handler);
  }

  async start() {
    if (this.#running) return;
    this.#running = true;
    this.#setState('connecting');
    if (this.stream.position.epoch === undefined) {
      try {
        this.stream.position = usable(await this.store.load());
      } catch (error) {
        this.#fault(error);
      }
    }
    if (this.#running && !this.#dialing && !this.#active && !this.#plan) this.#dial();
  }

  /** Acknowledges what was handled, closes with 1000. Resolves when the connection is gone, or after 2 s. */
  async stop() {
    if (!this.#running) return;
    this.stream.flush();
    await this.#halt();
  }

  /** @param {string} topic @returns {Promise<void>} */
  subscribe(topic) {
    return this.subscriptions.request(topic, 'sub');
  }

  /** @param {string} topic @returns {Promise<void>} */
  unsubscribe(topic) {
    return this.subscriptions.request(topic, 'unsub');
  }

  /**
   * To whoever listens on the backend now. False: there is no connection, or it takes nothing.
   * @param {string} topic @param {unknown} payload
   */
  up(topic, payload) {
    checkName(topic, 'channel');
    if (this.protocol === 'json' && payload instanceof Uint8Array) throw new TypeError('up: bytes need the protocol bin');
    const link = this.#active;
    // The envelope is small beside this allowance, and the node's `max` counts the whole message.
    const size = toBytes(payload).length + topic.length + 32;
    if (link && size > link.max) throw new RoostError('limit', `the node takes ${link.max} bytes`);
    if (!link || link.waiting() + size > UP_BUFFER) return false;
    return link.send({ t: 'up', ch: topic, payload });
  }

  // ---- connections

  #dial() {
    this.#cancelPlan();
    if (this.#dialing) return;
    const url = this.#target();
    this.#away = null;
    if (!this.#active) this.#setState('connecting');
    try {
      this.#dialing = new Link({ WebSocket: this.WebSocket, url, form: this.protocol, clock: this.clock, random: this.random, on: this.#linkEvents() });
    } catch (error) {
      this.#fault(error);
      this.#planDial(this.retry.fail(), true);
    }
  }

  #linkEvents() {
    return {
      welcome: (/** @type {Link} */ link, /** @type {Message} */ m) => this.#welcome(link, m),
      message: (/** @type {Link} */ link, /** @type {Message} */ m) => this.#message(link, m),
      closed: (/** @type {Link} */ link, /** @type {number | undefined} */ code, /** @type {string} */ reason, /** @type {number} */ retryAfter) => {
        if (link === this.#dialing) this.#dialFailed(code, reason, retryAfter, link.nobody);
        else if (link === this.#active) this.#lost(link, code, reason);
      },
      fault: (/** @type {unknown} */ error) => this.#fault(error),
      beat: () => this.stream.heartbeat(),
      wide: (/** @type {number} */ ms) => (this.retry.wide = ms),
    };
  }

  /** Where to: the address of an `away`, for one dial, or the configured one. */
  #target() {
    const home = new URL(this.url);
    const away = this.#elsewhere(home);
    const url = away ?? home;
    this.#sentTo = away?.host ?? '';
    for (const [name, value] of home.searchParams) if (!url.searchParams.has(name)) url.searchParams.append(name, value);
    const { sid, epoch, seq } = this.stream.position;
    const said = { device: this.device, hb: this.heartbeat, sid, epoch, seq: epoch === undefined ? undefined : seq, failed: (!away && this.#failed) || undefined };
    for (const [name, value] of Object.entries(said)) if (value !== undefined) url.searchParams.set(name, String(value));
    return url.href;
  }

  /** @param {URL} home */
  #elsewhere(home) {
    if (!this.#away?.url) return undefined;
    try {
      const url = parseURL(this.#away.url);
      // What began encrypted does not go on in the clear because somebody says so.
      if (home.protocol !== 'wss:' || url.protocol === 'wss:') return url;
    } catch {
      // An address that is none: home then.
    }
    return undefined;
  }

  /** @param {Link} link @param {Message} welcome */
  #welcome(link, welcome) {
    const replaced = this.#active;
    this.#dialing = null;
    this.#active = link;
    this.#cancelPlan();
    this.#away = null;
    this.#failed = this.#sentTo = '';
    Object.assign(this.retry, welcome.back);
    if (replaced) {
      this.retry.settle(replaced.healthy());
      this.#old?.close(4000);
      this.#old = replaced;
      replaced.retire();
    }
    this.stream.attach(welcome, (m) => link.send(m));
    this.subscriptions.repeat();
    const { t, ...said } = welcome;
    this.#setState('connected', { welcome: said });
  }

  /** @param {Link} link @param {Message} m */
  #message(link, m) {
    if (m.t === 'msg' && m.seq === undefined) this.stream.receive(m);
    else if (link !== this.#active) return;
    else if (m.t === 'msg' || m.t === 'skip') {
      if (!this.stream.receive(m)) link.lose(4000);
    } else if (m.t === 'res') this.subscriptions.answer(m);
    else if (m.t === 'away') this.#sentAway(m);
    else if (m.t === 'err') this.#fault(new RoostError(m.code ?? 'unknown', m.text ?? ''));
  }

  /** Make before break: at the slot a new connection is dialled while this one lasts. @param {Message} m */
  #sentAway(m) {
    // What asks to stop is told by the close; there is nowhere to go.
    if (verdict(m.code) === 'stop') return;
    this.#away = { at: this.clock.now() + m.in, url: m.url };
    this.#planDial(m.in, false);
  }

  /** @param {number | undefined} code @param {string} reason @param {number} retryAfter @param {boolean} nobody */
  #dialFailed(code, reason, retryAfter, nobody) {
    this.#dialing = null;
    // Of one node that it was sent to, or while it has a connection still, that says nothing of all of them.
    const all = nobody && code === undefined && !this.#sentTo && !this.#active;
    // The next dial goes home, and says so: it would be sent to the same node again.
    this.#failed = this.#sentTo || this.#failed;
    this.#sentTo = '';
    const what = verdict(code);
    if (what === 'stop') this.#stopped(/** @type {number} */ (code), reason);
    else this.#planDial(what === 'return' ? this.retry.comeBack() : this.retry.fail(retryAfter, all), true);
  }

  /** @param {Link} link @param {number | undefined} code @param {string} reason */
  #lost(link, code, reason) {
    this.#active = null;
    this.stream.detach();
    this.retry.settle(link.healthy());
    const what = verdict(code);
    // 1002, 1007, 1009 …: somebody has to mend something, and should hear of it.
    if (what === 'backoff' && code !== undefined && code < 4000) this.#fault(new RoostError('closed', `closed with ${code} ${reason}`));
    if (what === 'stop') this.#stopped(/** @type {number} */ (code), reason);
    else if (this.#dialing || this.#plan?.retry) {
      // It was to be replaced, and that is under way.
      this.#setState(this.#dialing ? 'connecting' : 'waiting', { code });
    } else this.#planDial(this.#waitAfter(what, link), false, code);
  }

  /** @param {'lost' | 'return' | 'backoff' | 'stop'} what @param {Link} link */
  #waitAfter(what, link) {
    if (what === 'lost') return this.retry.afterLoss(this.device, link.spread);
    if (what === 'return') return this.retry.comeBack(Math.max(0, (this.#away?.at ?? 0) - this.clock.now()));
    return this.retry.fail();
  }

  /** @param {number} wait @param {boolean} retry @param {number} [code] */
  #planDial(wait, retry, code) {
    this.#cancelPlan();
    this.#plan = { retry, cancel: this.clock.after(wait, () => this.#dial()) };
    if (!this.#active) this.#setState('waiting', { wait, code });
  }

  #cancelPlan() {
    this.#plan?.cancel();
    this.#plan = null;
  }

  /** @param {number} code @param {string} reason */
  #stopped(code, reason) {
    this.#halt();
    this.#emit('stopped', { code, reason });
  }

  async #halt() {
    this.#running = false;
    this.#cancelPlan();
    this.#away = null;
    const links = [this.#active, this.#dialing, this.#old];
    this.#active = this.#dialing = this.#old = null;
    this.stream.stop();
    this.subscriptions.stop();
    const closing = links.map((link) => link?.close(1000));
    this.#setState('stopped');
    await Promise.all(closing);
  }

  // ---- the application

  /** @param {string} type */
  #handlers(type) {
    const own = /** @type {any} */ (this)[`on${type}`];
    return [...(own ? [own] : []), ...(this.#listeners.get(type) ?? [])];
  }

  /** @param {Message} m */
  async #deliver(m) {
    const message = new RoostMessage(m);
    for (const handler of this.#handlers('message')) await handler.call(this, message);
  }

  /** @param {string} type @param {object} detail */
  #emit(type, detail) {
    for (const handler of this.#handlers(type)) {
      try {
        handler.call(this, { type, ...detail });
      } catch (error) {
        // Like an EventTarget: the runtime hears of it, the client goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** @param {unknown} error @param {Message} [m] */
  #fault(error, m) {
    this.#emit('error', { error, message: m && new RoostMessage(m) });
  }

  /** @param {string} state @param {object} [detail] */
  #setState(state, detail) {
    if (this.#state === state && !detail) return;
    this.#state = state;
    this.#emit('state', { state, ...detail });
  }
}
