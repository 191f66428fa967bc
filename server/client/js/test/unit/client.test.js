// What the nine rules leave to the client: its interface, its bounds, and what it makes of nonsense.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoostClient, localStorageStore, memoryStore } from '../../roost.js';
import { setup, settle } from '../help/fake.js';

const numbers = (socket, type) => socket.said(type).map((m) => m.seq);

test('options are checked', () => {
  const WebSocket = class {};
  const make = (options) => () => new RoostClient({ url: 'ws://h', device: 'd', WebSocket, ...options });
  assert.throws(make({ device: 'a b' }), { code: 'device' });
  assert.throws(make({ device: 'x'.repeat(129) }), { code: 'device' });
  assert.throws(make({ protocol: 'xml' }), RangeError);
  assert.throws(make({ heartbeat: 29 }), RangeError);
  assert.throws(make({ url: 'no address' }), TypeError);
});

test('the address: path and scheme are filled in, what the application put there stays', async () => {
  const t = setup({ url: 'https://node.test?topic=a&topic=b', heartbeat: 60 });
  t.client.start();
  await settle();
  assert.equal(t.last().url.href, 'wss://node.test/v1/connect?topic=a&topic=b&device=d1&hb=60');
});

test('an away’s address gets the same parameters; encrypted does not become clear', async () => {
  const t = setup({ url: 'wss://node.test/v1/connect?token=x' });
  (await t.connect()).say({ t: 'away', code: 4001, in: 0, url: 'wss://other.test:99' });
  await t.untilDial();
  assert.equal(t.last().url.href, 'wss://other.test:99/v1/connect?token=x&device=d1&sid=0123456789abcdef&epoch=e1&seq=0');
  t.last().welcome();
  t.last().say({ t: 'away', code: 4001, in: 0, url: 'ws://other.test' });
  await t.untilDial();
  assert.equal(t.last().url.host, 'node.test');
});

test('the hop in an away’s address stays, and who cannot be reached is named to the next node', async () => {
  const t = setup();
  (await t.connect()).say({ t: 'away', code: 4002, in: 0, url: 'ws://n8.test:8080/v1/connect?hop=1' });
  await t.untilDial();
  assert.equal(t.last().url.searchParams.get('hop'), '1');
  assert.equal(t.last().url.searchParams.get('failed'), null);
  t.last().end();
  for (const _ of [1, 2]) {
    await t.untilDial();
    assert.equal(t.last().url.host, 'node.test');
    assert.equal(t.last().url.searchParams.get('hop'), null);
    assert.equal(t.last().url.searchParams.get('failed'), 'n8.test:8080');
    if (_ === 1) t.last().end();
  }
  t.last().welcome();
  t.last().say({ t: 'away', code: 4003, in: 0 });
  await t.untilDial();
  assert.equal(t.last().url.searchParams.get('failed'), null);
});

test('an away that means to stop is no place to go', async () => {
  const t = setup();
  (await t.connect()).say({ t: 'away', code: 4305, in: 0 });
  assert.equal(await t.untilDial(1000), undefined);
});

test('heartbeat: the first after a random part, then every interval', async () => {
  const t = setup({ random: () => 0.25 });
  const socket = await t.connect({ hb: 40_000 });
  await t.clock.advance(9_999);
  assert.equal(socket.heard.length, 0);
  await t.clock.advance(1);
  assert.equal(socket.heard.length, 1);
  socket.say({ t: 'hb', spread: 0 });
  await t.clock.advance(40_000);
  assert.equal(socket.heard.length, 2);
});

test('a handler that fails has not handled: the message is tried again and not acknowledged', async () => {
  const t = setup({ random: () => 0.5 });
  const socket = await t.connect();
  let failures = 2;
  t.client.onmessage = async (m) => {
    if (failures-- > 0) throw new Error('disk full');
    t.handled.push(m.payload);
  };
  socket.msg(1);
  socket.msg(2);
  await t.clock.advance(499);
  assert.deepEqual(t.handled, []);
  await t.clock.advance(1001);
  assert.deepEqual(t.handled, [1, 2]);
  assert.deepEqual(t.of('error').map((e) => [e.error.message, e.message.seq]), [['disk full', 1], ['disk full', 1]]);
  await t.clock.advance(200);
  assert.deepEqual(numbers(socket, 'ack'), [2]);
});

test('a handler that fails while the connection goes: the next one brings the message', async () => {
  const t = setup();
  const socket = await t.connect();
  t.client.onmessage = () => Promise.reject(new Error('no'));
  socket.msg(1);
  await settle();
  socket.end();
  await t.untilDial();
  t.client.onmessage = (m) => void t.handled.push(m.payload);
  t.last().welcome({ seq: 1, acked: 0 });
  t.last().msg(1);
  await settle();
  assert.deepEqual(t.handled, [1]);
});

test('a handler that failed is not called again when its connection is gone, and holds nobody up', async () => {
  const t = setup({ random: () => 0.999 });
  const socket = await t.connect({ back: { base: 60_000, max: 60_000 } });
  t.client.onmessage = (m) => (t.handled.push(m.payload), m.payload === 1 ? Promise.reject(new Error('no')) : undefined);
  socket.msg(1);
  socket.msg(2);
  await settle();
  socket.end();
  await settle();
  assert.deepEqual(t.handled, [1]);
  t.client.onmessage = (m) => void t.handled.push(m.payload);
  await t.untilDial();
  t.last().welcome({ seq: 2, acked: 0 });
  t.last().msg(1);
  await settle();
  assert.deepEqual(t.handled, [1, 1]);
});

test('a handler that fails after its connection went does not make the next one wait', async () => {
  const t = setup({ random: () => 0.999 });
  const socket = await t.connect({ back: { base: 60_000, max: 60_000 } });
  let fail;
  t.client.onmessage = () => new Promise((_, reject) => (fail = reject));
  socket.msg(1);
  await settle();
  socket.end();
  await t.untilDial();
  t.last().welcome({ seq: 1, acked: 0 });
  t.client.onmessage = (m) => void t.handled.push(m.payload);
  fail(new Error('too late'));
  t.last().msg(1);
  await settle();
  assert.deepEqual(t.handled, [1]);
});

test('without a handler nothing is handled; with one it comes', async () => {
  const t = setup();
  t.client.onmessage = null;
  const socket = await t.connect();
  socket.msg(1);
  await t.clock.advance(1000);
  assert.deepEqual(numbers(socket, 'ack'), []);
  t.client.addEventListener('message', (m) => void t.handled.push(m.json()));
  await t.clock.advance(200);
  assert.deepEqual(t.handled, [1]);
  assert.deepEqual(numbers(socket, 'ack'), [1]);
});

test('several handlers are called one after another, and one can be taken away', async () => {
  const t = setup();
  const order = [];
  const second = (m) => void order.push(`second ${m.payload}`);
  t.client.onmessage = async (m) => (await settle(), order.push(`first ${m.payload}`));
  t.client.addEventListener('message', second);
  const socket = await t.connect();
  socket.say({ t: 'msg', payload: 'a' });
  await t.clock.advance(10);
  t.client.removeEventListener('message', second);
  socket.say({ t: 'msg', payload: 'b' });
  await t.clock.advance(10);
  assert.deepEqual(order, ['first a', 'second a', 'first b']);
});

test('behind a slow handler 64 live messages wait, the oldest go, kept ones do not', async () => {
  const t = setup();
  const socket = await t.connect({ win: 100 });
  let done;
  t.client.onmessage = (m) => (t.handled.push(m.payload), m.payload === 'slow' ? new Promise((resolve) => (done = resolve)) : undefined);
  socket.msg(1, 'slow');
  await settle();
  socket.msg(2, 'kept');
  for (let n = 0; n < 100; n++) socket.say({ t: 'msg', payload: n });
  done();
  await settle();
  assert.equal(t.client.dropped, 36);
  assert.deepEqual(t.handled.slice(0, 3), ['slow', 'kept', 36]);
  assert.equal(t.handled.length, 66);
});

test('a node that sends more than its window is given up', async () => {
  const t = setup();
  t.client.onmessage = () => new Promise(() => {});
  const socket = await t.connect({ win: 4 });
  for (let seq = 1; seq <= 40; seq++) socket.msg(seq);
  assert.equal(socket.closedWith, 4000);
});

test('unknown types and keys are ignored', async () => {
  const t = setup();
  const socket = await t.connect({ novelty: { deep: [1] } });
  socket.raw('{"t":"dance","p":1}');
  socket.raw('{"t":"msg","seq":1,"ttl":1,"p":"x","new":[]}');
  await settle();
  assert.deepEqual(t.handled, ['x']);
  assert.deepEqual(t.events.map((event) => event.state), ['connecting', 'connected']);
});

test('nothing counts before the welcome, and a second welcome is none', async () => {
  const t = setup();
  t.client.start();
  await settle();
  const socket = t.last();
  socket.msg(5);
  socket.welcome({ acked: 1, seq: 1 });
  socket.welcome({ acked: 9, seq: 9, epoch: 'e9' });
  assert.deepEqual([t.client.position.epoch, t.client.position.seq], ['e1', 1]);
});

test('a welcome without epoch is a failed dial', async () => {
  const t = setup();
  t.client.start();
  await settle();
  t.last().welcome({ epoch: undefined });
  assert.equal(t.last().closedWith, 4000);
  assert.equal(await t.untilDial(), 500);
});

test('up: yes, no and never', async () => {
  const t = setup();
  assert.equal(t.client.up('state', 1), false);
  const socket = await t.connect({ max: 1000 });
  assert.equal(t.client.up('state', { battery: 81 }), true);
  assert.deepEqual(socket.heard.at(-1), { t: 'up', ch: 'state', payload: { battery: 81 }, p: { battery: 81 } });
  assert.throws(() => t.client.up('a b', 1), { code: 'channel' });
  assert.throws(() => t.client.up('state', 'x'.repeat(1000)), { code: 'limit' });
  assert.throws(() => t.client.up('state', new Uint8Array(3)), TypeError);
  socket.bufferedAmount = 300_000;
  assert.equal(t.client.up('state', 1), false);
});

test('binary: payloads are bytes, and read as what they are', async () => {
  const t = setup({ protocol: 'bin' });
  const messages = [];
  t.client.onmessage = (m) => void messages.push(m);
  const socket = await t.connect();
  socket.say({ t: 'msg', seq: 1, ttl: 9, id: 'm1', ch: 'fw', payload: { a: 1 } });
  socket.say({ t: 'msg', payload: Uint8Array.of(0, 255) });
  await settle();
  assert.deepEqual([messages[0].json(), messages[0].text(), messages[0].topic], [{ a: 1 }, '{"a":1}', 'fw']);
  assert.deepEqual(messages[1].bytes(), Uint8Array.of(0, 255));
  socket.say({ t: 'msg' });
  await settle();
  assert.equal(messages[2].json(), undefined);
  t.client.up('s', Uint8Array.of(1, 2));
  assert.deepEqual(socket.heard.at(-1).payload, Uint8Array.of(1, 2));
});

test('err is an error event', async () => {
  const t = setup();
  (await t.connect()).say({ t: 'err', code: 'limit', text: 'slower' });
  assert.deepEqual(t.of('error').map((e) => [e.error.code, e.error.message]), [['limit', 'slower']]);
});

test('started twice, and stopped while the store is read: one dial', async () => {
  const loads = [];
  const t = setup({ store: { load: () => new Promise((resolve) => loads.push(resolve)), save() {} } });
  t.client.start();
  t.client.start();
  t.client.stop();
  loads[0](null);
  await settle();
  assert.equal(t.sockets.length, 0);
  t.client.start();
  t.client.stop();
  t.client.start();
  for (const load of loads) load(null);
  await settle();
  assert.equal(t.sockets.length, 1);
});

test('states, in order', async () => {
  const t = setup();
  (await t.connect({ spread: 7500 })).end();
  await t.untilDial();
  t.client.stop();
  assert.deepEqual(t.of('state').map((e) => e.state), ['connecting', 'connected', 'waiting', 'connecting', 'stopped']);
});

test('start after stop begins where it was', async () => {
  const t = setup();
  (await t.connect({ acked: 7, seq: 7 })).end(4303);
  const socket = await t.connect({ acked: 7, seq: 7 });
  assert.equal(socket.query.seq, '7');
});

test('a store that fails is told, and does not hold the client', async () => {
  const broken = { load: () => JSON.parse('{'), save: () => Promise.reject(new Error('full')) };
  const t = setup({ store: broken });
  const socket = await t.connect();
  socket.msg(1);
  await t.clock.advance(200);
  assert.deepEqual(numbers(socket, 'ack'), [1]);
  assert.equal(t.of('error').length, 3);
});

test('a slow store gets one position at a time, at the end the newest', async () => {
  const saved = [];
  const done = [];
  const t = setup({ store: { load: () => null, save: (p) => new Promise((resolve) => (saved.push(p.seq), done.push(resolve))) } });
  const socket = await t.connect();
  for (const seq of [1, 2, 3]) socket.msg(seq);
  await settle();
  done.shift()();
  await settle();
  assert.deepEqual(saved, [0, 3]);
});

test('stores: what was kept comes back, and rubbish is not used', async () => {
  const storage = { kept: {}, getItem: (key) => storage.kept[key] ?? null, setItem: (key, value) => (storage.kept[key] = value) };
  const local = localStorageStore('k', storage);
  assert.equal(local.load(), null);
  local.save({ sid: 's', epoch: 'e', seq: 1 });
  assert.deepEqual(local.load(), { sid: 's', epoch: 'e', seq: 1 });
  const memory = memoryStore();
  memory.save({ epoch: 'e', seq: 1 });
  assert.deepEqual(memory.load(), { epoch: 'e', seq: 1 });
  const t = setup({ store: { load: () => ({ sid: 'NO', epoch: 'a b', seq: -1 }), save() {} } });
  t.client.start();
  await settle();
  assert.deepEqual(t.last().query, { device: 'd1' });
});

test('nothing is left after stop, from any state', async () => {
  for (const until of [() => {}, async (t) => (await settle(), t.last().end()), async (t) => (await settle(), t.last().welcome())]) {
    const t = setup();
    t.client.start();
    await until(t);
    await settle();
    t.client.stop();
    await t.clock.advance(2000);
    assert.equal(t.clock.pending, 0);
    assert.equal(await t.untilDial(), undefined);
  }
});
