# SPDX-License-Identifier: MIT
"""The answer to "check": one shape for any number of products, put together and taken
apart as daemon and client do."""
LISTS = ("files", "reasons", "next", "remarks")
BADNESS = ("safe", "attention", "unknown", "blocked")


def split(answer):
    """The answer about each product, as if only that had been asked about."""
    def about(rows, product):
        return [row for row in rows if row["product"] == product]
    return [{**{key: about(answer[key], row["product"]) for key in LISTS}, **row,
             "proof": {**row["proof"], "coverage": about(answer["proof"]["coverage"],
                                                         row["product"])}}
            for row in answer["products"]]


def join(answers):
    """The whole of @answers, which are as split() gives them."""
    def badness(verdict):
        return BADNESS.index(verdict) if verdict in BADNESS else len(BADNESS)

    def worst(key):
        return max((a[key] for a in answers), key=badness)

    def rows(key, of):
        return [{**row, "product": row.get("product", a["product"])}
                for a in answers for row in of(a)[key]]

    def total(key):
        parts = [a[key] for a in answers if key in a]
        return {name: sum(part[name] for part in parts) for name in parts[0]}
    one = answers[0] if len(answers) == 1 else {"product": None, "title": None}
    proofs = [a["proof"] for a in answers]
    whole = {
        "verdict": worst("verdict"), "without_blocked": worst("without_blocked"),
        "product": one["product"], "title": one["title"],
        "at": min(a["at"] for a in answers), "generation": sum(a["generation"] for a in answers),
        "proof": {"tier": proofs[-1]["tier"], "files": sum(p["files"] for p in proofs),
                  "took_us": max(p["took_us"] for p in proofs),
                  "tries": max(p["tries"] for p in proofs),
                  "complete": all(p["complete"] for p in proofs),
                  "coverage": rows("coverage", lambda a: a["proof"])},
        "counts": total("counts"),
        **{key: rows(key, lambda a: a) for key in LISTS},
        "products": [{**{k: v for k, v in a.items() if k not in LISTS},
                      "proof": {k: v for k, v in a["proof"].items() if k != "coverage"}}
                     for a in answers]}
    if any("payload" in a for a in answers):
        whole["payload"] = total("payload")
    return whole
