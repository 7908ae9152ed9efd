"""How clients refresh, simulated: the ways of real libraries and recipes, in virtual time, against a server.

The network, the tabs and the waiting are simulated; each refresh is a request to the server that is given, in the
order of the virtual clock. A round is one expiry: every access token that is out is treated as expired, and each tab
has five calls under way. Answers take 5 to 80 ms each way and a fifth of the calls half a second more, so that a 401
for the old token comes after the refresh. Whoever is logged out in a round logs in again for the next.
"""

import asyncio
import dataclasses
import random
import typing

from servers import PASSWORD

REFRESH = "/api/token/refresh/"
CALLS = 5


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time goes on at once when there is nothing to do but to wait."""

    def __init__(self):
        super().__init__()
        self.elapsed = 0.0
        select = self._selector.select

        def skip(timeout):
            if timeout is None:
                raise RuntimeError("everything waits for something that never comes")
            self.elapsed += timeout
            return select(0)

        self._selector.select = skip

    def time(self):
        return self.elapsed


class Lost(Exception):
    """The answer never came."""


class World:
    """The network, and the server at its other end."""

    def __init__(self, server, loss):
        self.server = server
        self.loss = loss
        self.live = set()
        self.refreshes = 0

    def log_in(self, username):
        answer = self.server.post("/api/token/", {"username": username, "password": PASSWORD})
        assert answer.status == 200, answer.body
        return answer.json()

    async def way(self, more=0.0):
        await asyncio.sleep(self.random.uniform(0.005, 0.080) + more)

    async def call(self, access):
        """Whether a route takes the token."""
        slow = 0.5 if self.random.random() < 0.2 else 0.0
        await self.way(slow)
        good = access in self.live
        await self.way()
        return good

    async def refresh(self, token):
        """The new pair, or None where the token is refused."""
        await self.way()
        self.refreshes += 1
        answer = self.server.post(REFRESH, {"refresh": token})
        assert answer.status in (200, 401), answer.body
        if self.random.random() < self.loss:
            await asyncio.sleep(1)
            raise Lost
        await self.way()
        if answer.status == 401:
            return None
        pair = answer.json()
        self.live.add(pair["access"])
        return pair


class Storage:
    """What the tabs of a browser share."""

    def __init__(self):
        self.logged_out = False
        self.lock = asyncio.Lock()

    def take(self, pair):
        self.access, self.refresh = pair["access"], pair["refresh"]

    def log_out(self):
        self.logged_out = True


class Tab:
    def __init__(self, world, storage):
        self.world = world
        self.storage = storage
        self.flight = None
        self.lock = asyncio.Lock()
        self.others = []


async def renew(tab, sent=None, tolerant=False, retries=0):
    """One refresh, and what a client makes of its refusal: the end, unless it is tolerant and somebody else has
    stored another pair meanwhile."""
    storage = tab.storage
    sent = sent or storage.refresh
    for attempt in range(retries + 1):
        try:
            pair = await tab.world.refresh(sent)
            break
        except Lost:
            if attempt == retries:
                raise
    if pair:
        storage.take(pair)
    elif not (tolerant and storage.refresh != sent):
        storage.log_out()


async def refused(tab):
    return not tab.storage.logged_out and not await tab.world.call(tab.storage.access)


async def each(tab):
    if await refused(tab):
        await renew(tab)


async def each_tolerant(tab):
    if await refused(tab):
        await renew(tab, tolerant=True)


async def captured(tab):
    sent = tab.storage.refresh
    if await refused(tab):
        await renew(tab, sent, tolerant=True)


async def in_flight(tab, **how):
    if tab.flight is None:
        tab.flight = asyncio.ensure_future(renew(tab, **how))
        tab.flight.add_done_callback(lambda _: setattr(tab, "flight", None))
    await tab.flight


async def shared(tab):
    if await refused(tab):
        await in_flight(tab)


async def shared_tolerant(tab):
    if await refused(tab):
        await in_flight(tab, tolerant=True)


async def shared_with_retries(tab):
    if await refused(tab):
        await in_flight(tab, retries=20)


async def checked_before(tab):
    # Calls that come while one is refreshing wait before they are sent.
    if tab.flight is not None:
        await tab.flight
    if not tab.storage.logged_out and tab.storage.access not in tab.world.live:
        await in_flight(tab)
    await tab.world.call(tab.storage.access)


async def mutex(tab):
    async with tab.lock:
        pass
    if await refused(tab):
        if tab.lock.locked():
            async with tab.lock:
                return
        async with tab.lock:
            await renew(tab)


async def compared(tab, lock=None):
    used = tab.storage.access
    if await refused(tab):
        async with lock or tab.lock:
            if tab.storage.access == used and not tab.storage.logged_out:
                await renew(tab)


async def locked_among_tabs(tab):
    await compared(tab, tab.storage.lock)


async def one_after_the_other(tab):
    if await refused(tab):
        async with tab.lock:
            if not tab.storage.logged_out:
                await renew(tab)


async def told_by_the_other(tab):
    """Each tab has its own pair, and tells the others of a new one."""
    if await refused(tab):
        sent = tab.storage.refresh
        if tab.flight is None:
            tab.flight = asyncio.ensure_future(tell(tab, sent))
            tab.flight.add_done_callback(lambda _: setattr(tab, "flight", None))
        await tab.flight


async def tell(tab, sent):
    pair = await tab.world.refresh(sent)
    if pair is None:
        # The other's message may be under way.
        await asyncio.sleep(0.1)
        if tab.storage.refresh == sent:
            tab.storage.log_out()
        return
    tab.storage.take(pair)
    await asyncio.sleep(tab.world.random.uniform(0.001, 0.020))
    for other in tab.others:
        other.storage.take(pair)


async def timer(tab):
    await asyncio.sleep(tab.world.random.uniform(0, 0.1))
    if not tab.storage.logged_out:
        await renew(tab)


async def effect(tab):
    if tab.storage.access not in tab.world.live:
        await renew(tab)


@dataclasses.dataclass(frozen=True)
class Way:
    """A way of refreshing, and where it was seen."""

    name: str
    seen: str
    call: typing.Callable
    tabs: int = 1
    loss: float = 0.0
    # What a tab does beside its calls.
    beside: tuple = ()
    shares: bool = True


NONE = "ky 1.14.3 (readme), refresh-token-util-for-rtk-query 1.3.0, RTK Query's baseQueryWithReauth without a mutex"
PROMISE = "axios-auth-refresh 5.0.2, @nuxtjs/auth-next 5.0.0, Angular's HttpInterceptor with share()"
WAYS = [
    Way("each 401 refreshes", NONE, each),
    Way("each, going on with a newer pair", "the same where the application looks into its storage", each_tolerant),
    Way("each, with the token of its start", "React state in a closure", captured),
    Way("a shared promise", PROMISE, shared),
    Way("a look at exp before the call", "axios-jwt 4.0.3, apollo-link-token-refresh 0.7.0", checked_before),
    Way("a mutex that others wait at", "RTK Query's baseQueryWithReauth with async-mutex", mutex),
    Way("a lock and a comparison", "OkHttp's Authenticator, synchronized", compared),
    Way("one after the other", "a lock without a comparison", one_after_the_other),
    Way("a timer beside a shared promise", "refreshing ahead and at a 401", shared, beside=(timer,)),
    Way("an effect that runs twice", "React's StrictMode, refreshing when mounted", shared, beside=(effect, effect)),
    Way("two tabs, each 401 refreshes", "as above", each, tabs=2),
    Way("two tabs, a shared promise in each", "as above", shared, tabs=2),
    Way("two tabs, going on with a newer pair", "as above, looking into localStorage", shared_tolerant, tabs=2),
    Way("two tabs with a lock among them", "navigator.locks and a comparison", locked_among_tabs, tabs=2),
    Way("two tabs that tell each other", "BroadcastChannel", told_by_the_other, tabs=2, shares=False),
    Way("lost answers, tried again", "a shared promise with retries at network errors", shared_with_retries, loss=0.3),
]


def logouts(way, server, username, rounds):
    """How many of so many expiries log the user out."""
    count = 0
    world = World(server, way.loss)
    pair = world.log_in(username)
    for number in range(rounds):
        # Of each round by itself: what one server answers otherwise changes none of the others.
        world.random = random.Random(f"{way.name} {number}")
        pair, logged_out = one_round(way, world, pair)
        if logged_out:
            count += 1
            pair = world.log_in(username)
    return count


def one_round(way, world, pair):
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(expiry(way, world, pair))
    finally:
        loop.close()


async def expiry(way, world, pair):
    storage = Storage()
    world.live.clear()
    tabs = []
    for _ in range(way.tabs):
        own = storage if way.shares else Storage()
        own.take(pair)
        tabs.append(Tab(world, own))
    for tab in tabs:
        tab.others = [other for other in tabs if other is not tab]

    async def soon(act, tab, delay):
        await asyncio.sleep(delay)
        if not tab.storage.logged_out:
            await act(tab)

    acts = []
    for number, tab in enumerate(tabs):
        start = number * world.random.uniform(0, 0.3)
        acts += [soon(way.call, tab, start + world.random.uniform(0, 0.003)) for _ in range(CALLS)]
        acts += [soon(act, tab, start + world.random.uniform(0, 0.003)) for act in way.beside]
    await asyncio.gather(*acts)
    last = tabs[-1].storage
    pair = {"access": last.access, "refresh": last.refresh}
    return pair, any(tab.storage.logged_out for tab in tabs)
