// A real roostd behind a network that is not kind: cut at any byte, and a node that goes while another takes over.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebSocket as WS } from 'ws';
import { RoostClient } from '../../roost.js';
import { fnv1a } from '../../core.js';
import { Proxy } from '../help/proxy.js';
import { Roostd, until } from '../help/roostd.js';

const node = new Roostd();
const proxy = new Proxy();
const clients = [];
before(() => Promise.all([node.start(), proxy.start()]), { timeout: 20_000 });
after(async () => {
  await Promise.all(clients.map((client) => client.stop()));
  proxy.stop();
  await node.remove();
});

function make(device, options = {}) {
  // A chance of nearly nothing: the network breaks far more often here than a back-off is made for.
  const client = new RoostClient({ url: proxy.url, device, WebSocket: WS, random: () => Math.random() / 1000, ...options });
  Object.assign(client, { got: [], states: [], trouble: [] });
  client.onmessage = (m) => void client.got.push(m.json());
  client.onstate = ({ state, code }) => client.states.push(code ? `${state} ${code}` : state);
  client.onerror = ({ error }) => client.trouble.push(error);
  client.onstopped = (event) => client.trouble.push(event);
  clients.push(client);
  client.start();
  return client;
}

const connected = (client) => until('connected', () => client.state === 'connected');

for (const protocol of ['json', 'bin']) {
  test(`${protocol}: connections cut at any byte: every message once, in order`, { timeout: 60_000 }, async () => {
    proxy.target = node.listen;
    proxy.life = () => Infinity;
    // The slot after each cut is what this test would wait for most: a device with a small one.
    let device = `cut-${protocol}`;
    while (fnv1a(device) % 1000 > 50) device += 'x';
    const client = make(device, { protocol });
    await connected(client);
    proxy.life = () => (protocol === 'json' ? 400 : 300) + Math.floor(Math.random() * 900);
    proxy.cut();
    const ids = Array.from({ length: 200 }, (_, i) => `m${i + 1}`);
    const before = proxy.cuts;
    for (const id of ids) await node.publishKept(client.device, id);
    await until('all of them', () => client.got.length >= ids.length, 50_000);
    await node.settled(client.device);
    assert.deepEqual(client.got, ids);
    assert.ok(proxy.cuts - before >= 5, `only ${proxy.cuts - before} cuts`);
    assert.deepEqual(client.trouble, []);
  });
}

test('a node that goes down: the client is at the next one in its slot', { timeout: 30_000 }, async () => {
  const next = await new Roostd().start();
  const last = await new Roostd('--drain', '2s').start();
  try {
    proxy.life = () => Infinity;
    proxy.target = last.listen;
    let slot = Infinity;
    const dials = [];
    class WebSocket extends WS {
      constructor(...args) {
        super(...args);
        dials.push(performance.now());
        this.addEventListener('message', ({ data }) => {
          const m = JSON.parse(data);
          if (m.t === 'away') slot = performance.now() + m.in;
        });
      }
    }
    const client = make('mover', { WebSocket });
    await connected(client);
    await last.publishKept('mover', 'a');
    await until('a', () => client.got.length === 1);
    proxy.target = next.listen;
    await last.kill('SIGTERM');
    await until('the next node’s epoch', async () => (await next.device('mover').catch(() => ({}))).epoch === client.position.epoch);
    assert.equal(dials.length, 2);
    assert.ok(Math.abs(dials[1] - slot) < 200, `dialled ${dials[1] - slot} ms from its slot`);
    await next.publishKept('mover', 'a');
    await next.publishKept('mover', 'b');
    await until('b', () => client.got.length > 1);
    assert.deepEqual(client.got, ['a', 'b']);
    assert.deepEqual(client.trouble, []);
  } finally {
    await Promise.all([last.remove(), next.remove()]);
  }
});
