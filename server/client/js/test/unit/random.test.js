// A client and a model node, a network that does its worst, and at the end the books: every kept message was
// handled once, in order within its epoch. SEED=n repeats one run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelNode, modelSocket } from '../help/model.js';
import { FakeClock } from '../help/fake.js';
import { RoostClient } from '../../roost.js';

/** mulberry32. */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Run {
  constructor(seed) {
    this.random = seeded(seed);
    this.clock = new FakeClock();
    this.node = new ModelNode(this.clock, this.random);
    this.sockets = [];
    this.handled = [];
    this.live = [];
    this.published = [];
    this.skipped = 0;
    this.client = new RoostClient({
      url: 'ws://node.test',
      device: 'd1',
      protocol: seed % 2 ? 'json' : 'bin',
      random: this.random,
      now: this.clock.now,
      timers: this.clock.timers,
      WebSocket: modelSocket(this.node, this.sockets),
    });
    this.client.onmessage = (m) => this.handle(m);
    this.client.onskip = () => this.skipped++;
    this.client.onstopped = ({ code }) => assert.fail(`stopped by ${code}`);
  }

  sleep(ms) {
    return new Promise((resolve) => this.clock.timers.setTimeout(resolve, ms));
  }

  async handle(m) {
    const value = m.json();
    if (m.seq === undefined) return void this.live.push(value);
    if (this.node.chance(0.3)) await this.sleep(this.random() * 1500);
    if (this.node.chance(0.05)) throw new Error('the handler fails');
    this.handled.push({ ...value, seqOfMessage: m.seq });
  }

  /** One thing that happens. */
  act() {
    const { node } = this;
    const dice = Math.floor(this.random() * 20);
    if (dice < 8) return this.publish();
    if (dice < 10) return this.publishLive();
    if (dice < 12) return node.expire();
    if (!node.current) return undefined;
    const socket = node.current;
    if (dice === 12) return socket.cut();
    if (dice === 13) return socket.freeze();
    if (dice === 14) return socket.close4xxx([4001, 4003, 4101, 4105][Math.floor(this.random() * 4)]);
    if (dice < 17) return socket.toDevice(() => socket.say({ t: 'away', code: 4001, in: Math.floor(this.random() * 3000) }));
    if (dice === 17) return node.loseHistory(this.someHandled());
    if (dice === 18 && node.acked === node.last && node.last > 0) return this.rollBack();
    return undefined;
  }

  publish() {
    for (let n = 1 + Math.floor(this.random() * 4); n > 0; n--) {
      this.published.push(`m${this.published.length}`);
      this.node.publish(this.published.at(-1));
    }
  }

  publishLive() {
    const socket = this.node.current;
    const payload = this.clock.time + this.random();
    socket?.toDevice(() => socket.say({ t: 'msg', payload }));
  }

  /** The last few that were handled and acknowledged, in order: what an old copy of the node would still hold. */
  someHandled() {
    const held = new Set([...this.node.held.values()].map((m) => m.id));
    return [...new Set(this.handled.map((m) => m.id))].filter((id) => !held.has(id)).slice(-Math.floor(1 + this.random() * 5));
  }

  rollBack() {
    // A number is forgotten and not given again before the client is back: given again, nobody could tell.
    this.node.rollBack(1, this.someHandled());
    this.rolling = true;
  }

  async chaos(steps) {
    this.client.start();
    for (let n = 0; n < steps; n++) {
      if (this.rolling) this.rolling = this.node.rolledBack !== undefined;
      else this.act();
      this.bounds();
      await this.clock.advance(this.random() * this.random() * 2000);
    }
  }

  bounds() {
    const { stream } = this.client;
    assert.ok(stream.queue.length <= 2 * this.node.win + 2 + 64);
    assert.ok(this.clock.pending < 2000);
    const beat = this.node.current?.beatBy ?? Infinity;
    assert.ok(this.clock.time <= beat, 'no heartbeat: 4103');
  }

  async calm() {
    this.node.faults = false;
    // Two silent intervals and the longest back-off are the most that a return can take.
    for (let n = 0; n < 60 && (this.node.acked < this.node.last || !this.node.current || this.node.rolledBack); n++) await this.clock.advance(5000);
    assert.equal(this.node.acked, this.node.last, 'all acknowledged in the end');
  }

  books() {
    const times = new Map();
    for (const { id } of this.handled) times.set(id, (times.get(id) ?? 0) + 1);
    const expired = this.expiredIds;
    for (const id of this.published) {
      const n = times.get(id) ?? 0;
      assert.ok(n === 1 || (n === 0 && expired.has(id)), `${id} was handled ${n} times`);
    }
    const seen = new Map();
    for (const { epoch, seq, seqOfMessage } of this.handled) {
      assert.equal(seq, seqOfMessage);
      assert.ok(seq > (seen.get(epoch) ?? 0), `${epoch}: ${seq} after ${seen.get(epoch)}`);
      seen.set(epoch, seq);
    }
    assert.equal(new Set(this.live).size, this.live.length, 'a live message came twice');
  }

  /** Messages that expired at any time. */
  expiredIds = new Set();

  watchExpiry() {
    const expire = this.node.expire.bind(this.node);
    this.node.expire = () => {
      expire();
      for (const m of this.node.held.values()) if (m.expired) this.expiredIds.add(m.id);
    };
  }
}

async function run(seed, steps) {
  const r = new Run(seed);
  r.watchExpiry();
  await r.chaos(steps);
  await r.calm();
  r.books();
  r.client.stop();
  await r.clock.advance(20_000);
  assert.equal(r.clock.pending, 0, 'timers are left');
  return r;
}

const seeds = process.env.SEED ? [Number(process.env.SEED)] : [...Array(60).keys(), Date.now() % 1e9];

test('random: whatever the network and the node do, each kept message is handled once and in order', { timeout: 60_000 }, async (t) => {
  const sum = { handled: 0, dials: 0, epochs: 0, skips: 0, live: 0 };
  for (const seed of seeds) {
    await run(seed, 300).then((r) => {
      sum.handled += r.handled.length;
      sum.dials += r.sockets.length;
      sum.epochs += r.node.epochs;
      sum.skips += r.skipped;
      sum.live += r.live.length;
    }, (error) => Promise.reject(new Error(`SEED=${seed}: ${error.message}`, { cause: error })));
  }
  t.diagnostic(JSON.stringify(sum));
  if (seeds.length > 1) assert.ok(sum.epochs > 100 && sum.dials > 1000 && sum.skips > 100, JSON.stringify(sum));
});
