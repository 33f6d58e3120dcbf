"""The checker: what, in the ledgers and the tables of a run, cannot be.

Pure: it takes a History and the Tables behind it, and returns violations and counts.
Each rule stands on one side of an interval that is safe: it accuses nobody where a call
may have been carried out at any moment between its ask and its answer, and excuses
nothing else. docs/soak.md lists the rules with their reasons.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from .history import Delivery, History, Produce, Settle
from .tables import Place, Tables

CRASH_US = 1_000_000
"""How long before a crash a lease may have been drawn that the crash made the server
forget: three times wal_writer_delay, and to be safe more."""

LINGER_US = 1_000_000
"""How long after a fault the server may still carry out what a program had asked that is
gone, or has another connection by now."""

ENDS = ("archive", "delete", "release")
"""The verbs after which a delivery is over."""


@dataclass(frozen=True)
class Violation:
    """Something that cannot be."""

    rule: str
    message: int  # its id; 0: it is not about one
    detail: str

    def __str__(self) -> str:
        return f"message {self.message}: {self.rule}: {self.detail}"


@dataclass
class Verdict:
    """What the checker found."""

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lost_produces: list[str] = field(default_factory=list)  # keys, with what became of them


def check(history: History, tables: Tables, *, max_read_ct: int, drained: bool = True) -> Verdict:
    """Everything that cannot be. drained: no message may be left alive."""
    verdict = Verdict()
    for text in history.odd:
        verdict.violations.append(Violation("contradiction", 0, text))
    _check_produces(history, tables, verdict)
    kept = _kept_leases(history)
    ids = set(tables.logged) | set(tables.places) | set(history.deliveries)
    for produce in history.produces.values():
        ids.update(produce.ids or ())
    for message in sorted(ids):
        _Judge(message, history, tables, kept, max_read_ct, drained, verdict).judge()
    verdict.counts["faults"] = len(history.faults)
    return verdict


def _check_produces(history: History, tables: Tables, verdict: Verdict) -> None:
    """Produces as wholes: their ids, and what became of those whose answer was lost."""

    def accuse(rule: str, message: int, detail: str) -> None:
        verdict.violations.append(Violation(rule, message, detail))

    seen: Counter[str] = Counter()
    found = {m: key for m, key in tables.logged.items() if key is not None}
    for message, deliveries in history.deliveries.items():
        found.setdefault(message, deliveries[0].key)
    for key in found.values():
        seen[key.rpartition(".")[0]] += 1
    given: dict[int, str] = {}
    for produce in history.produces.values():
        there = seen[produce.key]
        if produce.ids is None:
            if produce.refused and there:
                accuse("refused and stored", 0, f"{there} messages of {produce.key}")
            elif produce.lost:
                verdict.lost_produces.append(f"{produce.key}: {there} of {produce.count} stored")
                if there not in (0, produce.count):
                    accuse("half of a batch", 0, f"{there} of {produce.count} of {produce.key}")
            continue
        verdict.counts["produced"] += len(produce.ids)
        if len(produce.ids) != produce.count:
            accuse("wrong number of ids", 0, f"{len(produce.ids)} of {produce.key}")
        if produce.ids != sorted(set(produce.ids)):
            accuse("ids do not ascend", 0, f"{produce.ids} of {produce.key}")
        for message in produce.ids:
            if message in given:
                accuse("id given twice", message, f"to {given[message]} and to {produce.key}")
            given[message] = produce.key
    lost = [p for p in history.produces.values() if p.lost]
    verdict.counts["produces with lost answers"] = len(lost)
    verdict.counts["of these stored"] = sum(seen[p.key] > 0 for p in lost)


def _kept_leases(history: History) -> set[int]:
    """The leases that no crash made the server forget, since it was told True about one of
    their messages: that was committed behind them, and waited for the disk."""
    return {
        d.lease
        for deliveries in history.deliveries.values()
        for d in deliveries
        if any(s.answer for s in d.settles)
    }


class _Judge:
    """Checks what happened to one message."""

    def __init__(
        self,
        message: int,
        history: History,
        tables: Tables,
        kept: set[int],
        max_read_ct: int,
        drained: bool,
        verdict: Verdict,
    ) -> None:
        self.message = message
        self.history = history
        self.deliveries = history.deliveries.get(message, [])
        self.logged = message in tables.logged
        self.key = tables.logged.get(message)
        self.places = tables.places.get(message, [])
        self.max_read_ct = max_read_ct
        self.drained = drained
        self.verdict = verdict
        self.forgettable = {
            d.lease for d in self.deliveries if d.lease not in kept and self._may_be_forgotten(d)
        }

    def accuse(self, rule: str, detail: str) -> None:
        self.verdict.violations.append(Violation(rule, self.message, detail))

    def judge(self) -> None:
        produce = self._origin()
        if produce is None:
            return
        self._end()
        for a in self.deliveries:
            self._settles(a)
            for b in self.deliveries:
                if (a.taken_us, a.lease) < (b.taken_us, b.lease):
                    self._overlap(a, b)
        self._read_counts(produce)
        self._settled_twice()

    # ---- where it comes from ----

    def _origin(self) -> Produce | None:
        keys = {d.key for d in self.deliveries} | ({self.key} if self.logged else set())
        if len(keys) > 1:
            self.accuse("payload of another", f"{sorted(map(str, keys))}")
        if not keys:  # stored, and there is no trace of it
            self.accuse("lost", "stored, never delivered, and not in the log")
            return None
        key = str(self.deliveries[0].key if self.deliveries else self.key)
        base, _, index = key.rpartition(".")
        produce = self.history.produces.get(base)
        if produce is None:
            self.accuse("from nowhere", f"its payload says {key}")
            return None
        if produce.ids is not None and produce.ids[int(index) :][:1] != [self.message]:
            self.accuse("from nowhere", f"{key} was stored as one of {produce.ids}")
        return produce

    # ---- what became of it ----

    def _end(self) -> None:
        counts = self.verdict.counts
        if len(self.places) > 1:
            self.accuse("ends twice", f"{self.places}")
        if not self.logged:
            if self.places:
                self.accuse("without payload", f"{self.places}")
            elif self._may_be_deleted():
                counts["deleted"] += 1
            else:
                self.accuse("lost", "it is gone, and nobody deleted it")
            return
        if not self.places:
            self.accuse("in no row", "it is in the log alone")
        for place in self.places:
            counts[place.outcome] += 1
            if place.outcome == "live" and self.drained:
                self.accuse("left behind", f"{place}")
            elif place.outcome == "archived":
                self._archived(place)
            elif place.outcome == "dead" and place.read_ct < self.max_read_ct:
                self.accuse("dead too early", f"after {place.read_ct} deliveries")

    def _may_be_deleted(self) -> bool:
        settles = (s for d in self.deliveries for s in d.settles)
        return any(s.verb == "delete" and s.may_be_done for s in settles)

    def _archived(self, place: Place) -> None:
        by = [d for d in self.deliveries if d.lease == place.lease]
        asks = [s for d in by for s in d.settles if s.verb == "archive"]
        if not asks:
            self.accuse("archived by nobody", f"lease {place.lease}")
        elif not any(s.may_be_done for s in asks):
            self.accuse("archived though denied", f"lease {place.lease}")
        if by and by[0].read_ct != place.read_ct:
            self.accuse("wrong count at the end", f"{place.read_ct}, not {by[0].read_ct}")

    # ---- its deliveries ----

    def _may_be_forgotten(self, d: Delivery) -> bool:
        return any(c.begin - CRASH_US <= d.taken_us <= c.end for c in self.history.crashes)

    def _overlap(self, a: Delivery, b: Delivery) -> None:
        """b was drawn after a: not before a's lease was over."""
        forgotten = b.lease in self.forgettable
        for s in a.settles:
            # What answered True was done at its ask or later, and held the lease then.
            if s.answer and b.taken_us < s.asked_at and not forgotten:
                late = f"{s.asked_at - b.taken_us} us after {b.lease} was drawn"
                self.accuse(f"{s.verb} by a late holder", f"lease {a.lease} was asked {late}")
        end = self._lease_end(a, b.taken_us)
        if b.taken_us >= end:
            return
        if a.lease in self.forgettable:
            self.verdict.counts["overlaps at crashes"] += 1
        else:
            detail = f"lease {b.lease} was drawn {end - b.taken_us} us before the end of {a.lease}"
            self.accuse("two holders", detail)

    def _lease_end(self, a: Delivery, moment: int) -> int:
        """Until when, at least, lease a lasted for one that was drawn at that moment."""
        end = a.vt_us
        for s in a.settles:
            # An extend that answered True was done before whatever was drawn later, by
            # the fence; one that was asked after that moment is a late holder's.
            if s.verb == "extend" and s.answer and s.asked_at <= moment:
                end = max(end, s.vt_us)
        for s in a.settles:
            if s.verb == "release" and s.may_be_done and s.asked_at <= moment:
                released = s.asked_at + s.delay_us
                end = released if s.answer else min(end, released)
        return end

    def _settles(self, d: Delivery) -> None:
        """What answered True was so in the end; what answered False had to."""
        forgotten = d.lease in self.forgettable
        for i, s in enumerate(d.settles):
            if s.answer and s.verb == "archive":
                if not any(p.outcome == "archived" and p.lease == d.lease for p in self.places):
                    self.accuse("not archived", f"lease {d.lease} was told so; {self.places}")
            elif s.answer and s.verb == "delete" and self.logged:
                self.accuse("not deleted", f"lease {d.lease} was told so")
            elif s.answer is False and not forgotten and s.answered_at is not None:
                over = any(e.verb in ENDS and e.may_be_done for e in d.settles[:i])
                if s.answered_at < self._held_until(d, i) and not over:
                    self.accuse(f"{s.verb} denied", f"lease {d.lease} was still held")

    def _held_until(self, d: Delivery, before: int) -> int:
        extended = [s.vt_us for s in d.settles[:before] if s.verb == "extend" and s.answer]
        return max([d.vt_us, *extended])

    def _settled_twice(self) -> None:
        ended = [s for d in self.deliveries for s in _told(d) if s.verb in ("archive", "delete")]
        if len(ended) > 1:
            self.accuse("settled twice", f"{len(ended)} calls were told that they ended it")
        for d in self.deliveries:
            told = [s for s in _told(d) if s.verb in ENDS]
            if len(told) > 1 and not len(ended) > 1:
                self.accuse("settled twice", f"{[s.verb for s in told]} by lease {d.lease}")
            for i, s in enumerate(d.settles):
                over = any(e.answer and e.verb in ENDS for e in d.settles[:i])
                if s.verb == "extend" and s.answer and over:
                    self.accuse("extended after its end", f"lease {d.lease}")

    # ---- its read counts ----

    def _read_counts(self, produce: Produce) -> None:
        """Each delivery counts one more than the one before. What is between them some
        program leased and never delivered, for which a fault must be the reason. Only a
        crash, which may have made the server forget a delivery, takes a count back."""
        counts, before, kept, since = self.verdict.counts, 0, 0, produce.asked_at
        for d in self.deliveries:
            counts["deliveries"] += 1
            counts["redeliveries"] += d.read_ct > 1
            if self.max_read_ct and d.read_ct > self.max_read_ct:
                self.accuse("delivered too often", f"{d.read_ct} times")
            if d.read_ct <= kept:
                self.accuse("read count fell", f"{d.read_ct} after {kept}")
            elif d.read_ct <= before:
                counts["read counts undone by crashes"] += 1
            elif d.read_ct > before + 1:
                counts["leases that no handler saw"] += d.read_ct - before - 1
                if not self._disturbed(since, d.taken_us):
                    self.accuse("gap in read counts", f"{d.read_ct} after {before}, and no fault")
            before, since = d.read_ct, d.taken_us
            if d.lease not in self.forgettable:
                kept = max(kept, d.read_ct)
        self._count_overlapping_handlers()

    def _count_overlapping_handlers(self) -> None:
        """Not a violation: a lease may end while its handler runs. Told all the same."""
        spans = sorted((d.got_at, d.done_at) for d in self.deliveries if d.done_at is not None)
        overlapping = sum(b[0] < a[1] for a, b in pairwise(spans))
        self.verdict.counts["handlers at the same time"] += overlapping

    def _disturbed(self, since: int, until: int) -> bool:
        """Whether a fault can have kept a lease from its handler between two moments."""
        faults = self.history.faults
        return any(f.begin <= until and f.end + LINGER_US >= since for f in faults)


def _told(d: Delivery) -> list[Settle]:
    return [s for s in d.settles if s.answer]
