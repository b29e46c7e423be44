"""Every saved answer of `ckpt` against the schemas beside this file. TAP, one line a file.

    validate.py DIR

A file holds one document, or the lines of --ndjson; of a *.err file (stderr) the JSON lines count.
Finding nothing is a failure: a test that saves no answers tests nothing.
"""
import json
import pathlib
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent


def schemas():
    """{name: validator}; references between the files are resolved here, never fetched."""
    texts = {p.stem: json.loads(p.read_text()) for p in HERE.glob("*.json")}
    by_id = {s["$id"]: s for s in texts.values()}
    out = {}
    for name, schema in texts.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        resolver = jsonschema.RefResolver(schema["$id"], schema, store=by_id)
        out[name] = jsonschema.Draft202012Validator(schema, resolver=resolver)
    return out


def refuse(text):
    raise ValueError("%s is not JSON" % text)


def parse(text):
    return json.loads(text, parse_constant=refuse)


def documents(path):
    """(objects, whether they are lines)."""
    text = path.read_bytes().decode("utf-8")
    if path.suffix == ".err":
        return [parse(x) for x in text.splitlines() if x.startswith("{")], True
    if "\n" in text.rstrip("\n") and text.startswith('{"type":'):
        return [parse(x) for x in text.splitlines()], True
    one = parse(text)
    return [one], isinstance(one, dict) and "format" not in one


def deepest(error):
    """The fault itself, not that every alternative failed: follow the one that came furthest."""
    while error.context:
        error = max(error.context, key=lambda e: len(e.absolute_path))
    return "/%s: %s" % ("/".join(map(str, error.absolute_path)), error.message[:300])


def schema_of(doc, lines):
    if not isinstance(doc, dict):
        return None
    if lines:
        return "error" if doc.get("type") == "error" else "ndjson"
    name, slash, version = str(doc.get("format")).partition("/")
    return name if (slash, version) == ("/", "1") else None


def problems(path, known):
    try:
        docs, lines = documents(path)
    except ValueError as e:
        return ["not JSON: %s" % e], 0
    out = []
    if lines and path.suffix != ".err" and docs[-1].get("type") not in ("summary", "error"):
        out.append("the last line is no summary")
    for doc in docs:
        name = schema_of(doc, lines)
        if name not in known:
            out.append("no schema for %s" % json.dumps(doc)[:100])
            continue
        out += [deepest(e) for e in known[name].iter_errors(doc)]
    return out, len(docs)


def main(folder):
    known, total, bad, n = schemas(), 0, 0, 0
    for path in sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file() and p.stat().st_size):
        found, count = problems(path, known)
        if not count and not found:             # a stderr without a JSON line
            continue
        n += 1
        total += count
        bad += bool(found)
        print("%sok %d - %s" % ("not " if found else "", n, path.relative_to(folder)))
        for text in found[:5]:
            print("#   " + text.replace("\n", " "))
    if not total:
        n += 1
        print("not ok %d - there are documents in %s" % (n, folder))
    print("1..%d" % n)
    print("# %d documents" % total)
    return 1 if bad or not total else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: validate.py DIR")
    sys.exit(main(sys.argv[1]))
