# bridge.py - CPython tells the library which request the code that runs works for.
#
# The library runs this in the interpreter when the first event loop or thread is made. A word is
# what the library knows of a request: bytes that mean nothing here. It stands in a context variable,
# so that tasks, callbacks and timers inherit it, and Context.run, by which every loop runs them all,
# makes it the thread's. What is left to do here: a request that was read gets into the variable of
# the code that answers it, a pool of threads takes it along, and greenlets have one each.
#
# The library gives: within, bind, modified, current, switch, begin, end, rest, manage_reading, alive,
# read_from, take, sends, over. What is not as expected is left alone: its calls have no parent then.
import sys

known = set(sys.modules)
import atexit  # noqa: E402
import contextvars  # noqa: E402
import functools  # noqa: E402
import gc  # noqa: E402
import weakref  # noqa: E402

# The program finds as many modules as it has imported: these are what the above import. Another
# thread may import as well now, so what else is new is none of ours.
for name in ("_collections", "_collections_abc", "_contextvars", "_functools", "_operator", "_weakrefset", "atexit",
             "collections", "contextvars", "functools", "gc", "itertools", "keyword", "operator", "reprlib", "types",
             "weakref"):
    if name not in known:
        sys.modules.pop(name, None)

request = contextvars.ContextVar("tagalong")
born_with = contextvars.ContextVar("tagalong_connection")

expected = {}  # id of a server's protocol that has no transport yet: a weak reference to it, if it can have one
connections = {}  # id of a server's protocol: its Connection
transports = set()  # of the same, their ids
adapted = set()  # names of modules that need nothing more


def replace(owner, name, make):
    """Puts make(original) in the place of a method that is there and was not replaced yet."""
    original = getattr(owner, name, None)
    if original is None or hasattr(original, "_tagalong"):
        return
    replacement = functools.wraps(original)(make(original))
    replacement._tagalong = True
    setattr(owner, name, replacement)


def dictionary_of(kind):
    """The dictionary of a type that forbids to set its attributes."""
    return gc.get_referents(kind.__dict__)[0]


# ---- servers: which request was read, and whose it is


def fleeting(word):
    """The word without its IDs: none when the response has gone out."""
    return word[:8] + bytes(len(word) - 8)


class Connection:
    """A connection of a server: the requests read from it, and the tasks that it was born with."""

    __slots__ = ("transport", "reference", "open", "contexts")

    def __init__(self, transport):
        self.transport = id(transport)
        self.reference = 0  # what the library calls it
        self.open = []  # words of requests that are not answered
        self.contexts = []  # of the tasks

    def read(self):
        """Takes the requests that were read; returns how many."""
        if self.open:
            self.open = [word for word in self.open if alive(word)]
        count = 0
        while (word := take(self.reference)) is not None:
            self.open.append(word)
            count += 1
        return count

    def received(self, function, protocol, argument):
        """A callback of the protocol: what it begins belongs to the one request there is."""
        count = self.read()
        if not self.contexts:
            return self.call(function, protocol, argument)
        result, woken = self.watched(function, protocol, argument)
        if count:
            self.hand_over(count, woken)
        return result

    def call(self, function, *arguments):
        if len(self.open) != 1:
            return function(*arguments)
        before = current()
        token = request.set(self.open[0])
        switch(self.open[0])
        try:
            return function(*arguments)
        finally:
            request.reset(token)
            switch(before)

    def watched(self, function, *arguments):
        """As call(); also returns the contexts of what it has scheduled."""
        loop = sys.modules["asyncio"]._get_running_loop()
        names = getattr(loop, "__dict__", None)
        if names is None or "call_soon" in names:
            return self.call(function, *arguments), []
        original = loop.call_soon
        contexts = []

        def call_soon(callback, *args, context=None):
            if context is not None:
                contexts.append(context)
            return original(callback, *args, context=context)

        names["call_soon"] = call_soon
        try:
            return self.call(function, *arguments), contexts
        finally:
            names.pop("call_soon", None)

    def hand_over(self, count, woken):
        """
        The connection's own tasks take up a request that woke them, or that came before they have
        begun. Otherwise they may come to it without being told, so the one before must not be
        taken for it.
        """
        first = self.open[0]
        # Or a task of theirs: asyncio.wait_for(reader.readuntil(), 5) had one until 3.12.
        is_woken = any(one.get(born_with) is self for one in woken)
        for context in self.contexts:
            word = context.get(request)
            if word is None or (is_woken and len(self.open) == count):
                word = first if count == 1 else fleeting(first)
            else:
                word = fleeting(word)
            context.run(request.set, word)

    def adopt(self):
        """In the first step of a task that answers the next request in order."""
        word = take(self.reference)
        if word is not None:
            request.set(word)
            switch(word)


answering = ()  # kinds of protocols that have a task a request, which adopts it


nothing = object()


def made(original):
    def connection_made(self, transport):
        if expected.pop(id(self), nothing) is nothing:
            return original(self, transport)
        connection = connections[id(self)] = Connection(transport)
        transports.add(connection.transport)
        if isinstance(self, answering):
            return original(self, transport)
        token = born_with.set(connection)
        try:
            result, connection.contexts = connection.watched(original, self, transport)
        finally:
            born_with.reset(token)
        return result
    return connection_made


def lost(original):
    def connection_lost(self, exc):
        connection = connections.pop(id(self), None)
        if connection is not None:
            transports.discard(connection.transport)
        return original(self, exc)
    return connection_lost


def received(original):
    def data_received(self, data):
        connection = connections.get(id(self))
        if connection is not None:
            reference = read_from()
            if reference:
                connection.reference = reference
                if not isinstance(self, answering):
                    return connection.received(original, self, data)
        return original(self, data)
    return data_received


def prepared(protocol):
    kind = type(protocol)
    try:
        replace(kind, "connection_made", made)
        replace(kind, "connection_lost", lost)
        replace(kind, "data_received", received)
        replace(kind, "buffer_updated", received)
    except TypeError:
        return protocol
    key = id(protocol)
    try:
        # One that never gets its transport (a failed handshake) must not leave its place to a client's.
        expected[key] = weakref.ref(protocol, lambda _: expected.pop(key, None))
    except TypeError:
        expected[key] = None  # its kind has slots, as those that only servers have
    return protocol


def answers(connection_of):
    """Of a server: the coroutine that answers one request."""
    def make(original):
        async def answer(self, *args, **kwargs):
            connection = connections.get(connection_of(self))
            if connection is not None:
                connection.adopt()
            return await original(self, *args, **kwargs)
        return answer
    return make


def adapt_aiohttp(module):
    global answering
    answering += (module.RequestHandler,)
    replace(module.RequestHandler, "_handle_request", answers(id))


def adapt_uvicorn(module):
    def protocol_of(cycle):
        return id(getattr(cycle.on_response, "__self__", None))
    global answering
    answering += tuple(getattr(module, name) for name in ("H11Protocol", "HttpToolsProtocol") if hasattr(module, name))
    replace(module.RequestResponseCycle, "run_asgi", answers(protocol_of))


# ---- loops


def serves(original):
    """create_server and kin, whose first argument makes protocols."""
    async def create(self, protocol_factory, *args, **kwargs):
        adapt()
        return await original(self, lambda: prepared(protocol_factory()), *args, **kwargs)
    return create


def runs(original):
    def run_forever(self):
        before = begin(current())
        try:
            return original(self)
        finally:
            end(before, False)
    return run_forever


def executes(original):
    def run_in_executor(self, executor, func, *args):
        if "concurrent.futures.thread" not in adapted:
            if executor is None:
                import concurrent.futures.thread  # as this loop is about to do
            adapt()
        return original(self, executor, func, *args)
    return run_in_executor


def follow_loop(kind):
    replace(kind, "run_forever", runs)
    replace(kind, "run_in_executor", executes)
    for name in ("create_server", "create_unix_server", "connect_accepted_socket"):
        replace(kind, name, serves)


def adapt_asyncio(module):
    if not hasattr(module, "SelectorEventLoop"):
        return False  # it is being imported
    names = dictionary_of(contextvars.Context)
    method = bind(contextvars.Context, contextvars.Context().run, request)
    if method is None:
        return True
    names["run"], original = method, names["run"]
    modified(contextvars.Context)

    def unbind():
        names["run"] = original
        modified(contextvars.Context)

    # Built-in types outlive an interpreter that is embedded and started again.
    atexit.register(unbind)
    follow_loop(module.base_events.BaseEventLoop)
    follow_loop(module.SelectorEventLoop)
    return True


def calls(original):
    def call(self, callback, *args, **kwargs):
        return original(self, within, callback, *args, **kwargs)
    return call


def calls_later(original):
    def call(self, when, callback, *args, **kwargs):
        return original(self, when, within, callback, *args, **kwargs)
    return call


def writes(original):
    def write(self, data):
        if id(self) not in transports:
            try:
                sends(self.get_extra_info("socket").fileno(), self.get_write_buffer_size())
            except (AttributeError, OSError, RuntimeError):
                pass
        return original(self, data)
    return write


def adapt_uvloop(module):
    follow_loop(module.Loop)
    # Its handles don't go through Context.run.
    for name in ("call_soon", "call_soon_threadsafe"):
        replace(module.Loop, name, calls)
    for name in ("call_later", "call_at", "add_reader", "add_writer"):
        replace(module.Loop, name, calls_later)
    # What is written goes out at the end of the turn, for all streams together.
    for kind in module.loop.TCPTransport.__mro__:
        names = dictionary_of(kind)
        for name in ("write", "writelines"):
            if name in names and not hasattr(names[name], "_tagalong"):
                names[name] = functools.wraps(names[name])(writes(names[name]))
                names[name]._tagalong = True
                modified(kind)


# ---- threads


def carried(word, function, args, kwargs):
    """In a thread of a pool."""
    if word is None:
        rest()
        return function(*args, **kwargs)
    before = begin(word)
    token = request.set(word)
    try:
        return function(*args, **kwargs)
    finally:
        request.reset(token)
        end(before, True)


def submits(original):
    def submit(self, fn, /, *args, **kwargs):
        return original(self, carried, current(), fn, args, kwargs)
    return submit


def adapt_pools(module):
    if not hasattr(module, "ThreadPoolExecutor"):
        return False
    replace(module.ThreadPoolExecutor, "submit", submits)
    return True


# ---- greenlets: each has a word of its own, as a thread has


words = weakref.WeakKeyDictionary()  # of greenlets that don't run


def follow_greenlets(greenlet):
    """In the thread of a hub."""
    previous = greenlet.gettrace()
    if getattr(previous, "_tagalong", False):
        return

    def trace(event, arguments):
        if event in ("switch", "throw"):
            origin, target = arguments
            word = current()
            if word is not None:
                words[origin] = word
            elif origin in words:
                del words[origin]
            switch(words.get(target))
        if previous is not None:
            previous(event, arguments)

    trace._tagalong = True
    manage_reading()
    greenlet.settrace(trace)


def inherits(child):
    word = current()
    if word is not None:
        words[child] = word


def adapt_gevent(module):
    module.Greenlet.add_spawn_callback(inherits)


def adapt_eventlet(module):
    def begins(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            inherits(self)
        return __init__
    replace(module.GreenThread, "__init__", begins)


def maker_of_loop():
    """The package whose loop is being made."""
    frame = sys._getframe()
    while frame is not None:
        name = frame.f_globals.get("__name__", "").partition(".")[0]
        if name in ("asyncio", "uvloop", "gevent", "eventlet"):
            return name
        frame = frame.f_back
    return None


# ----


ADAPTERS = {
    "asyncio": adapt_asyncio,
    "uvloop": adapt_uvloop,
    "aiohttp.web_protocol": adapt_aiohttp,
    "uvicorn.protocols.http.h11_impl": adapt_uvicorn,
    "uvicorn.protocols.http.httptools_impl": adapt_uvicorn,
    "gevent.greenlet": adapt_gevent,
    "eventlet.greenthread": adapt_eventlet,
    "concurrent.futures.thread": adapt_pools,
}


def adapt():
    """For modules that came since; the library calls it when a loop or a thread is made."""
    for name, function in ADAPTERS.items():
        module = name not in adapted and sys.modules.get(name)
        if not module:
            continue
        try:
            if function(module) is False:
                continue
        except (AttributeError, TypeError):
            pass
        adapted.add(name)
    if maker_of_loop() in ("gevent", "eventlet"):
        follow_greenlets(sys.modules["greenlet"])


atexit.register(over)
adapt()
