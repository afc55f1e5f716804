"""TLS, SASL and Redis credentials: right ones work, `headrace check` names what is wrong."""
import pytest

from harness import expected, metrics, server
from harness.certificates import Authority
from harness.kafka import EXPIRED, SCRAM_PASSWORD, SCRAM_USER
from harness.payloads import event


@pytest.fixture(scope="session")
def client_certificate(authority):
    return authority.issue("client", "DNS:client")


def sasl(kafka, listener="sasl_ssl", **more):
    return {"HEADRACE_KAFKA_BROKERS": kafka.address(listener), "HEADRACE_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
            "HEADRACE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "HEADRACE_KAFKA_SASL_USERNAME": SCRAM_USER,
            "HEADRACE_KAFKA_SASL_PASSWORD": SCRAM_PASSWORD,
            "HEADRACE_KAFKA_SSL_CA": kafka.authority.certificate} | more


def mtls(kafka, certificate, key):
    return {"HEADRACE_KAFKA_BROKERS": kafka.address("mtls"), "HEADRACE_KAFKA_SECURITY_PROTOCOL": "ssl",
            "HEADRACE_KAFKA_SSL_CA": kafka.authority.certificate,
            "HEADRACE_KAFKA_SSL_CERTIFICATE": certificate, "HEADRACE_KAFKA_SSL_KEY": key}


@pytest.fixture
def secured(topics, folder):
    """The topics' settings without the plain listener."""
    return {k: v for k, v in topics.settings().items() if k != "HEADRACE_KAFKA_BROKERS"} | {
        "HEADRACE_SPOOL_DIR": folder / "spool-of-check"}


def ships(launch, topics, token, settings):
    launch.secret(SCRAM_PASSWORD)
    done = server.run("check", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    h = launch(settings)
    sent = [event(f"secured {i}", token=token) for i in range(5)]
    for one in sent:
        h.capture(one)
    expected.match(topics.events(5), [e for s in sent for e in expected.events("/e/", s)])
    metrics.judge(h, received=5, acked=5)


def test_sasl_ssl_with_scram(launch, kafka, topics, secured, token):
    ships(launch, topics, token, secured | sasl(kafka))


def test_mutual_tls(launch, kafka, topics, secured, token, client_certificate):
    ships(launch, topics, token, secured | mtls(kafka, *client_certificate))


def failing_check(settings, step, setting):
    done = server.run("check", settings=settings)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert step in said.lower() and setting in said, said
    assert SCRAM_PASSWORD not in said
    return said


def test_check_names_a_wrong_password(kafka, secured):
    failing_check(secured | sasl(kafka, HEADRACE_KAFKA_SASL_PASSWORD="not this one"), "sasl", "kafka.sasl_password")


def test_check_names_a_wrong_authority(kafka, secured, folder):
    other = Authority(folder / "other-ca", "another CA")
    failing_check(secured | sasl(kafka, HEADRACE_KAFKA_SSL_CA=other.certificate), "tls", "kafka.ssl_ca")


def test_check_names_an_expired_certificate(kafka, secured):
    assert "expired" in failing_check(secured | sasl(kafka, "expired"), "tls", "kafka.brokers")


def test_check_names_a_wrong_host_name(kafka, secured):
    said = failing_check(secured | sasl(kafka, "wrong_name"), "tls", "kafka.brokers")
    assert "localhost" in said


def test_check_names_a_missing_client_certificate(kafka, secured):
    settings = secured | mtls(kafka, "", "")
    del settings["HEADRACE_KAFKA_SSL_CERTIFICATE"], settings["HEADRACE_KAFKA_SSL_KEY"]
    failing_check(settings, "tls", "kafka.ssl_certificate")


def test_check_names_an_expired_client_certificate(kafka, secured):
    certificate, key = kafka.authority.issue("old-client", "DNS:client", EXPIRED)
    failing_check(secured | mtls(kafka, certificate, key), "tls", "kafka.ssl_certificate")


def test_check_names_a_closed_port_and_an_unknown_host(kafka, secured):
    failing_check(secured | {"HEADRACE_KAFKA_BROKERS": "127.0.0.1:1"}, "tcp", "kafka.brokers")
    failing_check(secured | {"HEADRACE_KAFKA_BROKERS": "no-such-host.invalid:9092"}, "dns", "kafka.brokers")


def test_a_wrong_password_does_not_stop_the_server(launch, kafka, secured, token):
    launch.secret("not this one")
    h = launch(secured | sasl(kafka, HEADRACE_KAFKA_SASL_PASSWORD="not this one"))
    sent = event("held", token=token)
    h.capture(sent)
    expected.match(h.stored(), expected.events("/e/", sent))
    metrics.judge(h, received=1, spooled=1)


def test_check_connects_to_redis(redis, folder):
    settings = {"HEADRACE_SPOOL_DIR": folder / "spool", "HEADRACE_REDIS_URL": redis.url}
    done = server.run("check", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "right-horse" not in done.stdout + done.stderr
    for url in (redis.url.replace("right-horse", "wrong-horse"), "redis://127.0.0.1:1/"):
        done = server.run("check", settings=settings | {"HEADRACE_REDIS_URL": url})
        said = done.stdout + done.stderr
        assert done.returncode != 0 and "redis.url" in said and "wrong-horse" not in said, said


def test_the_server_starts_without_its_redis(launch, token):
    h = launch({"REDIS_URL": "redis://127.0.0.1:1/"})
    h.capture(event("served", token=token))
    assert len(h.stored()) == 1
