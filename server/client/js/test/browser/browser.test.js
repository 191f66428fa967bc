// In a real Chromium, against a real roostd.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { WebSocket as WS } from 'ws';
import { Chromium, serveFolder } from '../help/chromium.js';
import { Roostd, sleep, until } from '../help/roostd.js';

const node = new Roostd();
const browser = new Chromium();
let web;
let page;
before(async () => {
  web = await serveFolder();
  page = `${web.url}/test/browser/page.html`;
  await Promise.all([node.start(), browser.start()]);
  await browser.open(page);
}, { timeout: 60_000 });
after(async () => {
  await browser.stop();
  web.close();
  await node.remove();
});
afterEach(() => browser.run('Promise.all(Object.values(clients).map((client) => client.stop())).then(() => 0)'));

let devices = 0;
async function make(options = {}) {
  const device = options.device ?? `page-${++devices}`;
  await browser.run(`make('${device}', ${JSON.stringify({ url: node.url, device, ...options })})`);
  return device;
}

/** Something of a client in the page. */
const look = (name, what) => browser.run(`clients['${name}'].${what}`);
const state = (name, wanted = 'connected') => until(`${name} is ${wanted}`, async () => (await look(name, 'state')) === wanted, 15_000);
const got = (name, n, ms) => until(`${name} has ${n} messages`, async () => (await look(name, 'got.length')) >= n, ms).then(() => look(name, 'got'));
const ids = (n, from = 1) => Array.from({ length: n }, (_, i) => `m${from + i}`);

for (const protocol of ['json', 'bin']) {
  test(`${protocol}: connects, hears, subscribes, speaks`, { timeout: 30_000 }, async () => {
    const name = await make({ protocol });
    await state(name);
    await look(name, `subscribe('t/${name}')`);
    await node.publish({ device: name, class: 'live', payload: { text: 'é€😀' } });
    await node.publish({ topic: `t/${name}`, payload: 2 });
    assert.deepEqual(await got(name, 2), [{ text: 'é€😀' }, 2]);
    assert.equal(await look(name, `up('state', {battery: 81})`), true);
    assert.equal((await node.device(name)).connection.protocol, `roost.v1.${protocol}`);
    assert.deepEqual(await look(name, 'seen'), ['connecting', 'connected']);
  });

  test(`${protocol}: kept messages while away arrive after the return`, { timeout: 30_000 }, async () => {
    const name = await make({ protocol });
    await state(name);
    await node.publishKept(name, 'm1');
    await got(name, 1);
    await look(name, 'stop()');
    for (const id of ids(60, 2)) await node.publishKept(name, id);
    await look(name, 'start()');
    assert.deepEqual(await got(name, 61), ids(61));
    await node.settled(name);
  });

  test(`${protocol}: kill -9 and restart of the node: nothing lost, nothing twice`, { timeout: 60_000 }, async () => {
    const name = await make({ protocol });
    await state(name);
    await browser.run(`clients['${name}'].delay = 10`);
    const all = ids(90);
    const publisher = (async () => {
      for (const id of all) await node.publishSurely(name, id);
    })();
    for (const n of [20, 60]) {
      await got(name, n, 20_000);
      await node.kill();
      await sleep(50);
      await node.start();
    }
    await publisher;
    await got(name, all.length, 30_000);
    await node.settled(name);
    assert.deepEqual(await look(name, 'got'), all);
    assert.ok(!(await look(name, 'seen')).some((what) => /error|stopped/.test(what)));
  });
}

test('a reload of the page: the store in localStorage goes on where it was', { timeout: 30_000 }, async () => {
  const name = await make({ kept: 'roost' });
  await state(name);
  await node.publishKept(name, 'm1');
  await got(name, 1);
  await browser.open(page);
  await node.publishKept(name, 'm2');
  await make({ kept: 'roost', device: name });
  assert.deepEqual(await got(name, 1), ['m2']);
  assert.equal(await look(name, 'position.seq'), 2);
});

test('takeover: another client of the device stops this one with 4303', { timeout: 30_000 }, async () => {
  const name = await make();
  await state(name);
  const other = new WS(`${node.url}?device=${name}`, ['roost.v1.json']);
  await state(name, 'stopped');
  assert.equal((await look(name, 'seen')).at(-1), 'stopped 4303');
  other.terminate();
});

test('takeover within the session: 4002 to the old connection, and the client comes back', { timeout: 30_000 }, async () => {
  const name = await make();
  await state(name);
  const other = new WS(`${node.url}?device=${name}&sid=${await look(name, 'position.sid')}`, ['roost.v1.json']);
  await until('4002 was seen', async () => (await look(name, 'seen')).includes('waiting 4002'));
  other.terminate();
  await state(name);
});

test('an operator’s 4003 and a removed device’s 4305', { timeout: 30_000 }, async () => {
  const name = await make();
  await state(name);
  await node.ask('DELETE', `/v1/devices/${name}/connection`);
  await until('the return', async () => (await look(name, 'seen')).length === 5);
  await node.ask('DELETE', `/v1/devices/${name}`);
  await state(name, 'stopped');
  assert.deepEqual(await look(name, 'seen'), ['connecting', 'connected', 'waiting 4003', 'connecting', 'connected', 'stopped', 'stopped 4305']);
});

test('a request that makes no sense: a browser learns the code, and stops', { timeout: 30_000 }, async () => {
  const name = await make({ url: `${node.url}?hb=5` });
  await state(name, 'stopped');
  assert.equal((await look(name, 'seen')).at(-1), 'stopped 4304');
});

test('SIGTERM sends the page away, and it comes back when the node does', { timeout: 30_000 }, async () => {
  const name = await make();
  await state(name);
  await node.kill('SIGTERM');
  await until('it was sent away', async () => (await look(name, 'seen')).some((what) => what.endsWith('4001')));
  await node.start();
  await state(name);
});

test('a node that has lost its data: a new epoch, and what was handled is known by its id', { timeout: 30_000 }, async () => {
  const name = await make();
  await state(name);
  for (const id of ids(2)) await node.publishKept(name, id);
  await got(name, 2);
  await node.settled(name);
  const epoch = await look(name, 'position.epoch');
  await node.kill();
  rmSync(node.dataDir, { recursive: true });
  await node.start();
  await until('another epoch', async () => (await look(name, 'position.epoch')) !== epoch);
  for (const id of ids(2, 2)) await node.publishKept(name, id);
  await got(name, 3);
  await node.settled(name);
  assert.deepEqual(await look(name, 'got'), ids(3));
});

test('stop: the node sees it go, and it does not come back', { timeout: 30_000 }, async () => {
  const name = await make();
  await state(name);
  await look(name, 'stop()');
  await until('it is away', async () => !(await node.device(name)).online);
  await sleep(1500);
  assert.deepEqual(await look(name, 'seen'), ['connecting', 'connected', 'stopped']);
  assert.equal((await node.device(name)).online, false);
});

test('the page had no exception', () => assert.deepEqual(browser.log.filter((line) => line.includes('exceptionDetails')), []));
