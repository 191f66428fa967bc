// A small node that follows docs/PROTOCOL.md, behind a network that delays and loses. It checks what a device
// says as strictly as the document allows.
import assert from 'node:assert/strict';
import { FakeSocket } from './fake.js';

const HB = 30_000;

export class ModelNode {
  epoch = 'e1';
  epochs = 1;
  last = 0;
  acked = 0;
  /** What is held, by number. */
  held = new Map();
  /** @type {ModelSocket | null} */
  current = null;
  sid = null;
  known = false;
  sids = 0;

  constructor(clock, random) {
    this.clock = clock;
    this.random = random;
    this.win = 1 + Math.floor(random() * 8);
    this.faults = true;
  }

  chance(p) {
    return this.faults && this.random() < p;
  }

  publish(id) {
    this.held.set(++this.last, { id, expired: false });
    this.pump();
  }

  /** The ttl of one that waits has passed. */
  expire() {
    const open = [...this.held.values()].filter((m) => !m.expired);
    if (open.length) open[Math.floor(this.random() * open.length)].expired = true;
  }

  /**
   * The node is started from an older copy of itself: what nobody acknowledged is there, and some that were, in
   * order, under new numbers. `old`: ids that were acknowledged.
   */
  loseHistory(old) {
    this.current?.cut();
    const kept = [...old.map((id) => ({ id, expired: false })), ...this.held.values()];
    this.epoch = `e${++this.epochs}`;
    this.held = new Map(kept.map((m, i) => [i + 1, m]));
    this.last = kept.length;
    this.acked = 0;
  }

  /** It has forgotten its newest numbers and does not know: the client's seq is what tells. */
  rollBack(count, old) {
    this.current?.cut();
    this.last = this.acked = Math.max(0, this.last - count);
    this.rolledBack = old;
  }

  // ---- connections

  dial(socket) {
    if (this.chance(0.2)) return socket.cut();
    const { epoch, seq } = socket.query;
    assert.equal(epoch === undefined, seq === undefined, 'both or neither');
    if (this.current) this.replace(socket);
    const resumed = this.resume(epoch, seq === undefined ? undefined : Number(seq));
    this.sid = String(++this.sids).padStart(16, '0');
    this.current = socket;
    socket.sent = this.acked;
    socket.beatBy = this.clock.time + 1.5 * HB;
    socket.toDevice(() => socket.welcome({ sid: this.sid, epoch: this.epoch, seq: this.last, acked: this.acked, resumed, hb: HB, spread: 3000, win: this.win, back: { base: 100, max: 2000 } }));
    this.known = true;
    this.pump();
  }

  replace(socket) {
    const old = this.current;
    const same = socket.query.sid === this.sid || socket.query.sid === undefined;
    // A client that never got its last welcome cannot know its sid; a real node would think it another one.
    old.toDevice(() => old.end(same ? 4002 : 1006));
    this.current = null;
  }

  /** The table "what a client says when it connects". */
  resume(epoch, seq) {
    if (epoch === undefined) return this.known;
    if (epoch !== this.epoch) return false;
    if (seq > this.last) {
      assert.ok(this.rolledBack, 'the client is ahead of a node that has lost nothing');
      this.loseHistory(this.rolledBack);
      this.rolledBack = undefined;
      return false;
    }
    if (seq < this.acked) return false;
    this.acknowledge(seq);
    return true;
  }

  acknowledge(seq) {
    for (; this.acked < seq; this.acked++) this.held.delete(this.acked + 1);
  }

  pump() {
    const socket = this.current;
    if (!socket) return;
    while (socket.sent < this.last && socket.sent < this.acked + this.win) {
      const m = this.held.get(++socket.sent);
      if (m.expired) this.skip(socket);
      else socket.kept(socket.sent, m);
    }
    if (this.chance(0.05) && socket.sent > 0) this.repeat(socket);
  }

  skip(socket) {
    while (socket.sent < this.last && this.held.get(socket.sent + 1).expired) socket.sent++;
    const to = socket.sent;
    socket.toDevice(() => socket.say({ t: 'skip', to, why: 'ttl' }));
  }

  repeat(socket) {
    const seq = Math.max(1, socket.sent - Math.floor(this.random() * 3));
    socket.kept(seq, this.held.get(seq) ?? { id: `repeat of ${seq}` });
  }

  heard(socket, m) {
    if (socket !== this.current) return;
    socket.beatBy = this.clock.time + 1.5 * HB;
    if (m.t === 'hb') socket.toDevice(() => socket.say({ t: 'hb', spread: 3000 }));
    if (m.seq === undefined) return;
    assert.ok(m.seq <= socket.sent, `acknowledged ${m.seq}, sent ${socket.sent}: 4304`);
    this.acknowledge(m.seq);
    this.pump();
  }
}

/** A socket whose bytes take time, in order each way, and are lost with it. */
export function modelSocket(node, sockets) {
  return class ModelSocket extends FakeSocket {
    sent = 0;
    lost = false;
    #arrival = { up: 0, down: 0 };

    constructor(...args) {
      super(...args);
      sockets.push(this);
      this.onsaid = (m) => this.#after('up', () => node.heard(this, m));
      this.ondeviceclose = (code) => this.#after('up', () => this.closedByDevice(code));
      this.#after('up', () => node.dial(this));
    }

    #after(way, run) {
      const at = Math.max(this.#arrival[way], node.clock.time + Math.floor(node.random() * 80));
      this.#arrival[way] = at;
      node.clock.timers.setTimeout(() => this.lost || run(), at - node.clock.time);
    }

    toDevice(run) {
      this.#after('down', run);
    }

    kept(seq, m) {
      const payload = { id: m.id, epoch: node.epoch, seq };
      this.toDevice(() => this.say({ t: 'msg', seq, ttl: 60, id: m.id, payload }));
    }

    /** Gone without a code, and with it all that was under way. */
    cut() {
      this.lost = true;
      if (node.current === this) node.current = null;
      node.clock.timers.setTimeout(() => this.end(1006), 1);
    }

    /** Gone, and nobody notices. */
    freeze() {
      this.lost = true;
      if (node.current === this) node.current = null;
    }

    closedByDevice(code) {
      assert.ok(code === 4000 || code === 1000, `closed with ${code}`);
      if (node.current === this) node.current = null;
      this.toDevice(() => this.end(code));
    }

    close4xxx(code) {
      if (node.current === this) node.current = null;
      this.toDevice(() => this.end(code));
    }
  };
}
