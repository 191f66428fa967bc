// Against a real roostd: kept messages. Nothing lost, nothing twice, whoever dies.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { WebSocket as WS } from 'ws';
import { RoostClient, memoryStore } from '../../roost.js';
import { Roostd, sleep, until } from '../help/roostd.js';

const node = new Roostd();
const clients = [];
before(() => node.start(), { timeout: 20_000 });
after(async () => {
  await Promise.all(clients.map((client) => client.stop()));
  await node.remove();
});

let devices = 0;
/** A client that notes what it handles. Its chance is small: back-offs are short. */
function make(options = {}) {
  const client = new RoostClient({ url: node.url, device: `kept-${++devices}`, WebSocket: WS, random: () => Math.random() / 10, ...options });
  client.got = [];
  client.skips = [];
  client.trouble = [];
  client.onmessage = (m) => void client.got.push(m.json());
  client.onskip = ({ from, to, why }) => client.skips.push([from, to, why]);
  client.onerror = ({ error }) => client.trouble.push(error);
  client.onstopped = (event) => client.trouble.push(event);
  clients.push(client);
  client.start();
  return client;
}

const connected = (client) => until(`${client.device} is connected`, () => client.state === 'connected');
const got = (client, n, ms) => until(`${n} messages, not ${JSON.stringify(client.got)}`, () => client.got.length >= n, ms);
const ids = (n, from = 1) => Array.from({ length: n }, (_, i) => `m${from + i}`);

for (const protocol of ['json', 'bin']) {
  test(`${protocol}: at once when connected, and after the return what came while away`, { timeout: 20_000 }, async () => {
    const client = make({ protocol });
    await connected(client);
    assert.equal(await node.publishKept(client.device, 'm1'), 1);
    await got(client, 1);
    await client.stop();
    for (const id of ids(100, 2)) await node.publishKept(client.device, id);
    client.start();
    await got(client, 101);
    assert.deepEqual(client.got, ids(101));
    assert.equal(client.position.seq, 101);
    await node.settled(client.device);
    assert.deepEqual(client.trouble, []);
  });

  test(`${protocol}: kill -9 of the node, again and again, while messages go through it`, { timeout: 60_000 }, async () => {
    const client = make({ protocol });
    await connected(client);
    const all = ids(120);
    const publisher = (async () => {
      for (const id of all) await node.publishSurely(client.device, id);
    })();
    for (let round = 0; round < 3; round++) {
      await got(client, 30 * (round + 1), 20_000);
      await node.kill();
      await sleep(50);
      await node.start();
    }
    await publisher;
    await got(client, all.length, 20_000);
    await node.settled(client.device);
    assert.deepEqual(client.got, all);
    assert.deepEqual(client.trouble, []);
  });
}

test('kill -9 while messages wait: they are there afterwards', { timeout: 20_000 }, async () => {
  const client = make();
  await connected(client);
  await node.publishKept(client.device, 'm1');
  await got(client, 1);
  await client.stop();
  for (const id of ids(50, 2)) await node.publishKept(client.device, id);
  const { epoch } = client.position;
  await node.kill();
  await node.start();
  client.start();
  await got(client, 51);
  assert.deepEqual(client.got, ids(51));
  assert.equal(client.position.epoch, epoch, 'nothing was lost, so the stream is the same');
});

test('a client that is started again with its store goes on where it was', { timeout: 20_000 }, async () => {
  const store = memoryStore();
  const first = make({ store });
  await connected(first);
  await node.publishKept(first.device, 'm1');
  await got(first, 1);

  await first.stop();
  await node.publishKept(first.device, 'm2');
  const second = make({ store, device: first.device });
  await got(second, 1);
  assert.deepEqual(second.got, ['m2']);
});

test('what no handler has finished comes again to the next client', { timeout: 20_000 }, async () => {
  const first = make();
  await connected(first);
  first.onmessage = (m) => (first.got.push(m.json()), new Promise(() => {}));
  await node.publishKept(first.device, 'm1');
  await got(first, 1);
  await first.stop();
  const second = make({ device: first.device });
  await got(second, 1);
  assert.deepEqual(second.got, ['m1']);
});

test('a slow handler: one at a time, in order, all of them', { timeout: 20_000 }, async () => {
  const client = make();
  await connected(client);
  let running = 0;
  client.onmessage = async (m) => {
    assert.equal(++running, 1);
    await sleep(5);
    running--;
    client.got.push(m.json());
  };
  await Promise.all(ids(20).map((_, i) => node.publishKept(client.device, `x${i}`)));
  for (const id of ids(80)) await node.publishKept(client.device, id);
  await got(client, 100);
  assert.deepEqual(client.got.slice(20), ids(80));
  await node.settled(client.device);
  assert.deepEqual(client.trouble, []);
});

test('a handler that fails once gets the message again', { timeout: 20_000 }, async () => {
  const client = make();
  await connected(client);
  let calls = 0;
  client.onmessage = (m) => {
    if (++calls === 1) throw new Error('once');
    client.got.push(m.json());
  };
  await node.publishKept(client.device, 'm1');
  await node.publishKept(client.device, 'm2');
  await got(client, 2);
  assert.deepEqual(client.got, ['m1', 'm2']);
  assert.equal(client.trouble.length, 1);
});

test('an expired message is skipped', { timeout: 20_000 }, async () => {
  const client = make();
  await connected(client);
  await client.stop();
  await node.publishKept(client.device, 'm1', { ttl: 1 });
  await node.publishKept(client.device, 'm2');
  await sleep(2100);
  client.start();
  await got(client, 1);
  assert.deepEqual(client.got, ['m2']);
  assert.deepEqual(client.skips, [[1, 1, 'ttl']]);
  await node.settled(client.device);
});

test('a topic: kept while away, the latest value at each return', { timeout: 20_000 }, async () => {
  const client = make();
  const topic = `t/${client.device}`;
  await connected(client);
  await client.subscribe(topic);
  await node.publish({ topic, class: 'latest', payload: 'latest' });
  await got(client, 1);
  await client.stop();
  await node.publish({ topic, class: 'kept', id: 'k1', payload: 'kept' });
  client.start();
  await got(client, 3);
  assert.deepEqual(client.got.slice(1).sort(), ['kept', 'latest']);
  assert.deepEqual(client.trouble, []);
});

test('a node that has lost its data: a new epoch, and what was handled is known by its id', { timeout: 30_000 }, async () => {
  const client = make();
  await connected(client);
  await node.publishKept(client.device, 'm1');
  await node.publishKept(client.device, 'm2');
  await got(client, 2);
  await node.settled(client.device);
  const { epoch } = client.position;
  await node.kill();
  rmSync(node.dataDir, { recursive: true });
  await node.start();
  await until('another epoch', () => client.state === 'connected' && client.position.epoch !== epoch);
  await node.publishKept(client.device, 'm2');
  await node.publishKept(client.device, 'm3');
  await got(client, 3);
  await node.settled(client.device);
  assert.deepEqual(client.got, ['m1', 'm2', 'm3']);
  assert.deepEqual(client.trouble, []);
});
