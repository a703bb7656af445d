"""The transfer endpoint's certificates: when they are made, served and replaced, and where they are kept."""

import ssl
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_snapshot.cluster import ConflictError, Object
from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.jobs.build import LONGEST_SECONDS
from kai_snapshot.runs.certificates import SECRET, keep
from kai_snapshot.transfer.certificates import (
    HANDOVER,
    LIFETIME,
    RENEWAL,
    SKEW,
    Certificates,
    from_secret,
    make,
    renewed,
    to_secret,
)
from support.cluster import NAMESPACE, FakeCluster, services
from support.resources import CREATED as NOW

HOST = "transfer.kai-snapshots.svc"
DAY = timedelta(days=1)
DUE = NOW + LIFETIME - RENEWAL


class TestWhenOneIsMadeServedAndReplaced:
    def test_there_is_one_from_the_start(self) -> None:
        held = renewed(None, HOST, NOW)
        assert held.serving.serves(HOST, NOW)
        assert held.following is None

    def test_nothing_happens_until_the_next_is_due(self) -> None:
        held = renewed(None, HOST, NOW)
        assert renewed(held, HOST, DUE - DAY) == held

    def test_the_next_is_trusted_before_it_is_served(self) -> None:
        held = renewed(None, HOST, NOW)
        due = renewed(held, HOST, DUE)
        assert due.serving == held.serving
        assert due.following is not None
        assert due.authorities == held.serving.authority + due.following.authority
        assert renewed(due, HOST, DUE + HANDOVER - DAY) == due
        assert renewed(due, HOST, DUE + HANDOVER) == Certificates(due.following)

    def test_a_job_that_does_not_know_the_next_one_has_ended_before_it_is_served(self) -> None:
        assert timedelta(seconds=LONGEST_SECONDS) < HANDOVER < RENEWAL

    def test_an_operator_that_was_away_too_long_to_wait_serves_the_next_when_the_other_ends(self) -> None:
        held = renewed(None, HOST, NOW)
        late = renewed(held, HOST, NOW + LIFETIME - DAY)
        assert (late.serving, late.following is None) == (held.serving, False)
        assert renewed(late, HOST, NOW + LIFETIME).serving == late.following

    @pytest.mark.parametrize("away", [LIFETIME, 2 * LIFETIME, -2 * SKEW, -LIFETIME])
    def test_one_that_is_good_no_more_or_not_yet_is_replaced_at_once(self, away: timedelta) -> None:
        held = renewed(None, HOST, NOW)
        now = renewed(held, HOST, NOW + away)
        assert now.serving != held.serving
        assert now.serving.serves(HOST, NOW + away)

    def test_neither_is_any_use_under_another_name(self) -> None:
        held = renewed(renewed(None, HOST, NOW), HOST, DUE)
        assert renewed(held, "10.0.0.7", DUE).serving.serves("10.0.0.7", DUE)
        assert not held.serving.serves("10.0.0.7", DUE)

    @given(st.lists(st.tuples(st.floats(0, 40), st.floats(-0.5, 0.5)), max_size=12))
    @settings(max_examples=50, deadline=None)
    def test_what_is_served_is_always_good_and_known_to_jobs_of_the_last_week(
        self, looks: list[tuple[float, float]]
    ) -> None:
        """Whenever it is looked at, and however long it is not, with clocks that are wrong by half of `SKEW`."""
        time, held = NOW, renewed(None, HOST, NOW)
        made: list[tuple[datetime, str]] = []
        for days, wrong in looks:
            time += days * DAY
            now = time + wrong * SKEW
            held = renewed(held, HOST, now)
            assert held.serving.serves(HOST, now)
            known = [trust for when, trust in made if when > time - timedelta(seconds=LONGEST_SECONDS)]
            assert all(held.serving.authority in trust for trust in known)
            made.append((time, held.authorities))


class TestWhatIsInTheSecret:
    @pytest.mark.parametrize("at", [NOW, DUE], ids=["one", "two"])
    def test_it_is_read_as_it_was_written(self, at: datetime) -> None:
        held = renewed(renewed(None, HOST, NOW), HOST, at)
        assert from_secret({key: text.encode() for key, text in to_secret(held).items()}) == held

    def test_anything_else_is_none(self) -> None:
        good = {key: text.encode() for key, text in to_secret(renewed(None, HOST, NOW)).items()}
        other = {key: text.encode() for key, text in to_secret(renewed(None, HOST, NOW)).items()}
        for key in good:
            for bad in ({k: v for k, v in good.items() if k != key}, good | {key: b"\xff"}, good | {key: other[key]}):
                assert from_secret(bad) is None

    def test_a_key_with_a_password_is_none(self) -> None:
        held = renewed(None, HOST, NOW)
        good = {key: text.encode() for key, text in to_secret(held).items()}
        private = serialization.load_pem_private_key(good["tls.key"], password=None)
        locked = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )
        assert from_secret(good | {"tls.key": locked}) is None

    def test_a_certificate_with_another_signature_is_none(self) -> None:
        good = {key: text.encode() for key, text in to_secret(renewed(None, HOST, NOW)).items()}
        body = bytearray(ssl.PEM_cert_to_DER_cert(good["tls.crt"].decode()))
        body[-1] ^= 1
        assert from_secret(good | {"tls.crt": ssl.DER_cert_to_PEM_cert(bytes(body)).encode()}) is None

    def test_no_key_is_in_what_is_printed(self) -> None:
        assert "PRIVATE" not in repr(renewed(None, HOST, NOW))


class Refusing(FakeCluster):
    """Refuses to write Secrets."""

    def replace_secret(self, secret: Object) -> None:
        raise TransientError(Reason.FORBIDDEN, "no")

    def create_secret(self, secret: Object) -> None:
        raise TransientError(Reason.FORBIDDEN, "no")


class TestWhereTheyAreKept:
    @pytest.fixture
    def cluster(self) -> FakeCluster:
        return FakeCluster()

    def kept(self, cluster: FakeCluster, now: datetime, served: Certificates | None = None) -> Certificates:
        return keep(cluster, services(cluster, claims=Path("/")).settings, now=now, served=served)  # type: ignore[arg-type]

    def test_the_next_operator_finds_those_of_the_last(self, cluster: FakeCluster) -> None:
        first = self.kept(cluster, NOW)
        assert self.kept(cluster, NOW + DAY) == first
        secret = cluster.secrets[SECRET]
        assert (secret["type"], secret["metadata"]["namespace"]) == ("kubernetes.io/tls", NAMESPACE)
        assert {"tls.crt", "tls.key", "ca.crt"} == secret["stringData"].keys()

    def test_they_are_written_before_they_are_served(self, cluster: FakeCluster) -> None:
        self.kept(cluster, NOW)
        due = self.kept(cluster, DUE)
        assert due.following is not None
        assert from_secret(cluster.data_of(cluster.secrets[SECRET])) == due

    def test_a_secret_that_was_deleted_is_written_again_with_what_is_served(self, cluster: FakeCluster) -> None:
        served = self.kept(cluster, NOW)
        del cluster.secrets[SECRET]
        assert self.kept(cluster, NOW + DAY, served) == served
        assert self.kept(cluster, NOW + DAY) == served

    def test_a_secret_that_nobody_can_read_is_replaced(self, cluster: FakeCluster) -> None:
        served = self.kept(cluster, NOW)
        cluster.secrets[SECRET]["stringData"] = {"tls.crt": "mine"}
        assert self.kept(cluster, NOW, served) == served
        cluster.secrets[SECRET]["stringData"] = {"tls.crt": "mine"}
        assert self.kept(cluster, NOW) == self.kept(cluster, NOW) != served

    def test_what_is_served_goes_on_when_the_next_cannot_be_kept(self) -> None:
        cluster = Refusing()
        held = renewed(None, "transfer", NOW)
        cluster.secrets[SECRET] = {"metadata": {"name": SECRET}, "stringData": to_secret(held)}
        assert self.kept(cluster, DUE) == held
        with pytest.raises(TransientError):
            self.kept(cluster, NOW + LIFETIME)

    def test_nothing_is_served_that_is_not_kept(self) -> None:
        with pytest.raises(TransientError):
            self.kept(Refusing(), NOW)

    def test_another_operator_that_was_faster_is_listened_to(self, cluster: FakeCluster) -> None:
        first = self.kept(cluster, NOW)
        raced = cluster.secrets[SECRET]
        cluster.secret = lambda *_: None  # type: ignore[method-assign]
        with pytest.raises(ConflictError):
            self.kept(cluster, NOW)
        assert from_secret(cluster.data_of(raced)) == first


def test_each_has_an_authority_of_its_own() -> None:
    one, other = make(HOST, NOW), make(HOST, NOW)
    assert from_secret({k: v.encode() for k, v in to_secret(Certificates(one)).items()}) is not None
    mixed = to_secret(Certificates(replace(one, authority=other.authority)))
    assert from_secret({k: v.encode() for k, v in mixed.items()}) is None
