// context.cjs - Node.js tells the library which request each byte that it sends belongs to.
//
// A context is what the library knows of a request that is served: 40 bytes, see runtime.h. It
// follows the program's code in an AsyncLocalStorage, and is written to the library's memory around
// each call that sends. Where a library queues what it was asked for and sends it later, out of
// another request's turn, the context of the asking is kept with what is queued.
'use strict';

const { AsyncLocalStorage } = require('async_hooks');

const WORDS = 10; // of a context
const storage = new AsyncLocalStorage();
const isOwn = (object, name) => Object.prototype.hasOwnProperty.call(object, name);
const isMethod = (object, name) => isOwn(object, name) && typeof Object.getOwnPropertyDescriptor(object, name).value === 'function';

let library;
let sessions; // of sockets whose clear text is told
let words; // the context that is current, and after it the one that was taken last
let channels;
let isShared; // OpenSSL is a library: no session is told

// ---- what is kept with objects of the program, unseen by it ------------------------------------

class Same {
  constructor(object) {
    return object;
  }
}

// The context that an object belongs to.
class Mark extends Same {
  #context;

  static has(object) {
    return typeof object === 'object' && object !== null && #context in object;
  }

  static get(object) {
    return object.#context;
  }

  static set(object, context) {
    if (!(#context in object)) new Mark(object);
    object.#context = context;
  }
}

// What was handed to a socket and waits there.
class Waiting extends Same {
  #contexts = []; // of the chunks that its stream has buffered
  #held; // of the chunks that wait for the connection
  #request; // of undici, whose bytes come next

  static of(socket) {
    if (!(#contexts in socket)) new Waiting(socket);
    return socket.#contexts;
  }

  static isAny(socket) {
    return #contexts in socket;
  }

  static hold(socket, contexts) {
    Waiting.of(socket);
    socket.#held = contexts;
  }

  static take(socket) {
    const held = socket.#held;
    socket.#held = undefined;
    return held;
  }

  static request(socket) {
    return socket.#request;
  }

  static begin(socket, request) {
    Waiting.of(socket);
    socket.#request = request;
  }
}

// ---- contexts ----------------------------------------------------------------------------------

// All of its fields are small integers to V8, so that neither copy allocates more than the object.
class Context {
  constructor(from) {
    this.a = from[WORDS];
    this.b = from[WORDS + 1];
    this.c = from[WORDS + 2];
    this.d = from[WORDS + 3];
    this.e = from[WORDS + 4];
    this.f = from[WORDS + 5];
    this.g = from[WORDS + 6];
    this.h = from[WORDS + 7];
    this.i = from[WORDS + 8];
  }
}

function enter(context) {
  if (context === undefined) return;
  words[0] = context.a;
  words[1] = context.b;
  words[2] = context.c;
  words[3] = context.d;
  words[4] = context.e;
  words[5] = context.f;
  words[6] = context.g;
  words[7] = context.h;
  words[8] = context.i;
}

function leave() {
  words[0] = words[1] = 0;
}

// A function that calls `original` by way of ours, in its place.
function replace(prototype, name, make) {
  const original = prototype[name];
  if (typeof original !== 'function') return;
  const ours = make(original);
  Object.defineProperty(ours, 'name', { value: name, configurable: true });
  Object.defineProperty(ours, 'length', { value: original.length, configurable: true });
  // What was inherited was not seen by those who list the class's own.
  const enumerable = isOwn(prototype, name) && Object.getOwnPropertyDescriptor(prototype, name).enumerable;
  Object.defineProperty(prototype, name, { value: ours, writable: true, configurable: true, enumerable });
}

// The call is made in the context of the code that calls.
function inCurrent(original) {
  return function (...given) {
    enter(storage.getStore());
    try {
      return Reflect.apply(original, this, given);
    } finally {
      leave();
    }
  };
}

// What an object does, it does in the context that it is marked with.
function inMark(original) {
  return function (...given) {
    if (!Mark.has(this) || Mark.get(this) === storage.getStore()) return Reflect.apply(original, this, given);
    return storage.run(Mark.get(this), Reflect.apply, original, this, given);
  };
}

// The same for the events of a request or its response, most of which nobody listens to.
function emitInMark(original) {
  return function emit(event, first, second) {
    const listeners = this._events;
    if (listeners === undefined || listeners[event] === undefined) return original.call(this, event, first, second);
    const request = typeof this.assignSocket === 'function' ? this.req : this;
    if (!Mark.has(request)) return Reflect.apply(original, this, arguments);
    return storage.run(Mark.get(request), Reflect.apply, original, this, arguments);
  };
}

// ---- servers -----------------------------------------------------------------------------------

function take(socket) {
  try {
    const handle = socket && socket._handle;
    if (!handle) return undefined;
    const of = socket.encrypted ? sessions.get(socket) : handle.fd;
    const isTaken = of === undefined ? isShared && library.last() : library.take(of);
    return isTaken ? new Context(words) : undefined;
  } catch {
    return undefined; // a handle that is not as expected
  }
}

const BEGINNINGS = new Set(['checkContinue', 'checkExpectation', 'upgrade', 'connect']);

// Handlers run in the context of the request, and so do the listeners of both of its objects.
function begin(message) {
  if (Mark.has(message)) return Mark.get(message);
  const context = take(message.socket);
  Mark.set(message, context);
  return context;
}

function watchServer(prototype) {
  replace(prototype, 'emit', (original) => function emit(event, message) {
    // That of HTTP/2 has no socket of its own.
    if ((event !== 'request' && !BEGINNINGS.has(event)) || !message || typeof message._addHeaderLine !== 'function')
      return Reflect.apply(original, this, arguments);
    return storage.run(begin(message), Reflect.apply, original, this, arguments);
  });
}

// ---- sockets -----------------------------------------------------------------------------------

let writing; // the socket whose write() or end() is running, and the context of that
let writingIn;

// Of what is handed to the socket now.
function contextOf(socket) {
  const message = socket._httpMessage;
  if (message && Mark.has(message)) return Mark.get(message);
  const request = Waiting.isAny(socket) && Waiting.request(socket);
  return request ? Mark.get(request) : storage.getStore();
}

// The socket of a server answers, and that is known by the order of the answers.
const answers = (socket) => socket._server || socket.server;

// What a server reads that is no http.Server: its requests begin with their first bytes.
function watchReading(prototype) {
  replace(prototype, 'push', (original) => function (chunk, encoding) {
    if (this.parser || !answers(this) || !chunk) return original.call(this, chunk, encoding);
    const context = take(this);
    if (context !== undefined) Mark.set(this, context);
    if (!Mark.has(this)) return original.call(this, chunk, encoding);
    return storage.run(Mark.get(this), Reflect.apply, original, this, [chunk, encoding]);
  });
}

// Chunks that the stream does not pass on at once wait there with their contexts.
function watchHandOver(prototype, name) {
  replace(prototype, name, (original) => function (chunk, encoding, callback) {
    if (answers(this) || !this._writableState) return original.call(this, chunk, encoding, callback);
    const outer = writing;
    const outerIn = writingIn;
    const state = this._writableState;
    const before = state.bufferedRequestCount;
    writing = this;
    writingIn = contextOf(this);
    try {
      return original.call(this, chunk, encoding, callback);
    } finally {
      if (state.bufferedRequestCount > before) Waiting.of(this).push(writingIn);
      writing = outer;
      writingIn = outerIn;
    }
  });
}

// The contexts of chunks that leave the stream, in order: one for all of them, or an array.
function contextsOf(socket, count) {
  const newest = writing === socket ? writingIn : contextOf(socket);
  if (!Waiting.isAny(socket)) return newest;
  const held = Waiting.take(socket);
  if (held !== undefined) return held.contexts;
  const waiting = Waiting.of(socket);
  if (waiting.length === 0) return newest;
  const contexts = waiting.splice(0, count);
  while (contexts.length < count) contexts.push(newest);
  return contexts.every((context) => context === contexts[0]) ? contexts[0] : contexts;
}

// Chunks of different requests go out in calls of their own, for one call is in one context.
function writeApart(socket, original, contexts, [, entries, encoding, callback]) {
  let first = 0;
  let failure;
  const next = (error) => {
    failure = failure || error;
    if (failure || first === entries.length) callback(failure);
  };
  while (first < entries.length && !failure) {
    let end = first + 1;
    while (end < entries.length && contexts[end] === contexts[first]) end++;
    const part = entries.slice(first, end);
    const context = contexts[first];
    part.allBuffers = entries.allBuffers;
    first = end;
    enter(context);
    try {
      Reflect.apply(original, socket, [true, part, encoding, end === entries.length ? next : (error) => error && next(error)]);
    } finally {
      leave();
    }
  }
}

function watchWriting(prototype) {
  replace(prototype, '_writeGeneric', (original) => function (isMany, data, encoding, callback) {
    if (answers(this) || (this.encrypted && sessions.has(this)))
      return original.call(this, isMany, data, encoding, callback);
    const contexts = contextsOf(this, isMany ? data.length : 1);
    if (this.connecting) {
      // It comes here again when it is connected.
      Waiting.hold(this, { contexts });
      return original.call(this, isMany, data, encoding, callback);
    }
    if (Array.isArray(contexts)) return writeApart(this, original, contexts, [isMany, data, encoding, callback]);
    enter(contexts);
    try {
      return original.call(this, isMany, data, encoding, callback);
    } finally {
      leave();
    }
  });
}

function watchSocket(prototype) {
  watchWriting(prototype);
  watchHandOver(prototype, 'write');
  watchHandOver(prototype, 'end');
  watchReading(prototype);
}

// Its requests wait in a queue of their own, and go out when another one is answered.
function watchUndici() {
  const { channel } = require('diagnostics_channel');
  // One that nobody holds is forgotten by some versions, and its subscribers with it.
  channels = [channel('undici:request:create'), channel('undici:client:sendHeaders')];
  channels[0].subscribe(({ request }) => Mark.set(request, storage.getStore()));
  channels[1].subscribe(({ request, socket }) => {
    if (socket && Mark.has(request)) Waiting.begin(socket, request);
  });
}

// ---- pools and queues of other libraries -------------------------------------------------------

class Bound {
  constructor(context) {
    this.context = context;
  }

  apply(callback, self, given) {
    return storage.run(this.context, Reflect.apply, callback, self, given);
  }

  // By it emitters know one that they were given as a listener when they are to forget it.
  get(callback, name) {
    return name === 'listener' && !(name in callback) ? callback : Reflect.get(callback, name);
  }
}

// A class is no callback, and a proxy has neither its identity nor its private members.
function isCallback(given) {
  if (typeof given !== 'function') return false;
  const { value, writable } = Object.getOwnPropertyDescriptor(given, 'prototype') || { writable: true };
  return writable && (value === undefined || Object.getOwnPropertyNames(value).length <= 1);
}

// The callback of whoever waits, which stands last, is called in the context of the call that it
// was given to. In most else the proxy is what was given.
function watchCallbacks(prototype, name) {
  replace(prototype, name, (original) => function (...given) {
    const last = given.length - 1;
    if (isCallback(given[last])) given[last] = new Proxy(given[last], new Bound(storage.getStore()));
    return Reflect.apply(original, this, given);
  });
}

const watchedItems = new WeakSet();

// What a queue holds, and how it is begun.
function watchItem(item) {
  for (let at = Object.getPrototypeOf(item); at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    if (watchedItems.has(at)) return;
    watchedItems.add(at);
    for (const name of ['execute', 'start']) if (isMethod(at, name)) replace(at, name, inMark);
  }
}

// Commands and handlers are made for one use; a thing that is used twice has no context to keep.
const isCommand = (item) => typeof item.execute === 'function' || typeof item.start === 'function' ||
  (item.promise && typeof item.promise.then === 'function');
const isHandler = (item) => typeof item.onConnect === 'function' || typeof item.onRequestStart === 'function';

// What is put into a queue belongs to the first one who did, if it is put there again.
function watchQueue(prototype, name, at, isOne) {
  replace(prototype, name, (original) => function (...given) {
    const item = given[at];
    if (item === null || typeof item !== 'object' || !isOne(item)) return Reflect.apply(original, this, given);
    if (!Mark.has(item)) {
      Mark.set(item, storage.getStore());
      watchItem(item);
    }
    return storage.run(Mark.get(item), Reflect.apply, original, this, given);
  });
}

// ---- classes -----------------------------------------------------------------------------------

const CALLBACKS = ['connect', 'getConnection', 'acquire', 'query', 'execute'];
const QUEUES = ['addCommand', 'sendCommand', '_enqueue'];
const seen = new WeakSet();

// By what their objects do, not by their names: a bundled copy looks the same.
function watchClass(prototype) {
  if (seen.has(prototype)) return;
  seen.add(prototype);
  if (isMethod(prototype, '_writeGeneric')) {
    if (isMethod(prototype, 'connect')) watchSocket(prototype);
    return;
  }
  const name = prototype.constructor && prototype.constructor.name;
  // The latter serves HTTP/1 as well, if it is told to.
  if (isMethod(prototype, 'closeIdleConnections') || name === 'Http2SecureServer') watchServer(prototype);
  if (isMethod(prototype, '_addHeaderLine') || isMethod(prototype, 'assignSocket')) replace(prototype, 'emit', emitInMark);
  if (isMethod(prototype, 'submit') && 'handleReadyForQuery' in prototype) replace(prototype, 'submit', inMark);
  if (name === 'ChildProcess') replace(prototype, 'spawn', inCurrent);
  // The standard output and error, where they are files.
  if (name === 'SyncWriteStream') replace(prototype, '_write', inCurrent);
  // One alone may be anything, as the browser's execute(function) of those who test with it.
  const callbacks = CALLBACKS.filter((method) => isMethod(prototype, method));
  if (callbacks.length > 1) for (const method of callbacks) watchCallbacks(prototype, method);
  for (const method of QUEUES) if (isMethod(prototype, method)) watchQueue(prototype, method, 0, isCommand);
  // Undici's pools.
  if (isMethod(prototype, 'dispatch')) watchQueue(prototype, 'dispatch', 1, isHandler);
}

// Objects of these classes belong to the request that they were made in.
const isMarked = (prototype) => ('onSocket' in prototype && '_implicitHeader' in prototype) ||
  ('submit' in prototype && 'handleReadyForQuery' in prototype);

// The first object of a class is made. True: it and those that follow are to be marked.
function met(prototype) {
  for (let at = prototype; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) watchClass(at);
  return isMarked(prototype);
}

const mark = (object) => Mark.set(object, storage.getStore());

// ---- calls of the system -----------------------------------------------------------------------

// These have no object that could be seen first.
function watchBindings() {
  const { noDeprecation } = process;
  process.noDeprecation = true;
  try {
    for (const [name, type] of [['tcp_wrap', 'TCP'], ['pipe_wrap', 'Pipe']]) {
      const { prototype } = process.binding(name)[type];
      for (const method of ['connect', 'connect6']) if (isMethod(prototype, method)) replace(prototype, method, inCurrent);
    }
    replace(process.binding('spawn_sync'), 'spawn', inCurrent);
  } finally {
    if (noDeprecation === undefined) delete process.noDeprecation;
    else process.noDeprecation = noDeprecation;
  }
}

module.exports = { begin(addon, told, shared) {
  library = addon;
  sessions = told;
  isShared = shared;
  words = new Int32Array(library.manage());
  watchUndici();
  watchBindings();
}, met, mark, enter, leave, contextsOf };
