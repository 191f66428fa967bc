// Rules 1 to 4 of "What a client MUST do", each by name: the stream.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setup, settle } from '../help/fake.js';

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
  assert.equal(await t.untilDial(), 500, 'by rule 6');
  assert.equal(t.last().query.seq, '1');
  t.last().welcome({ seq: 3, acked: 1 });
  t.last().msg(2);
  t.last().msg(3);
  await settle();
  assert.deepEqual(t.handled, [1, 2, 3]);
});

test('rule 2: what cannot be understood is a hole', async () => {
  for (const nonsense of ['not JSON', '{"t":"msg","seq":"2"}', new ArrayBuffer(3)]) {
    const t = setup();
    const socket = await t.connect();
    socket.msg(1);
    await settle();
    socket.raw(nonsense);
    assert.equal(socket.closedWith, 4000);
    assert.deepEqual(t.of('error').map((e) => e.error.code), ['malformed']);
    assert.equal(await t.untilDial(), 500);
    assert.equal(t.last().query.seq, '1');
  }
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
