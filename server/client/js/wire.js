// @ts-check
// The messages of docs/PROTOCOL.md as functions: a message object to what one WebSocket message carries, and
// back. Both forms, both directions, from one table: a test's model node is the same table read the other way.
// A payload is `payload` on the object in both forms: a Uint8Array for bytes, anything else for a JSON value.

/** @typedef {'json' | 'bin'} Form */
/** @typedef {{t: string, [key: string]: any}} Message */
/** @typedef {[name: string, type: 'uint' | 'text' | 'rest' | 'payload']} Field */
/** @typedef {{op: number, json?: boolean, must?: string, flags?: (m: Message) => number, fields: (flags: number) => Field[]}} Shape */

export class WireError extends Error {
  /** @param {string} text */
  constructor(text) {
    super(text);
    this.name = 'WireError';
    this.code = 'malformed';
  }
}

/** @param {Field[]} list @returns {(flags: number) => Field[]} */
const always = (...list) => () => list;
const has = (/** @type {unknown} */ value) => value !== undefined;

/** What the node says. @type {Record<string, Shape>} */
export const SERVER = {
  welcome: { op: 0x01, json: true, fields: always(['seq', 'uint'], ['acked', 'uint'], ['hb', 'uint'], ['spread', 'uint'], ['wide', 'uint'], ['win', 'uint'], ['max', 'uint'], ['ring', 'uint'], ['rh', 'text'], ['sid', 'text'], ['epoch', 'text']) },
  msg: {
    op: 0x02,
    flags: (m) => (has(m.seq) ? 0x80 : 0) | (has(m.id) ? 0x40 : 0) | (has(m.ch) ? 0x20 : 0),
    fields: (flags) => [
      .../** @type {Field[]} */ (flags & 0x80 ? [['seq', 'uint'], ['ttl', 'uint']] : []),
      .../** @type {Field[]} */ (flags & 0x40 ? [['id', 'text']] : []),
      .../** @type {Field[]} */ (flags & 0x20 ? [['ch', 'text']] : []),
      ['payload', 'payload'],
    ],
  },
  skip: { op: 0x0a, must: 'to', fields: always(['to', 'uint'], ['why', 'rest']) },
  hb: {
    op: 0x00,
    flags: (m) => (has(m.wide) ? 0x40 : 0) | (has(m.ring) ? 0x20 : 0),
    fields: (flags) => [
      ['spread', 'uint'],
      .../** @type {Field[]} */ (flags & 0x40 ? [['wide', 'uint']] : []),
      .../** @type {Field[]} */ (flags & 0x20 ? [['ring', 'uint'], ['rh', 'rest']] : []),
    ],
  },
  res: {
    op: 0x06,
    flags: (m) => (m.ok ? 0x20 : 0),
    fields: (flags) => (flags & 0x20 ? [['r', 'uint']] : [['r', 'uint'], ['code', 'text'], ['text', 'rest']]),
  },
  err: { op: 0x08, fields: always(['code', 'text'], ['text', 'rest']) },
  away: { op: 0x0b, must: 'in', fields: always(['code', 'uint'], ['in', 'uint'], ['url', 'rest']) },
};

/** What the device says. @type {Record<string, Shape>} */
export const DEVICE = {
  hb: { op: 0x00, flags: (m) => (has(m.seq) ? 0x20 : 0), fields: (flags) => (flags & 0x20 ? [['seq', 'uint']] : []) },
  ack: { op: 0x03, must: 'seq', fields: always(['seq', 'uint']) },
  sub: { op: 0x04, fields: always(['r', 'uint'], ['ch', 'rest']) },
  unsub: { op: 0x05, fields: always(['r', 'uint'], ['ch', 'rest']) },
  up: { op: 0x07, fields: always(['ch', 'text'], ['payload', 'payload']) },
  auth: { op: 0x09, must: 'token', fields: always(['token', 'rest']) },
};

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @param {Message} m @param {Form} form @returns {string | Uint8Array} */
export function encode(m, form, table = DEVICE) {
  const shape = table[m.t];
  if (!shape) throw new WireError(`no message of type ${m.t}`);
  return form === 'bin' ? encodeBinary(m, shape) : encodeJSON(m);
}

/** @param {Message} m */
function encodeJSON(m) {
  const { payload, ...head } = m;
  return JSON.stringify(payload instanceof Uint8Array ? { ...head, p64: toBase64(payload) } : { ...head, p: payload });
}

/** @param {Message} m @param {Shape} shape */
function encodeBinary(m, shape) {
  const flags = shape.flags ? shape.flags(m) : 0;
  /** @type {Uint8Array<ArrayBufferLike>[]} */
  const parts = [Uint8Array.of(shape.op | flags)];
  if (shape.json) {
    const { t, ...rest } = m;
    parts.push(encoder.encode(JSON.stringify(rest)));
    return join(parts);
  }
  for (const [name, type] of shape.fields(flags)) {
    if (type === 'uint') parts.push(uvarint(m[name] ?? 0));
    else if (type === 'payload') parts.push(toBytes(m.payload));
    else {
      const bytes = encoder.encode(m[name] ?? '');
      if (type === 'text') parts.push(uvarint(bytes.length));
      parts.push(bytes);
    }
  }
  return join(parts);
}

/**
 * One received message. A type that is not known comes back as it is (JSON) or with `t` '' (binary): the caller
 * ignores what it does not know. Throws WireError for what is not a message at all.
 * @param {string | ArrayBuffer | Uint8Array} data @param {Form} form @returns {Message}
 */
export function decode(data, form, table = SERVER) {
  const text = typeof data === 'string';
  if (text !== (form === 'json')) throw new WireError(text ? 'text on a binary connection' : 'binary on a text connection');
  return text ? decodeJSON(data, table) : decodeBinary(data instanceof Uint8Array ? data : new Uint8Array(data), table);
}

/** @param {string} data @param {Record<string, Shape>} table @returns {Message} */
function decodeJSON(data, table) {
  const m = object(data);
  if (typeof m.t !== 'string') throw new WireError('no t');
  if (!Object.hasOwn(table, m.t)) return m;
  const shape = table[m.t];
  for (const [name, type] of [...shape.fields(0), ...shape.fields(0xe0)]) checkField(m, name, type);
  if (m.t === 'res' && typeof m.ok !== 'boolean') throw new WireError('res: ok is neither true nor false');
  checkMust(m, shape);
  return m;
}

/** @param {Uint8Array} data @param {Record<string, Shape>} table @returns {Message} */
function decodeBinary(data, table) {
  if (data.length === 0) throw new WireError('empty');
  const op = data[0] & 0x1f;
  const flags = data[0] & 0xe0;
  const t = Object.keys(table).find((name) => table[name].op === op);
  if (t === undefined) return { t: '' };
  const shape = table[t];
  if (shape.json) return decodeJSON(JSON.stringify({ ...object(utf8(data.subarray(1))), t }), table);
  /** @type {Message} */
  const m = { t };
  if (t === 'res') m.ok = (flags & 0x20) !== 0;
  let at = 1;
  for (const [name, type] of shape.fields(flags)) {
    if (type === 'payload') m.payload = data.slice(at);
    else if (type === 'rest') {
      if (at < data.length || name !== 'url') m[name] = utf8(data.subarray(at));
    } else {
      const [value, next] = readUvarint(data, at);
      at = next;
      m[name] = value;
      if (name !== 'r' && typeof value !== 'number') throw new WireError(`${name} beyond 2^53-1`);
      if (type === 'text') {
        if (value > data.length - at) throw new WireError(`${name} is longer than the message`);
        m[name] = utf8(data.subarray(at, at + Number(value)));
        at += Number(value);
      }
    }
  }
  checkMust(m, shape);
  return m;
}

/** @param {Message} m @param {Shape} shape */
function checkMust(m, shape) {
  if (shape.must && (m[shape.must] ?? '') === '') throw new WireError(`${m.t} without ${shape.must}`);
}

/** @param {Message} m @param {string} name @param {string} type */
function checkField(m, name, type) {
  if (type === 'payload') {
    m.payload = 'p64' in m ? fromBase64(m.p64) : m.p;
    return;
  }
  if (!(name in m)) return;
  // A request number has 64 bits, everything else 53.
  const whole = name === 'r' ? Number.isInteger(m[name]) : Number.isSafeInteger(m[name]);
  const good = type === 'uint' ? whole && m[name] >= 0 : typeof m[name] === 'string';
  if (!good) throw new WireError(`${m.t}: ${name} is not what it should be`);
}

/** @param {string} text @returns {Message} */
function object(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WireError('not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new WireError('not an object');
  return value;
}

/** @param {Uint8Array} bytes */
export function utf8(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new WireError('not UTF-8');
  }
}

/** LEB128. @param {number | bigint} value */
export function uvarint(value) {
  const out = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return Uint8Array.from(out);
}

/** @param {Uint8Array} data @param {number} at @returns {[number | bigint, number]} value and the place behind it */
function readUvarint(data, at) {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    if (at + i >= data.length) throw new WireError('cut short');
    const byte = data[at + i];
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte >= 128) continue;
    if (value >> 64n) break;
    return [value <= Number.MAX_SAFE_INTEGER ? Number(value) : value, at + i + 1];
  }
  throw new WireError('a number beyond 64 bits');
}

/** Bytes of a payload in the binary form: bytes as they are, none for undefined, everything else as JSON. @param {unknown} payload */
export function toBytes(payload) {
  if (payload instanceof Uint8Array) return payload;
  return encoder.encode(JSON.stringify(payload) ?? '');
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let text = '';
  // In pieces: an argument list has a limit, and a loop by bytes is slow.
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(text);
}

/** @param {unknown} text */
function fromBase64(text) {
  // atob takes more than base64: spaces, and ends without padding.
  if (typeof text !== 'string' || text.length % 4 || /\s/.test(text)) throw new WireError('p64 is not base64');
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    throw new WireError('p64 is not base64');
  }
}

/** @param {Uint8Array<ArrayBufferLike>[]} parts */
function join(parts) {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
