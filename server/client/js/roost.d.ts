/** Where a client stands in its device's stream of kept messages. */
export interface Position {
  sid?: string;
  epoch?: string;
  seq?: number;
}

/** Keeps the position. Both may be asynchronous; `save` is not called again before it is done. */
export interface Store {
  load(): Position | null | undefined | Promise<Position | null | undefined>;
  save(position: Position): unknown;
}

export function memoryStore(): Store;
/** For browsers. Two tabs must not share a key. */
export function localStorageStore(key: string, storage?: { getItem(key: string): string | null; setItem(key: string, value: string): void }): Store;

export type State = 'connecting' | 'connected' | 'waiting' | 'stopped';

export interface RoostMessage<T = any> {
  readonly type: 'message';
  readonly topic?: string;
  readonly id?: string;
  /** The number of a kept message; live ones have none. */
  readonly seq?: number;
  /** Seconds, as published. */
  readonly ttl?: number;
  /** Protocol json: the value, or bytes where the publisher sent no JSON. Protocol bin: bytes. */
  readonly payload: T | Uint8Array | undefined;
  /** The payload as a value, in both protocols; undefined if there is none. Throws if it is not JSON. */
  json(): T;
  text(): string;
  bytes(): Uint8Array;
}

export interface Welcome {
  readonly sid: string;
  readonly epoch: string;
  /** The last number given and the last one acknowledged. */
  readonly seq: number;
  readonly acked: number;
  readonly from?: number;
  readonly resumed?: boolean;
  /** Milliseconds. */
  readonly hb: number;
  readonly spread: number;
  /** Milliseconds over which to dial again where nobody takes a dial; 0: the backoff alone. */
  readonly wide: number;
  readonly node?: string;
  /** Bytes of the largest message that the node takes. */
  readonly max: number;
  readonly win: number;
  /** In a cluster: version and content hash of the ring that answers for the device. */
  readonly ring?: number;
  readonly rh?: string;
  readonly back: { readonly base: number; readonly max: number };
}

export interface StateEvent {
  readonly type: 'state';
  readonly state: State;
  /** With 'connected'. */
  readonly welcome?: Welcome;
  /** With 'waiting': milliseconds to the next dial, and what the last connection was closed with. */
  readonly wait?: number;
  readonly code?: number;
}

/** The numbers from `from` to `to` will not come. */
export interface SkipEvent {
  readonly type: 'skip';
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

/** Nothing ends with it. `message` is there when a handler failed on one. */
export interface ErrorEvent {
  readonly type: 'error';
  readonly error: unknown;
  readonly message?: RoostMessage;
}

/** The node said not to come back: 42xx or 43xx. */
export interface StoppedEvent {
  readonly type: 'stopped';
  readonly code: number;
  readonly reason: string;
}

export interface Events {
  message: RoostMessage;
  state: StateEvent;
  skip: SkipEvent;
  error: ErrorEvent;
  stopped: StoppedEvent;
}

export interface Options {
  /** ws:// or wss://; http(s):// and what is relative to the page are understood too. Without a path: /v1/connect. */
  url: string;
  /** 1 to 128 printable ASCII characters without spaces. */
  device: string;
  /** Default 'json'. */
  protocol?: 'json' | 'bin';
  /** Seconds, 30 to 300; default: the node's. */
  heartbeat?: number;
  /** Subscribed from the start, like with `subscribe`. */
  topics?: readonly string[];
  /** Default: memory. */
  store?: Store;
  /** Where there is no global one: the class of the ws package, for example. */
  WebSocket?: unknown;
  /** For tests: milliseconds that only grow, a number from 0 up to 1, and timers. */
  now?: () => number;
  random?: () => number;
  timers?: { setTimeout(run: () => void, ms: number): unknown; clearTimeout(id: any): void };
}

export class RoostError extends Error {
  readonly code: string;
}

export class RoostClient {
  constructor(options: Options);

  readonly state: State;
  readonly position: Position;
  /** Live messages that went because the handler was too slow for them. */
  readonly dropped: number;

  /**
   * A message is handled when this has returned, or its promise has resolved; the next one comes then. A kept
   * message whose handler fails comes again after a pause. Without a handler messages wait.
   */
  onmessage: ((message: RoostMessage) => unknown) | null;
  onstate: ((event: StateEvent) => void) | null;
  onskip: ((event: SkipEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onstopped: ((event: StoppedEvent) => void) | null;

  addEventListener<K extends keyof Events>(type: K, handler: (event: Events[K]) => unknown): void;
  removeEventListener<K extends keyof Events>(type: K, handler: (event: Events[K]) => unknown): void;

  start(): Promise<void>;
  /** Resolves when the connection is gone, or after 2 s. */
  stop(): Promise<void>;
  /** Resolves when the node has stored it: over as many connections as that takes. */
  subscribe(topic: string): Promise<void>;
  unsubscribe(topic: string): Promise<void>;
  /** To whoever listens on the backend now. False: no connection, or one that takes nothing. */
  up(topic: string, payload?: unknown): boolean;
}
