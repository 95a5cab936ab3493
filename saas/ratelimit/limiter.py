"""Decides on requests in Valkey, and by itself while Valkey is slow or gone."""

import logging
from asyncio import CancelledError
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from typing import Final, NamedTuple
from uuid import UUID

from saas.kit.redis import Address, open_client, tenant_keys
from saas.ratelimit.breaker import Breaker
from saas.ratelimit.connection import ScriptConnection, ScriptError, Unavailable
from saas.ratelimit.decision import MAX_COST, SECOND, Concurrency, Limit, Standing
from saas.ratelimit.leases import Leases
from saas.ratelimit.local import LocalStates, LocalUsage
from saas.ratelimit.nodes import Cluster, Node, Nodes, OneNode
from saas.ratelimit.recovery import Recovery
from saas.ratelimit.revoked import Home, Load, RevokedTokens
from saas.settings import LimitsSettings
from saas.web.problems import Problem

log = logging.getLogger(__name__)

#: What runs in Valkey for each check.
SCRIPT: Final = files(__package__).joinpath("check.lua").read_text(encoding="utf-8")
_REVOKED: Final = -1
_WOULD_REFUSE: Final = 2


class LimitsUnavailable(Problem):
    """Where `LimitsSettings.without_valkey` says so."""

    status = 503
    code = "limits-unavailable"
    title = "Requests cannot be counted"

    def __init__(self) -> None:
        super().__init__("Requests cannot be counted at the moment: try again soon.", headers={"Retry-After": "5"})


class Subject(NamedTuple):
    """Who is counted: the tenant, or a part of what happens at the tenant that is counted apart from the rest."""

    tenant_id: UUID
    #: By which a token may be revoked, where the request has one: its `jti`, and its `gid`.
    token_ids: tuple[str, ...] = ()
    #: Names the part, if it is one: the token endpoint as one address uses it, say.
    bucket: str = ""
    #: For limits of each client and of each user.
    client: str = ""
    user: str = ""
    #: Whether the request belongs into the tenant's usage: `client`'s, or nobody's.
    counts: bool = False
    #: Counted in a slot of its own, whatever the tenant.
    address: str = ""
    #: The tenant itself: where to look for revocations without Valkey.
    home: Home | None = None


class Lease(NamedTuple):
    """A request under way. `name` is empty where Valkey knows nothing of it."""

    tag: str
    key: str
    name: str


class Verdict(NamedTuple):
    """`standings` are in the order of `limits`; there are none where the token is revoked."""

    allowed: bool
    revoked: bool
    limits: tuple[Limit, ...]
    standings: Sequence[Standing]
    #: This process decided by itself, with its share of the limits.
    degraded: bool = False
    #: Allowed, and charged to nothing, for the plan's limits are in the shadow.
    would_refuse: bool = False
    #: To be given to `Limiter.release` when the request has ended.
    lease: Lease | None = None

    @property
    def retry_after(self) -> int:
        """Whole seconds until the same request could pass; 0 where it does."""
        return -(-max((standing.wait for standing in self.standings), default=0) // SECOND)


class Limiter:
    """One for each process and event loop.

    Where Valkey does not answer in time, each check is decided here instead: see `LimitsSettings`.
    """

    def __init__(
        self,
        url: str,
        settings: LimitsSettings,
        *,
        workers: int = 1,
        command_timeout: float = 0.5,
        cluster: bool = False,
        load_revoked: Load | None = None,
        token_lifetime: int = 86_400,
    ) -> None:
        """`workers` is how many processes this machine runs; `command_timeout` is for what no request waits for;
        `load_revoked` says what a tenant's database knows of revocations, none of which matters longer than
        `token_lifetime` seconds.
        """

        def make(address: Address) -> Node:
            patience = max(settings.timeout, command_timeout)
            connection = ScriptConnection(address, SCRIPT, timeout=settings.timeout, connect_timeout=patience)
            return Node(connection, Breaker(settings.failures, settings.pause))

        address = Address.parse(url)
        self.client = open_client(url, command_timeout, cluster=cluster)
        self.nodes: Nodes = Cluster(address, make) if cluster else OneNode(make(address))
        #: How many processes share the limits, at least.
        self.least_processes = settings.replicas * workers
        self.local = LocalStates(self.least_processes)
        #: What happened, by name: for metrics.
        self.counts: Counter[str] = Counter()
        self._refuses = settings.without_valkey == "refuse"
        self._leases = Leases(self.nodes)
        self._usage = LocalUsage()
        self._revoked = RevokedTokens(load_revoked) if load_revoked else None
        #: The tags of tenants whose usage was counted, for `kept_up` to tell of.
        self.served: set[str] = set()
        usage, revoked, served = self._usage, self._revoked, self.served
        self.recovery = Recovery(self.client, self.local, usage, revoked, served, token_lifetime=token_lifetime)

    async def open(self) -> None:
        """Connect. Without Valkey the limiter is open all the same, and decides by itself."""
        if not await self.nodes.open():
            log.warning("Rate limits start without Valkey: this process limits by itself")

    async def close(self) -> None:
        await self._leases.close()
        await self.recovery.close()
        if self._revoked is not None:
            await self._revoked.close()
        await self.nodes.close()
        await self.client.aclose()

    @property
    def degraded(self) -> bool:
        """Whether Valkey, or a node of the cluster, is given up for the moment."""
        return any(node.breaker.is_open for node in self.nodes.all)

    def status(self) -> str | None:
        """What is wrong, in words; None where nothing is."""
        if not self.degraded:
            return None
        meanwhile = "requests are refused" if self._refuses else "this process limits by itself, with its share"
        return f"given up for now: {meanwhile}"

    async def check(
        self, subject: Subject, limits: tuple[Limit, ...], cost: int = 1, *, shadow: bool = False
    ) -> Verdict:
        """Charge a request of weight `cost` to all limits, or to none where one refuses it or its token is revoked.

        With `shadow`, what would be refused is allowed, and charged to none. Raises LimitsUnavailable (see settings).
        """
        if not 0 < cost <= MAX_COST:
            raise ValueError(f"A request cannot weigh {cost}: from 1 to {MAX_COST}")
        tag = subject.address or subject.tenant_id.hex
        keys = _keys(tag, subject, limits)
        node = self.nodes.at(tag)
        if node.breaker.permits() and (
            not (self.recovery.doubts and subject.token_ids) or await self.recovery.assure(subject.home)
        ):
            lease = Lease(tag, keys[-1], self._leases.name()) if limits and type(limits[-1]) is Concurrency else None
            head = (cost, len(limits), "shadow" * shadow, lease.name if lease else "")
            asked, arguments = _call(tag, subject, limits, keys, head)
            connected = node.connection.connected
            try:
                try:
                    answer = await node.connection.run(asked, arguments)
                except ScriptError as error:
                    answer = await self.nodes.follow(error, lambda other: other.run(asked, arguments))
            except (Unavailable, ScriptError, CancelledError) as error:
                if lease is not None:  # it may have arrived
                    self._leases.end(*lease)
                self._failed(node, error)
            else:
                if subject.counts:
                    self.served.add(tag)
                if node.breaker.succeeded() or connected != node.connection.connected:
                    await self._is_back(node, subject, answer)
                if self.recovery.is_owing:
                    self.recovery.settle_soon()
                return self._verdict(limits, answer, lease)
        return await self._alone(tag, subject, keys, limits, cost=cost, shadow=shadow)

    def release(self, lease: Lease) -> None:
        """A request has ended. Valkey hears of it soon, together with others."""
        if lease.name:
            self._leases.end(*lease)
        else:
            self.local.release(lease.key)

    async def revoke(self, tenant_id: UUID, token_id: str, until: datetime) -> None:
        """Refuse a token, or all of a grant, from now on: whatever has `token_id` among its ids.

        `until` is when the last of them expires by itself. Raises redis.RedisError: then Valkey is told when it is
        back, as long as this process lives; what lasts is for others to write.
        """
        await self.recovery.revoke(tenant_id, token_id, until)

    async def purge(self, tenant_id: UUID) -> None:
        """Remove all that is stored of a tenant. Raises redis.RedisError."""
        prefix = f"{{{tenant_id.hex}}}:"
        self.local.forget(prefix)
        async for keys in tenant_keys(self.client, prefix):
            await self.client.unlink(*keys)

    async def _alone(
        self, tag: str, subject: Subject, keys: list[str], limits: tuple[Limit, ...], *, cost: int, shadow: bool
    ) -> Verdict:
        """Without Valkey."""
        if self._refuses:
            self.counts["unavailable"] += 1
            raise LimitsUnavailable
        revoked = self._revoked
        if revoked and subject.home and await revoked.any_of(subject.home, subject.token_ids):
            self.counts["revoked"] += 1
            return Verdict(False, True, limits, [], True)
        decision = self.local.check(keys, limits, cost)
        self.counts["local"] += 1
        self.recovery.is_owing = True
        allowed = decision.allowed or shadow
        if subject.counts:
            whose = subject.client
            counts = {f"{whose}:requests" if allowed else f"{whose}:refusals": 1}
            if allowed:
                counts |= {f"{whose}:cost": cost} if decision.allowed else {f"{whose}:would_refuse": 1}
            self._usage.add(f"{{{tag}}}:usage", counts)
        holds = decision.allowed and bool(limits) and type(limits[-1]) is Concurrency
        lease = Lease(tag, keys[-1], "") if holds else None
        return Verdict(allowed, False, limits, decision.standings, True, allowed and not decision.allowed, lease)

    def _verdict(self, limits: tuple[Limit, ...], answer: list[int], lease: Lease | None) -> Verdict:
        """Of the script's answer: see `check.lua`."""
        said = answer[1]
        standings = [Standing(*answer[at : at + 3]) for at in range(2, len(answer), 3)]
        if said == 1:
            self.counts["charged"] += 1
            return Verdict(True, False, limits, standings, False, False, lease)
        self.counts["revoked" if said == _REVOKED else "would_refuse" if said == _WOULD_REFUSE else "refused"] += 1
        return Verdict(said == _WOULD_REFUSE, said == _REVOKED, limits, standings, False, said == _WOULD_REFUSE)

    def _failed(self, node: Node, error: Unavailable | ScriptError | CancelledError) -> None:
        if isinstance(error, CancelledError):
            raise error
        self.counts["failed"] += 1
        self.nodes.suspect()
        if str(error).startswith("TRYAGAIN"):
            return  # a slot is moving, key by key: the rest of the node is well
        if node.breaker.failed(error):
            log.warning("Valkey is given up for now, this process limits by itself: %s", error)
            # What went wrong may lie in the connection (a replica that was the primary): probes get a new one.
            node.connection.drop(Unavailable("Valkey is given up"))

    async def _is_back(self, node: Node, subject: Subject, answer: list[int]) -> None:
        """A new connection: the server behind it may have forgotten what was revoked, this token among it."""
        connected = node.connection.connected
        if connected == 1:  # the first one ever: see `upkeep`
            return
        if connected != node.known_connection:
            node.known_connection = connected
            log.warning("Valkey is back: rate limits are shared again")
            self.recovery.doubt()
        revoked = self._revoked
        if revoked and subject.home and await revoked.any_of(subject.home, subject.token_ids):
            answer[1:] = [_REVOKED]


def _keys(tag: str, subject: Subject, limits: tuple[Limit, ...]) -> list[str]:
    """One for each limit. The braces put them into one slot of a cluster."""
    bucket = subject.bucket and f":{subject.bucket}"
    keys = []
    for limit in limits:
        of_each = limit.of_each
        part = f":{subject.client}" if of_each == "client" else f":{subject.user}" if of_each == "user" else bucket
        keys.append(f"{{{tag}}}:limit:{limit.name}{part}")
    return keys


def _call(
    tag: str, subject: Subject, limits: tuple[Limit, ...], keys: list[str], head: tuple[int | str, ...]
) -> tuple[list[str], list[int | str | bytes]]:
    """Keys and arguments of `check.lua`."""
    arguments: list[int | str | bytes] = [*head, b"".join([limit.packed for limit in limits])]
    if not subject.counts and not subject.token_ids:
        return keys, arguments
    asked = keys.copy()
    if subject.counts:
        asked.append(f"{{{tag}}}:usage")
        arguments.append(subject.client)
    asked += [f"{{{tag}}}:revoked:{token_id}" for token_id in subject.token_ids]
    return asked, arguments
