from __future__ import annotations

import hashlib
import json
import math

import pytest

from sparkkit.errors import UsageError
from sparkkit.serving import tokens
from sparkkit.serving.app import Settings, app
from tests.serving.bundles import fraud, sentiment

pytest.importorskip("flask")

PAYMENT = {"amount": 150.0, "country": "other", "card": "1234"}


@pytest.fixture
def client(tmp_path):
    """A client of the sentiment model; `client(kind, **settings)` gives one of another."""
    def made(bundle=sentiment, **settings):
        folder = tmp_path / bundle.__name__
        return app(bundle(folder), Settings(str(folder), **settings)).test_client()

    return made


def test_a_record_is_scored_with_what_it_is_about(client):
    answer = client().post("/predict", json={"text": "Good food"})
    expected = 1 / (1 + math.exp(-2.25))
    assert answer.status_code == 200
    assert {k: v for k, v in answer.json.items() if k not in ("request_id", "score", "probabilities")} == {
        "model": "sentiment", "version": "1", "run": "20260101-000000-aaaaaa", "prediction": "positive",
        "probability": pytest.approx(expected)}
    assert answer.json["probabilities"] == {"negative": pytest.approx(1 - expected), "positive": pytest.approx(expected)}


def test_a_batch_is_scored_in_its_order(client):
    answer = client().post("/predict", json={"records": [{"text": "awful"}, {"text": "great"}, {"text": ""}]})
    assert [one["prediction"] for one in answer.json["predictions"]] == ["negative", "positive", "positive"]


def test_the_threshold_of_the_card_decides_from_its_value_on(client, tmp_path):
    (probability,) = [client(fraud).post("/predict", json=PAYMENT).json["probability"]]
    for threshold, expected in ((probability, 1), (math.nextafter(probability, 1), 0)):
        asked = client(lambda folder, limit=threshold: fraud(tmp_path / "limited", threshold=limit))
        assert asked.post("/predict", json=PAYMENT).json["prediction"] == expected


def test_all_faults_of_all_records_are_named_at_once(client):
    wrong = {"amount": -1, "country": "LU", "card": "12a4", "saved": "yes", "items": 100, "day": "2026-02-30", "colour": "red"}
    answer = client(fraud).post("/predict", json={"records": [PAYMENT, wrong, {}, 7]})
    assert answer.status_code == 400
    assert [(f["record"], f["field"], f["expected"]) for f in answer.json["errors"]] == [
        (1, "amount", "at least 0"), (1, "country", "one of DE, FR, other"), (1, "card", "a text that matches ^[0-9]{4}$"),
        (1, "saved", "true or false"), (1, "items", "below 100"), (1, "day", "a date such as 2026-02-28"),
        (1, "colour", "one of amount, country, card, saved, items, day"), (2, "amount", "a value, for it is required"),
        (2, "country", "a value, for it is required"),
        (3, "", "a record: an object with the fields amount, country, card, saved, items, day")]
    assert answer.json["error"] == "against the contract: field 'amount': the number -1, expected at least 0"


def test_a_record_within_the_contract_that_the_model_never_saw_is_422_and_named(client):
    answer = client(fraud).post("/predict", json={"records": [PAYMENT, {**PAYMENT, "country": "FR"}]})
    assert (answer.status_code, answer.json["errors"][0]["record"]) == (422, 1)
    assert "'FR', which the model never saw" in answer.json["error"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "not JSON"), (b"{", "not JSON"), (b"\xff\xfe{}", "not UTF-8 at byte 0"), ("\ufeff{}".encode(), "byte order mark"),
        (b'{"text": NaN}', "NaN is no JSON"), (b'{"text": -Infinity}', "-Infinity is no JSON"), (b"[" * 100000, "too deeply"),
        (b'{"text": "a", "text": "b"}', "'text' stands twice"), (b"1" * 5000, "too many digits"), (b'{"records": []}', "no record"),
        (b'{"records": 1}', "not a list"), (b'"a"', "a record: an object"), (b'{"text": 1e999}', "the number inf"),
        (b'{"text": "\\ud800"}', "whole characters"), (b'{"text": null}', "required"), (b'{"text": "a\x00"}', "not JSON"),
    ],
)  # fmt: skip
def test_a_body_that_can_not_be_read_is_400_and_says_why(client, body, error):
    answer = client().post("/predict", data=body, content_type="application/json")
    assert (answer.status_code, error in answer.json["error"]) == (400, True), answer.json


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "text/csv"])
def test_another_content_type_is_415(client, kind):
    assert client().post("/predict", data=b'{"text": "a"}', content_type=kind).status_code == 415


def test_limits_on_body_and_rows_are_413(client):
    small = client(max_body=100, max_rows=2)
    assert small.post("/predict", json={"text": "x" * 200}).status_code == 413
    assert small.post("/predict", json={"records": [{"text": "a"}] * 3}).status_code == 413
    assert small.post("/predict", json={"records": [{"text": "a"}] * 2}).status_code == 200


def test_a_batch_that_takes_too_long_is_ended(client):
    answer = client(timeout=1e-9).post("/predict", json={"records": [{"text": "a"}] * 101})
    assert answer.status_code == 503


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/json", b'{"instances": [{"text": "great"}]}', '"prediction": "positive"'),
        ("application/jsonlines", b'{"text": "bad"}\n\n{"text": "good"}\n', '"version": "1", "run"'),
        ("text/csv", b'"awful ""really"""\ngood\n', "negative,0.0600866501740"),
        ("text/csv", b"text\ngreat\n", "positive,0.962673112655"),
    ],
)
def test_sagemaker_asks_in_three_formats(client, kind, body, expected):
    answer = client().post("/invocations", data=body, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert expected in answer.text
    assert client().get("/ping").status_code == 200


def test_csv_is_read_by_the_types_of_the_contract_and_answered_as_asked(client):
    answer = client(fraud).post("/invocations", data=b"amount,country,saved\n1e3,other,true\n", content_type="text/csv",
                                headers={"Accept": "application/json"})
    assert answer.json["predictions"][0]["prediction"] == 1


@pytest.mark.parametrize("body", [b"a,b\n", b'"open', b"1\x00\n", b"\n\n", b"\xe9"])
def test_csv_that_can_not_be_read_is_400(client, body):
    assert client(fraud).post("/invocations", data=body, content_type="text/csv").status_code == 400


def test_tokens_open_what_their_scope_says_and_nothing_else(client, tmp_path):
    made = {scope: tokens.new(scope) for scope in ("predict", "metrics", "admin")}
    (tmp_path / "tokens").write_text("# ours\n\n" + "\n".join(line for _, line in made.values()), encoding="utf-8")
    asked = client(tokens=tmp_path / "tokens")

    def status(path, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return asked.open(path, method="GET" if path == "/metrics" else "POST", json={"text": "a"}, headers=headers).status_code

    places = {"predict": "/predict", "metrics": "/metrics", "admin": "/reload"}
    good = {"/predict": 200, "/metrics": 200, "/reload": 202}
    assert {(s, p): status(p, made[s][0]) for s in made for p in places.values()} == {
        (s, p): good[p] if places[s] == p else 403 for s in made for p in places.values()}
    assert [status(path) for path in (*places.values(), "/invocations")] == [401] * 4
    assert status("/predict", "wrong") == 401
    assert asked.post("/predict", json={"text": "a"}, headers={"Authorization": f"Basic {made['predict'][0]}"}).status_code == 401
    assert [asked.get(path).status_code for path in ("/", "/ping", "/healthz", "/openapi.json")] == [200] * 4


def test_a_token_is_kept_as_its_hash_alone():
    token, line = tokens.new("predict")
    assert token not in line and line.endswith(hashlib.sha256(token.encode()).hexdigest())


@pytest.mark.parametrize("text", ["", "# none\n", "predict md5:00", "everything sha256:" + "0" * 64])
def test_a_wrong_token_file_is_refused(tmp_path, text):
    (tmp_path / "tokens").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="token"):
        tokens.load(tmp_path / "tokens")


def test_too_many_requests_are_told_to_wait(client):
    asked = client(rate=2.0)
    answers = [asked.post("/predict", json={"text": "a"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"


def test_a_failure_of_ours_is_500_without_its_reason(client, caplog):
    asked = client()
    asked.application.extensions["sparkkit"].current.model.scorer.score = lambda records: 1 / 0
    answer = asked.post("/predict", json={"text": "the secret text"})
    assert (answer.status_code, answer.json["error"]) == (500, "the server failed; its log has more under the request's id")
    assert answer.json["request_id"] in caplog.text and "ZeroDivisionError" in caplog.text and "secret" not in caplog.text


def test_every_answer_has_the_headers_and_the_model(client):
    asked = client()
    for answer in (asked.get("/"), asked.get("/nowhere"), asked.get("/predict"), asked.post("/predict", json={"text": "a"})):
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert (answer.headers["X-Content-Type-Options"], answer.headers["X-Version"]) == ("nosniff", "1")
    assert (asked.get("/nowhere").status_code, asked.get("/predict").status_code) == (404, 405)


def test_a_callers_request_id_is_kept_unless_it_is_odd(client):
    asked = client()
    ids = [asked.get("/ping", headers={"X-Request-Id": given}).headers["X-Request-Id"] for given in ("abc-1", "a b", "x" * 65)]
    assert ids[0] == "abc-1" and all(len(found) == 16 for found in ids[1:])


def test_figures_count_requests_and_predictions(client):
    asked = client()
    asked.post("/predict", json={"records": [{"text": "a"}] * 3})
    asked.post("/predict", data=b"{", content_type="application/json")
    text = asked.get("/metrics").text
    assert 'sparkkit_requests_total{route="/predict",status="200"} 1.0' in text
    assert 'sparkkit_requests_total{route="/predict",status="400"} 1.0' in text
    assert 'sparkkit_predictions_total{model="sentiment",version="1"} 3.0' in text


def test_the_page_has_a_field_for_each_column_and_nothing_from_elsewhere(client):
    found = client(fraud).get("/").text
    assert all(f'name="{name}"' in found for name in ("amount", "country", "card", "saved", "items", "day"))
    assert 'name="fraud"' not in found and "<option>DE</option>" in found
    assert "http" not in found.replace("https://", "http://").replace("<!doctype html>", "")


def test_reasons_are_words_and_what_they_point_to(client):
    answer = client().post("/predict?why=1", json={"text": "great but <b> bad"}).json
    assert answer["towards"] == "positive"
    assert [(one["feature"], one["contribution"]) for one in answer["why"]] == [("great", 3.0), ("bad", -2.0), ("<b>", 1.5)]


def test_the_interface_is_described_by_the_contract(client):
    document = client(fraud).get("/openapi.json").json
    found = document["components"]["schemas"]["Record"]
    assert document["openapi"] == "3.1.0"
    assert found["properties"]["amount"] == {"type": "number", "format": "double", "minimum": 0, "maximum": 100000}
    assert found["properties"]["card"]["type"] == ["string", "null"]
    assert (found["required"], found["additionalProperties"]) == (["amount", "country"], False)


def test_what_the_interface_promises_a_json_schema_validator_says_too(client):
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    asked = client(fraud)
    check = validator(asked.get("/openapi.json").json["components"]["schemas"]["Record"])
    changes = ({}, {"amount": "1"}, {"country": "LU"}, {"items": 1.5}, {"items": None}, {"items": 2**31}, {"card": "x"}, {"more": 1},
               {"saved": 1})
    for record in ({}, 7, [PAYMENT], *({**PAYMENT, **change} for change in changes)):
        assert (asked.post("/predict", json=record).status_code == 200) == check.is_valid(record), record


def test_predictions_are_logged_without_what_is_personal(client, tmp_path):
    asked = client(fraud, log=tmp_path / "log")
    asked.post("/predict", json={"records": [PAYMENT, {**PAYMENT, "day": "2026-02-28"}]})
    asked.application.extensions["sparkkit"].log.close()
    (file,) = (tmp_path / "log").iterdir()
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert "1234" not in file.read_text(encoding="utf-8")
    assert [(line["version"], line["prediction"], line["masked"]) for line in lines] == [("7", 1, ["card"])] * 2
    assert lines[1]["features"] == {"amount": 150.0, "country": "other", "saved": None, "items": None, "day": "2026-02-28"}
    assert lines[0]["features_hash"] != lines[1]["features_hash"]


def test_health_names_the_version(client):
    assert {k: v for k, v in client().get("/healthz").json.items() if k not in ("since", "worker")} == {
        "status": "ok", "model": "sentiment", "version": "1", "run": "20260101-000000-aaaaaa", "reloads": 0, "reload_problem": None,
        "predictions_not_logged": 0}


def test_gunicorn_is_told_what_was_asked_for():
    pytest.importorskip("gunicorn")
    from sparkkit.serving.server import Listen, configuration

    found = configuration(Settings("m"), Listen(port=1, workers=3))
    assert (found["bind"], found["workers"]) == ("127.0.0.1:1", 3)
    assert configuration(Settings("m", spark=True), Listen())["workers"] == 1
