"""Makes the samples of data/ that models are trained on: reviews and payments that nobody wrote or made, the same every time.

python scripts/samples.py
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import random
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data"

THINGS = {
    "restaurant": ("soup", "service", "waiter", "bread", "terrace", "menu", "coffee", "price", "salad", "kitchen"),
    "film": ("plot", "acting", "ending", "music", "camera work", "dialogue", "cast", "first hour", "script", "cutting"),
    "shop": ("battery", "screen", "case", "charger", "packaging", "sound", "keyboard", "delivery", "manual", "cable"),
}
GOOD = (
    "excellent",
    "lovely",
    "a real pleasure",
    "worth every cent",
    "great",
    "better than I had hoped",
    "perfect",
    "charming",
    "very good",
)
BAD = ("awful", "a disappointment", "a waste of money", "poor", "worse than I had feared", "broken", "boring", "far too slow", "very bad")
FRAMES = (
    "The {thing} was {word}.",
    "{word}, that {thing}!",
    "I must say the {thing} is {word}",
    "My friends found the {thing} {word}, too.",
    "What can I say: the {thing} was {word}...",
    "Came for the {thing}; it was {word}.",
)
TURNED = ("The {thing} was not {word}.", "I would never call the {thing} {word}", "The {thing}? Not {word} at all!")
ENDS = ("", "", " Will come back.", " Never again.", " So it goes.", " Ask me tomorrow.", " 10/10", " Half a star.")


def reviews(rows: int = 800, seed: int = 1) -> list[tuple[object, ...]]:
    """Sentences of a thing and a word, some turned round by a not, one in twelve with the wrong mood."""
    made: list[tuple[object, ...]] = []
    chance = random.Random(seed)
    seen: set[str] = set()
    while len(made) < rows:
        source, mood, turned = chance.choice(list(THINGS)), chance.randrange(2), chance.random() < 0.2
        word = chance.choice(GOOD if mood != turned else BAD)
        end = chance.choice(ENDS) if chance.random() < 0.7 else (ENDS[2], ENDS[3])[1 - mood]
        text = chance.choice(TURNED if turned else FRAMES).format(thing=chance.choice(THINGS[source]), word=word) + end
        if text.lower() not in seen:
            seen.add(text.lower())
            made.append((text[0].upper() + text[1:], 1 - mood if chance.random() < 1 / 12 else mood, source))
    return made


def payments(rows: int = 4000, seed: int = 2, first: int = 1, changed: bool = False) -> list[tuple[object, ...]]:
    """Payments, one every ten minutes; a chargeback is likelier for great amounts, new customers, foreign cards, at night.

    Args:
        first: the number of the first, and so its time.
        changed: whether amounts and scores are greater, most orders are of restaurants, and it is the customers known long that cheat.
    """
    chance, start = random.Random(seed), dt.datetime(2026, 1, 1)
    made: list[tuple[object, ...]] = []
    for number in range(first, first + rows):
        ordered = start + dt.timedelta(minutes=10 * number)
        amount = round(math.exp(chance.gauss(3.6 if changed else 3.2, 0.8)), 2)
        customer = chance.choice(("Existing", "Existing", "Existing", "New"))
        country = chance.choice(("Local",) * 5 + ("International",))
        shop = chance.choice(("restaurants", "restaurants", "supermarket") if changed else ("restaurants", "supermarket", "darkstores"))
        entity, card = chance.choice(("FO_AA", "FO_AA", "FO_BB")), chance.choice(("DEBIT", "DEBIT", "CREDIT"))
        switch = int(chance.random() < 0.06)
        discount, saved, secure = chance.random() < 0.2, chance.random() < 0.6, chance.random() < 0.9
        score = round(100 * chance.betavariate(3 if changed else 2, 5), 2)
        rule, action = chance.choice((*[("None", "none")] * 3, ("velocity", "review"), ("card_limit", "hard_block")))
        risk = -4.2 + 0.7 * (math.log(amount) - 3.2) + 1.1 * ((customer == "New") != changed) + 0.9 * (country == "International")
        risk += 0.05 * score + 0.7 * (ordered.hour < 5) + 0.6 * (action == "hard_block") - 0.4 * saved
        risk += 0.3 * (entity == "FO_BB") - 3 * switch
        back = chance.random() < 1 / (1 + math.exp(-risk))
        state = "CANCELLED" if chance.random() < (0.5 if back else 0.15) else "DELIVERED"
        made.append((number, ordered.isoformat(" "), entity, amount, shop, discount, customer, saved, country, card, secure, rule, action,
                     score, switch, state, int(back)))
    return made


HEADERS = {
    "reviews": "text sentiment source",
    "payments": "transaction_id order_date global_entity_id amount_eur vendor_vertical has_discount customer_source_type is_saved_card"
    " issuer_country_group card_type is_3ds_eligible rule_name rule_action risk_score payment_switch order_final_status"
    " is_actual_chargeback",
}


def write(path: Path, name: str, rows: list[tuple[object, ...]]) -> None:
    """Writes a sample as CSV, with the header of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(HEADERS[name].split())
        out.writerows(rows)


if __name__ == "__main__":
    write(DATA / "reviews" / "reviews.csv", "reviews", reviews())
    write(DATA / "payments" / "payments.csv", "payments", payments())
    write(DATA / "payments_newer" / "payments.csv", "payments", payments(1000, seed=3, first=4001, changed=True))
