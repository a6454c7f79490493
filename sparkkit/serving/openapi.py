"""What the server takes and gives, as OpenAPI 3.1, made from the model's contract."""

from __future__ import annotations

from typing import Any

from sparkkit.schema.contract import Column
from sparkkit.serving.fields import WHOLE, Field
from sparkkit.serving.model import Model, labels

_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"}, "boolean": {"type": "boolean"}, "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"}, "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"}, "timestamp_ntz": {"type": "string"},
}
_ABOUT = {"model": {"type": "string"}, "version": {"type": ["string", "null"]}, "run": {"type": ["string", "null"]},
          "request_id": {"type": "string"}}


def document(model: Model) -> dict[str, Any]:
    """The document of a model's server: paths, the record's schema with the contract's limits, the answers and the errors."""
    schemas = {"Record": record(model), "Batch": _batch(), "Prediction": _prediction(model), "Error": _error()}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Model {model.about['model']}", "version": str(model.about["version"] or "0"),
                 "description": model.bundle.contract.description or f"Predictions of {model.about['model']}."},
        "paths": {
            "/predict": {"post": _operation("Predictions for a record or a batch", ("application/json",), "predict")},
            "/invocations": {"post": _operation("The same, as SageMaker asks for it",
                                                ("application/json", "application/jsonlines", "text/csv"), "predict")},
            "/ping": {"get": _plain("Whether the server answers")}, "/healthz": {"get": _plain("The version served, and what is wrong")},
            "/metrics": {"get": _plain("Figures for Prometheus", "metrics")},
            "/reload": {"post": _plain("Look for another version now", "admin")},
        },
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def record(model: Model) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a record."""
    fields = model.fields.fields
    return {"type": "object", "properties": {name: _field(field) for name, field in fields.items()},
            "required": [name for name, field in fields.items() if field.required],
            "additionalProperties": model.fields.ignore_others}


def _field(field: Field) -> dict[str, Any]:
    found = dict(_type(field.column))
    found |= {limit: bound for limit, bound in field.column.limits.items() if bound is not False}
    if field.column.description:
        found["description"] = field.column.description
    if not field.required:
        found["type"] = [found["type"], "null"] if isinstance(found["type"], str) else [*found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found


def _type(column: Column) -> dict[str, Any]:
    if column.type in WHOLE:
        bits = WHOLE[column.type]
        return {"type": "integer", "minimum": -(1 << bits), "maximum": (1 << bits) - 1}
    return _TYPES.get(column.type, {"type": ["number", "string"]})


def _batch() -> dict[str, Any]:
    return {"type": "object", "required": ["records"], "additionalProperties": False,
            "properties": {"records": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Record"}}}}


def _prediction(model: Model) -> dict[str, Any]:
    classes = labels(model.bundle.card)
    return {"type": "object", "properties": {
        **_ABOUT, "prediction": {"enum": [*classes, None]} if classes else {"type": ["number", "null"]},
        "probability": {"type": ["number", "null"], "minimum": 0, "maximum": 1}, "probabilities": {"type": "object"},
        "score": {"type": ["number", "null"]}, "left_out": {"type": "boolean"},
    }}


def _error() -> dict[str, Any]:
    texts = {name: {"type": "string"} for name in ("field", "found", "expected")}
    fault = {"type": "object", "properties": {"record": {"type": "integer"}, **texts}}
    return {"type": "object", "required": ["error"],
            "properties": {**_ABOUT, "error": {"type": "string"}, "errors": {"type": "array", "items": fault}}}


def _operation(summary: str, kinds: tuple[str, ...], scope: str) -> dict[str, Any]:
    body = {"oneOf": [{"$ref": "#/components/schemas/Record"}, {"$ref": "#/components/schemas/Batch"}]}
    said = {"400": "Not readable, or against the contract", "401": "No valid token", "413": "Too large", "415": "Another content type",
            "422": "Within the contract, but the model can't score it", "429": "Too many requests"}
    answers = {code: {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
               for code, text in said.items()}
    done = {"description": "Predictions", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Prediction"}}}}
    content = {kind: {"schema": body if kind == kinds[0] else {"type": "string"}} for kind in kinds}
    return {"summary": summary, "security": [{"token": [scope]}], "responses": {"200": done, **answers},
            "requestBody": {"required": True, "content": content}}


def _plain(summary: str, scope: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"summary": summary, "responses": {"200": {"description": "Done"}}}
    return {**found, "security": [{"token": [scope]}]} if scope else found
