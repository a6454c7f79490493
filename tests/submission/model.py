"""A request against AWS's own model of the call, by botocore: types, required fields, names; it knows no words of enums."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sparkkit.submission.order import AwsCall

WHY = "boto3 is an extra: pip install 'sparkkit[aws]'"


def fits(call: AwsCall, answer: Mapping[str, Any]) -> None:
    """Asserts that AWS would take the request, and that an answer is one of AWS's; each word of an enum is one that there is."""
    pytest.importorskip("boto3", reason=WHY)
    import boto3
    from botocore.stub import Stubber

    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    client = boto3.client(call.service, region_name="eu-central-1", **keys)
    with Stubber(client) as stub:
        stub.add_response(call.operation, dict(answer), dict(call.request))
        getattr(client, call.operation)(**call.request)
    operation = client.meta.method_to_api_mapping[call.operation]
    wrong = [*_wrong(client.meta.service_model.operation_model(operation).input_shape, call.request, operation)]
    assert wrong == []


def _wrong(shape: Any, value: Any, at: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _wrong(shape.members[name], inner, f"{at}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            yield from _wrong(shape.member, inner, f"{at}[]")
    elif shape.type_name == "map":
        for name, inner in value.items():
            yield from _wrong(shape.key, name, f"{at}.{name}")
            yield from _wrong(shape.value, inner, f"{at}.{name}")
    elif shape.type_name == "string":
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 10**9)
        if (getattr(shape, "enum", None) and value not in shape.enum) or not low <= len(value) <= high:
            yield f"{at}: {value!r}"
