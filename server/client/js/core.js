// @ts-check
// The rules of "What a client MUST do" that need no socket: the stream of kept messages (rules 1 to 4), and when
// to come back (rules 5 to 8). Time and chance come in from outside.

export const ACK_DELAY = 200;
export const REMEMBERED_IDS = 1000;
export const LIVE_QUEUE = 64;
export const HEALTHY_AFTER = 10_000;
/** The most that a node may have all devices dial over, ms. */
export const MOST_WIDE = 300_000;

/** @typedef {{now(): number, after(ms: number, run: () => void): () => void}} Clock */
/** @typedef {{sid?: string, epoch?: string, seq?: number}} Position */
/** @typedef {import('./wire.js').Message} Message */
/** @typedef {{send: (m: Message) => void, epoch: string, received: number, acked: number, win: number, due: boolean}} Cursor */
/** @typedef {{m: Message, cursor: Cursor | null, epoch: string, seq: number}} Item */

/** FNV-1a, 32 bits, of the UTF-8 bytes. @param {string} text */
export function fnv1a(text) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** What a proxy says, or nobody: the node has not spoken. */
const NOT_THE_NODE = new Set([undefined, 1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015]);

/**
 * What a close code says to do: 'lost' is rule 5, 'return' and 'stop' are rule 8, 'backoff' rule 6. 4000 is our own,
 * when we gave the connection up over what it brought.
 * @param {number | undefined} code @returns {'lost' | 'return' | 'backoff' | 'stop'}
 */
export function verdict(code) {
  if (NOT_THE_NODE.has(code)) return 'lost';
  const hundreds = Math.floor((code ?? 0) / 100);
  if (hundreds === 40 && code !== 4000) return 'return';
  return hundreds === 42 || hundreds === 43 ? 'stop' : 'backoff';
}

/** How long to wait before the next dial: rules 5 to 8. */
export class Retry {
  /** @param {() => number} random */
  constructor(random) {
    this.random = random;
    this.base = 1000;
    this.max = 120_000;
    /** What the last node that was heard has said of dials that nobody takes, ms. */
    this.wide = 0;
    this.failures = 0;
    /** Returns at once in a row without a connection between them that rule 7 counts as good. */
    this.inRow = 0;
  }

  /** Full jitter after `n` failures, over `least` to `most` ms. */
  jitter(n = this.failures, least = 0, most = Infinity) {
    return this.random() * Math.min(most, Math.max(least, Math.min(this.max, this.base * 2 ** n)));
  }

  /**
   * Rule 6. `asked`: the node's own Retry-After, ms: a random part comes on top, but no longer than that or the first
   * backoff, as it may be a slot. `nobody`: nobody takes connections where the
   * dial led to, so that all devices may come at once; the first time it may be that the nodes are only not seen.
   */
  fail(asked = 0, nobody = false) {
    this.inRow = 0;
    const again = nobody && this.failures > 0 && this.wide > 0;
    const least = !nobody ? 0 : again ? this.wide : (this.wide * 2) / 3;
    const wait = asked + this.jitter(this.failures - (again ? 1 : 0), least, asked ? Math.max(asked, this.base) : Infinity);
    this.failures++;
    return wait;
  }

  /** Rule 7: what a connection that ends or is replaced has proved. @param {boolean} healthy */
  settle(healthy) {
    if (!healthy) return;
    this.failures = 0;
    this.inRow = 0;
  }

  /** Rule 8: at once or at `slot`, ms; by rule 6 from the second time in a row that a connection came to nothing. */
  comeBack(slot = 0) {
    const times = ++this.inRow;
    if (times < 2) return slot;
    const wait = Math.max(slot, this.fail());
    this.inRow = times;
    return wait;
  }

  /**
   * Rule 5. A spread of 0 leaves no slot: then it is "at once", and must not become a circle either.
   * @param {string} device @param {number} spread ms
   */
  afterLoss(device, spread) {
    if (spread === 0) return this.comeBack();
    this.inRow = 0;
    return fnv1a(device) % spread;
  }
}

/** The stream of one device over all its connections. */
export class Stream {
  /**
   * @param {{clock: Clock, retry: Retry, deliver: (m: Message) => Promise<void>, ready: () => boolean,
   *   skipped: (skip: {from: number, to: number, why: string}) => void, fault: (error: unknown, m?: Message) => void,
   *   save: (position: Position) => void}} env
   */
  constructor(env) {
    this.env = env;
    /** @type {Position} */
    this.position = {};
    /** The connection that kept messages come from now. @type {Cursor | null} */
    this.cursor = null;
    /** Ids of the last kept messages, each with the epoch it was handled in, oldest first. @type {Map<string, string>} */
    this.ids = new Map();
    /** @type {Item[]} */
    this.queue = [];
    this.live = 0;
    this.dropped = 0;
    this.pumping = false;
    /** @type {(() => void) | null} */
    this.ackTimer = null;
    /** Ends the pause before a failed handler is called again. @type {(() => void) | null} */
    this.wake = null;
  }

  /**
   * Rule 1. In the epoch that is known already, the position does not go back to `acked`: a message that was
   * handled while the new connection was dialled would be handled again.
   * @param {Message} welcome @param {(m: Message) => void} send
   */
  attach(welcome, send) {
    this.detach();
    const { sid, epoch, acked, win } = welcome;
    const known = this.position.epoch === epoch ? this.position.seq ?? 0 : 0;
    this.position = { sid, epoch, seq: Math.max(known, acked) };
    this.cursor = { send, epoch, received: acked, acked, win, due: false };
    this.env.save(this.position);
  }

  /** The connection is gone. What it brought and nobody has handled comes again, on the next one. */
  detach() {
    this.cursor = null;
    this.ackTimer?.();
    this.ackTimer = null;
    this.queue = this.queue.filter((item) => !item.cursor);
    this.wake?.();
  }

  /** Nothing more is handled. */
  stop() {
    this.detach();
    this.queue = [];
    this.live = 0;
  }

  /**
   * A msg or a skip came. False: there is a hole, or more than `win` allows; the connection must be given up.
   * @param {Message} m
   */
  receive(m) {
    const number = m.t === 'skip' ? m.to : m.seq;
    if (number === undefined) {
      this.receiveLive(m);
      return true;
    }
    const cursor = this.cursor;
    if (!cursor) return true;
    if (number <= cursor.received) {
      cursor.due = true;
      this.acknowledge();
      return true;
    }
    if (m.t === 'msg' && number !== cursor.received + 1) return false;
    // A skip before each message is the most that `win` messages can mean.
    if (this.queue.length - this.live >= 2 * cursor.win + 2) return false;
    cursor.received = number;
    this.queue.push({ m, cursor, epoch: cursor.epoch, seq: number });
    this.pump();
    return true;
  }

  /** Behind a slow handler live messages queue like in the node: 64, then the oldest goes. @param {Message} m */
  receiveLive(m) {
    if (this.live >= LIVE_QUEUE) {
      this.queue.splice(this.queue.findIndex((item) => !item.cursor), 1);
      this.live--;
      this.dropped++;
    }
    this.live++;
    this.queue.push({ m, cursor: null, epoch: '', seq: 0 });
    this.pump();
  }

  /** One message after another; the next when the handler of the last is done. */
  async pump() {
    if (this.pumping) return;
    this.pumping = true;
    for (let item; this.env.ready() && (item = this.queue.shift()); ) {
      if (!item.cursor) {
        this.live--;
        await this.call(item);
      } else await this.handle(item);
    }
    this.pumping = false;
  }

  /** Rules 2 and 3 where they count: when it is this message's turn. @param {Item} item */
  async handle(item) {
    const { m, epoch, seq } = item;
    const before = this.position.seq ?? 0;
    if (seq > before) {
      if (m.t === 'skip') this.env.skipped({ from: before + 1, to: seq, why: m.why ?? '' });
      else if (!this.repeated(m.id, epoch)) {
        if (!(await this.call(item))) return;
        this.remember(m.id, epoch);
      }
    }
    // While the handler ran the epoch may have changed: the id is all that is left of it then.
    if (this.position.epoch === epoch && seq > (this.position.seq ?? 0)) {
      this.position = { ...this.position, seq };
      this.env.save(this.position);
    }
    this.acknowledge();
  }

  /**
   * Calls the handlers. A kept message whose handler failed is not handled: it is tried again after a pause, as
   * long as its connection lasts. @param {Item} item @returns {Promise<boolean>} handled
   */
  async call(item) {
    for (let n = 0; ; n++) {
      try {
        await this.env.deliver(item.m);
        return true;
      } catch (error) {
        this.env.fault(error, item.m);
      }
      if (!item.cursor || item.cursor !== this.cursor) return false;
      await this.pause(this.env.retry.jitter(n));
      if (item.cursor !== this.cursor) return false;
    }
  }

  /** @param {number} ms @returns {Promise<void>} */
  pause(ms) {
    return new Promise((resolve) => {
      const cancel = this.env.clock.after(ms, resolve);
      this.wake = () => {
        cancel();
        resolve();
      };
    });
  }

  /** The same id in the same epoch is another message: the node numbers each once. @param {string | undefined} id @param {string} epoch */
  repeated(id, epoch) {
    if (id === undefined) return false;
    const handledIn = this.ids.get(id);
    if (handledIn === undefined || handledIn === epoch) return false;
    this.remember(id, handledIn);
    return true;
  }

  /** @param {string | undefined} id @param {string} epoch */
  remember(id, epoch) {
    if (id === undefined) return;
    this.ids.delete(id);
    this.ids.set(id, epoch);
    if (this.ids.size > REMEMBERED_IDS) this.ids.delete(/** @type {string} */ (this.ids.keys().next().value));
  }

  /**
   * What may be acknowledged on this connection: handled, and received here. Handled on the last connection but
   * not sent on this one yet is "what was never sent", and would close it with 4304.
   */
  ackable() {
    const { cursor, position } = this;
    return cursor ? Math.min(cursor.received, position.seq ?? 0) : 0;
  }

  /** Rule 4: at once when half the window is open, otherwise soon. */
  acknowledge() {
    const { cursor } = this;
    if (!cursor) return;
    const open = this.ackable() - cursor.acked;
    if (open <= 0 && !cursor.due) return;
    if (open >= Math.max(1, Math.floor(cursor.win / 2))) this.flush();
    else this.ackTimer ??= this.env.clock.after(ACK_DELAY, () => this.flush());
  }

  /** Sends what is to be acknowledged now. */
  flush() {
    const seq = this.takeAck();
    if (seq !== undefined) this.cursor?.send({ t: 'ack', seq });
  }

  /** The heartbeat, with the acknowledgement that waits. @returns {Message} */
  heartbeat() {
    const seq = this.takeAck();
    return seq === undefined ? { t: 'hb' } : { t: 'hb', seq };
  }

  takeAck() {
    this.ackTimer?.();
    this.ackTimer = null;
    const { cursor } = this;
    const seq = this.ackable();
    if (!cursor || (seq <= cursor.acked && !cursor.due)) return undefined;
    cursor.due = false;
    cursor.acked = Math.max(cursor.acked, seq);
    return seq;
  }
}
