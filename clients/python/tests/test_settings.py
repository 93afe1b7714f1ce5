"""Settings: where they come from, and what is wrong with them, all at once."""

import pytest
import longshore_producer
from longshore_producer import BadSettings, Producer, ProducerClosed, ProducerError
from longshore_producer.settings import ENVIRONMENT, endpoint_of, from_environment

URL = "https://sqs.eu-west-1.amazonaws.com/1/portal"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for variables in ENVIRONMENT.values():
        for variable in variables:
            monkeypatch.delenv(variable, raising=False)


def test_what_is_given_beats_the_environment_and_the_url_says_the_rest(monkeypatch):
    monkeypatch.setenv("LONGSHORE__QUEUE__URL", URL)
    monkeypatch.setenv("LONGSHORE_PRODUCER_WHEN_FULL", "block")
    settings = from_environment()
    assert (settings.queue_url, settings.region, settings.when_full) == (URL, "eu-west-1", "block")
    assert endpoint_of(settings) == "https://sqs.eu-west-1.amazonaws.com"
    assert from_environment(when_full="raise", region="us-east-1").region == "us-east-1"
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://endpoint")
    assert endpoint_of(from_environment()) == "https://endpoint"
    assert from_environment(queue_url=URL + ".fifo").is_fifo and not settings.is_fifo


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(BadSettings) as error:
        Producer(queue_url="http://10.0.0.1/1/q", when_full="wait", waiting_max=0, budget=float("nan"), compress_above=-1)
    for part in ("10.0.0.1 is plain http", "when_full", "waiting_max", "budget", "compress_above"):
        assert part in str(error.value)
    with pytest.raises(BadSettings, match="LONGSHORE__QUEUE__URL"):
        longshore_producer.log_user_event(1, "e", {})
    with pytest.raises(BadSettings, match="no setting quue_url"):
        Producer(quue_url=URL)


def test_the_default_producer_is_configured_before_its_first_use_and_closed_once():
    longshore_producer.configure(queue_url=URL, make_client=lambda: None, exit_timeout=0)
    producer = longshore_producer.producer()
    with pytest.raises(ProducerError, match="before the first"):
        longshore_producer.configure(queue_url=URL)
    assert longshore_producer.close() and longshore_producer.close()
    with pytest.raises(ProducerClosed):
        producer.log_user_event(1, "e", {})
