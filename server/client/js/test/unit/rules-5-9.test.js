// Rules 5 to 9 of "What a client MUST do", each by name: when to come back, and when not.
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

test('rule 5: lost without a code, or with a proxy’s, after the welcome: the slot of hash mod spread', async () => {
  for (const code of [1006, 1005, 1000, 1001, 1011, 1012, 1013, 1014, 1015]) {
    const t = setup();
    (await t.connect({ spread: 7500 })).end(code);
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

test('rule 6: Retry-After comes on top, where the WebSocket shows it', async () => {
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
  assert.equal(await t.untilDial(), 7500);
  refuse({ destroy() {} }, { headers: {} });
  assert.equal(await t.untilDial(), 1000);
  // It may be a slot: who comes much later has lost it.
  for (let n = 0; n < 8; n++) {
    refuse({ destroy() {} }, { headers: { 'retry-after': '2' } });
    assert.equal(await t.untilDial(), 3000);
  }
});

test('rule 6: an away before the welcome is the Retry-After of who cannot read one', async () => {
  const t = setup();
  t.client.start();
  await settle();
  for (let n = 0; n < 8; n++) {
    t.last().say({ t: 'away', code: 4101, in: 8000 });
    t.last().end(4101);
    assert.equal(await t.untilDial(), n < 4 ? 8000 + 500 * 2 ** n : 12_000);
  }
  // It is of that dial alone; and one that is planned has no place there.
  t.last().say({ t: 'away', code: 4001, in: 8000 });
  t.last().end(1006);
  assert.equal(await t.untilDial(), 60_000);
});

test('rule 6: where nobody takes a dial, over the wide of the last node, two thirds of it at first, until the backoff is wider', async () => {
  const t = setup({ random: () => 0.5 });
  const socket = await t.connect({ spread: 0, wide: 3000 });
  socket.say({ t: 'hb', spread: 0, wide: 6000 });
  socket.end();
  await t.untilDial();
  const waits = [];
  for (let n = 0; n < 6; n++) {
    t.last().onerror({ error: { code: 'ECONNREFUSED' } });
    t.last().end();
    waits.push(await t.untilDial());
  }
  assert.deepEqual(waits, [2000, 3000, 3000, 3000, 4000, 8000]);
});

test('rule 6: that one node is not there, to which it was sent, says nothing of all', async () => {
  const t = setup({ random: () => 0.5 });
  const socket = await t.connect({ spread: 0, wide: 60_000 });
  socket.say({ t: 'away', code: 4002, in: 0, url: 'ws://n2/v1/connect?hop=1' });
  await t.untilDial();
  t.last().onerror({ error: { code: 'ECONNREFUSED' } });
  t.last().end();
  assert.equal(await t.untilDial(), 500);
});

test('rule 6: a balancer without nodes is nobody, a refusal with a time is not', async () => {
  const t = setup({ random: () => 0.5 });
  let refuse;
  t.client.WebSocket = class extends t.client.WebSocket {
    on(event, listener) {
      if (event === 'unexpected-response') refuse = listener;
    }
  };
  (await t.connect({ spread: 0, wide: 8000 })).end();
  await t.untilDial();
  refuse({ destroy() {} }, { statusCode: 503, headers: {} });
  assert.equal(await t.untilDial(), 2667);
  refuse({ destroy() {} }, { statusCode: 503, headers: {} });
  assert.equal(await t.untilDial(), 4000);
  refuse({ destroy() {} }, { statusCode: 503, headers: { 'retry-after': '2' } });
  assert.equal(await t.untilDial(), 3000);
  refuse({ destroy() {} }, { statusCode: 500, headers: {} });
  assert.equal(await t.untilDial(), 4000);
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

test('rule 7: a connection that was replaced has proved what it has proved', async () => {
  const t = setup({ random: () => 0.1 });
  t.client.start();
  await settle();
  for (let n = 0; n < 5; n++) {
    t.last().end();
    await t.untilDial();
  }
  const old = t.last();
  old.welcome({ hb: 30_000 });
  await t.clock.advance(12_000);
  old.say({ t: 'hb', spread: 0 });
  old.say({ t: 'away', code: 4001, in: 0 });
  await t.clock.advance(0);
  t.last().welcome();
  t.last().end(4105);
  assert.equal(await t.untilDial(), 100);
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

test('rule 8: after a replacement the old connection takes no acknowledgement with it, and brings nothing back', async () => {
  const t = setup({ random: () => 0.5 });
  const old = await t.connect({ hb: 30_000 });
  await t.clock.advance(14_000);
  old.say({ t: 'away', code: 4001, in: 0 });
  await t.clock.advance(0);
  t.last().welcome({ hb: 30_000 });
  await t.clock.advance(900);
  t.last().msg(1);
  await t.clock.advance(200);
  assert.deepEqual(t.last().heard, [{ t: 'ack', seq: 1 }]);
  await t.clock.advance(10_000);
  old.say({ t: 'msg', payload: 'after the end' });
  await settle();
  assert.deepEqual(t.handled, [1]);
});

test('rule 8: a failed dial at the slot keeps its back-off when the old connection ends too', async () => {
  const t = setup({ random: () => 0.5 });
  const old = await t.connect();
  old.say({ t: 'away', code: 4001, in: 0 });
  await t.clock.advance(0);
  t.last().end();
  await t.clock.advance(100);
  old.end(4001);
  assert.equal(t.client.state, 'waiting');
  assert.equal(await t.untilDial(), 400);
});

test('rule 6: codes below 4000 that blame the client back off, and are told', async () => {
  for (const code of [1002, 1003, 1007, 1009, 3000, 4400]) {
    const t = setup();
    (await t.connect()).end(code);
    assert.equal(await t.untilDial(), 500, String(code));
    assert.equal(t.of('error').length, code < 4000 ? 1 : 0);
  }
});

test('rule 8: 42xx and 43xx stop and tell', async () => {
  for (const code of [4203, 4302, 4303, 4304, 4305]) {
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

test('rule 8: the second time in a row, by rule 6, until a connection is good', async () => {
  for (const [code, spread] of [[4003, 7500], [1006, 0]]) {
    const t = setup({ random: () => 0.5 });
    t.client.start();
    await settle();
    const waits = [];
    for (let n = 0; n < 5; n++) {
      t.last().welcome({ spread, hb: 30_000 });
      t.last().end(code);
      waits.push(await t.untilDial());
    }
    assert.deepEqual(waits, [0, 500, 1000, 2000, 4000]);
    t.last().welcome({ spread, hb: 30_000 });
    await t.clock.advance(16_000);
    t.last().say({ t: 'hb', spread });
    t.last().end(code);
    assert.equal(await t.untilDial(), 0);
  }
});

test('rule 8: not before the slot of the last away, also when it is by rule 6', async () => {
  const t = setup();
  (await t.connect()).end(4001);
  await t.untilDial();
  t.last().welcome();
  t.last().say({ t: 'away', code: 4001, in: 8000 });
  t.last().end(4001);
  assert.equal(await t.untilDial(), 8000);
});

test('rule 8: what comes between breaks the row', async () => {
  const t = setup();
  for (const [code, wait] of [[4003, 0], [1006, slot(7500)], [4003, 0], [4105, 500], [4003, 0], [4003, 1000]]) {
    if (t.client.state === 'stopped') await t.connect({ spread: 7500 });
    else t.last().welcome({ spread: 7500 });
    t.last().end(code);
    assert.equal(await t.untilDial(), wait);
  }
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
