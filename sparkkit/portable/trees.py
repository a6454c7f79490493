"""Trees: one, a forest, gradient-boosted, for classes and for numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.portable import saved
from sparkkit.portable.linear import features
from sparkkit.portable.predictions import argmax, chosen, columns, put, share, sigmoid, thresholds
from sparkkit.portable.stage import Kind, Params, Row, Step, plain
from sparkkit.portable.vectors import Sparse, Vector

Walk = Callable[[Callable[[int], float]], Any]
"""From a vector's values by place to the value of the leaf."""


Leaf = Callable[[dict[str, Any]], Any]
"""From a leaf as Spark saves it to its value."""


def _mean(leaf: dict[str, Any]) -> Any:
    return plain(leaf["prediction"])


def _counts(leaf: dict[str, Any]) -> Any:
    return leaf["impurityStats"]


def _shares(leaf: dict[str, Any]) -> Any:
    return share(leaf["impurityStats"])


def _export(stage: Any, value: Leaf) -> dict[str, Any]:
    """Every tree of a model as lists by node."""
    nodes: dict[int, list[dict[str, Any]]] = {}
    for row in saved.rows(stage):
        nodes.setdefault(row.get("treeID", 0), []).append(row.get("nodeData") or row)
    count = stage.totalNumNodes if stage.hasParam("subsamplingRate") else stage.numNodes
    if sum(map(len, nodes.values())) != count:
        raise UsageError(f"stage {type(stage).__name__}: {sum(map(len, nodes.values()))} of its {count} nodes could be read back",
                         reason="not_portable", hint="export it in a session on this machine")
    return columns(stage) | {"width": stage.numFeatures, "trees": [_tree(nodes[at], value) for at in sorted(nodes)]}


def _tree(nodes: list[dict[str, Any]], value: Leaf) -> dict[str, Any]:
    nodes = sorted(nodes, key=lambda node: node["id"])
    splits = [node["split"] for node in nodes]
    leaf = [node["leftChild"] < 0 for node in nodes]
    return {
        "feature": [-1 if end else split["featureIndex"] for split, end in zip(splits, leaf, strict=True)],
        "threshold": [0.0 if end or split["numCategories"] >= 0 else plain(split["leftCategoriesOrThreshold"][0])
                      for split, end in zip(splits, leaf, strict=True)],
        "left": [node["leftChild"] for node in nodes], "right": [node["rightChild"] for node in nodes],
        "categories": {str(node["id"]): [node["split"]["numCategories"], *node["split"]["leftCategoriesOrThreshold"]]
                       for node in nodes if node["leftChild"] >= 0 and node["split"]["numCategories"] >= 0},
        "value": [value(node) if end else 0 for node, end in zip(nodes, leaf, strict=True)],
    }


def _walk(tree: Params) -> Walk:
    feature, left, right, value = tree["feature"], tree["left"], tree["right"], tree["value"]
    threshold = [float(t) for t in tree["threshold"]]
    goes = {int(at): _goes_left(int(found[0]), found[1:]) for at, found in tree["categories"].items()}
    if value and not any(isinstance(one, list) for one in value):
        value = [float(one) for one in value]

    def walk(get: Callable[[int], float]) -> Any:
        node = 0
        while (at := feature[node]) >= 0:
            here = get(at)
            to_left = here <= threshold[node] if node not in goes else goes[node](here)
            node = left[node] if to_left else right[node]
        return value[node]

    return walk


def _goes_left(count: int, left: list[float]) -> Callable[[float], bool]:
    """Spark keeps the smaller side of a split by categories; a category on neither side goes to the other."""
    if len(left) <= count // 2:
        return frozenset(left).__contains__
    others = frozenset(float(at) for at in range(count)) - frozenset(left)
    return lambda here: here not in others


def _getter(vector: Vector) -> Callable[[int], float]:
    if not isinstance(vector, Sparse):
        return vector.__getitem__
    items = vector.items
    return lambda at: items.get(at, 0.0)


def _leaves(params: Params) -> Callable[[Row], list[Any]]:
    """What each tree says of a row."""
    walks, width = [_walk(tree) for tree in params["trees"]], params["width"]

    def found(row: Row) -> list[Any]:
        get = _getter(features(row, params, width))
        return [walk(get) for walk in walks]

    return found


def _classify(params: Params) -> Step:
    leaves, limits = _leaves(params), None if params["thresholds"] is None else [float(t) for t in params["thresholds"]]

    def step(row: Row) -> None:
        raw = [sum(votes) for votes in zip(*leaves(row), strict=True)]
        probability = share(raw)
        put(row, params, argmax(raw) if limits is None else chosen(probability, limits), probability, raw)

    return step


def _boost(params: Params) -> Step:
    leaves, factors = _leaves(params), params["weights"]
    limits = None if params["thresholds"] is None else [float(t) for t in params["thresholds"]]

    def step(row: Row) -> None:
        margin = sum(map(float.__mul__, leaves(row), factors), 0.0)
        low = sigmoid(-2.0 * margin)
        probability, raw = [low, 1.0 - low], [-margin, margin]
        put(row, params, argmax(raw) if limits is None else chosen(probability, limits), probability, raw)

    return step


def _regress(params: Params) -> Step:
    leaves, factors = _leaves(params), params["weights"]

    def step(row: Row) -> None:
        put(row, params, sum(map(float.__mul__, leaves(row), factors), 0.0))

    return step


def _tree_of_classes(stage: Any) -> dict[str, Any]:
    return _export(stage, _counts) | thresholds(stage)


def _forest_of_classes(stage: Any) -> dict[str, Any]:
    return _export(stage, _shares) | thresholds(stage)  # each tree has one vote


def _boosted(stage: Any) -> dict[str, Any]:
    more = thresholds(stage) if stage.hasParam("thresholds") else {}
    return _export(stage, _mean) | more | {"weights": [float(weight) for weight in stage.treeWeights]}


def _averaged(stage: Any) -> dict[str, Any]:
    found = _export(stage, _mean)
    return found | {"weights": [1.0 / len(found["trees"])] * len(found["trees"])}


KINDS = {
    "DecisionTreeClassificationModel": Kind(_tree_of_classes, _classify),
    "RandomForestClassificationModel": Kind(_forest_of_classes, _classify),
    "GBTClassificationModel": Kind(_boosted, _boost),
    "DecisionTreeRegressionModel": Kind(_averaged, _regress),
    "RandomForestRegressionModel": Kind(_averaged, _regress),
    "GBTRegressionModel": Kind(_boosted, _regress),
}
"""The stages of this module by the name of their class."""
