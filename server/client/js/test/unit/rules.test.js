// The nine rules of "What a client MUST do", each by name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fnv1a } from '../../core.js';
import { setup, settle } from '../help/fake.js';

const slot = (spread) => fnv1a('d1') % spread;

test('FNV-1a, 32 bits: published values', () => {
  assert.equal(fnv1a(''), 0x811c9dc5);
  assert.equal(fnv1a('a'), 0xe40c292c);
  assert.equal(fnv1a('foobar'), 0xbf9cf968);
});

test('rule 1: sid, epoch and seq are said at the next dial, and seq is the welcome’s acked', async () => {
  const t = setup();
  const first = await t.connect({ sid: '00000000000000aa', epoch: 'e7', seq: 12, acked: 10 });
  assert.deepEqual(first.query, { device: 'd1' });
  first.msg(11);
  await settle();
  first.end();
  await t.untilDial();
  assert.deepEqual(t.last().query, { device: 'd1', sid: '00000000000000aa', epoch: 'e7', seq: '11' });
});

test('rule 1: a welcome with another epoch sets the position to its acked', async () => {
  const t = setup();
  const first = await t.connect({ epoch: 'e1', seq: 50, acked: 40 });
  first.end();
  await t.untilDial();
  t.last().welcome({ epoch: 'e2', sid: '00000000000000bb', seq: 3, acked: 1 });
  assert.deepEqual(t.client.position, { sid: '00000000000000bb', epoch: 'e2', seq: 1 });
  t.last().msg(2, 'next');
  await settle();
  assert.deepEqual(t.handled, ['next']);
});

test('rule 1: messages that others acknowledged are passed over', async () => {
  const t = setup({ store: { load: () => ({ sid: '00000000000000aa', epoch: 'e1', seq: 4 }), save() {} } });
  const socket = await t.connect({ epoch: 'e1', seq: 9, acked: 7, from: 8, resumed: false });
  assert.equal(socket.query.seq, '4');
  socket.msg(8);
  await settle();
  assert.deepEqual(t.handled, [8]);
});

test('rule 1: over restarts, from the store', async () => {
  let kept = null;
  const store = { load: async () => kept, save: async (position) => void (kept = position) };
  const t = setup({ store });
  (await t.connect({ epoch: 'e1' })).msg(1);
  await settle();
  await Promise.all([t.client.stop(), t.last().end(1000)]);
  const again = setup({ store });
  again.client.start();
  await settle();
  assert.deepEqual(again.last().query, { device: 'd1', sid: '0123456789abcdef', epoch: 'e1', seq: '1' });
});

test('rule 2: in order and once; a repeat is dropped and acknowledged again', async () => {
  const t = setup();
  const socket = await t.connect();
  socket.msg(1);
  socket.msg(2);
  await t.clock.advance(200);
  assert.deepEqual(socket.said('ack').map((m) => m.seq), [2]);
  socket.msg(1);
  socket.msg(2);
  await t.clock.advance(200);
  assert.deepEqual(t.handled, [1, 2]);
  assert.deepEqual(socket.said('ack').map((m) => m.seq), [2, 2]);
});

test('rule 2: at a hole the connection is given up with 4000, and the next says the seq before it', async () => {
  const t = setup();
  const socket = await t.connect();
  socket.msg(1);
  await settle();
  socket.msg(3);
  assert.equal(socket.closedWith, 4000);
  assert.equal(await t.untilDial(), 0);
  assert.equal(t.last().query.seq, '1');
  t.last().welcome({ seq: 3, acked: 1 });
  t.last().msg(2);
  t.last().msg(3);
  await settle();
  assert.deepEqual(t.handled, [1, 2, 3]);
});

test('rule 2: a skip closes the hole and is acknowledged', async () => {
  const t = setup();
  const socket = await t.connect();
  socket.msg(1);
  socket.say({ t: 'skip', to: 5, why: 'ttl' });
  socket.msg(6);
  socket.say({ t: 'skip', to: 9, why: 'gone' });
  await t.clock.advance(200);
  assert.deepEqual(t.handled, [1, 6]);
  assert.deepEqual(t.of('skip').map(({ from, to, why }) => [from, to, why]), [[2, 5, 'ttl'], [7, 9, 'gone']]);
  assert.deepEqual(socket.said('ack').map((m) => m.seq), [9]);
});

test('rule 2: what was handled while another connection was made is not handled again, and not acknowledged before it is sent', async () => {
  const t = setup();
  const socket = await t.connect();
  let done;
  t.client.onmessage = (m) => new Promise((resolve) => ((done = resolve), t.handled.push(m.payload)));
  socket.msg(1);
  await settle();
  socket.end();
  await t.untilDial();
  assert.equal(t.last().query.seq, '0');
  t.last().welcome({ acked: 0, seq: 1 });
  done();
  await t.clock.advance(300);
  assert.deepEqual(t.last().heard, [], 'an ack of what this connection never sent would be 4304');
  t.last().msg(1);
  await t.clock.advance(200);
  assert.deepEqual(t.handled, [1]);
  assert.deepEqual(t.last().said('ack').map((m) => m.seq), [1]);
});

test('rule 3: after a change of epoch a message that was handled is dropped by its id, and acknowledged', async () => {
  const t = setup();
  const first = await t.connect();
  first.msg(1, 'a', 'ida');
  first.msg(2, 'b', 'idb');
  await settle();
  first.end();
  await t.untilDial();
  t.last().welcome({ epoch: 'e2', seq: 3, acked: 0, resumed: false });
  t.last().msg(1, 'b', 'idb');
  t.last().msg(2, 'a', 'ida');
  t.last().msg(3, 'c', 'idc');
  await t.clock.advance(200);
  assert.deepEqual(t.handled, ['a', 'b', 'c']);
  assert.deepEqual(t.last().said('ack').map((m) => m.seq), [3]);
});

test('rule 3: a message whose handler ran while the epoch changed is known', async () => {
  const t = setup();
  const first = await t.connect();
  let done;
  t.client.onmessage = (m) => (t.handled.push(m.payload), m.payload === 'a' ? new Promise((resolve) => (done = resolve)) : undefined);
  first.msg(1, 'a', 'ida');
  await settle();
  first.end();
  await t.untilDial();
  t.last().welcome({ epoch: 'e2', seq: 2, acked: 0, resumed: false });
  t.last().msg(1, 'a', 'ida');
  t.last().msg(2, 'b', 'idb');
  await settle();
  assert.deepEqual(t.handled, ['a']);
  done();
  await settle();
  assert.deepEqual(t.handled, ['a', 'b']);
  assert.equal(t.client.position.seq, 2);
});

test('rule 3: 1,000 ids are remembered, not more', async () => {
  const t = setup();
  const first = await t.connect({ win: 1000 });
  for (let seq = 1; seq <= 1001; seq++) {
    first.msg(seq);
    await settle();
  }
  assert.equal(t.client.stream.ids.size, 1000);
  assert.ok(!t.client.stream.ids.has('m1') && t.client.stream.ids.has('m2'));
});

test('rule 3: within an epoch two numbers are two messages, whatever their id', async () => {
  const t = setup();
  const socket = await t.connect();
  socket.msg(1, 'a', 'same');
  socket.msg(2, 'b', 'same');
  await settle();
  assert.deepEqual(t.handled, ['a', 'b']);
});

test('rule 4: acknowledged at half of win, otherwise 200 ms after the first', async () => {
  const t = setup();
  const socket = await t.connect({ win: 6 });
  socket.msg(1);
  await t.clock.advance(150);
  socket.msg(2);
  await t.clock.advance(49);
  assert.deepEqual(socket.said('ack'), []);
  await t.clock.advance(1);
  assert.deepEqual(socket.said('ack').map((m) => m.seq), [2]);
  for (const seq of [3, 4, 5]) socket.msg(seq);
  await settle();
  assert.deepEqual(socket.said('ack').map((m) => m.seq), [2, 5]);
  const one = setup();
  const narrow = await one.connect({ win: 1 });
  narrow.msg(1);
  await settle();
  assert.deepEqual(narrow.said('ack').map((m) => m.seq), [1]);
});

test('rule 4: only what the handler has finished is acknowledged, one after another', async () => {
  const t = setup();
  const socket = await t.connect({ win: 2 });
  const done = [];
  t.client.onmessage = (m) => new Promise((resolve) => (t.handled.push(m.payload), done.push(resolve)));
  socket.msg(1);
  socket.msg(2);
  await t.clock.advance(1000);
  assert.deepEqual(t.handled, [1]);
  assert.deepEqual(socket.said('ack'), []);
  done.shift()();
  await settle();
  assert.deepEqual(t.handled, [1, 2]);
  assert.deepEqual(socket.said('ack').map((m) => m.seq), [1]);
});

test('rule 4: an acknowledgement rides on the heartbeat', async () => {
  const t = setup({ random: () => 0.5 });
  const socket = await t.connect({ hb: 30_000 });
  await t.clock.advance(14_900);
  socket.msg(1);
  await t.clock.advance(100);
  assert.deepEqual(socket.heard, [{ t: 'hb', seq: 1 }]);
  await t.clock.advance(1000);
  assert.equal(socket.heard.length, 1, 'and does not come again by itself');
  socket.say({ t: 'hb', spread: 0 });
  await t.clock.advance(29_000);
  assert.deepEqual(socket.heard.at(-1), { t: 'hb' });
});

test('rule 5: lost without a code after the welcome: the slot of hash mod spread', async () => {
  for (const end of [(socket) => socket.end(), (socket) => socket.end(1005)]) {
    const t = setup();
    end(await t.connect({ spread: 7500 }));
    assert.equal(await t.untilDial(), slot(7500));
    assert.ok(slot(7500) > 0);
  }
});

test('rule 5: the spread of the last heartbeat counts', async () => {
  const t = setup();
  const socket = await t.connect({ spread: 7500 });
  socket.say({ t: 'hb', spread: 12_345 });
  socket.end();
  assert.equal(await t.untilDial(), slot(12_345));
});

test('rule 5: a node that says nothing for one and a half intervals is lost', async () => {
  const t = setup();
  const socket = await t.connect({ hb: 30_000, spread: 7500 });
  await t.clock.advance(20_000);
  socket.say({ t: 'hb', spread: 9000 });
  await t.clock.advance(44_999);
  assert.equal(socket.closedWith, undefined);
  await t.clock.advance(1);
  assert.equal(socket.closedWith, 4000);
  assert.equal(await t.untilDial(), slot(9000));
});

test('rule 6: full jitter from 0 to base x 2^n, at most max; before the first welcome 1,000 and 120,000', async () => {
  const t = setup({ random: () => 0.5 });
  t.client.start();
  await settle();
  const waits = [];
  for (let n = 0; n < 9; n++) {
    t.last().end();
    waits.push(await t.untilDial());
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  t.last().welcome({ back: { base: 100, max: 200 } });
  t.last().end(4105);
  assert.equal(await t.untilDial(), 100, 'nine failures, and the welcome’s bounds');
});

test('rule 6: 41xx backs off and keeps the session', async () => {
  const t = setup({ random: () => 0.25 });
  const socket = await t.connect({ epoch: 'e1', acked: 3, seq: 3 });
  socket.end(4101);
  assert.equal(await t.untilDial(), 250);
  assert.deepEqual(t.last().query, { device: 'd1', sid: '0123456789abcdef', epoch: 'e1', seq: '3' });
  t.last().end(4101);
  assert.equal(await t.untilDial(), 500);
});

test('rule 6: Retry-After is the least wait, where the WebSocket shows it', async () => {
  const t = setup();
  let refuse;
  t.client.WebSocket = class extends t.client.WebSocket {
    on(event, listener) {
      if (event === 'unexpected-response') refuse = listener;
    }
  };
  t.client.start();
  await settle();
  refuse({ destroy() {} }, { headers: { 'retry-after': '7' } });
  assert.equal(await t.untilDial(), 7000);
  refuse({ destroy() {} }, { headers: {} });
  assert.equal(await t.untilDial(), 1000);
});

test('rule 6: a dial without an answer is a failed dial', async () => {
  const t = setup();
  t.client.start();
  assert.equal(await t.untilDial(), 0);
  assert.equal(await t.untilDial(), 20_500);
  assert.equal(t.sockets[0].closedWith, 4000);
});

test('rule 7: failures are forgotten after 10 s and an answered heartbeat, not before', async () => {
  const wait = async (live) => {
    const t = setup({ random: () => 0.1 });
    t.client.start();
    await settle();
    for (let n = 0; n < 5; n++) {
      t.last().end();
      await t.untilDial();
    }
    t.last().welcome({ hb: 30_000 });
    await live(t);
    t.last().end(4105);
    return t.untilDial();
  };
  const answered = (t) => t.last().say({ t: 'hb', spread: 0 });
  assert.equal(await wait(async (t) => (await t.clock.advance(9_999), answered(t))), 3200, '10 s are not over');
  assert.equal(await wait((t) => t.clock.advance(11_000)), 3200, 'no answer');
  assert.equal(await wait(async (t) => (answered(t), await t.clock.advance(11_000))), 3200, 'an answer to nothing');
  assert.equal(await wait(async (t) => (await t.clock.advance(4000), answered(t), await t.clock.advance(6000))), 100);
});

test('rule 8: 40xx comes back at once', async () => {
  for (const code of [4001, 4003]) {
    const t = setup();
    (await t.connect({ spread: 7500 })).end(code);
    assert.equal(await t.untilDial(), 0, String(code));
  }
});

test('rule 8: 40xx before the slot of the last away: in the slot, at its address', async () => {
  const t = setup();
  const socket = await t.connect();
  socket.say({ t: 'away', code: 4001, in: 60_000, url: 'ws://first.test/v1/connect' });
  socket.say({ t: 'away', code: 4001, in: 8000, url: 'ws://other.test/v1/connect' });
  await t.clock.advance(3000);
  socket.end(4001);
  assert.equal(await t.untilDial(), 5000);
  assert.equal(t.last().url.host, 'other.test');
  t.last().end();
  await t.untilDial();
  assert.equal(t.last().url.host, 'node.test', 'what does not answer is not tried again');
});

test('rule 8: at the slot the new connection is made before the old one ends', async () => {
  const t = setup();
  const old = await t.connect();
  old.say({ t: 'away', code: 4001, in: 8000 });
  assert.equal(await t.untilDial(), 8000);
  assert.equal(old.closedWith, undefined);
  old.msg(1);
  await settle();
  assert.equal(t.client.state, 'connected');
  const fresh = t.last();
  assert.equal(fresh.query.sid, '0123456789abcdef');
  fresh.welcome({ seq: 1, acked: 0 });
  old.end(4002);
  fresh.msg(1);
  fresh.msg(2);
  await settle();
  assert.equal(t.client.state, 'connected');
  assert.deepEqual(t.handled, [1, 2]);
  assert.equal(await t.untilDial(20_000), undefined);
});

test('rule 8: 4002 that overtakes the new welcome means nothing', async () => {
  const t = setup();
  const old = await t.connect();
  old.say({ t: 'away', code: 4001, in: 0 });
  await t.clock.advance(0);
  const fresh = t.last();
  old.end(4002);
  assert.equal(await t.untilDial(15_000), undefined);
  fresh.welcome();
  assert.equal(t.client.state, 'connected');
});

test('rule 8: a replaced connection that nobody closes is closed', async () => {
  const t = setup();
  const old = await t.connect();
  old.say({ t: 'away', code: 4001, in: 0 });
  await t.clock.advance(0);
  t.last().welcome();
  old.say({ t: 'msg', payload: 'live, on its way' });
  old.msg(1);
  await t.clock.advance(10_000);
  assert.equal(old.closedWith, 4000);
  assert.deepEqual(t.handled, ['live, on its way']);
});

test('rule 8: 42xx, 43xx and broken framing stop and tell', async () => {
  for (const code of [4203, 4302, 4303, 4304, 4305, 1002, 1007, 1009]) {
    const t = setup();
    (await t.connect()).end(code, 'because');
    assert.equal(await t.untilDial(), undefined, String(code));
    assert.deepEqual(t.of('stopped').map(({ code, reason }) => [code, reason]), [[code, 'because']]);
    assert.equal(t.client.state, 'stopped');
    await t.clock.advance(10_000);
    assert.equal(t.clock.pending, 0);
  }
});

test('rule 8: 43xx instead of a welcome stops too', async () => {
  const t = setup();
  t.client.start();
  await settle();
  t.last().end(4302);
  assert.equal(t.client.state, 'stopped');
  assert.equal(await t.untilDial(), undefined);
});

test('rule 8: a node that welcomes and closes at once is not dialled in a circle', async () => {
  const t = setup();
  const waits = [];
  t.client.start();
  await settle();
  for (let n = 0; n < 5; n++) {
    t.last().welcome();
    t.last().end(4003);
    waits.push(await t.untilDial());
  }
  assert.deepEqual(waits, [0, 1000, 2000, 4000, 8000]);
});

test('rule 9: 1000 on stop, with the last acknowledgement before it', async () => {
  const t = setup();
  const socket = await t.connect();
  socket.msg(1);
  await settle();
  const stopped = t.client.stop();
  assert.deepEqual(socket.heard, [{ t: 'ack', seq: 1 }]);
  assert.equal(socket.closedWith, 1000);
  socket.end(1000);
  await stopped;
  assert.equal(t.client.state, 'stopped');
  assert.equal(t.clock.pending, 0);
  assert.deepEqual(t.of('stopped'), []);
});

test('rule 9: a node that does not answer the close does not hold the stop', async () => {
  const t = setup();
  await t.connect();
  const stopped = t.client.stop();
  await t.clock.advance(2000);
  await stopped;
  assert.equal(t.clock.pending, 0);
});
