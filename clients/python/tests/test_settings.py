"""Settings: where they come from, and what is wrong with them, all at once."""

import pytest
import longshore_producer
from longshore_producer import BadSettings, Producer, ProducerClosed, ProducerError, Settings
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


@pytest.mark.parametrize("given, says", [
    ({"queue_url": 5}, "queue_url is 5"),
    ({"queue_url": b"https://sqs/1/q"}, "queue_url is b"),
    ({"queue_url": "http://["}, "queue_url is"),
    ({"queue_url": URL + ".fifo\n"}, "queue_url is"),
    ({"queue_url": URL, "endpoint_url": "localhost:9324"}, "endpoint_url is 'localhost:9324'"),
    ({"queue_url": URL, "endpoint_url": "http://h:99999"}, "endpoint_url is"),
    ({"queue_url": URL, "retry_initial": "1"}, "retry_initial is '1'"),
    ({"queue_url": URL, "retry_initial": 2.0, "retry_max": 1.0}, "retry_max is 1.0: give retry_initial"),
    ({"queue_url": URL, "compress_above": "64k"}, "compress_above is '64k'"),
    ({"queue_url": URL, "on_lost": "print"}, "on_lost is 'print'"),
    ({"queue_url": URL, "make_client": 5}, "make_client is 5"),
    ({"queue_url": URL, "region": 5}, "region is 5"),
    ({"queue_url": URL, "allow_insecure": "yes"}, "allow_insecure is 'yes'"),
])
def test_whatever_is_given_is_told_as_a_bad_setting(given, says):
    with pytest.raises(BadSettings) as error:
        Producer(**given)
    assert says in str(error.value)


@pytest.mark.parametrize("given", [
    {"queue_url": "mongodb://portal:secret@h/portal"},
    {"queue_url": "https://portal:secret@h/portal"},
    {"queue_url": "https://portal:sec/ret@h/portal"},
    {"queue_url": URL, "endpoint_url": "https://portal:secret@h/portal"},
])
def test_a_login_in_a_url_is_refused_and_not_told(given):
    with pytest.raises(BadSettings) as error:
        Producer(**given)
    assert "sec" not in str(error.value) and "//***@h/portal" in str(error.value)


@pytest.mark.parametrize("variable", ["LONGSHORE__QUEUE__ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"])
def test_an_endpoint_of_the_environment_that_sends_a_given_queue_elsewhere_is_warned_of_once(monkeypatch, caplog, variable):
    queue, endpoint = f"{URL}-{variable}", "http://127.0.0.1:9324"
    monkeypatch.setenv(variable, endpoint)
    for _ in range(2):
        from_environment(queue_url=queue)
    (said,) = [record.getMessage() for record in caplog.records]
    assert queue in said and endpoint in said and variable in said


def test_an_endpoint_that_is_meant_is_not_warned_of(monkeypatch, caplog):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9324")
    from_environment(queue_url="http://localhost:9324/1/q")
    from_environment(queue_url=URL, endpoint_url="http://127.0.0.1:9325")
    # Both of the environment, as for the worker.
    monkeypatch.setenv("LONGSHORE__QUEUE__URL", URL)
    from_environment()
    assert not caplog.records


def test_settings_as_a_whole_are_checked_too_and_are_not_mixed_with_single_ones():
    settings = Settings(queue_url=URL, make_client=lambda: None, exit_timeout=0)
    assert Producer(settings).settings.region == "eu-west-1"
    with pytest.raises(BadSettings, match="when_full"):
        Producer(Settings(queue_url=URL, when_full="wait"))
    with pytest.raises(BadSettings, match="settings and when_full are given"):
        Producer(settings, when_full="raise")


def test_one_file_of_variables_serves_worker_and_producer(monkeypatch):
    monkeypatch.setenv("LONGSHORE__QUEUE__URL", "http://localstack:4566/000000000000/portal")
    with pytest.raises(BadSettings, match="LONGSHORE__QUEUE__ALLOW_INSECURE"):
        from_environment()
    monkeypatch.setenv("LONGSHORE__QUEUE__ALLOW_INSECURE", "True")
    assert from_environment().allow_insecure


def test_the_same_settings_again_are_no_error_for_a_model_of_web2py_runs_with_each_request():
    model = "longshore_producer.configure(queue_url=URL, make_client=lambda: None, on_lost=lambda lost: None, exit_timeout=0)"
    try:
        for _ in range(3):
            exec(compile(model, "models/db.py", "exec"))
        with pytest.raises(ProducerError, match="another waiting_max, on_lost, make_client"):
            longshore_producer.configure(queue_url=URL, make_client=lambda: None, exit_timeout=0, waiting_max=5)
    finally:
        longshore_producer.close()
