// Subscriptions: asked, answered, repeated.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setup } from '../help/fake.js';

test('subscribe: resolved by its res, refused with its code', async () => {
  const t = setup();
  const socket = await t.connect();
  const good = t.client.subscribe('fw/eu');
  const bad = t.client.subscribe('secret');
  const [first, second] = socket.said('sub');
  assert.deepEqual([first.ch, second.ch], ['fw/eu', 'secret']);
  socket.say({ t: 'res', r: second.r, ok: false, code: 'limit', text: 'at most 64' });
  socket.say({ t: 'res', r: first.r, ok: true });
  await good;
  await assert.rejects(bad, { code: 'limit' });
  await assert.rejects(t.client.subscribe('a b'), { code: 'channel' });
  await t.client.subscribe('fw/eu');
  assert.equal(socket.said('sub').length, 2, 'what is subscribed is not asked again');
});

test('subscriptions are repeated after each welcome, and an answer may come over the next connection', async () => {
  const t = setup({ topics: ['always'] });
  const socket = await t.connect();
  const wanted = t.client.subscribe('later');
  assert.deepEqual(socket.said('sub').map((m) => m.ch), ['always', 'later']);
  socket.end();
  await t.untilDial();
  t.last().welcome();
  assert.deepEqual(t.last().said('sub').map((m) => m.ch), ['always', 'later']);
  t.last().say({ t: 'res', r: t.last().said('sub')[1].r, ok: true });
  await wanted;
  const gone = t.client.unsubscribe('later');
  t.last().say({ t: 'res', r: t.last().said('unsub')[0].r, ok: true });
  await gone;
  t.last().end();
  await t.untilDial();
  t.last().welcome();
  assert.deepEqual(t.last().heard.map((m) => [m.t, m.ch]), [['sub', 'always']]);
});

test('unsubscribe while away is said after the welcome; the subscribe before it is told', async () => {
  const t = setup();
  const wanted = t.client.subscribe('x');
  t.client.unsubscribe('x');
  await assert.rejects(wanted, { code: 'superseded' });
  const socket = await t.connect();
  assert.deepEqual(socket.heard.map((m) => [m.t, m.ch]), [['unsub', 'x']]);
});

test('unavailable: asked again, after a pause that grows', async () => {
  const t = setup({ random: () => 0.5 });
  const socket = await t.connect();
  const wanted = t.client.subscribe('x');
  const refuse = () => socket.say({ t: 'res', r: socket.said('sub').at(-1).r, ok: false, code: 'unavailable', text: '' });
  refuse();
  await t.clock.advance(500);
  assert.equal(socket.said('sub').length, 2);
  refuse();
  await t.clock.advance(999);
  assert.equal(socket.said('sub').length, 2);
  await t.clock.advance(1);
  socket.say({ t: 'res', r: socket.said('sub').at(-1).r, ok: true });
  await wanted;
});

test('64 topics, not more; stop tells those who wait', async () => {
  const t = setup();
  const asked = Array.from({ length: 64 }, (_, n) => t.client.subscribe(`t${n}`));
  await assert.rejects(t.client.subscribe('one-more'), { code: 'limit' });
  await t.connect();
  t.client.stop();
  for (const each of await Promise.allSettled(asked)) assert.equal(each.reason.code, 'stopped');
});

test('a refusal of a repeated subscription is an error event', async () => {
  const t = setup({ topics: ['x'] });
  const socket = await t.connect();
  socket.say({ t: 'res', r: socket.said('sub')[0].r, ok: true });
  socket.end();
  await t.untilDial();
  t.last().welcome();
  t.last().say({ t: 'res', r: t.last().said('sub')[0].r, ok: false, code: 'channel', text: 'no' });
  assert.deepEqual(t.of('error').map((e) => e.error.code), ['channel']);
});
