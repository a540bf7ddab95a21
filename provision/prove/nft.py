"""nftables rulesets as text -> chains of rules with their lines.

Reads what a county's rulesets say about addresses, protocols, ports, interfaces, connection state and marks, with
anonymous and named sets, jumps, NAT and named counters.  Whatever it does not know is an error with its line: a proof
over a rule that was skipped would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from provision.prove import sets, words
from provision.prove.errors import ProveError
from provision.prove.ruleset import ENDS, ROUTED, Chain, Rule, Ruleset
from provision.prove.sets import ALL, Box, Span

_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
VERDICTS = ("accept", "drop", "reject", "return")


def parse(path: str, text: str, files: Mapping[str, str] | None = None) -> Ruleset:
    """Read a ruleset, named ``host:path``; ``files`` holds what it may include.  Raises ProveError with its line."""
    reader = _Reader(path, text, files or {})
    try:
        return reader.read()
    except (IndexError, ValueError, KeyError) as problem:
        raise reader.fail(str(problem), "a ruleset that nft reads") from None


class _Reader:
    def __init__(self, path: str, text: str, files: Mapping[str, str]) -> None:
        self.path = path
        self.files = files
        self.lines = {path: text.split("\n")}
        self.tokens = words.tokens(text, path)
        self.at = 0
        self.table = ""
        self.sets: dict[str, list[str]] = {}
        self.result = Ruleset(path)

    def fail(self, found: str, expected: str) -> ProveError:
        where = self.where if self.tokens else self.path
        return ProveError(where, found, expected, "teach provision/prove/nft.py to read it")

    @property
    def where(self) -> str:
        _, line, path = self.tokens[min(self.at, len(self.tokens) - 1)]
        return f"{path}:{line}"

    @property
    def word(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        word = self.word
        if not word:
            raise self.fail("the end of the file", "a closing brace")
        self.at += 1
        return word

    def expect(self, *words: str) -> None:
        for word in words:
            if self.word != word:
                raise self.fail(repr(self.word), repr(word))
            self.at += 1

    def blank(self) -> None:
        while self.word in ("\n", ";"):
            self.at += 1

    def read(self) -> Ruleset:
        self.blank()
        while self.word:
            word = self.next()
            if word == "table":
                self.table = f"{self.next()} {self.next()}"  # family and name
                if self.word == "{":
                    self.at += 1
                    self._table()
            elif word == "include":
                self._include(self.next().strip('"'))
            elif word in ("delete", "flush", "destroy"):
                while self.word not in ("\n", ";", ""):
                    self.at += 1
            else:
                self.at -= 1
                raise self.fail(repr(word), "table, delete or flush")
            self.blank()
        for table, chain in self.result.chains.items():
            for place, rule in enumerate(chain.rules):
                if rule.by_class and not _harmless(rule, chain, place):
                    raise ProveError(
                        rule.where, f"`{rule.text}`", "no way that hangs on the class of traffic", "drop it"
                    )
                if not table.startswith(ROUTED) and rule.verdict in ("drop", "reject"):
                    raise ProveError(rule.where, f"`{rule.text}`", "no verdict on frames", "write it in an inet table")
                if rule.verdict in ("jump", "goto") and rule.to not in self.result.chains:
                    name = rule.to.split()[-1]
                    raise ProveError(rule.where, f"chain {name}", "a chain of this table", "correct the jump")
        return self.result

    def _include(self, name: str) -> None:
        if name not in self.files:
            self.at -= 1
            raise self.fail(f"include of {name}", "a rendered file")
        path = f"{self.path.partition(':')[0]}:{name}"
        self.lines[path] = self.files[name].split("\n")
        self.tokens[self.at : self.at] = [("\n", 1, path), *words.tokens(self.files[name], path)]

    def _table(self) -> None:
        self.blank()
        while self.word != "}":
            word = self.next()
            if word == "chain":
                self._chain()
            elif word == "set":
                self._set()
            elif word in ("counter", "quota", "limit", "map", "flowtable", "ct"):
                self._skip()
            else:
                self.at -= 1
                raise self.fail(repr(word), "chain, set or counter")
            self.blank()
        self.expect("}")

    def _skip(self) -> None:
        """Past a named thing in braces."""
        while self.next() != "{":
            pass
        depth = 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self.next(), 0)

    def _set(self) -> None:
        name = self.next()
        self.expect("{")
        self.sets[f"{self.table} {name}"] = []
        self.blank()
        while self.word != "}":
            if self.next() == "elements":
                self.expect("=")
                self.sets[f"{self.table} {name}"] = self._braces()
            else:
                while self.word not in ("\n", ";", "}"):
                    self.at += 1
            self.blank()
        self.expect("}")

    def _braces(self) -> list[str]:
        self.expect("{")
        found = []
        while self.word != "}":
            word = self.next()
            if word not in (",", "\n"):
                found.append(word.strip('"'))
        self.expect("}")
        return found

    def _chain(self) -> None:
        where = self.where
        chain = Chain(self.next(), where)
        self.expect("{")
        self.result.chains[f"{self.table} {chain.name}"] = chain
        self.blank()
        while self.word != "}":
            if self.word == "type":
                self._base(chain)
            elif self.word == "policy":
                self.at += 1
                chain.policy = self.next()
            else:
                chain.rules.append(self._rule())
            self.blank()
        self.expect("}")

    def _base(self, chain: Chain) -> None:
        self.expect("type")
        chain.kind = self.next()
        self.expect("hook")
        chain.hook = self.next()
        self.expect("priority")
        word = self.next()
        chain.priority = _PRIORITIES[word] if word in _PRIORITIES else int(word)
        while self.word in ("+", "-"):
            sign = 1 if self.next() == "+" else -1
            chain.priority += sign * int(self.next())

    # One rule: words until the end of its line ------------------------------------------------------------

    def _rule(self) -> Rule:
        where, (_, line, path) = self.where, self.tokens[self.at]
        values: dict[str, object] = {}
        boxes: list[Box] = [ALL]
        while self.word not in ("\n", ";", "}"):
            word = self.next()
            if word in ("counter", "log", "limit", "comment", "jump", "goto", *VERDICTS):
                self._statement(word, values)
            elif word in ("snat", "dnat", "masquerade", "redirect"):
                self._nat(word, values)
            elif word in ("iifname", "iif", "oifname", "oif"):
                values[word[:3]] = self._names()
            elif word == "meta":
                boxes = self._meta(boxes, values)
            elif word == "ct":
                self._ct(values)
            else:
                boxes = self._match(word, boxes, values)
        text = self.lines[path][line - 1].strip()
        return Rule(where, text, tuple(boxes), **values)  # type: ignore[arg-type]

    def _statement(self, word: str, values: dict[str, object]) -> None:
        if word in VERDICTS:
            values["verdict"] = word
            if word == "reject":
                while self.word not in ("\n", ";", "}", "comment"):
                    self.at += 1
        elif word in ("jump", "goto"):
            values["verdict"], values["to"] = word, f"{self.table} {self.next()}"
        elif word == "comment":
            values["comment"] = self.next().strip('"')
        elif word == "counter":
            if self.word == "name":
                self.at += 1
                values["counter"] = self.next().strip('"')
            elif self.word == "packets":
                self.at += 4
        elif word == "log":
            while self.word in ("prefix", "level", "group", "flags"):
                self.at += 2
        else:  # limit: a rate says how often, not what; over a rate is nobody who keeps to it
            self.expect("rate")
            if self.word == "over":
                values["never"] = "only above a rate"
                self.at += 1
            self.at += 1 + (self.tokens[self.at + 1][0] in ("bytes/second", "kbytes/second", "mbytes/second"))
            if self.word == "burst":
                self.at += 3

    def _nat(self, word: str, values: dict[str, object]) -> None:
        values["verdict"] = word
        if self.word in ("ip", "ip4"):
            self.at += 1
        if word in ("masquerade", "redirect"):
            return
        self.expect("to")
        values["to"] = self.next()
        if self.word == ":":
            self.at += 1
            values["to"] = f"{values['to']}:{self.next()}"

    def _names(self) -> tuple[bool, frozenset[str]]:
        wanted = self._wanted()
        return wanted, frozenset(self._items())

    def _wanted(self) -> bool:
        if self.word in ("!=", "=="):
            return self.next() == "=="
        return True

    def _items(self) -> list[str]:
        if self.word == "{":
            return self._braces()
        word = self.next()
        if word.startswith("@"):
            name = f"{self.table} {word[1:]}"
            if name not in self.sets:
                self.at -= 1
                raise self.fail(word, "a set of this table")
            return self.sets[name]
        found = [word.strip('"')]
        while self.word == ",":
            self.at += 1
            found.append(self.next().strip('"'))
        return found

    def _meta(self, boxes: list[Box], values: dict[str, object]) -> list[Box]:
        word = self.next()
        if word in ("iifname", "iif", "oifname", "oif"):
            values[word[:3]] = self._names()
        elif word == "l4proto":
            return self._narrow(boxes, "proto", words.protocol)
        elif word == "mark":
            if self.word == "set":
                self.at += 1
                if self.word == "ct":
                    self.expect("ct", "mark")
                    values["set_mark"] = "ct"
                else:
                    values["set_mark"] = str(int(self.next(), 0))
            else:
                wanted = self._wanted()
                values["mark"] = (wanted, int(self.next(), 0))
        elif word in ("priority", "nftrace", "pkttype") and self.word == "set":
            while self.word not in (
                "\n",
                ";",
                "}",
                "counter",
                *VERDICTS,
            ):  # a queue, perhaps by a map: no verdict in it
                if self.next() == "{":
                    self.at -= 1
                    self._braces()
        elif word == "nfproto":
            wanted = self._wanted()
            if (self.next() == "ipv4") is not wanted:
                values["never"] = "IPv6 alone"
        else:
            raise self.fail(f"meta {word}", "iifname, oifname, l4proto, mark, priority or nfproto")
        return boxes

    def _ct(self, values: dict[str, object]) -> None:
        word = self.next()
        if word == "state":
            values["states"] = self._names()
        elif word == "direction":
            values["direction"] = self.next()
        elif word == "mark":
            if self.word == "set":
                self.at += 1
                if self.word in ("meta", "mark"):
                    self.at += 2 if self.word == "meta" else 1
                    values["set_ct_mark"] = "meta"
                else:
                    values["set_ct_mark"] = str(int(self.next(), 0))
            else:
                wanted = self._wanted()
                values["ct_mark"] = (wanted, int(self.next(), 0))
        else:
            raise self.fail(f"ct {word}", "state, direction or mark")

    def _match(self, word: str, boxes: list[Box], values: dict[str, object]) -> list[Box]:
        key = self.next()
        if word.startswith("@") and key == ",":  # @base,offset,length VALUE: bytes of the packet itself
            self.at += 3
            self._names()
            values["by_class"] = True
            return boxes
        if word == "ip" and key in ("saddr", "daddr"):
            return self._narrow(boxes, "src" if key == "saddr" else "dst", words.address)
        if word == "ip" and key == "protocol":
            return self._narrow(boxes, "proto", words.protocol)
        if word == "ip" and key == "ttl":
            values["never"] = f"a routed packet's TTL is not {self.next()}"
            return boxes
        if word == "ip" and key == "dscp":
            if self.word == "set":
                self.at += 2
            else:
                self._names()
                values["by_class"] = True
            return boxes
        if word in ("tcp", "udp", "th", "sctp") and key in ("sport", "dport"):
            protocols = sets.span(sets.TCP, sets.UDP) if word == "th" else sets.span(sets.PROTOCOL_NUMBERS[word])
            return self._narrow(_within(boxes, Box(proto=protocols)), key, words.port)
        if word == "icmp" and key == "type":
            return self._narrow(_within(boxes, Box(proto=sets.span(sets.ICMP))), "dport", words.icmp)
        if word == "tcp" and key in ("flags", "option"):  # of the MSS: it changes no packet's way
            while self.word not in ("set", "\n", ";", "}"):
                self.at += 1
            while self.word not in ("\n", ";", "}", "counter", "accept", "drop"):
                self.at += 1
            return boxes
        self.at -= 2
        raise self.fail(f"`{word} {key}`", "a condition, a statement or a verdict known to the proof")

    def _narrow(self, boxes: list[Box], dimension: str, read: Callable[[str], tuple[int, int]]) -> list[Box]:
        wanted = self._wanted()
        try:
            named: Span = sets.normal(read(item) for item in self._items())
        except (ValueError, KeyError) as problem:
            self.at -= 1
            raise self.fail(str(problem), f"values of {dimension}") from None
        limit = ALL._replace(**{dimension: named})
        if wanted:
            return _within(boxes, limit)
        full = getattr(ALL, dimension)
        return _within(boxes, ALL._replace(**{dimension: sets.minus(full, named)}))


def _within(boxes: list[Box], limit: Box) -> list[Box]:
    if any(not each for each in limit):
        return []
    return [both for box in boxes if (both := sets.cut(box, limit))]


def _harmless(rule: Rule, chain: Chain, place: int) -> bool:
    """True when a rule by class only ends a chain early in which nothing but classes is decided from there on."""
    if rule.verdict not in ("", "accept", "return") or rule.set_mark or rule.set_ct_mark or chain.policy == "drop":
        return False
    later = chain.rules[place + 1 :]
    return not rule.verdict or not any(each.set_mark or each.set_ct_mark or each.verdict not in ENDS for each in later)
