// bridge.cjs - Node.js tells the library what it reads and writes over TLS, in the clear.
//
// The library makes Node.js load this before the program (NODE_OPTIONS), for its OpenSSL is a part
// of the program that nothing can be put in front of, and context.cjs beside it. Whatever is not as
// expected here is left alone: the program must not see more of this than the header lines that the
// library adds.
'use strict';

const sessions = new WeakMap(); // of sockets whose clear text is told
let library;
let contexts; // context.cjs, if it could be loaded
let isShared; // OpenSSL is a library

const isOwn = (object, name) => Object.prototype.hasOwnProperty.call(object, name);

// What the library did to the environment ends here: child processes get theirs from their own.
function restoreOptions() {
  const given = process.env.NODE_OPTIONS;
  const ours = given && /(^| )--require "([^"]*\/bridge\.cjs)"$/.exec(given);
  if (!ours || require('fs').realpathSync(ours[2]) !== __filename) return;
  if (ours[1]) process.env.NODE_OPTIONS = given.slice(0, ours.index);
  else delete process.env.NODE_OPTIONS;
}

function begin(socket, isServer, isComplete) {
  const session = library.open(Number(socket._handle.fd), isServer, isComplete);
  if (session !== undefined) sessions.set(socket, session);
  return session;
}

// The handshake is over, and the program has not been told.
function secured(socket) {
  const handle = socket._handle;
  if (!handle) return;
  const protocol = handle.getALPNNegotiatedProtocol();
  let session = sessions.get(socket);
  if (protocol === 'h2') {
    end(socket, session);
    return;
  }
  const isServer = socket._tlsOptions.isServer === true;
  if (session === undefined) session = begin(socket, isServer, true);
  if (session === undefined) return;
  library.secured(session, socket.getProtocol(), protocol, handle.getServername(), socket.isSessionReused());
  // Else the server's parser would take the bytes before they get to the socket.
  if (isServer) handle._consumed = true;
}

function end(socket, session, error, reason) {
  sessions.delete(socket);
  if (session !== undefined) library.close(session, error, reason);
}

function read(socket, session, chunk) {
  if (!library.read(session, chunk)) end(socket, session);
}

// The bytes to write for a chunk.
function written(socket, chunk, encoding) {
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
  const session = sessions.get(socket);
  if (session === undefined) return bytes;
  const instead = library.write(session, bytes);
  if (instead === true) return bytes;
  if (instead === false) {
    end(socket, session);
    return bytes;
  }
  return instead;
}

// The same in the context that the chunk was handed over in.
function writtenIn(context, socket, chunk, encoding) {
  if (context === undefined) return written(socket, chunk, encoding);
  contexts.enter(context);
  try {
    return written(socket, chunk, encoding);
  } finally {
    contexts.leave();
  }
}

// As the stream hands them over: `allBuffers` is a property of the array.
function writtenTogether(socket, entries) {
  const among = contexts && contexts.contextsOf(socket, entries.length);
  const result = entries.map((entry, i) => {
    const chunk = writtenIn(Array.isArray(among) ? among[i] : among, socket, entry.chunk, entry.encoding);
    return { ...entry, chunk, encoding: 'buffer' };
  });
  result.allBuffers = true;
  return result;
}

// An errno, or the reason of a refusal; a program that hangs up gives neither.
function closed(socket, session, error) {
  const { code, errno, reason, message } = error || {};
  const isRefused = socket.authorizationError && socket.authorizationError === (code || message);
  if (isRefused || /^(ERR_(SSL|TLS)_|EPROTO$)/.test(code))
    end(socket, session, 0, String(reason || code || message));
  else end(socket, session, errno < 0 ? -errno : 0);
}

// Ours go first, on sockets that are told of, and stop there at the first surprise.
function before(prototype, name, ours) {
  const original = prototype[name];
  const value = { [name](...given) {
    try {
      ours(this, given);
    } catch {
      sessions.delete(this);
    }
    return Reflect.apply(original, this, given);
  } }[name];
  // What was inherited was not seen by those who list the class's own.
  const enumerable = isOwn(prototype, name);
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable });
}

function watch(prototype) {
  for (const name of ['_start', '_finishInit', '_writeGeneric', '_destroy', 'push'])
    if (typeof prototype[name] !== 'function') return;
  before(prototype, '_start', (socket) => {
    if (!socket.connecting && socket._handle && !sessions.has(socket)) begin(socket, false, false);
  });
  before(prototype, '_finishInit', secured);
  before(prototype, 'push', (socket, given) => {
    const session = sessions.get(socket);
    const chunk = given[0];
    const isTold = chunk === null || chunk instanceof Uint8Array;
    if (session !== undefined && isTold) read(socket, session, chunk);
  });
  before(prototype, '_writeGeneric', (socket, given) => {
    if (socket.connecting || !socket._handle || !sessions.has(socket)) return;
    if (given[0]) {
      given[1] = writtenTogether(socket, given[1]);
    } else {
      given[1] = writtenIn(contexts && contexts.contextsOf(socket, 1), socket, given[1], given[2]);
      given[2] = 'buffer';
    }
  });
  before(prototype, '_destroy', (socket, given) => {
    const session = sessions.get(socket);
    if (session !== undefined) closed(socket, session, given[0]);
  });
}

const classes = new WeakMap(); // that were met: whether their objects are marked with a context

// The first object of a class is made. The prototype that a handshake ends in is that of
// tls.TLSSocket, and not of a class derived from it.
function meet(prototype) {
  const isMarked = contexts !== undefined && contexts.met(prototype);
  classes.set(prototype, isMarked);
  for (let at = prototype; at && !isShared; at = Object.getPrototypeOf(at)) {
    if (!isOwn(at, '_finishInit') || classes.get(at) === 'watched') continue;
    classes.set(at, 'watched');
    watch(at);
  }
  return isMarked;
}

// Nothing is loaded that the program does not load: the objects show where the classes are.
function waitForObjects() {
  const { EventEmitter } = require('events');
  const original = EventEmitter.init;
  if (typeof original !== 'function') return;
  EventEmitter.init = function init(options) {
    try {
      const prototype = Object.getPrototypeOf(this);
      let isMarked = classes.get(prototype);
      if (isMarked === undefined) isMarked = meet(prototype);
      if (isMarked === true) contexts.mark(this);
    } catch {
      // A proxy, or a class of a kind that was not thought of.
    }
    return original.call(this, options);
  };
}

// Without it, all but the contexts works.
function loadContexts() {
  const path = require('path').join(__dirname, 'context.cjs');
  try {
    contexts = require(path);
    contexts.begin(library, sessions, isShared);
  } catch {
    contexts = undefined;
  }
  delete require.cache[path];
}

try {
  restoreOptions();
  delete require.cache[__filename];
  const addon = { exports: {} };
  process.dlopen(addon, require('path').join(__dirname, 'libtagalong.so'));
  library = addon.exports;
  if (typeof library.open === 'function') {
    // With a shared OpenSSL the library has seen everything by itself.
    isShared = Boolean(process.config.variables.node_shared_openssl);
    loadContexts();
    if (!isShared || contexts) waitForObjects();
  }
} catch {
  // Permissions, a policy, an addon that may not be loaded: the program goes on without.
}
