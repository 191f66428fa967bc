// @ts-check
// Where the position is kept while there is no connection, or no process.

/** @typedef {import('./core.js').Position} Position */
/** @typedef {{load: () => any, save: (position: Position) => unknown}} Store */

/** Keeps the position as long as the page or process lives. */
export function memoryStore() {
  /** @type {Position | null} */
  let kept = null;
  return { load: () => kept, save: (/** @type {Position} */ position) => void (kept = { ...position }) };
}

/** Keeps it over reloads too. Two tabs must not share a key: each would take the session from the other. @param {string} key */
export function localStorageStore(key, storage = globalThis.localStorage) {
  return {
    load: () => JSON.parse(storage.getItem(key) ?? 'null'),
    save: (/** @type {Position} */ position) => storage.setItem(key, JSON.stringify(position)),
  };
}

/** What a store brought back, if it can be used. @param {any} kept @returns {Position} */
export function usable(kept) {
  /** @type {Position} */
  const position = {};
  if (/^[0-9a-f]{16}$/.test(kept?.sid ?? '')) position.sid = kept.sid;
  if (/^[A-Za-z0-9._-]{1,32}$/.test(kept?.epoch ?? '') && Number.isSafeInteger(kept.seq) && kept.seq >= 0) {
    position.epoch = kept.epoch;
    position.seq = kept.seq;
  }
  return position;
}

/** One save at a time, and of those that wait only the newest. */
export class Saver {
  /** @param {Store} store @param {(error: unknown) => void} fault */
  constructor(store, fault) {
    this.store = store;
    this.fault = fault;
    this.busy = false;
    /** @type {Position | null} */
    this.waiting = null;
  }

  /** The first one is with the store when this returns. @param {Position} position */
  async save(position) {
    this.waiting = { ...position };
    if (this.busy) return;
    this.busy = true;
    for (let next; (next = this.waiting); ) {
      this.waiting = null;
      try {
        await this.store.save(next);
      } catch (error) {
        this.fault(error);
      }
    }
    this.busy = false;
  }
}
