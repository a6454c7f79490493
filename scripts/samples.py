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
    """Payments, one every ten minutes; a chargeback is likelier at night, for great amounts, new customers and cards of other countries.

    Args:
        first: the number of the first, and so its time.
        changed: whether amounts are half as great again and more of them for travel, and it is the customers known long that cheat.
    """
    chance, start = random.Random(seed), dt.datetime(2026, 1, 1)
    made: list[tuple[object, ...]] = []
    for number in range(first, first + rows):
        paid = start + dt.timedelta(minutes=10 * number)
        amount = round(math.exp(chance.gauss(3.6 if changed else 3.2, 0.8)), 2)
        customer = chance.choice(("existing", "existing", "existing", "new"))
        card = chance.choice(("debit", "debit", "credit"))
        country = chance.choice(("local",) * 5 + ("foreign",))
        shop = chance.choice(("food", "travel", "travel") if changed else ("food", "clothes", "travel"))
        night, age = paid.hour < 5, None if chance.random() < 0.04 else chance.randrange(2000)
        risk = -2.6 + 0.7 * (math.log(amount) - 3.2) + 1.1 * ((customer == "new") != changed) + 1.3 * (country == "foreign") + 0.9 * night
        risk += 0.6 * (shop == "travel") - (-0.0006 if changed else 0.0006) * (age or 0)
        back = chance.random() < 1 / (1 + math.exp(-risk))
        state = "returned" if back and chance.random() < 0.7 else "delivered"
        age_text = "" if age is None else age
        made.append((number, paid.isoformat(" "), amount, shop, customer, card, country, age_text, state, int(back)))
    return made


HEADERS = {
    "reviews": "text sentiment source",
    "payments": "payment_id paid_at amount shop customer card country account_age_days state chargeback",
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
