// Against a real roostd: connections, live messages, topics, heartbeats, takeover. Over both protocols, and over
// the WebSocket of the ws package and Node's own (--experimental-websocket in Node 20).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebSocket as WS } from 'ws';
import { RoostClient, memoryStore } from '../../roost.js';
import { Roostd, until } from '../help/roostd.js';

const node = new Roostd();
const clients = [];
before(() => node.start(), { timeout: 20_000 });
after(async () => {
  await Promise.all(clients.map((client) => client.stop()));
  await node.remove();
});

let devices = 0;
function make(options = {}) {
  const client = new RoostClient({ url: node.url, device: `live-${++devices}`, WebSocket: WS, ...options });
  client.got = [];
  client.codes = [];
  client.onmessage = (m) => void client.got.push([m.topic, m.json()]);
  client.onstopped = ({ code }) => client.codes.push(code);
  client.onerror = ({ error }) => client.codes.push(error);
  clients.push(client);
  client.start();
  return client;
}

const connected = (client) => until(`${client.device} is connected`, () => client.state === 'connected');
const got = (client, n) => until(`${n} messages, not ${JSON.stringify(client.got)}`, () => client.got.length >= n).then(() => client.got);

test('Node’s own WebSocket is there', () => assert.equal(typeof globalThis.WebSocket, 'function', 'node --experimental-websocket'));

for (const [name, WebSocket] of [['ws', WS], ['Node’s', globalThis.WebSocket]]) {
  for (const protocol of ['json', 'bin']) {
    test(`${name}, ${protocol}: live messages to the device, a topic and all`, { timeout: 20_000 }, async () => {
      const client = make({ protocol, WebSocket });
      await connected(client);
      const topic = `fw/${client.device}`;
      await client.subscribe(topic);
      await node.publish({ device: client.device, class: 'live', payload: { n: 1, text: 'é€😀' } });
      await node.publish({ topic, payload: [2] });
      await node.publish({ all: true, payload: 3 });
      const messages = await got(client, 3);
      assert.deepEqual(messages.map(([, payload]) => payload), [{ n: 1, text: 'é€😀' }, [2], 3]);
      assert.equal(messages[1][0], topic);
      assert.deepEqual(client.codes, []);
      await client.unsubscribe(topic);
      await node.publish({ topic, payload: 4 });
      await node.publish({ device: client.device, class: 'live', payload: 5 });
      assert.deepEqual((await got(client, 4)).at(-1)[1], 5);
      await client.stop();
      assert.equal(client.state, 'stopped');
    });
  }
}

test('bytes that are no JSON arrive as they are, in both protocols', { timeout: 20_000 }, async () => {
  for (const protocol of ['json', 'bin']) {
    const client = make({ protocol });
    client.onmessage = (m) => void client.got.push(m.bytes());
    await connected(client);
    await node.publish({ device: client.device, class: 'live', payload_base64: Buffer.from([0, 255, 1]).toString('base64') });
    assert.deepEqual((await got(client, 1))[0], Uint8Array.of(0, 255, 1));
  }
});

test('a heartbeat is answered', { timeout: 20_000 }, async () => {
  const client = make({ heartbeat: 30, random: () => 0.01 });
  let answers = 0;
  const { WebSocket } = client;
  client.WebSocket = class extends WebSocket {
    set onmessage(handler) {
      super.onmessage = (event) => (event.data.includes('"t":"hb"') && answers++, handler(event));
    }
  };
  await connected(client);
  await until('an answer', () => answers > 0);
});

test('a second client of the device takes over: 4303 stops the first', { timeout: 20_000 }, async () => {
  const first = make();
  await connected(first);
  const second = make({ device: first.device });
  await connected(second);
  await until('the first is told', () => first.codes.includes(4303));
  assert.equal(first.state, 'stopped');
  await node.publish({ device: first.device, class: 'live', payload: 'x' });
  await got(second, 1);
  assert.deepEqual(first.got, []);
});

test('the same session comes again: no 4303, the old connection is cut off', { timeout: 20_000 }, async () => {
  const store = memoryStore();
  const first = make({ store });
  await connected(first);
  const codes = [];
  const socket = first.constructor && new WS(`${node.url}?device=${first.device}&sid=${first.position.sid}`, ['roost.v1.json']);
  first.onstate = (event) => event.code && codes.push(event.code);
  await until('4002', () => codes.includes(4002));
  socket.terminate();
  await connected(first);
  assert.deepEqual(first.codes, []);
});

test('an operator’s 4003 is a return at once, a removed device’s 4305 the end', { timeout: 20_000 }, async () => {
  const client = make();
  await connected(client);
  const states = [];
  client.onstate = ({ state, wait, code }) => states.push([state, wait, code]);
  await node.ask('DELETE', `/v1/devices/${client.device}/connection`);
  await until('the return', () => states.length === 3, 3000);
  assert.deepEqual(states[0], ['waiting', 0, 4003]);
  await node.ask('DELETE', `/v1/devices/${client.device}`);
  await until('the end', () => client.codes.includes(4305));
  assert.equal(client.state, 'stopped');
});

test('a request that makes no sense is refused, and the client goes on trying', { timeout: 20_000 }, async () => {
  const client = make({ url: `${node.url}?hb=5`, random: () => 0.01 });
  const states = [];
  client.onstate = (event) => states.push(event.state);
  await until('three dials', () => states.filter((state) => state === 'connecting').length > 2);
  assert.ok(!states.includes('connected'));
  await client.stop();
});

test('up is heard by whoever listens', { timeout: 20_000 }, async (t) => {
  const stop = new AbortController();
  t.after(() => stop.abort());
  for (const [protocol, expected] of [['json', '"payload":{"battery":81}'], ['bin', '"payload_base64":"AP8="']]) {
    const client = make({ protocol });
    await connected(client);
    const events = await fetch(`http://${node.api}/v1/events?kind=up&device=${client.device}`, { signal: stop.signal });
    assert.equal(client.up('state', protocol === 'json' ? { battery: 81 } : Uint8Array.of(0, 255)), true);
    let text = '';
    for await (const part of events.body) {
      text += Buffer.from(part).toString();
      if (text.includes(expected)) break;
    }
    assert.match(text, /"topic":"state"/);
  }
});

test('a node that is not there yet, and one that goes with SIGTERM: the client comes back', { timeout: 30_000 }, async () => {
  const other = new Roostd('--drain', '200ms');
  try {
    await other.start();
    const client = make({ url: other.url });
    const codes = [];
    client.onstate = (event) => event.code && codes.push(event.code);
    await connected(client);
    await other.kill('SIGTERM');
    await until('it was sent away', () => client.state !== 'connected');
    assert.deepEqual(codes.slice(0, 1), [4001]);
    await other.start();
    await connected(client);
    await client.stop();
  } finally {
    await other.remove();
  }
});

test('a refused upgrade is a failed dial, and its Retry-After is kept (ws package)', { timeout: 20_000 }, async (t) => {
  const { createServer } = await import('node:http');
  let dials = 0;
  const server = createServer();
  server.on('upgrade', (request, socket) => (dials++, socket.end('HTTP/1.1 503 No Room\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n')));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const client = make({ url: `ws://127.0.0.1:${server.address().port}` });
  const waits = [];
  client.onstate = (event) => event.wait !== undefined && waits.push(event.wait);
  await until('a wait', () => waits.length > 0);
  assert.equal(dials, 1);
  assert.ok(waits[0] >= 2000, `waits ${waits[0]}`);
  await client.stop();
});
