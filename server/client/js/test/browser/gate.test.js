// In a real Chromium, against a real roostd that takes few connects: a page hears when there is room, and comes then.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Chromium, serveFolder } from '../help/chromium.js';
import { Roostd, until } from '../help/roostd.js';

const browser = new Chromium();
let web;
before(async () => {
  web = await serveFolder();
  await browser.start();
  await browser.open(`${web.url}/test/browser/page.html`);
}, { timeout: 60_000 });
after(async () => {
  await browser.stop();
  web.close();
});

/** A node with flags, for one test. */
async function nodeWith(t, ...flags) {
  const node = new Roostd(...flags);
  t.after(() => node.remove());
  return node.start();
}

async function metric(node, name) {
  const text = await (await fetch(`http://${node.api}/metrics`)).text();
  return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ').pop() ?? 0);
}

const make = (node, device, protocol) => browser.run(`make('${device}', ${JSON.stringify({ url: node.url, device, protocol })})`);
const look = (device, what) => browser.run(`clients['${device}'].${what}`);
const connected = (device) => until(`${device} is connected`, async () => (await look(device, 'state')) === 'connected', 40_000);

test('a node that is full for a second: all come, each in its second', { timeout: 60_000 }, async (t) => {
  const node = await nodeWith(t, '--accept-rate', '1');
  const devices = Array.from({ length: 6 }, (_, i) => `gate-${i}`);
  await Promise.all(devices.map((device, i) => make(node, device, i % 2 ? 'bin' : 'json')));
  for (const device of devices) await connected(device);
  const waits = await Promise.all(devices.map((device) => look(device, 'waits')));
  const refused = waits.filter((list) => list.length > 0);
  assert.ok(refused.length >= 3, `of ${devices.length} at once ${refused.length} were refused`);
  // Without being told it would be a random part of a second.
  for (const list of refused) assert.ok(list.every((wait) => wait >= 1000), `waited ${list} ms`);
  assert.ok(refused.some(([first]) => first >= 2000), `all at once again: ${JSON.stringify(waits)}`);
  assert.equal(await metric(node, 'roost_put_off_total'), waits.flat().length);
  for (const device of devices) await look(device, 'stop()');
});

test('a page that is opened again and again: kept out for as long as the node says', { timeout: 60_000 }, async (t) => {
  const node = await nodeWith(t, '--device-rate', '0.2');
  const device = 'reloads';
  await make(node, device, 'json');
  for (;;) {
    await until('it is connected, or refused', async () => /connected|waiting/.test(await look(device, 'state')));
    if ((await look(device, 'state')) === 'waiting') break;
    await look(device, 'stop()');
    await look(device, 'start()');
  }
  await connected(device);
  const [wait] = await look(device, 'waits');
  assert.ok(wait >= 1000 && wait <= 10_000, `waited ${wait} ms`);
  assert.equal(await metric(node, 'roost_connects_limited_total{by="device"}'), 1);
  assert.ok(!(await look(device, 'seen')).some((what) => what.startsWith('stopped ')), 'it is not stopped for good');
  await look(device, 'stop()');
});
