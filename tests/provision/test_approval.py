"""Two people behind every plan: what an approval refuses, and what a forged one looks like."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.person_key import KeyProblem, load_key, make_key, public_text
from provision.broker.county import County
from provision.change import approval
from provision.change.plan import Approval, Evidence, Plan, PlanError, county_fingerprint, digest_of
from sanwang import approve as command
from sanwang.plan import main as plan_main
from sanwang.plan_words import print_plan
from tests.provision import plans
from tests.provision.plans import KEYS, NOW

PHRASE = "correct horse battery"


@dataclass(frozen=True)
class Bench:
    """A county on disk and a plan of wang's for it."""

    county: County
    plan: Plan

    def approve(
        self, login: str, *, plan: Plan | None = None, key: str = "", account: str = "", now: datetime = NOW
    ) -> Plan:
        return approval.approve(
            plan or self.plan,
            self.county.model,
            login,
            KEYS[key or login],
            fingerprint=county_fingerprint(self.county.folder),
            account=account or login,
            now=now,
        )

    def check(self, plan: Plan, now: datetime = NOW) -> tuple[Approval, ...]:
        return approval.check(plan, self.county.model, fingerprint=county_fingerprint(self.county.folder), now=now)


def bench(folder: Path, author: str = "wang") -> Bench:
    county = plans.county(folder)
    held = plans.without_line(county, "b01-rt", "/etc/frr/frr.conf", "ip route")
    return Bench(county, plans.make(county, {"b01-rt": held}, author=author))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return bench(tmp_path_factory.mktemp("desk") / "county")


def test_another_person_signs_and_file_and_county_alone_prove_it(desk: Bench, tmp_path: Path) -> None:
    desk.approve("li").save(tmp_path / "p.plan")
    loaded = Plan.load(tmp_path / "p.plan")
    assert loaded.digest == desk.plan.digest
    (held,) = desk.check(loaded)
    assert (held.login, held.key) == ("li", public_text(KEYS["li"]))
    again = desk.approve("chen", plan=desk.approve("li", plan=loaded))
    assert [each.login for each in desk.check(again)] == ["li", "chen"]  # once each


def test_nobody_else_stands_behind_it(desk: Bench) -> None:
    with pytest.raises(approval.NotApproved, match="found 0; expected 1; next: sanwang approve"):
        desk.check(desk.plan)


@pytest.mark.parametrize(
    ("login", "key", "account", "words"),
    [
        ("wang", "wang", "wang", "found wang, the plan's author; expected another person"),
        ("wang", "wang", "root", "found wang, the plan's author"),
        ("li", "li", "wang", "found the author wang signing as li"),
        ("li", "wang", "li", "which people.yml has for li"),
        (
            "zhao",
            "zhao",
            "zhao",
            "zhao with the roles operator; expected one that may approve (engineer, approver, leader)",
        ),
        ("lin", "li", "lin", "no public_key of lin in people.yml"),
        ("lee", "li", "lee", "expected one of wang, li, chen, zhao, lin"),
    ],
)
def test_who_may_not(desk: Bench, login: str, key: str, account: str, words: str) -> None:
    with pytest.raises(PlanError) as refused:
        desk.approve(login, key=key, account=account)
    assert words in str(refused.value)
    assert refused.value.exit_code == 2


def test_the_author_under_another_login_with_the_same_key(desk: Bench) -> None:
    """The county's files refuse such people already; a model made otherwise is refused here."""
    people = dict(desk.county.model.people)
    people["li"] = replace(people["li"], public_key=people["wang"].public_key)
    model = replace(desk.county.model, people=people)
    with pytest.raises(PlanError, match="found li with the key of the author wang"):
        approval.approve(desk.plan, model, "li", KEYS["wang"], fingerprint=desk.plan.fingerprint, account="li", now=NOW)
    signed = forge(desk.plan, "li", "wang")
    with pytest.raises(PlanError, match="found li with the key of the author wang"):
        approval.check(signed, model, fingerprint=desk.plan.fingerprint, now=NOW)


def test_an_author_that_the_county_does_not_know_needs_two_others(tmp_path: Path) -> None:
    desk = bench(tmp_path / "county", author="root")
    one = desk.approve("wang", account="root")
    with pytest.raises(approval.NotApproved, match="found 1; expected 2, as the author 'root' is no person"):
        desk.check(one)
    assert len(desk.check(desk.approve("li", plan=one, account="root"))) == 2


def forge(plan: Plan, login: str, signer: str, /, **change: object) -> Plan:
    """An approval made past the rules, signed with somebody's key."""
    unsigned = Approval(login, public_text(KEYS[signer]), NOW.isoformat(), (), "")
    signature = base64.b64encode(KEYS[signer].sign(approval.message(plan, unsigned))).decode()
    return plan.with_approval(replace(unsigned, **{"signature": signature, **change}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        (lambda plan: forge(plan, "li", "wang"), "expected .*, as in people.yml"),
        (lambda plan: forge(plan, "li", "wang", key=public_text(KEYS["li"])), "forged, or the plan was edited"),
        (lambda plan: forge(plan, "li", "li", at="2020-01-01T00:00:00+00:00"), "forged, or the plan was edited"),
        (lambda plan: forge(plan, "li", "li", signature="AAAA"), "forged"),
        (lambda plan: forge(plan, "li", "li", signature="no base64"), "forged"),
        (lambda plan: forge(plan, "wang", "wang"), "the plan's author"),
        (lambda plan: forge(plan, "zhao", "zhao"), "may approve"),
        (lambda plan: forge(plan, "nobody", "li"), "expected one of"),
        (lambda plan: forge(plan, "li", "li", evidence=("0" * 64,)), "other evidence"),
        (lambda plan: replace(forge(plan, "li", "li"), why="something else"), "forged, or the plan was edited"),
        (lambda plan: replace(forge(plan, "li", "li"), devices=()), "forged, or the plan was edited"),
    ],
)
def test_what_was_not_signed_so_is_found(desk: Bench, forged: Callable[[Plan], Plan], words: str) -> None:
    with pytest.raises(PlanError, match=words) as found:
        desk.check(forged(desk.plan))
    assert not isinstance(found.value, approval.NotApproved)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(data=st.data())
def test_a_rewritten_plan_with_checksums_made_anew_is_refused_in_words(desk: Bench, data: st.DataObject) -> None:
    """Whatever an editor puts in any place: the signature no longer fits, and showing it does no harm."""
    document = json.loads(json.dumps(desk.approve("li").as_json()))
    spot, value = document["content"], data.draw(JSON)
    while True:
        key = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.booleans()):
            break
        spot = spot[key]
    if spot[key] == value:
        return
    spot[key] = value
    document["digest"] = digest_of(document["content"])
    document["seal"] = digest_of({key: value for key, value in document.items() if key != "seal"})
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    try:
        plan = Plan.parse(text.encode())
    except PlanError:
        return
    print_plan(plan, diff=True)
    with pytest.raises(PlanError):
        desk.check(plan)


def test_an_approval_does_not_move_to_another_plan(desk: Bench) -> None:
    (signed,) = desk.approve("li").approvals
    other = replace(desk.plan, made_at=(NOW + timedelta(seconds=1)).isoformat())
    with pytest.raises(PlanError, match="does not fit plan"):
        desk.check(other.with_approval(signed))


def test_evidence_that_was_signed_stays_and_more_may_come(desk: Bench) -> None:
    good = Evidence("rehearsal", NOW.isoformat(), True, "all pairs", {"pairs": 3})
    signed = desk.approve("li", plan=desk.plan.with_evidence(good))
    more = signed.with_evidence(Evidence("drill", NOW.isoformat(), True, "ring"))
    assert len(desk.check(more)) == 1
    with pytest.raises(PlanError, match="other evidence than was signed"):
        desk.check(replace(signed, evidence=(replace(good, good=False),)))


def test_a_plan_grows_stale_with_the_county_and_with_the_clock(tmp_path: Path) -> None:
    desk = bench(tmp_path / "county")
    signed = desk.approve("li")
    late = NOW + timedelta(hours=2)
    for refused in (lambda: desk.approve("li", now=late), lambda: desk.check(signed, now=late)):
        with pytest.raises(PlanError, match=r"window: found its end .* past"):
            refused()
    path = desk.county.folder / "services.yml"
    path.write_text(path.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    for refused in (lambda: desk.approve("li"), lambda: desk.check(signed)):
        with pytest.raises(PlanError, match=r"fingerprint: found a plan of .* stale"):
            refused()
    with pytest.raises(PlanError, match="county: found a plan of elsewhere"):
        desk.check(replace(desk.plan, county="elsewhere"))


# Keys ----------------------------------------------------------------------------------------------


def test_a_key_pair_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "li.key"
    public = make_key(path, PHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_text(load_key(path, PHRASE)) == public
    assert len(base64.b64decode(public)) == 32
    assert b"ENCRYPTED" in path.read_bytes()


def test_keys_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "li.key"
    make_key(path, PHRASE)
    with pytest.raises(KeyProblem, match="never overwritten"):
        make_key(path, PHRASE)
    with pytest.raises(KeyProblem, match="pass phrase: found 5 characters"):
        make_key(tmp_path / "b.key", "short")
    with pytest.raises(KeyProblem, match="no key that this pass phrase opens"):
        load_key(path, "another phrase")
    with pytest.raises(KeyProblem, match="No such file"):
        load_key(tmp_path / "none.key", PHRASE)
    path.chmod(0o640)
    with pytest.raises(KeyProblem, match="mode 0640; expected 0600"):
        load_key(path, PHRASE)
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    with pytest.raises(KeyProblem, match="inside the git checkout"):
        make_key(tmp_path / "repo" / "deep.key", PHRASE)
    for kind, extra in (("ed25519", ["-outform", "PEM"]), ("rsa", [])):
        plain = tmp_path / f"{kind}.pem"
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", kind, "-out", str(plain), *extra], check=True, capture_output=True
        )
        plain.chmod(0o600)
        with pytest.raises(KeyProblem, match="without a pass phrase"):
            load_key(plain, PHRASE)


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.key"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(KeyProblem):
        load_key(path, PHRASE)


# The command ---------------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with county, plan and li's own key, and the environment of li's account."""
    monkeypatch.setenv(command.PHRASE, PHRASE)
    monkeypatch.setenv("SANWANG_WHO", "li")
    monkeypatch.setenv("SANWANG_INSTANCE", "zpnone")
    assert command.main(["keygen", "--out", str(tmp_path / "li.key")]) == 0
    county = plans.county(tmp_path / "county")
    path = county.folder / "county.yml"
    mine = public_text(load_key(tmp_path / "li.key", PHRASE))
    path.write_text(path.read_text(encoding="utf-8").replace(public_text(KEYS["li"]), mine), encoding="utf-8")
    held = plans.without_line(county, "b01-rt", "/etc/frr/frr.conf", "ip route")
    plan = plans.make(county, {"b01-rt": held})
    replace(plan, window_end="2999-01-01T00:00:00+00:00").save(tmp_path / "p.plan")
    return tmp_path


def run(told: Path, *arguments: str) -> int:
    return command.main([str(told / "p.plan"), "--county", str(told / "county"), *arguments])


def test_the_command_signs_and_checks(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(told, "--check") == 1
    assert "found 0; expected 1" in capsys.readouterr().out
    assert run(told, "--as", "li", "--key", str(told / "li.key"), "--json") == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (document["approved"], document["approvals"], document["needed"]) == (True, ["li"], 1)
    assert run(told, "--check", "--json") == 0
    assert plan_main(["show", str(told / "p.plan"), "--no-diff"]) == 0
    assert "approved  li" in capsys.readouterr().out


def test_the_command_refuses_with_clear_words(
    told: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = str(told / "li.key")
    before = (told / "p.plan").read_bytes()
    assert run(told) == 2
    assert "expected one of the two" in capsys.readouterr().err
    assert run(told, "--as", "chen", "--key", key) == 2
    assert "which people.yml has for chen" in capsys.readouterr().err
    monkeypatch.setenv(command.PHRASE, "not the phrase")
    assert run(told, "--as", "li", "--key", key) == 2
    assert "no key that this pass phrase opens" in capsys.readouterr().err
    monkeypatch.delenv(command.PHRASE)
    assert run(told, "--as", "li", "--key", key) == 2
    assert "no terminal to ask on" in capsys.readouterr().err
    assert (told / "p.plan").read_bytes() == before
    document = json.loads(before)
    document["content"]["why"] = "edited"
    (told / "p.plan").write_text(json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n")
    assert run(told, "--check") == 2
    assert "digest: found content" in capsys.readouterr().err
    document["digest"] = digest_of(document["content"])
    (told / "p.plan").write_text(json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n")
    assert run(told, "--check") == 2
    assert "seal: found" in capsys.readouterr().err


def test_people_of_one_key_are_a_mistake_of_the_county(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = told / "county" / "county.yml"
    path.write_text(
        path.read_text(encoding="utf-8").replace(public_text(KEYS["wang"]), public_text(KEYS["chen"])), encoding="utf-8"
    )
    assert run(told, "--check") == 2
    assert "people.chen.public_key: found the key of wang" in capsys.readouterr().err
