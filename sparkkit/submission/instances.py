"""The machines of a transient cluster of EMR, from `[submit.instances.master|core|task]`: groups of one type, or fleets of several."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.submission.fields import number, table, text, texts, word, wrong
from sparkkit.submission.order import Order

ROLES = ("master", "core", "task")
GROUP = ("type", "count", "market", "bid", "disk_gb")
FLEET = ("types", "on_demand", "spot", "allocation", "spot_minutes", "spot_timeout", "disk_gb")
MARKETS = ("ON_DEMAND", "SPOT")
ALLOCATIONS = ("capacity-optimized", "price-capacity-optimized", "lowest-price", "diversified", "capacity-optimized-prioritized")
TIMEOUTS = ("SWITCH_TO_ON_DEMAND", "TERMINATE_CLUSTER")
UNITS = ("Instances", "VCPU", "InstanceFleetUnits")
SCALING = ("unit", "min", "max", "max_on_demand", "max_core")
MACHINE = r"[a-z][a-z0-9-]*\.[a-z0-9-]+"
MOST = 10_000


def instances(order: Order) -> dict[str, Any]:
    """The fields of `Instances` that say which machines a cluster has.

    Raises:
        UsageError: there is no master, groups and fleets are mixed, a word or a number is none that EMR takes.
    """
    said = table("instances", order.submit.get("instances"), ROLES)
    if "master" not in said:
        raise UsageError("target emr needs a cluster to add a step to, or machines to make one of", reason="not_configured",
                         hint="set cluster in [submit] of conf/env/emr.toml, or [submit.instances.master], and core")
    if "task" in said and "core" not in said:
        raise wrong("instances", sorted(said), "core machines beside those for tasks: HDFS is on them")
    if fleets(order):
        return {"InstanceFleets": [_fleet(role, said[role]) for role in ROLES if role in said]}
    return {"InstanceGroups": [_group(role, said[role]) for role in ROLES if role in said]}


def fleets(order: Order) -> bool:
    """Whether the machines are fleets, of several types each.

    Raises:
        UsageError: some are, and others are not.
    """
    said = table("instances", order.submit.get("instances"), ROLES)
    several = {role for role, one in said.items() if isinstance(one, Mapping) and "types" in one}
    if several and several != set(said):
        raise wrong("instances", sorted(said), f"`types` for each, since {sorted(several)[0]} has them: a cluster has fleets or groups")
    return bool(several)


def _group(role: str, said: object) -> dict[str, Any]:
    at = f"instances.{role}"
    one = table(at, said, GROUP)
    made: dict[str, Any] = {"Name": role, "InstanceRole": role.upper(), "InstanceType": text(f"{at}.type", one.get("type"), MACHINE, _TYPE)}
    made["InstanceCount"] = number(f"{at}.count", one.get("count", 1), 1, MOST)
    if role == "master" and made["InstanceCount"] not in (1, 3):
        raise wrong(f"{at}.count", one["count"], "1, or 3 for one that stays when a master is lost")
    made["Market"] = word(f"{at}.market", one.get("market", "ON_DEMAND"), MARKETS)
    if "bid" in one:
        if made["Market"] != "SPOT":
            raise wrong(f"{at}.bid", one["bid"], "none where market is ON_DEMAND")
        made["BidPrice"] = text(f"{at}.bid", str(one["bid"]), r"\d+(\.\d+)?", "a price in dollars for an hour")
    return made | _disks(at, one)


def _fleet(role: str, said: object) -> dict[str, Any]:
    at = f"instances.{role}"
    one = table(at, said, FLEET)
    demand, spot = (number(f"{at}.{key}", one.get(key, 0), 0, MOST) for key in ("on_demand", "spot"))
    if demand + spot < 1 or (role == "master" and demand + spot != 1):
        raise wrong(at, dict(one), "on_demand and spot that add up to 1" if role == "master" else "on_demand, spot or both from 1")
    weights = _weights(at, one["types"], role)
    types = [{"InstanceType": name, "WeightedCapacity": weight, **_disks(at, one)} for name, weight in weights.items()]
    made: dict[str, Any] = {"Name": role, "InstanceFleetType": role.upper(), "TargetOnDemandCapacity": demand, "TargetSpotCapacity": spot}
    return made | {"InstanceTypeConfigs": types} | _spot(at, one, spot)


def _weights(at: str, types: object, role: str) -> dict[str, int]:
    """How many units of capacity a machine of each type is."""
    if isinstance(types, Mapping):
        weights = {str(name): number(f"{at}.types.{name}", weight, 1, 999) for name, weight in types.items()}
    else:
        weights = dict.fromkeys(texts(f"{at}.types", types), 1)
    for name in weights:
        text(f"{at}.types", name, MACHINE, _TYPE)
    if not 1 <= len(weights) <= 30:
        raise wrong(f"{at}.types", types, "from 1 to 30 types")
    if role == "master" and set(weights.values()) != {1}:
        raise wrong(f"{at}.types", types, "types of weight 1: there is one master")
    return weights


def _spot(at: str, one: Mapping[str, Any], spot: int) -> dict[str, Any]:
    if not spot:
        unused = next((key for key in ("allocation", "spot_minutes", "spot_timeout") if key in one), None)
        if unused:
            raise wrong(f"{at}.{unused}", one[unused], "none where spot is 0")
        return {}
    asked = {
        "TimeoutDurationMinutes": number(f"{at}.spot_minutes", one.get("spot_minutes", 10), 5, 1440),
        "TimeoutAction": word(f"{at}.spot_timeout", one.get("spot_timeout", "SWITCH_TO_ON_DEMAND"), TIMEOUTS),
        "AllocationStrategy": word(f"{at}.allocation", one.get("allocation", "price-capacity-optimized"), ALLOCATIONS),
    }
    return {"LaunchSpecifications": {"SpotSpecification": asked}}


def _disks(at: str, one: Mapping[str, Any]) -> dict[str, Any]:
    if "disk_gb" not in one:
        return {}
    size = number(f"{at}.disk_gb", one["disk_gb"], 10, 16_384)
    volume = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": size}, "VolumesPerInstance": 1}
    return {"EbsConfiguration": {"EbsBlockDeviceConfigs": [volume]}}


def scaling(order: Order) -> dict[str, Any]:
    """EMR's managed scaling, where `managed_scaling` asks for it.

    Raises:
        UsageError: its unit does not go with the machines, or its limits not with each other.
    """
    one = table("managed_scaling", order.submit.get("managed_scaling"), SCALING)
    if not one:
        return {}
    unit = word("managed_scaling.unit", one.get("unit", "InstanceFleetUnits" if fleets(order) else "Instances"), UNITS)
    if (unit == "InstanceFleetUnits") != fleets(order):
        raise wrong("managed_scaling.unit", unit, "InstanceFleetUnits for fleets (`types`), Instances or VCPU for groups (`type`)")
    low = number("managed_scaling.min", one.get("min", 1), 1, MOST)
    high = number("managed_scaling.max", one.get("max"), low, MOST)
    limits = {"UnitType": unit, "MinimumCapacityUnits": low, "MaximumCapacityUnits": high}
    for key, field in (("max_on_demand", "MaximumOnDemandCapacityUnits"), ("max_core", "MaximumCoreCapacityUnits")):
        if key in one:
            limits[field] = number(f"managed_scaling.{key}", one[key], 0 if key == "max_on_demand" else 1, high)
    return {"ManagedScalingPolicy": {"ComputeLimits": limits}}


_TYPE = "a type of machine such as m7g.xlarge"
